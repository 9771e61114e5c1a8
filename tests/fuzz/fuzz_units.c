/* Any text as a duration, a size, a number or a time: what is accepted is what plain arithmetic
 * says, and what is written for people is read as the same again. */
#include "base/mem.h"
#include "base/units.h"
#include "fuzz.h"

#include <string.h>
#include <time.h>

__extension__ typedef __int128 wide;

/* `text` is digits and then one of the units; in more bits than the result has. */
static bool plainly(const char *text, const char *const *units, const int64_t *factors,
		    int64_t *out)
{
	size_t n = strspn(text, "0123456789");
	wide value = 0;

	for (size_t i = 0; i < n; i++) {
		value = value * 10 + (text[i] - '0');
		if (value > INT64_MAX)
			return false;
	}
	for (size_t i = 0; n > 0 && units[i]; i++) {
		if (strcmp(text + n, units[i]) != 0)
			continue;
		value *= factors[i];
		*out = (int64_t)value;
		return value <= INT64_MAX;
	}
	return false;
}

static void check_amounts(const char *text)
{
	static const char *const times[] = {"d", "h", "m", "s", "ms", NULL};
	static const int64_t milliseconds[] = {86400000, 3600000, 60000, 1000, 1};
	static const char *const sizes[] = {"k", "M", "G", "", NULL};
	static const int64_t bytes[] = {1 << 10, 1 << 20, 1 << 30, 1};
	int64_t n = 0, plain = 0;
	bool zero = strcmp(text, "0") == 0;

	PROMISE(units_duration(text, &n) == (plainly(text, times, milliseconds, &plain) || zero));
	PROMISE(!units_duration(text, &n) || n == plain || zero);
	PROMISE(units_size(text, &n) == plainly(text, sizes, bytes, &plain));
	PROMISE(!units_size(text, &n) || n == plain);
}

static void check_integer(const char *text)
{
	int64_t n;
	char again[32];
	bool yes;

	if (units_integer(text, &n)) {
		size_t zeros = text[0] == '-';

		zeros += strspn(text + zeros, "0");
		snprintf(again, sizeof again, "%lld", (long long)n);
		PROMISE(n == 0 || strcmp(again + (n < 0), text + zeros) == 0);
	}
	units_bool(text, &yes);
}

static void check_time(const char *text)
{
	int64_t ms, again;
	char out[32];
	struct tm tm = {0};

	if (!units_time(text, &ms))
		return;
	units_time_text(ms, out);
	PROMISE(strlen(out) == 24 && units_time(out, &again));
	if (ms >= -62135596800000 && ms <= 253402300799999)
		PROMISE(again == ms);
	if (strlen(text) == 20 && text[19] == 'Z' && text[10] == 'T' && text[17] < '6') {
		PROMISE(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm));
		PROMISE((int64_t)timegm(&tm) * 1000 == ms);
	}
}

static void check_duration_text(const uint8_t *data, size_t size)
{
	int64_t ms = 0, back;
	char out[64], *blank;

	memcpy(&ms, data, size < sizeof ms ? size : sizeof ms);
	units_duration_text(ms, out, sizeof out);
	blank = strchr(out, ' ');
	if (blank)
		*blank = '\0';
	PROMISE(strlen(out) + 1 < sizeof out);
	PROMISE(units_duration(out + (*out == '-'), &back) && back >= 0);
	PROMISE(ms == INT64_MIN || back <= (ms < 0 ? -ms : ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_slice((const char *)data, size);

	check_amounts(text);
	check_integer(text);
	check_time(text);
	check_duration_text(data, size);
	free(text);
	return 0;
}
