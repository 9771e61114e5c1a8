#include "base/utf8.h"

static bool tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

static uint32_t bits(unsigned char c, unsigned shift)
{
	return (uint32_t)(c & 0x3f) << shift;
}

static size_t two(const unsigned char *p, size_t len, uint32_t *cp)
{
	if (len < 2 || p[0] < 0xc2 || !tail(p[1]))
		return 0;
	*cp = (uint32_t)(p[0] & 0x1f) << 6 | bits(p[1], 0);
	return 2;
}

static size_t three(const unsigned char *p, size_t len, uint32_t *cp)
{
	if (len < 3 || !tail(p[1]) || !tail(p[2]))
		return 0;
	*cp = (uint32_t)(p[0] & 0x0f) << 12 | bits(p[1], 6) | bits(p[2], 0);
	return *cp >= 0x800 && (*cp < 0xd800 || *cp > 0xdfff) ? 3 : 0;
}

static size_t four(const unsigned char *p, size_t len, uint32_t *cp)
{
	if (len < 4 || !tail(p[1]) || !tail(p[2]) || !tail(p[3]))
		return 0;
	*cp = (uint32_t)(p[0] & 0x07) << 18 | bits(p[1], 12) | bits(p[2], 6) | bits(p[3], 0);
	return *cp >= 0x10000 && *cp <= 0x10ffff ? 4 : 0;
}

size_t utf8_read(const char *text, size_t len, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)text;
	uint32_t ignored;

	cp = cp ? cp : &ignored;
	if (!len)
		return 0;
	*cp = p[0];
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xe0)
		return two(p, len, cp);
	if (p[0] < 0xf0)
		return three(p, len, cp);
	return p[0] < 0xf8 ? four(p, len, cp) : 0;
}

size_t utf8_write(uint32_t cp, char out[4])
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(lead[n] | cp);
	return n;
}

void utf8_add(struct buf *out, uint32_t cp)
{
	char c[4];

	buf_add(out, c, utf8_write(cp, c));
}

bool utf8_valid(const char *text, size_t len)
{
	for (size_t n; len > 0; text += n, len -= n) {
		n = (unsigned char)*text < 0x80 ? 1 : utf8_read(text, len, NULL);
		if (!n)
			return false;
	}
	return true;
}
