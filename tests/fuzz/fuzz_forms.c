/* Any text as each of the small notations of keys: a value within its bounds, which written out
 * plainly is read as the same again, or a message. */
#include "base/mem.h"
#include "config/forms.h"
#include "fuzz.h"

#include <string.h>

#define CENTURY (36525LL * 86400000)

static bool fits(int64_t ms)
{
	return ms > 0 && ms <= CENTURY;
}

static void check_retry(const char *text)
{
	struct err err = {{0}};
	struct retry r, again;
	char *plain;

	if (!form_retry(text, &r, &err)) {
		PROMISE(*err.text);
		return;
	}
	if (r.none)
		return;
	PROMISE(fits(r.for_ms) && fits(r.min_ms) && fits(r.max_ms) && r.min_ms <= r.max_ms);
	plain = mem_format("%lldms, %lldms..%lldms", (long long)r.for_ms, (long long)r.min_ms,
			   (long long)r.max_ms);
	PROMISE(form_retry(plain, &again, &err));
	PROMISE(again.for_ms == r.for_ms && again.min_ms == r.min_ms && again.max_ms == r.max_ms);
	free(plain);
}

/* The time behind the slash is a unit, or a number above 0 and a unit. */
static bool is_time(const char *text)
{
	size_t n = strspn(text, "0123456789"), unit = strcspn(text + n, " \t,");

	return (n == 0 || strspn(text, "0") < n) &&
	       (unit == 1 || (unit == 2 && strncmp(text + n, "ms", 2) == 0));
}

static void check_rate(const char *text)
{
	struct err err = {{0}};
	struct rate r, again;
	char *plain;

	if (!form_rate(text, &r, &err)) {
		PROMISE(*err.text);
		return;
	}
	PROMISE(r.events >= 1 && r.burst >= 1 && fits(r.per_ms));
	PROMISE(is_time(strchr(text, '/') + 1));
	plain = mem_format("%u/%lldms, burst %u%s", r.events, (long long)r.per_ms, r.burst,
			   r.per_group ? " per group" : "");
	PROMISE(form_rate(plain, &again, &err));
	PROMISE(again.events == r.events && again.per_ms == r.per_ms && again.burst == r.burst &&
		again.per_group == r.per_group);
	free(plain);
}

static void check_amounts(const char *text)
{
	struct err err;
	int64_t ms = 0, most = 1;
	uint32_t n;
	bool yes;

	*err.text = '\0';
	PROMISE(form_duration(text, &ms, &err) ? fits(ms) : *err.text);
	*err.text = '\0';
	PROMISE(form_size(text, &most, &err) ? most > 0 : *err.text);
	*err.text = '\0';
	PROMISE(form_number(text, 3, 70000, &n, &err) ? n >= 3 && n <= 70000 : *err.text);
	*err.text = '\0';
	PROMISE(form_bool(text, &yes, &err) || *err.text);
}

static void check_pairs(const char *text)
{
	struct err err;
	int64_t ms = 0, most = 1;
	uint32_t n;

	*err.text = '\0';
	PROMISE(form_coalesce(text, &ms, &most, &err) ? fits(ms) && fits(most) && ms <= most
						      : *err.text);
	*err.text = '\0';
	PROMISE(form_count(text, &n, &ms, &err) ? n >= 2 && n <= 1000 && fits(ms) : *err.text);
	*err.text = '\0';
	most = 1;
	PROMISE(form_keep(text, &ms, &most, &err) ? fits(ms) && most > 0 : *err.text);
	*err.text = '\0';
	most = 1;
	PROMISE(form_keep_count(text, &ms, &most, &err) ? fits(ms) && most > 0 : *err.text);
}

static void check_places(const char *text)
{
	struct err err;

	*err.text = '\0';
	PROMISE(form_address(text, &err) || *err.text);
	*err.text = '\0';
	PROMISE(form_log(text, &err) || *err.text);
	*err.text = '\0';
	PROMISE(form_proxy(text, &err) || *err.text);
	/* A password in it is not repeated. */
	PROMISE(strlen(text) < 8 || !strstr(err.text, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_slice((const char *)data, size);

	check_retry(text);
	check_rate(text);
	check_amounts(text);
	check_pairs(text);
	check_places(text);
	free(text);
	return 0;
}
