#include "json/skip.h"

#include <stdint.h>
#include <string.h>

const char *skip_long(const char *p, const char *end, bool *escaped)
{
	*escaped = false;
	for (;;) {
#ifdef __SSE2__
		while (end - p >= 16) {
			__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
			__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
						   _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
			unsigned mask = (unsigned)_mm_movemask_epi8(hit);

			if (mask) {
				p += __builtin_ctz(mask);
				break;
			}
			p += 16;
		}
#endif
		while (p < end && *p != '"' && *p != '\\')
			p++;
		if (end - p < 2 || *p == '"')
			return p < end && *p == '"' ? p : end;
		*escaped = true;
		p += 2;
	}
}

static const char *skip_bytewise(const char *p, const char *end, size_t open)
{
	while (p < end) {
		switch (*p) {
		case '"': p = skip_string(p, end); continue;
		case '{':
		case '[': open++; break;
		case '}':
		case ']':
			if (--open == 0)
				return p + 1;
			break;
		default: break;
		}
		p++;
	}
	return end;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx2,popcnt,bmi")))

struct block { /* a bit for each of 64 bytes */
	uint64_t quotes, backslashes, opening, closing;
};

WIDE static inline uint64_t bits(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
							     << 32;
}

WIDE static inline uint64_t equal(__m256i low, __m256i high, char c)
{
	const __m256i wanted = _mm256_set1_epi8(c);

	return bits(_mm256_cmpeq_epi8(low, wanted), _mm256_cmpeq_epi8(high, wanted));
}

/* One bit is all that tells [ from { and ] from }. */
WIDE static inline struct block read_block(const char *p)
{
	const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
	const __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
	const __m256i bit = _mm256_set1_epi8(0x20);
	const __m256i l = _mm256_or_si256(low, bit), h = _mm256_or_si256(high, bit);

	return (struct block){equal(low, high, '"'), equal(low, high, '\\'), equal(l, h, '{'),
			      equal(l, h, '}')};
}

/* The bytes behind an odd run of backslashes; *carry: such a run ends the block before. */
WIDE static inline uint64_t escaped_bytes(uint64_t backslashes, uint64_t *carry)
{
	uint64_t escaped = *carry, left = backslashes & ~*carry;

	*carry = 0;
	while (left) {
		uint64_t first = left & -left;

		if (first >> 63) {
			*carry = 1;
			break;
		}
		escaped |= first << 1;
		left &= ~(first | first << 1);
	}
	return escaped;
}

/* Every bit becomes the parity of itself and those below: 1 from each opening quote on to
 * before the closing one. */
static inline uint64_t parity_below(uint64_t quotes)
{
	for (unsigned shift = 1; shift < 64; shift *= 2)
		quotes ^= quotes << shift;
	return quotes;
}

WIDE static const char *skip_wide(const char *p, const char *end, size_t open)
{
	uint64_t carry = 0, inside = 0; /* all ones: the block before ended inside a string */
	const char *from = p;

	for (; end - p >= 64; p += 64) {
		struct block b = read_block(p);
		uint64_t strings, closing, n;

		if (b.backslashes | carry)
			b.quotes &= ~escaped_bytes(b.backslashes, &carry);
		strings = parity_below(b.quotes) ^ inside;
		inside = (uint64_t)((int64_t)strings >> 63);
		b.opening &= ~strings;
		closing = b.closing & ~strings;
		n = (uint64_t)__builtin_popcountll(closing);
		if (n < open) {
			open += (uint64_t)__builtin_popcountll(b.opening) - n;
			continue;
		}
		for (uint64_t both = b.opening | closing; both; both &= both - 1) {
			uint64_t bit = both & -both;

			open += bit & b.opening ? 1 : (size_t)-1;
			if (open == 0)
				return p + __builtin_ctzll(bit) + 1;
		}
	}
	if (p == from || !(inside | carry))
		return skip_bytewise(p, end, open);
	if (carry)
		p++;
	if (inside) {
		bool escaped;

		p = skip_to_quote(p, end, &escaped);
		p += p < end;
	}
	return skip_bytewise(p, end, open);
}

static bool wide;

__attribute__((constructor)) static void look_at_processor(void)
{
	__builtin_cpu_init();
	wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

const char *skip_out(const char *p, const char *end, size_t open)
{
	return wide && end - p >= 64 ? skip_wide(p, end, open) : skip_bytewise(p, end, open);
}

#else

const char *skip_out(const char *p, const char *end, size_t open)
{
	return skip_bytewise(p, end, open);
}

#endif
