#include "json/escape.h"

#include "base/utf8.h"
#include "json/skip.h"

#include <stdint.h>
#include <string.h>

size_t json_string_end(const char *text, size_t len)
{
	bool escaped;

	return (size_t)(skip_to_quote(text, text + len, &escaped) - text);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind `\u` at raw[0]; false if they are not there. */
static bool unit(const char *raw, size_t len, uint32_t *value)
{
	if (len < 6 || raw[0] != '\\' || raw[1] != 'u')
		return false;
	*value = 0;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(raw[i]);

		if (digit < 0)
			return false;
		*value = *value << 4 | (uint32_t)digit;
	}
	return true;
}

static size_t unicode_escape(const char *raw, size_t len, uint32_t *cp)
{
	uint32_t low;

	if (!unit(raw, len, cp))
		return 0;
	if (*cp < 0xd800 || *cp > 0xdfff)
		return 6;
	if (*cp > 0xdbff || !unit(raw + 6, len - 6, &low) || low < 0xdc00 || low > 0xdfff)
		return 0;
	*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

size_t json_escape_read(const char *raw, size_t len, uint32_t *cp)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name = len < 2 || !raw[1] ? NULL : strchr(names, raw[1]);

	if (!name)
		return unicode_escape(raw, len, cp);
	*cp = (unsigned char)values[name - names];
	return 2;
}

void json_string_plain(const char *raw, size_t len, struct buf *out)
{
	while (len > 0) {
		const char *back = memchr(raw, '\\', len);
		size_t plain = back ? (size_t)(back - raw) : len, n;
		uint32_t cp;

		buf_add(out, raw, plain);
		raw += plain;
		len -= plain;
		if (!len)
			return;
		n = json_escape_read(raw, len, &cp);
		if (n)
			utf8_add(out, cp);
		else
			buf_char(out, raw[n++]);
		raw += n;
		len -= n;
	}
}

/* No copy is made, because names are compared for each event. */
bool json_string_is(const char *raw, size_t raw_len, const char *plain, size_t len)
{
	char c[4];
	size_t took, n;
	uint32_t cp;

	/* An escape is longer than what it stands for. */
	if (raw_len < len || (raw_len == len && memcmp(raw, plain, len) != 0))
		return false;
	if (!memchr(raw, '\\', raw_len))
		return raw_len == len;
	for (; raw_len > 0; raw += took, raw_len -= took, plain += n, len -= n) {
		took = *raw == '\\' ? json_escape_read(raw, raw_len, &cp) : 0;
		n = took ? utf8_write(cp, c) : 1;
		if (!took) {
			c[0] = *raw;
			took = 1;
		}
		if (n > len || memcmp(c, plain, n) != 0)
			return false;
	}
	return len == 0;
}
