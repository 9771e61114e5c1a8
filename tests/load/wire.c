#include "wire.h"

#include "message.h"

#include <stdlib.h>
#include <string.h>

static void add_head(const struct target *to, const char *type, size_t length, struct buf *out)
{
	buf_printf(out,
		   "POST /%s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: %s\r\n"
		   "Content-Length: %zu\r\n\r\n",
		   to->path, to->host, to->port, type, length);
}

static void add_request(const struct target *to, const char *type, struct buf *body,
			struct buf *out)
{
	add_head(to, type, body->len, out);
	buf_add(out, body->data, body->len);
	buf_cut(body, 0);
}

static struct buf scratch;

static void compose_structured(const struct target *to, const struct cargo *c,
			       const struct request *rq, struct buf *out)
{
	cargo_add(c, rq->first, rq->due_us, &scratch);
	add_request(to, "application/cloudevents+json", &scratch, out);
}

static void compose_lines(const struct target *to, const struct cargo *c, const struct request *rq,
			  struct buf *out)
{
	for (unsigned i = 0; i < rq->count; i++) {
		cargo_add(c, rq->first + i, rq->due_us, &scratch);
		buf_char(&scratch, '\n');
	}
	add_request(to, "application/x-ndjson", &scratch, out);
}

static void compose_batch(const struct target *to, const struct cargo *c, const struct request *rq,
			  struct buf *out)
{
	for (unsigned i = 0; i < rq->count; i++) {
		buf_char(&scratch, i ? ',' : '[');
		cargo_add(c, rq->first + i, rq->due_us, &scratch);
	}
	buf_char(&scratch, ']');
	add_request(to, "application/cloudevents-batch+json", &scratch, out);
}

static int http_answer(const char *data, size_t len, size_t *used, bool *keep)
{
	struct message m;
	enum message_state state = message_read(data, len, &m);

	if (state == MESSAGE_PART)
		return 0;
	if (state == MESSAGE_BAD || m.head_len < 13 || strncmp(data, "HTTP/1.", 7) != 0)
		return -1;
	*used = m.head_len + m.body_len;
	*keep = !message_header_is(&m, "Connection", "close");
	return atoi(data + 9);
}

const struct wire wire_structured = {"structured", compose_structured, http_answer};
const struct wire wire_lines = {"lines", compose_lines, http_answer};
const struct wire wire_batch = {"batch", compose_batch, http_answer};

const struct wire *wire_named(const char *name)
{
	static const struct wire *all[] = {&wire_structured, &wire_lines, &wire_batch};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
}
