/* Bytes as they arrive at the HTTP port, at first a byte that says how they are cut in
 * pieces.  The reader takes the same requests however they are cut, refuses only with a
 * status, keeps its limits; and a plain reading of RFC 9112, which sees all the bytes at
 * once, finds the same requests in them. */
#include "base/mem.h"
#include "fuzz.h"
#include "http/reader.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define MAX_HEAD 300
#define MAX_BODY 60

/* What was read, as one text. */
struct story {
	struct buf text;
	int refusal;
};

static void tell(struct story *s, const struct http_reader *r)
{
	PROMISE(r->method && *r->method && r->target && *r->target == '/');
	PROMISE(strncmp(r->target, r->path, strlen(r->path)) == 0 && !strchr(r->path, '?'));
	buf_printf(&s->text, "%s %s %d ", r->method, r->target, r->keep_alive);
	buf_add(&s->text, r->fields.data, r->fields.len);
	buf_char(&s->text, '|');
	buf_add(&s->text, r->body.data, r->body.len);
	buf_char(&s->text, '\n');
}

static bool known_refusal(int status)
{
	return status == 400 || status == 413 || status == 431 || status == 501 || status == 505;
}

static void check_bounds(const struct http_reader *r)
{
	PROMISE(r->body.len <= MAX_BODY);
	PROMISE(r->line.len <= MAX_HEAD && r->fields.len <= MAX_HEAD);
}

/* `piece` 0: all at once. */
static struct story read_in_pieces(const char *data, size_t size, size_t piece)
{
	struct http_reader r = {.max_head = MAX_HEAD, .max_body = MAX_BODY};
	struct story s = {.refusal = 0};
	enum http_reading reading = HTTP_MORE;

	for (size_t at = 0; at < size && reading != HTTP_REFUSED;) {
		size_t n = piece && piece < size - at ? piece : size - at, used;
		char *copy = mem_slice(data + at, n);

		reading = http_reader_feed(&r, copy, n, &used);
		free(copy);
		PROMISE(used <= n && (used == n || reading != HTTP_MORE));
		check_bounds(&r);
		at += used;
		if (reading == HTTP_WHOLE) {
			tell(&s, &r);
			http_reader_clear(&r);
			PROMISE(!http_reader_began(&r));
		}
	}
	if (reading == HTTP_REFUSED) {
		s.refusal = r.refusal;
		PROMISE(known_refusal(r.refusal));
	}
	http_reader_clear(&r);
	return s;
}

/* The plain reading: how long the body of the request that begins at `from` is said to be. */
struct framing {
	size_t head; /* bytes up to the body, 0: no whole head */
	long length; /* -1: none said */
	bool chunked, broken;
};

static long number(const char *text, size_t len)
{
	long n = 0;

	for (size_t i = 0; i < len && n <= MAX_BODY; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			n = n * 10 + (text[i] - '0');
	}
	return n;
}

static struct framing frame(const char *p, size_t len)
{
	struct framing f = {.length = -1};
	const char *lf;

	for (size_t at = 0; (lf = memchr(p + at, '\n', len - at)); at = (size_t)(lf - p) + 1) {
		size_t n = (size_t)(lf - (p + at));
		const char *line = p + at;

		n -= n > 0 && line[n - 1] == '\r';
		if (n == 0 && f.head) {
			f.head = (size_t)(lf - p) + 1;
			return f;
		}
		f.head += n > 0; /* blank lines may stand before the first */
		if (n > 15 && strncasecmp(line, "content-length:", 15) == 0) {
			f.broken = f.broken || f.length >= 0 || f.chunked;
			f.length = number(line + 15, n - 15);
		}
		if (n > 18 && strncasecmp(line, "transfer-encoding:", 18) == 0) {
			f.broken = f.broken || f.length >= 0 || f.chunked;
			f.chunked = true;
		}
	}
	return (struct framing){.length = -1};
}

/* The size of a chunk as RFC 9112 writes it: hex digits, then nothing, blanks or an
 * extension.  -1: it is none. */
static long chunk_size(const char *line, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	long size = 0;
	size_t i = 0;

	for (; i < n; i++) {
		char c = line[i] >= 'A' && line[i] <= 'F' ? (char)(line[i] | 32) : line[i];
		const char *digit = c ? strchr(hex, c) : NULL;

		if (!digit)
			break;
		if (size > MAX_BODY)
			return -1;
		size = size * 16 + (digit - hex);
	}
	return i > 0 && (i == n || strchr("; \t", line[i])) ? size : -1;
}

/* Adds the body of the chunks at p; how many bytes they are, 0: not all of them are there or they
 * are none. */
static size_t take_chunks(const char *p, size_t len, struct buf *body)
{
	size_t at = 0;
	bool last = false;

	for (;;) {
		const char *lf = memchr(p + at, '\n', len - at);
		size_t n = lf ? (size_t)(lf - (p + at)) : 0;
		long size;

		if (!lf)
			return 0;
		n -= n > 0 && p[at + n - 1] == '\r';
		if (last && n == 0)
			return (size_t)(lf - p) + 1;
		size = last ? 0 : chunk_size(p + at, n);
		at = (size_t)(lf - p) + 1;
		last = size == 0;
		if (size < 0 || (size_t)size > len - at)
			return 0;
		if (last)
			continue;
		buf_add(body, p + at, (size_t)size);
		at += (size_t)size;
		lf = memchr(p + at, '\n', len - at);
		if (!lf || lf - (p + at) > 1 || (lf > p + at && p[at] != '\r'))
			return 0;
		at = (size_t)(lf - p) + 1;
	}
}

/* Each request the reader found is framed like that, and has that body. */
static void compare(const char *data, size_t size)
{
	struct http_reader r = {.max_head = MAX_HEAD, .max_body = MAX_BODY};

	for (size_t at = 0, used = 0; at < size; at += used) {
		struct framing f = frame(data + at, size - at);
		struct buf body = {0};
		enum http_reading reading = HTTP_MORE;
		size_t n = 0;

		for (used = 0; reading != HTTP_WHOLE && at + used < size; used += n) {
			reading = http_reader_feed(&r, data + at + used, size - at - used, &n);
			if (reading == HTTP_REFUSED || (reading == HTTP_MORE && n == 0))
				break;
		}
		if (reading != HTTP_WHOLE)
			break;
		PROMISE(f.head && !f.broken);
		if (f.chunked)
			PROMISE(f.head + take_chunks(data + at + f.head, size - at - f.head,
						     &body) ==
				used);
		else
			buf_add(&body, data + at + f.head, f.length > 0 ? (size_t)f.length : 0);
		PROMISE(f.chunked || f.head + body.len == used);
		PROMISE(body.len == r.body.len &&
			(!body.len || memcmp(body.data, r.body.data, body.len) == 0));
		buf_free(&body);
		http_reader_clear(&r);
	}
	http_reader_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {1, 2, 3, 7, 16, 61, 128, 300};
	struct story whole, cut;

	if (!size)
		return 0;
	whole = read_in_pieces((const char *)data + 1, size - 1, 0);
	cut = read_in_pieces((const char *)data + 1, size - 1, pieces[data[0] % 8]);
	PROMISE(whole.refusal == cut.refusal && whole.text.len == cut.text.len);
	PROMISE(!cut.text.len || memcmp(whole.text.data, cut.text.data, cut.text.len) == 0);
	compare((const char *)data + 1, size - 1);
	buf_free(&whole.text);
	buf_free(&cut.text);
	return 0;
}
