#include "base/buf.h"
#include "base/mem.h"
#include "json/find.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FAR     1000000000L /* exponents saturate here; no text is that long */
#define PRECISE 15          /* decimal digits that a double always tells apart */

struct decimal { /* digits times 10^exponent, no zero at either end; none: zero */
	bool minus;
	struct buf digits;
	size_t first;
	long exponent;
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool plain_integer(const char *text, size_t len)
{
	size_t i = len && text[0] == '-';

	while (i < len && digit(text[i]))
		i++;
	return i == len;
}

static int order(long long a, long long b)
{
	return (a > b) - (a < b);
}

static int compare_plain(const char *a, size_t a_len, const char *b, size_t b_len)
{
	bool a_minus = a_len && *a == '-', b_minus = b_len && *b == '-';
	int found;

	a += a_minus;
	a_len -= a_minus;
	b += b_minus;
	b_len -= b_minus;
	for (; a_len && *a == '0'; a++)
		a_len--;
	for (; b_len && *b == '0'; b++)
		b_len--;
	a_minus = a_minus && a_len;
	b_minus = b_minus && b_len;
	if (a_minus != b_minus)
		return a_minus ? -1 : 1;
	found = a_len != b_len ? order((long long)a_len, (long long)b_len)
			       : order(memcmp(a, b, a_len), 0);
	return a_minus ? -found : found;
}

#define MOST_DIGITS 19 /* that 64 bits hold, whatever they are */

/* Digits and a power of ten that both fit a double: their quotient is rounded once, and so is
 * the nearest. */
static bool divide(uint64_t digits, size_t behind, double *value)
{
	static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
					1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

	if (digits >> 53)
		return false;
	*value = (double)digits / powers[behind];
	return true;
}

#if LDBL_MANT_DIG == 64
/* The same with more bits, rounded a second time: which does no harm unless the first result
 * lies close to the middle between two doubles. */
static bool divide_wide(uint64_t digits, size_t behind, double *value)
{
	static const long double powers[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
					     1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
					     1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L};
	long double quotient = (long double)digits / powers[behind];
	uint64_t mantissa;

	memcpy(&mantissa, &quotient, sizeof mantissa);
	mantissa &= 0x7ff;
	if (mantissa >= 0x3ff && mantissa <= 0x401)
		return false;
	*value = (double)quotient;
	return true;
}
#else
#define divide_wide divide
#endif

/* A number without exponent and of few enough digits. */
static bool simple_value(const char *text, size_t len, double *value)
{
	bool minus = len && *text == '-', fraction = false;
	uint64_t digits = 0;
	size_t behind = 0;

	if (len > MOST_DIGITS + (size_t)minus + (memchr(text, '.', len) != NULL))
		return false;
	for (size_t i = minus; i < len; i++) {
		if (text[i] == '.') {
			fraction = true;
			continue;
		}
		if (!digit(text[i]))
			return false;
		digits = digits * 10 + (uint64_t)(text[i] - '0');
		behind += fraction;
	}
	if (!divide(digits, behind, value) && !divide_wide(digits, behind, value))
		return false;
	if (minus)
		*value = -*value;
	return true;
}

double json_number_double(const char *text, size_t len)
{
	char few[64], *copy;
	double d;

	if (simple_value(text, len, &d))
		return d;
	if (len < sizeof few) {
		memcpy(few, text, len);
		few[len] = '\0';
		return strtod(few, NULL);
	}
	copy = mem_slice(text, len);
	d = strtod(copy, NULL);
	free(copy);
	return d;
}

static long exponent_of(const char *text, size_t len)
{
	bool minus = len && *text == '-';
	long n = 0;

	for (size_t i = len && !digit(*text); i < len; i++)
		n = n < FAR ? n * 10 + (text[i] - '0') : FAR;
	return minus ? -n : n;
}

static struct decimal decimal(const char *text, size_t len)
{
	struct decimal d = {.minus = len && *text == '-'};
	bool fraction = false;
	size_t i;

	for (i = d.minus; i < len && (digit(text[i]) || text[i] == '.'); i++) {
		if (text[i] == '.') {
			fraction = true;
			continue;
		}
		buf_char(&d.digits, text[i]);
		d.exponent -= fraction;
	}
	if (i < len)
		d.exponent += exponent_of(text + i + 1, len - i - 1);
	while (d.first < d.digits.len && d.digits.data[d.first] == '0')
		d.first++;
	for (; d.digits.len > d.first && d.digits.data[d.digits.len - 1] == '0'; d.exponent++)
		buf_cut(&d.digits, d.digits.len - 1);
	return d;
}

static size_t count(const struct decimal *d)
{
	return d->digits.len - d->first;
}

static bool whole(const struct decimal *d)
{
	return !count(d) || d->exponent >= 0;
}

/* Whole numbers: first by how many digits they have, then by the digits. */
static int compare_whole(const struct decimal *a, const struct decimal *b)
{
	size_t n = count(a) < count(b) ? count(a) : count(b);
	bool a_minus = a->minus && count(a), b_minus = b->minus && count(b);
	int found;

	if (!count(a) || !count(b) || a_minus != b_minus)
		return order(count(a) ? (a_minus ? -1 : 1) : 0, count(b) ? (b_minus ? -1 : 1) : 0);
	found = order((long long)count(a) + a->exponent, (long long)count(b) + b->exponent);
	if (!found)
		found = order(memcmp(a->digits.data + a->first, b->digits.data + b->first, n), 0);
	if (!found)
		found = order((long long)count(a), (long long)count(b));
	return a_minus ? -found : found;
}

static int compare_written(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct decimal x = decimal(a, a_len), y = decimal(b, b_len);
	double p, q;
	int found;

	if (whole(&x) && whole(&y)) {
		found = compare_whole(&x, &y);
	} else {
		p = json_number_double(a, a_len);
		q = json_number_double(b, b_len);
		found = (p > q) - (p < q);
	}
	buf_free(&x.digits);
	buf_free(&y.digits);
	return found;
}

int json_number_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	double p, q;

	if (plain_integer(a, a_len) && plain_integer(b, b_len))
		return compare_plain(a, a_len, b, b_len);
	if (a_len <= PRECISE && b_len <= PRECISE) {
		p = json_number_double(a, a_len);
		q = json_number_double(b, b_len);
		if (isfinite(p) && isfinite(q))
			return (p > q) - (p < q);
	}
	return compare_written(a, a_len, b, b_len);
}
