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

bool ignorecase_equal(const char *text, size_t len, const char *pattern, size_t pattern_len)
{
	while (pattern_len > 0) {
		uint32_t wanted;
		size_t step = utf8_read(pattern, pattern_len, &wanted), n;

		n = step ? same_letter(text, len, wanted) : 0;
		if (!n)
			return false;
		pattern += step;
		pattern_len -= step;
		text += n;
		len -= n;
	}
	return len == 0;
}
