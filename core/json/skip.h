/*
 * skip - get past a value without looking at it.
 *
 * For text that json_check() accepts, read from `p` on; `end` is the end of the whole text.
 * Nothing is verified: what is skipped was checked when it came in.
 */
#ifndef POINTSMAN_JSON_SKIP_H
#define POINTSMAN_JSON_SKIP_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (unsigned char)*p <= ' ')
		p++;
	return p;
}

/* p behind an item or an opening bracket; at the next item, or at the closing bracket. */
static inline const char *skip_to_item(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	return p < end && *p == ',' ? skip_blanks(p + 1, end) : p;
}

/* p behind the name of a member; at its value. */
static inline const char *skip_colon(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	return p < end ? skip_blanks(p + 1, end) : end;
}

/* As skip_to_quote(), for texts that are long, have escapes, or stand near the end. */
const char *skip_long(const char *p, const char *end, bool *escaped);

/* p behind the opening quote; at the closing one.  *escaped tells of backslashes before it. */
static inline const char *skip_to_quote(const char *p, const char *end, bool *escaped)
{
#ifdef __SSE2__
	if (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i quotes = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
		__m128i either = _mm_or_si128(quotes, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
		unsigned mask = (unsigned)_mm_movemask_epi8(either);

		if (mask && p[__builtin_ctz(mask)] == '"') {
			*escaped = false;
			return p + __builtin_ctz(mask);
		}
	}
#endif
	return skip_long(p, end, escaped);
}

/* p at the opening quote; behind the closing one. */
static inline const char *skip_string(const char *p, const char *end)
{
	bool escaped;

	p = skip_to_quote(p + 1, end, &escaped);
	return p < end ? p + 1 : end;
}

/* p at the first byte of a number or word; behind the last. */
static inline const char *skip_bare(const char *p, const char *end)
{
	while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\n' &&
	       *p != '\t' && *p != '\r')
		p++;
	return p;
}

/* p between the items of an object or array, `open` brackets deep (its own included); behind
 * the last of their closing ones. */
const char *skip_out(const char *p, const char *end, size_t open);

static inline const char *skip_value(const char *p, const char *end)
{
	if (p == end)
		return end;
	if (*p == '"')
		return skip_string(p, end);
	if (*p == '{' || *p == '[')
		return skip_out(p + 1, end, 1);
	return skip_bare(p, end);
}

#endif
