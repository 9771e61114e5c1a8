#include "base/buf.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PRINTED 64 /* most of what is printed is shorter: then once is enough */

static void reserve(struct buf *b, size_t more)
{
	size_t need = b->len + more + 1;

	if (need <= b->cap)
		return;
	b->cap = b->cap ? b->cap : 64;
	while (b->cap < need)
		b->cap *= 2;
	b->data = mem_grow(b->data, b->cap, 1);
}

void buf_room(struct buf *b, size_t len)
{
	if (b->data)
		return;
	b->cap = len + 1;
	b->data = mem_grow(NULL, b->cap, 1);
	b->data[0] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_text_add(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
	reserve(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	reserve(b, PRINTED);
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room) {
		reserve(b, (size_t)n);
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += n > 0 ? (size_t)n : 0;
	b->data[b->len] = '\0';
}

static void escape(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"': buf_add(b, "\\\"", 2); break;
	case '\\': buf_add(b, "\\\\", 2); break;
	case '\n': buf_add(b, "\\n", 2); break;
	case '\r': buf_add(b, "\\r", 2); break;
	case '\t': buf_add(b, "\\t", 2); break;
	default: buf_printf(b, "\\u%04x", c); break;
	}
}

#define EACH_BYTE(c) ((c)*UINT64_C(0x0101010101010101))
#define TOP_BITS     EACH_BYTE(0x80)
/* Not 0 if some byte of the word is 0, or below n; n is at most 128. */
#define ANY_ZERO(w)     (((w)-EACH_BYTE(1)) & ~(w)&TOP_BITS)
#define ANY_BELOW(w, n) (((w)-EACH_BYTE(n)) & ~(w)&TOP_BITS)

/* How many bytes at the start need no escape. */
static size_t plain(const char *text, size_t len)
{
	size_t i = 0;
	uint64_t w;

	for (; i + sizeof w <= len; i += sizeof w) {
		memcpy(&w, text + i, sizeof w);
		if (ANY_BELOW(w, 0x20) | ANY_ZERO(w ^ EACH_BYTE('"')) |
		    ANY_ZERO(w ^ EACH_BYTE('\\')))
			break;
	}
	while (i < len && (unsigned char)text[i] >= 0x20 && text[i] != '"' && text[i] != '\\')
		i++;
	return i;
}

void buf_json_escaped(struct buf *b, const char *text, size_t len)
{
	for (;;) {
		size_t n = plain(text, len);

		buf_add(b, text, n);
		if (n == len)
			return;
		escape(b, (unsigned char)text[n]);
		text += n + 1;
		len -= n + 1;
	}
}

void buf_json_string(struct buf *b, const char *text, size_t len)
{
	buf_char(b, '"');
	buf_json_escaped(b, text, len);
	buf_char(b, '"');
}

bool buf_read(struct buf *b, FILE *file, size_t most)
{
	char bytes[65536];
	size_t n;

	while (b->len <= most && (n = fread(bytes, 1, sizeof bytes, file)) > 0)
		buf_add(b, bytes, n);
	return !ferror(file);
}

void buf_cut(struct buf *b, size_t len)
{
	if (len < b->len) {
		b->len = len;
		b->data[len] = '\0';
	}
}

const char *buf_text(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *data = b->data ? b->data : mem_zero(1);

	*b = (struct buf){0};
	return data;
}

void buf_free(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct buf){0};
}
