#include "journal/packed.h"

#include <string.h>

void packed_add(struct buf *out, uint64_t n)
{
	char bytes[10];
	size_t len = 0;

	for (; n >= 128; n >>= 7)
		bytes[len++] = (char)(n | 128);
	bytes[len++] = (char)n;
	buf_add(out, bytes, len);
}

void packed_add_hash(struct buf *out, uint64_t hash)
{
	char bytes[8];

	for (int i = 0; i < 8; i++, hash >>= 8)
		bytes[i] = (char)hash;
	buf_add(out, bytes, sizeof bytes);
}

/* With its NUL, so that it can be used where it stands. */
void packed_add_text(struct buf *out, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;

	packed_add(out, size);
	buf_add(out, text, size);
}

uint64_t packed_number(struct packed *p)
{
	uint64_t n = 0;

	for (int shift = 0; shift < 64 && p->at < p->end && !p->bad; shift += 7) {
		unsigned char c = (unsigned char)*p->at++;

		if (shift == 63 && c > 1)
			break;
		n |= (uint64_t)(c & 127) << shift;
		if (c < 128)
			return n;
	}
	p->bad = true;
	return 0;
}

uint32_t packed_number32(struct packed *p)
{
	uint64_t n = packed_number(p);

	p->bad = p->bad || n > UINT32_MAX;
	return p->bad ? 0 : (uint32_t)n;
}

uint64_t packed_hash(struct packed *p)
{
	uint64_t hash = 0;

	if (p->bad || p->end - p->at < 8) {
		p->bad = true;
		return 0;
	}
	for (int i = 7; i >= 0; i--)
		hash = hash << 8 | (unsigned char)p->at[i];
	p->at += 8;
	return hash;
}

const char *packed_text(struct packed *p)
{
	uint64_t size = packed_number(p);
	const char *text = p->at;

	if (p->bad || !size)
		return NULL;
	if (size > (uint64_t)(p->end - p->at) || memchr(text, '\0', size) != text + size - 1) {
		p->bad = true;
		return NULL;
	}
	p->at += size;
	return text;
}
