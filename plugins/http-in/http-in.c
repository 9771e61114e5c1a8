/* http-in - be sent events: CloudEvents in all their HTTP forms, lines of them, plain JSON. */
#include "base/buf.h"
#include "base/mem.h"
#include "incoming.h"
#include "sender.h"
#include "json/check.h"
#include "json/find.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One request is one transaction, in memory until it is written. */
#define MOST_EVENTS 10000
#define KEPT_BYTES  (64 * 1024)
#define MOST_BYTES  (4 * 1024 * 1024)

static const struct pm_key keys[] = {
	{"path", PM_STRING, 0, NULL, NULL, "Where it listens; else / and the section's name."},
	{"secret", PM_STRING, PM_SECRET | PM_LIST, NULL, NULL,
	 "Requests must be signed with it, as Standard Webhooks says; of several, any will do."},
	{"signature-header", PM_STRING, 0, NULL, NULL,
	 "The signature is in this header instead, and is of the body alone."},
	{"signature-prefix", PM_STRING, 0, "", NULL, "What stands before it: sha256=."},
	{"signature-how", PM_ENUM, 0, "sha256-hex", "sha256-hex|sha256-base64|sha1-hex",
	 "How it is made."},
	{"tolerance", PM_DURATION, 0, "5m", "1s..1d",
	 "How far the time of a signature may be from now."},
	{"token", PM_STRING, PM_SECRET | PM_LIST, NULL, NULL,
	 "Requests must have it as Authorization: Bearer; of several, any will do."},
	{"type", PM_STRING, 0, NULL, NULL, "Plain JSON is accepted, as events of this type."},
	{"id", PM_STRING, 0, NULL, NULL,
	 "Of plain JSON: the path in it that is its id; else the header Webhook-Id or "
	 "Idempotency-Key, else each request is a new event."},
	{"subject", PM_STRING, 0, NULL, NULL, "Of plain JSON: the path in it that is its subject."},
	{0},
};

static const struct pm_type types[] = {
	{"*", "as the sender says", "*", "Whatever is sent."},
	{0},
};

static bool is_type(const char *text)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t n;

	while ((n = strspn(text, word)) > 0 && text[n] == '.')
		text += n + 1;
	return n > 0 && text[n] == '\0';
}

static bool check(struct pm_host *h)
{
	const char *type = h->str(h, "type"), *path = h->str(h, "path");
	const char *wrong = NULL;

	if (*path && *path != '/')
		wrong = "path begins with /";
	else if (*type && !is_type(type))
		wrong = "type is words of a-z 0-9 _ - joined by dots";
	else if (!*type && (*h->str(h, "id") || *h->str(h, "subject")))
		wrong = "`id` and `subject` are for plain JSON: set `type`";
	else if (*h->str(h, "signature-header") && !h->nth(h, "secret", 0))
		wrong = "signature-header needs a `secret`";
	if (wrong)
		h->log(h, PM_ERROR, "%s", wrong);
	return !wrong;
}

/* What reading takes, kept from one request to the next. */
struct room {
	struct arena arena;
	struct incoming *items;
	size_t cap;
};

/* One request: all its items are read first, then emitted. */
struct request {
	struct pm_host *h;
	const struct pm_message *m;
	bool many; /* the sender counts items */
	struct room *room;
	size_t n; /* items */
	unsigned item, accepted;
	struct err err;
	pm_result result;
};

static void keep(struct request *rq, const struct incoming *in)
{
	struct room *room = rq->room;

	mem_room(room->items, rq->n, room->cap);
	room->items[rq->n++] = *in;
}

static bool take_structured(struct request *rq, const char *text, size_t len)
{
	struct incoming in = {0};

	rq->item++;
	if (!incoming_structured(&in, &rq->room->arena, text, len, &rq->err))
		return false;
	keep(rq, &in);
	return true;
}

static bool emit_all(struct request *rq)
{
	rq->item = 0;
	for (size_t i = 0; i < rq->n; i++) {
		rq->item++;
		incoming_trace(&rq->room->items[i], rq->m);
		rq->result = incoming_emit(rq->h, &rq->room->items[i]);
		if (rq->result != PM_OK)
			return false;
		rq->accepted++;
	}
	return true;
}

static bool take_single(struct request *rq)
{
	return take_structured(rq, rq->m->body, rq->m->body_len);
}

static bool take_batch(struct request *rq)
{
	struct json_value all = json_root(rq->m->body, rq->m->body_len), name, item;

	if (all.kind != KIND_ARRAY) {
		err_set(&rq->err, "a batch is a JSON array");
		return false;
	}
	for (size_t at = 0; json_next(&all, &at, &name, &item);) {
		if (!take_structured(rq, item.text, item.len))
			return false;
	}
	return true;
}

/* What is wrong, and what stands there as far as it can be shown. */
static void say_fault(struct request *rq, const char *text, size_t len,
		      const struct json_fault *fault)
{
	size_t n = 0;
	char at[17];

	while (n < sizeof at - 1 && fault->offset + n < len &&
	       isprint((unsigned char)text[fault->offset + n])) {
		at[n] = text[fault->offset + n];
		n++;
	}
	at[n] = '\0';
	err_set(&rq->err, "line %u, column %u: %s%s%s", fault->line, fault->column, fault->what,
		n ? ", at " : "", at);
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	}
	return true;
}

static bool take_lines(struct request *rq)
{
	const char *line = rq->m->body, *end = line + rq->m->body_len, *next;
	struct json_fault fault;

	for (; line < end; line = next + 1) {
		size_t len;

		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		len = (size_t)(next - line);
		if (is_blank(line, len))
			continue;
		if (!json_check(line, len, JSON_MAX_DEPTH, &fault)) {
			rq->item++;
			say_fault(rq, line, len, &fault);
			return false;
		}
		if (!take_structured(rq, line, len))
			return false;
	}
	return true;
}

static bool take_binary(struct request *rq)
{
	struct incoming in;

	if (!incoming_binary(&in, &rq->room->arena, rq->m, &rq->err))
		return false;
	keep(rq, &in);
	return true;
}

/* NULL: a path was to be its id, and is not there. */
static const char *plain_id(struct request *rq)
{
	struct pm_host *h = rq->h;
	const char *path = h->str(h, "id"), *text;
	char made[33];

	if (*path)
		text = h->find(h, rq->m->body, rq->m->body_len, path);
	else if (!(text = rq->m->header(rq->m, "Webhook-Id")))
		text = rq->m->header(rq->m, "Idempotency-Key");
	if (*path && (!text || !*text)) {
		err_set(&rq->err, "it has no %s, which is to be its id", path);
		return NULL;
	}
	if (text && *text)
		return arena_text(&rq->room->arena, text, strlen(text));
	snprintf(made, sizeof made, "%016llx%016llx", (unsigned long long)h->random(h),
		 (unsigned long long)h->random(h));
	return arena_text(&rq->room->arena, made, strlen(made));
}

static bool take_plain(struct request *rq)
{
	struct pm_host *h = rq->h;
	const char *path = h->str(h, "subject");
	struct incoming in = {.data = rq->m->body, .data_len = rq->m->body_len};

	if (json_root(in.data, in.data_len).kind != KIND_OBJECT) {
		err_set(&rq->err, "it is not a JSON object");
		return false;
	}
	in.type = h->str(h, "type");
	in.subject = *path ? h->find(h, rq->m->body, rq->m->body_len, path) : NULL;
	in.id = plain_id(rq);
	if (in.id)
		keep(rq, &in);
	return in.id;
}

struct form {
	const char *content_type;
	bool (*take)(struct request *rq);
	bool many;
};

static const struct form forms[] = {
	{"application/cloudevents+json", take_single, false},
	{"application/cloudevents-batch+json", take_batch, true},
	{"application/x-ndjson", take_lines, true},
	{"application/ndjson", take_lines, true},
	{"application/jsonl", take_lines, true},
	{0},
};
static const struct form binary = {"application/json", take_binary, false};
static const struct form plain = {"application/json", take_plain, false};

static bool is_content(const char *given, const char *known)
{
	size_t n = strlen(known);

	return strncasecmp(given, known, n) == 0 && strchr("; \t", given[n]);
}

/* "application/json", "application/vnd.x+json; charset=utf-8", or nothing. */
static bool is_json(const char *given)
{
	size_t n = strcspn(given, "; \t");

	return n == 0 || is_content(given, "application/json") ||
	       (n > 5 && strncasecmp(given + n - 5, "+json", 5) == 0);
}

static const struct form *form_of(struct pm_host *h, const struct pm_message *m)
{
	const char *given = m->header(m, "Content-Type");

	given = given ? given : "";
	for (const struct form *f = forms; f->content_type; f++) {
		if (is_content(given, f->content_type))
			return f;
	}
	if (!is_json(given))
		return NULL;
	if (m->header(m, "ce-specversion"))
		return &binary;
	return *h->str(h, "type") ? &plain : NULL;
}

static int32_t tell(struct pm_host *h, int32_t status, const char *text)
{
	h->reply(h, "text/plain", text, strlen(text));
	return status;
}

static int32_t tell_too_large(struct pm_host *h)
{
	return tell(h, 413, "at most 10000 events and 4 MB at a time: send several requests\n");
}

static int32_t tell_refusal(struct request *rq)
{
	struct buf text = {0};

	/* The host knows why it refused an event, and says so behind this. */
	if (rq->many)
		buf_printf(&text, "item %u: ", rq->item);
	if (rq->many && rq->accepted)
		buf_printf(&text, "(the %u before it are accepted) ", rq->accepted);
	if (*rq->err.text)
		buf_printf(&text, "%s\n", rq->err.text);
	if (text.len)
		tell(rq->h, 400, text.data);
	buf_free(&text);
	return 400;
}

static int32_t tell_accepted(struct request *rq)
{
	char text[64];

	snprintf(text, sizeof text, "{\"accepted\":%u}\n", rq->accepted);
	rq->h->reply(rq->h, "application/json", text, strlen(text));
	return 202;
}

/* Lines are checked one by one, an empty body may be the payload of binary mode. */
static bool is_good_json(struct request *rq, const struct form *f)
{
	struct json_fault fault;

	if (f->take == take_lines || (f->take == take_binary && !rq->m->body_len))
		return true;
	if (json_check(rq->m->body, rq->m->body_len, JSON_MAX_DEPTH, &fault))
		return true;
	rq->many = false;
	say_fault(rq, rq->m->body, rq->m->body_len, &fault);
	return false;
}

static int32_t take(struct request *rq, const struct form *f)
{
	rq->many = f->many;
	if (!is_good_json(rq, f) || !f->take(rq))
		return tell_refusal(rq);
	if (rq->item > MOST_EVENTS)
		return tell_too_large(rq->h);
	if (emit_all(rq))
		return tell_accepted(rq);
	return rq->result == PM_RETRY ? tell(rq->h, 503, "no room just now: send it again\n")
				      : tell_refusal(rq);
}

static void forget(struct room *room)
{
	arena_free(&room->arena);
	free(room->items);
	*room = (struct room){0};
}

/* What a large request took is not kept for small ones. */
static void tidy(struct room *room)
{
	if (room->arena.bytes + room->cap * sizeof *room->items > KEPT_BYTES)
		forget(room);
	else
		arena_reset(&room->arena);
}

static int32_t on_post(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	const char *refused = sender_refused(h, m);
	struct request rq = {.h = h, .m = m, .room = h->self};
	const struct form *f;
	int32_t status;

	(void)arg;
	if (refused)
		return tell(h, 401, refused);
	if (m->body_len > MOST_BYTES)
		return tell_too_large(h);
	f = form_of(h, m);
	if (!f)
		return tell(h, 415,
			    "send CloudEvents: application/cloudevents+json, "
			    "application/cloudevents-batch+json, application/x-ndjson, or "
			    "application/json with ce-* headers\n");
	status = take(&rq, f);
	tidy(rq.room);
	return status;
}

static bool create(struct pm_host *h)
{
	h->self = mem_new(struct room);
	return true;
}

static void destroy(struct pm_host *h)
{
	forget(h->self);
	free(h->self);
}

static bool start(struct pm_host *h)
{
	const char *path = h->str(h, "path");

	return h->listen(h, *path ? path : NULL, on_post, 0);
}

PM_PLUGIN(.kind = PM_SOURCE, .name = "http-in", .version = "1.0",
	  .summary = "Be sent events over HTTP: CloudEvents, lines of JSON, plain JSON.",
	  .keys = keys, .types = types, .check = check, .create = create, .start = start,
	  .destroy = destroy);
