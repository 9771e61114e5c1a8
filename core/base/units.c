#include "base/units.h"

#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit times[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit sizes[] = {
	{"k", 1 << 10},
	{"M", 1 << 20},
	{"G", 1 << 30},
	{"", 1},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *digits(const char *p, int64_t *n)
{
	const char *start = p;

	for (*n = 0; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, *p - '0', n))
			return NULL;
	}
	return p > start ? p : NULL;
}

static bool amount(const char *text, const struct unit *table, size_t n, int64_t *out)
{
	const char *end = digits(text, out);

	for (size_t i = 0; end && i < n; i++) {
		if (strcmp(end, table[i].name) == 0)
			return !__builtin_mul_overflow(*out, table[i].factor, out);
	}
	return false;
}

bool units_duration(const char *text, int64_t *ms)
{
	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return true;
	}
	return amount(text, times, COUNT(times), ms);
}

bool units_size(const char *text, int64_t *bytes)
{
	return amount(text, sizes, COUNT(sizes), bytes);
}

bool units_integer(const char *text, int64_t *n)
{
	bool minus = *text == '-';
	const char *end;

	text += minus;
	if (minus && strcmp(text, "9223372036854775808") == 0) {
		*n = INT64_MIN;
		return true;
	}
	end = digits(text, n);
	if (!end || *end)
		return false;
	*n = minus ? -*n : *n;
	return true;
}

bool units_bool(const char *text, bool *value)
{
	*value = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
	return *value || strcmp(text, "no") == 0 || strcmp(text, "false") == 0;
}

char *units_duration_text(int64_t ms, char *out, size_t size)
{
	const char *sign = ms < 0 ? "-" : "";
	uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms, n;
	size_t i = 0;

	if (left == 0) {
		snprintf(out, size, "0s");
		return out;
	}
	while (left < (uint64_t)times[i].factor)
		i++;
	n = left / (uint64_t)times[i].factor;
	left %= (uint64_t)times[i].factor;
	if (i + 1 < COUNT(times) && left >= (uint64_t)times[i + 1].factor)
		snprintf(out, size, "%s%llu%s %llu%s", sign, (unsigned long long)n, times[i].name,
			 (unsigned long long)(left / (uint64_t)times[i + 1].factor),
			 times[i + 1].name);
	else
		snprintf(out, size, "%s%llu%s", sign, (unsigned long long)n, times[i].name);
	return out;
}

/* Days since 1970 of a date in the Gregorian calendar: years counted from March, so that the
 * leap day is their last. */
static int64_t days_of(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1;
	int era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097LL + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int d = (int)(z - era * 146097);
	int y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	int of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = y + (int)era * 400 + (*month <= 2);
}

static char *put_digits(char *p, int n, int width, char after)
{
	for (int i = width; i-- > 0; n /= 10)
		p[i] = (char)('0' + n % 10);
	p[width] = after;
	return p + width + 1;
}

/* Instants outside the four-digit years RFC 3339 has are shown as its first or last. */
char *units_time_text(int64_t ms, char out[32])
{
	static const int64_t first = -62135596800000, last = 253402300799999, whole = 86400000;
	int64_t days;
	int rest, year, month, day;
	char *p = out;

	ms = ms < first ? first : ms > last ? last : ms;
	days = (ms >= 0 ? ms : ms - whole + 1) / whole;
	rest = (int)(ms - days * whole);
	date_of(days, &year, &month, &day);
	p = put_digits(p, year, 4, '-');
	p = put_digits(p, month, 2, '-');
	p = put_digits(p, day, 2, 'T');
	p = put_digits(p, rest / 3600000, 2, ':');
	p = put_digits(p, rest / 60000 % 60, 2, ':');
	p = put_digits(p, rest / 1000 % 60, 2, '.');
	p = put_digits(p, rest % 1000, 3, 'Z');
	*p = '\0';
	return out;
}

/* Exactly `n` digits of at most `max`, then `after` (0: nothing); the place behind, or NULL. */
static const char *part(const char *p, int n, int max, char after, int *out)
{
	if (!p)
		return NULL;
	for (*out = 0; n > 0; n--, p++) {
		if (*p < '0' || *p > '9')
			return NULL;
		*out = *out * 10 + (*p - '0');
	}
	if (*out > max || (after && *p != after))
		return NULL;
	return after ? p + 1 : p;
}

static const char *fraction(const char *p, int64_t *ms)
{
	int64_t unit = 100;

	if (!p || *p != '.')
		return p;
	if (p[1] < '0' || p[1] > '9')
		return NULL;
	for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
		*ms += (*p - '0') * unit;
	return p;
}

static bool offset(const char *p, int64_t *ms)
{
	int h = 0, m = 0, sign;

	if (!p)
		return false;
	if (strcmp(p, "Z") == 0 || strcmp(p, "z") == 0)
		return true;
	if (*p != '+' && *p != '-')
		return false;
	sign = *p == '-' ? -1 : 1;
	p = part(part(p + 1, 2, 23, ':', &h), 2, 59, 0, &m);
	if (!p || *p)
		return false;
	*ms -= sign * (h * 3600000LL + m * 60000LL);
	return true;
}

static bool day_exists(int y, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return month > 0 && day > 0 && day <= days[month - 1] + (leap && month == 2);
}

static bool rfc3339(const char *p, int64_t *ms)
{
	int year, month, day, h, m, s;

	p = part(p, 4, 9999, '-', &year);
	p = part(p, 2, 12, '-', &month);
	p = part(p, 2, 31, 0, &day);
	if (!p || (*p != 'T' && *p != 't' && *p != ' '))
		return false;
	p = part(p + 1, 2, 23, ':', &h);
	p = part(p, 2, 59, ':', &m);
	p = part(p, 2, 60, 0, &s); /* 60: a leap second */
	if (!p || !day_exists(year, month, day))
		return false;
	*ms = days_of(year, month, day) * 86400000 + h * 3600000LL + m * 60000LL + s * 1000LL;
	return offset(fraction(p, ms), ms);
}

bool units_time(const char *text, int64_t *ms)
{
	const char *end = digits(text, ms);

	return (end && !*end) || rfc3339(text, ms);
}
