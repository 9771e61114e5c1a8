#include "config/forms.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CENTURY (36525LL * 86400000)

struct words { /* commas are words of their own */
	char *text;
	char *w[8];
	size_t n;
};

static struct words split(const char *text)
{
	struct words s = {.text = mem_zero(2 * strlen(text) + 2)};
	char *to = s.text;

	while (*text && s.n < sizeof s.w / sizeof *s.w) {
		size_t len = strcspn(text, " \t,");

		len += len == 0 && *text == ',';
		if (len > 0) {
			s.w[s.n++] = memcpy(to, text, len);
			to += len + 1;
		}
		text += len;
		text += strspn(text, " \t");
	}
	return s;
}

static bool is(const struct words *s, size_t i, const char *word)
{
	return i < s->n && strcmp(s->w[i], word) == 0;
}

static bool duration(const char *text, int64_t *ms)
{
	return units_duration(text, ms) && *ms > 0 && *ms <= CENTURY;
}

bool form_duration(const char *text, int64_t *ms, struct err *err)
{
	if (duration(text, ms))
		return true;
	err_set(err, "`%s` is no duration above 0, like 250ms, 30s, 5m, 1h or 7d", text);
	return false;
}

bool form_size(const char *text, int64_t *bytes, struct err *err)
{
	if (units_size(text, bytes) && *bytes > 0)
		return true;
	err_set(err, "`%s` is no size above 0, like 64k, 256M or 20G", text);
	return false;
}

bool form_number(const char *text, uint32_t min, uint32_t max, uint32_t *n, struct err *err)
{
	int64_t value;

	if (units_integer(text, &value) && value >= min && value <= max) {
		*n = (uint32_t)value;
		return true;
	}
	err_set(err, "`%s` is no number from %u to %u", text, min, max);
	return false;
}

bool form_bool(const char *text, bool *yes, struct err *err)
{
	if (units_bool(text, yes))
		return true;
	err_set(err, "`%s` is neither yes nor no", text);
	return false;
}

/* `1s..15m` */
static bool range(char *text, int64_t *min, int64_t *max)
{
	char *dots = strstr(text, "..");
	bool ok;

	if (!dots)
		return false;
	*dots = '\0';
	ok = duration(text, min) && duration(dots + 2, max) && *min <= *max;
	*dots = '.';
	return ok;
}

bool form_retry(const char *text, struct retry *out, struct err *err)
{
	struct words s = split(text);
	struct retry r = {.min_ms = 1000, .max_ms = 15 * 60000};
	bool ok;

	r.none = s.n == 1 && is(&s, 0, "none");
	ok = r.none ||
	     (s.n > 0 && duration(s.w[0], &r.for_ms) &&
	      (s.n == 1 || (s.n == 3 && is(&s, 1, ",") && range(s.w[2], &r.min_ms, &r.max_ms))));
	if (ok)
		*out = r;
	else
		err_set(err,
			"`%s` does not say how to retry: `none`, or how long and between which "
			"pauses, like `1d, 1s..15m`",
			text);
	free(s.text);
	return ok;
}

/* `5/s`, `5/10m` */
static bool quotient(char *text, struct rate *r)
{
	char *slash = strchr(text, '/'), *per;
	bool ok;

	if (!slash)
		return false;
	*slash = '\0';
	per = mem_format("%s%s", isdigit((unsigned char)slash[1]) ? "" : "1", slash + 1);
	ok = form_number(text, 1, 1000000, &r->events, NULL) && duration(per, &r->per_ms);
	free(per);
	return ok;
}

bool form_rate(const char *text, struct rate *out, struct err *err)
{
	struct words s = split(text);
	struct rate r = {0};
	size_t i = 1;
	bool ok = s.n > 0 && quotient(s.w[0], &r);

	r.burst = r.events;
	if (ok && is(&s, i, ",") && is(&s, i + 1, "burst") && i + 2 < s.n) {
		ok = form_number(s.w[i + 2], 1, 1000000, &r.burst, NULL);
		i += 3;
	}
	if (is(&s, i, "per") && is(&s, i + 1, "group")) {
		r.per_group = true;
		i += 2;
	}
	ok = ok && i == s.n;
	if (ok)
		*out = r;
	else
		err_set(err,
			"`%s` is no rate like `5/s`, `5/s, burst 10` or `5/s, burst 10 per group`",
			text);
	free(s.text);
	return ok;
}

/* `A` or `A, max B`: B is NULL if not said. */
static bool with_max(const struct words *s, const char **max)
{
	*max = s->n == 4 ? s->w[3] : NULL;
	return s->n == 1 || (s->n == 4 && is(s, 1, ",") && is(s, 2, "max"));
}

bool form_coalesce(const char *text, int64_t *quiet_ms, int64_t *max_ms, struct err *err)
{
	struct words s = split(text);
	int64_t quiet = 0, most = 0;
	const char *max;
	bool ok = with_max(&s, &max) && duration(s.w[0], &quiet);

	if (ok && max)
		ok = duration(max, &most) && most >= quiet;
	else if (ok)
		most = quiet > CENTURY / 10 ? CENTURY : quiet * 10;
	if (ok) {
		*quiet_ms = quiet;
		*max_ms = most;
	} else {
		err_set(err,
			"`%s` is no quiet period like `90s, max 10m`, the second not below the "
			"first",
			text);
	}
	free(s.text);
	return ok;
}

bool form_count(const char *text, uint32_t *count, int64_t *ms, struct err *err)
{
	struct words s = split(text);
	bool ok = s.n == 3 && is(&s, 1, "in") && form_number(s.w[0], 2, 1000, count, NULL) &&
		  duration(s.w[2], ms);

	if (!ok)
		err_set(err, "`%s` is no count of 2 to 1000 events in a time, like `3 in 10m`",
			text);
	free(s.text);
	return ok;
}

bool form_keep(const char *text, int64_t *ms, int64_t *max_bytes, struct err *err)
{
	struct words s = split(text);
	const char *max;
	bool ok = with_max(&s, &max) && duration(s.w[0], ms) &&
		  (!max || form_size(max, max_bytes, NULL));

	if (!ok)
		err_set(err, "`%s` is no time with a size like `7d, max 1G`", text);
	free(s.text);
	return ok;
}

static bool decimal(char *text, int64_t *n)
{
	size_t len = strlen(text);
	int64_t factor = len && text[len - 1] == 'k'   ? 1000
			 : len && text[len - 1] == 'M' ? 1000000
						       : 1;

	if (factor > 1)
		text[len - 1] = '\0';
	return units_integer(text, n) && *n > 0 && *n <= INT64_MAX / factor &&
	       !__builtin_mul_overflow(*n, factor, n);
}

bool form_keep_count(const char *text, int64_t *ms, int64_t *max, struct err *err)
{
	struct words s = split(text);
	const char *said;
	bool ok = with_max(&s, &said) && duration(s.w[0], ms) && (!said || decimal(s.w[3], max));

	if (!ok)
		err_set(err, "`%s` is no time with a number like `90d, max 100k`", text);
	free(s.text);
	return ok;
}

/* `[::1]`, a name or numbers, which are then those of an address. */
static bool host(const char *text, size_t len)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool bracketed = len > 2 && *text == '[' && text[len - 1] == ']', good;
	char *name = mem_slice(text + bracketed, len - 2 * (size_t)bracketed);

	if (bracketed)
		good = inet_pton(AF_INET6, name, address) == 1;
	else if (name[strspn(name, "0123456789.")] == '\0')
		good = !*name || inet_pton(AF_INET, name, address) == 1;
	else
		good = !strpbrk(name, " \t/:[]@?#");
	free(name);
	return good;
}

bool form_address(const char *text, struct err *err)
{
	const char *colon = strrchr(text, ':');
	uint32_t port;

	if (colon && form_number(colon + 1, 0, 65535, &port, NULL) &&
	    host(text, (size_t)(colon - text)))
		return true;
	err_set(err, "`%s` is no address like 127.0.0.1:8080, [::1]:8080 or :8080", text);
	return false;
}

/* Behind the scheme; a user and a password may stand in front of the host. */
static bool proxy_host(const char *text)
{
	size_t len = strcspn(text, "/");
	const char *at = memrchr(text, '@', len), *colon;
	uint32_t port;

	if (text[len] && text[len + 1])
		return false;
	if (at) {
		len -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	colon = memrchr(text, ':', len);
	if (colon && !memchr(colon, ']', len - (size_t)(colon - text))) {
		char *number = mem_slice(colon + 1, len - (size_t)(colon + 1 - text));
		bool good = form_number(number, 1, 65535, &port, NULL);

		free(number);
		if (!good)
			return false;
		len = (size_t)(colon - text);
	}
	return len > 0 && host(text, len);
}

bool form_proxy(const char *text, struct err *err)
{
	static const char *const schemes[] = {"http",    "https",  "socks4",
					      "socks4a", "socks5", "socks5h"};
	const char *slashes = strstr(text, "://");
	bool known = !slashes;

	for (size_t i = 0; slashes && i < sizeof schemes / sizeof *schemes; i++)
		known = known || (strlen(schemes[i]) == (size_t)(slashes - text) &&
				  strncasecmp(schemes[i], text, strlen(schemes[i])) == 0);
	if (known && proxy_host(slashes ? slashes + 3 : text))
		return true;
	err_set(err, "it is no address of a proxy like http://proxy.example.org:3128");
	return false;
}

bool form_log(const char *text, struct err *err)
{
	struct words s = split(text);
	enum log_level level;
	size_t i = s.n > 0 && log_level_parse(s.w[0], &level);
	bool ok;

	i += is(&s, i, "json") || is(&s, i, "text");
	ok = s.n > 0 && i == s.n;
	if (!ok)
		err_set(err,
			"`%s` is neither a level (debug, info, warn, error) nor a format "
			"(text, json) nor both, like `debug json`",
			text);
	free(s.text);
	return ok;
}
