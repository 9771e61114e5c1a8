#include "rules/ignorecase.h"

#include "base/utf8.h"
#include "json/letter.h"

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

#define CAPITAL_SHARP_S 0x1e9e
#define DOTTED_I        0x130
#define DOTLESS_I       0x131
#define LONG_S          0x17f
#define KELVIN          0x212a

/* Letters whose other case is ASCII, or more than one letter: a text with one of them has a
 * form of its own. */
static bool stands_apart(uint32_t cp)
{
	return cp == SHARP_S || cp == CAPITAL_SHARP_S || cp == DOTTED_I || cp == DOTLESS_I ||
	       cp == LONG_S || cp == KELVIN;
}

static uint32_t folded(uint32_t cp)
{
	return stands_apart(cp) ? cp : letter_lower(letter_upper(cp));
}

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

void ignorecase_fold(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len;) {
		uint32_t cp;
		size_t n;

		if ((signed char)text[i] >= 0) {
			buf_char(out, ascii_lower(text[i++]));
			continue;
		}
		n = utf8_read(text + i, len - i, &cp);
		if (n)
			utf8_add(out, folded(cp));
		else
			buf_char(out, text[i]);
		i += n ? n : 1;
	}
}

bool ignorecase_fold_pattern(const char *pattern, size_t len, struct buf *out)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t cp;

		n = utf8_read(pattern + i, len - i, &cp);
		if (!n || stands_apart(cp))
			return false;
	}
	ignorecase_fold(pattern, len, out);
	return true;
}
