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

static int http_answer(const struct request *rq, const char *data, size_t len, bool *keep)
{
	struct message m;
	enum message_state state = message_read(data, len, &m);

	(void)rq;
	if (state == MESSAGE_PART)
		return 0;
	if (state == MESSAGE_BAD || m.head_len < 13 || strncmp(data, "HTTP/1.", 7) != 0)
		return -1;
	*keep = !message_header_is(&m, "Connection", "close");
	return atoi(data + 9);
}

static void compose_tcp(const struct target *to, const struct cargo *c, const struct request *rq,
			struct buf *out)
{
	(void)to;
	for (unsigned i = 0; i < rq->count; i++) {
		cargo_add(c, rq->first + i, rq->due_us, out);
		buf_char(out, '\n');
	}
}

/* Frames are numbered, of each connection for itself; 1 is the hello. */
static void compose_relp(const struct target *to, const struct cargo *c, const struct request *rq,
			 struct buf *out)
{
	(void)to;
	for (unsigned i = 0; i < rq->count; i++) {
		buf_text_add(&scratch, "<13>1 - - load - - - ");
		cargo_add(c, rq->first + i, rq->due_us, &scratch);
		buf_printf(out, "%u syslog %zu ", rq->earlier + i + 2, scratch.len);
		buf_add(out, scratch.data, scratch.len);
		buf_char(out, '\n');
		buf_cut(&scratch, 0);
	}
}

/* `2 rsp 6 200 OK`, one for each frame. */
static int relp_answer(const struct request *rq, const char *data, size_t len, bool *keep)
{
	const char *at = data, *end = data + len;
	int worst = 200;

	(void)keep;
	for (unsigned left = rq->count ? rq->count : 1; left > 0; left--) {
		unsigned long size;
		char *text;
		const char *word = memmem(at, (size_t)(end - at), " rsp ", 5);

		if (!word)
			return 0;
		size = strtoul(word + 5, &text, 10);
		if (text + 1 + size + 1 > end)
			return 0;
		if (atoi(text) != 200)
			worst = 500;
		at = text + 1 + size + 1;
	}
	return worst;
}

#define RELP_OFFER "relp_version=0\nrelp_software=load\ncommands=syslog"

const struct wire wire_structured = {"structured", compose_structured, http_answer, NULL};
const struct wire wire_lines = {"lines", compose_lines, http_answer, NULL};
const struct wire wire_batch = {"batch", compose_batch, http_answer, NULL};
const struct wire wire_relp = {"relp", compose_relp, relp_answer, "1 open 49 " RELP_OFFER "\n"};
const struct wire wire_tcp = {"tcp", compose_tcp, NULL, NULL};

const struct wire *wire_named(const char *name)
{
	static const struct wire *all[] = {&wire_structured, &wire_lines, &wire_batch, &wire_relp,
					   &wire_tcp};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
}
