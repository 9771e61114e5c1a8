#include "rules/ignorecase.h"

#include "json/letter.h"
#include "json/utf8.h"

#include <string.h>

#define SHARP_S 0xdf

/* How much of `text` is the character `wanted` in any case; 0: it is another. */
static size_t same_letter(const char *text, size_t len, uint32_t wanted)
{
	uint32_t cp;
	size_t n = utf8_read(text, len, &cp);

	if (n && (cp == wanted || cp == letter_lower(wanted) || cp == letter_upper(wanted)))
		return n;
	return wanted == SHARP_S && len >= 2 && memcmp(text, "SS", 2) == 0 ? 2 : 0;
}

/* How much of `text` the whole pattern takes up from the left; *ok tells whether it does. */
static size_t taken(const char *text, size_t len, const char *pattern, size_t pattern_len, bool *ok)
{
	size_t used = 0;

	for (*ok = true; *ok && pattern_len > 0;) {
		uint32_t wanted;
		size_t step = utf8_read(pattern, pattern_len, &wanted);
		size_t n = step ? same_letter(text + used, len - used, wanted) : 0;

		*ok = n > 0;
		used += n;
		pattern += step;
		pattern_len -= step;
	}
	return used;
}

bool ignorecase_equal(const char *text, size_t len, const char *pattern, size_t pattern_len)
{
	bool ok;

	return taken(text, len, pattern, pattern_len, &ok) == len && ok;
}

bool ignorecase_starts(const char *text, size_t len, const char *pattern, size_t pattern_len)
{
	bool ok;

	taken(text, len, pattern, pattern_len, &ok);
	return ok;
}

/* How many bytes the last character of `text` has. */
static size_t last_character(const char *text, size_t len)
{
	size_t n = 1;

	while (n < len && n < 4 && ((unsigned char)text[len - n] & 0xc0) == 0x80)
		n++;
	return n;
}

bool ignorecase_ends(const char *text, size_t len, const char *pattern, size_t pattern_len)
{
	while (pattern_len > 0) {
		size_t step = last_character(pattern, pattern_len), n;
		const char *wanted = pattern + pattern_len - step;

		if (len == 0)
			return false;
		n = last_character(text, len);
		if (!ignorecase_equal(text + len - n, n, wanted, step)) {
			n = 2; /* SS for a sharp s */
			if (len < n || !ignorecase_equal(text + len - n, n, wanted, step))
				return false;
		}
		len -= n;
		pattern_len -= step;
	}
	return true;
}
