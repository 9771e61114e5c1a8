/* http - send each event to a web server, as CloudEvents or as a body of one's own. */
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#define PM_ABI_MINOR 1 /* deliver_many() */
#include <pointsman/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"url", PM_URL, PM_REQUIRED, NULL, NULL, "Where events are sent to."},
	{"method", PM_ENUM, 0, "POST", "POST|PUT|PATCH", "How."},
	{"mode", PM_ENUM, 0, NULL, "structured|binary|body|ndjson",
	 "structured: the whole event as one CloudEvents object, with `batch` an array of them "
	 "(the "
	 "default without `body`); binary: the payload as body, the rest in ce-* headers; body: "
	 "what "
	 "the key `body` says; ndjson: each event as such an object in a line of its own."},
	{"body", PM_JSON_TEMPLATE, 0, NULL, NULL, "What is sent, instead of the event."},
	{"content-type", PM_STRING, 0, "application/json", NULL, "Of `body`."},
	{"header.*", PM_TEMPLATE, 0, NULL, NULL,
	 "A further header: header.X-Team = {{ data.team }}."},
	{"token", PM_STRING, PM_SECRET, NULL, NULL, "Sent as Authorization: Bearer."},
	{"secret", PM_STRING, PM_SECRET | PM_LIST, NULL, NULL,
	 "Signs as Standard Webhooks says (webhook-id, -timestamp, -signature); with several, "
	 "each signs, so that the receiver can change from one to the next."},
	{0},
};

enum mode { STRUCTURED, BINARY, BODY, NDJSON };

static enum mode mode(struct pm_host *h)
{
	if (*h->str(h, "mode"))
		return (enum mode)h->num(h, "mode");
	return *h->str(h, "body") ? BODY : STRUCTURED;
}

/* What is said of one event cannot be said of a request with several. */
static bool check_batch(struct pm_host *h)
{
	const char *key;

	if (mode(h) != STRUCTURED && mode(h) != NDJSON) {
		h->log(h, PM_ERROR,
		       "`batch` needs mode = structured or ndjson: other bodies hold one event");
		return false;
	}
	for (uint32_t i = 0; (key = h->nth(h, "header.*", i)); i++) {
		if (strstr(h->str(h, key), "{{")) {
			h->log(h, PM_ERROR,
			       "%s has a value of the event in it, and with `batch` a request has "
			       "several events",
			       key);
			return false;
		}
	}
	return true;
}

static bool check(struct pm_host *h)
{
	bool has_body = *h->str(h, "body");

	if (has_body && mode(h) != BODY) {
		h->log(h, PM_ERROR, "`body` is only sent with mode = body");
		return false;
	}
	if (!has_body && mode(h) == BODY) {
		h->log(h, PM_ERROR, "mode = body needs the key `body`");
		return false;
	}
	return h->num(h, "batch") == 1 || check_batch(h);
}

struct headers {
	char **lines; /* as pm_http wants them */
	size_t n, cap;
};

static void add_line(struct headers *all, char *line)
{
	mem_room(all->lines, all->n, all->cap);
	all->lines[all->n++] = line;
}

static void add(struct headers *all, const char *name, const char *value)
{
	add_line(all, mem_format("%s: %s", name, value));
}

static void free_headers(struct headers *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->lines[i]);
	free(all->lines);
}

/* A CloudEvents attribute in a header: percent-encoded as its HTTP binding says. */
static void add_attribute(struct headers *all, const char *name, const char *value)
{
	struct buf b = {0};

	if (!value)
		return;
	buf_printf(&b, "%s: ", name);
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '%')
			buf_printf(&b, "%%%02X", *p);
		else
			buf_char(&b, (char)*p);
	}
	add_line(all, buf_take(&b));
}

static void add_attributes(struct pm_host *h, pm_delivery d, struct headers *all)
{
	add(all, "ce-specversion", "1.0");
	add_attribute(all, "ce-id", h->get(h, d, "id"));
	add_attribute(all, "ce-source", h->get(h, d, "source"));
	add_attribute(all, "ce-type", h->get(h, d, "type"));
	add_attribute(all, "ce-subject", h->get(h, d, "subject"));
	add_attribute(all, "ce-time", h->get(h, d, "time"));
}

/* False if the delivery has ended: a value is absent, or would break the header. */
static bool add_own(struct pm_host *h, pm_delivery d, struct headers *all)
{
	const char *key;

	for (uint32_t i = 0; (key = h->nth(h, "header.*", i)); i++) {
		const char *value = h->render(h, d, key);

		if (!value)
			return false;
		if (strpbrk(value, "\r\n")) {
			char *why = mem_format("%s would have a line break in it", key);

			h->finish(h, d, PM_REJECT, why);
			free(why);
			return false;
		}
		add(all, key + strlen("header."), value);
	}
	return true;
}

/* Standard Webhooks: "v1,<mac of id.timestamp.body>", one for each secret. */
static void sign(struct pm_host *h, const char *id, const char *body, struct headers *all)
{
	const char *mac;
	long long seconds = h->now(h) / 1000;
	struct buf text = {0}, line = {0};
	char key[32] = "secret.0";

	buf_printf(&text, "%s.%lld.%s", id, seconds, body);
	buf_text_add(&line, "webhook-signature:");
	for (unsigned i = 0; (mac = h->hmac(h, key, "sha256-base64", text.data, text.len)); i++) {
		buf_printf(&line, " v1,%s", mac);
		snprintf(key, sizeof key, "secret.%u", i + 1);
	}
	add(all, "webhook-id", id);
	add_line(all, mem_format("webhook-timestamp: %lld", seconds));
	add_line(all, buf_take(&line));
	buf_free(&text);
}

static void add_common(struct pm_host *h, const char *type, struct headers *all)
{
	add(all, "Content-Type", type);
	if (*h->str(h, "token"))
		add_line(all, mem_format("Authorization: Bearer %s", h->str(h, "token")));
}

static struct pm_http request(struct pm_host *h, const char *body, struct headers *all)
{
	add_line(all, NULL);
	return PM_HTTP(.url = h->str(h, "url"), .method = h->str(h, "method"),
		       .headers = (const char *const *)all->lines, .body = body);
}

static const char *body_of(struct pm_host *h, pm_delivery d, enum mode how)
{
	switch (how) {
	case BINARY: return h->get(h, d, "data | json");
	case BODY: return h->render(h, d, "body");
	default: return h->get(h, d, "event");
	}
}

static const char *content_type(struct pm_host *h, enum mode how)
{
	switch (how) {
	case BINARY: return "application/json";
	case BODY: return h->str(h, "content-type");
	default: return "application/cloudevents+json";
	}
}

/* Each event says its key itself: the request stands for all of them. */
static void add_event(struct pm_host *h, pm_delivery d, struct buf *body)
{
	const char *event = h->get(h, d, "event"), *key = h->get(h, d, "delivery.key");

	buf_text_add(body, "{\"idempotencykey\":\"");
	buf_text_add(body, key);
	buf_text_add(body, "\",");
	buf_text_add(body, event + 1);
}

static void add_events(struct pm_host *h, const pm_delivery *d, uint32_t n, enum mode how,
		       struct buf *body)
{
	if (how != NDJSON)
		buf_char(body, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i && how != NDJSON)
			buf_char(body, ',');
		add_event(h, d[i], body);
		if (how == NDJSON)
			buf_char(body, '\n');
	}
	if (how != NDJSON)
		buf_char(body, ']');
}

/* The same events have the same id, in every attempt. */
static char *id_of(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	struct buf all = {0};
	unsigned char digest[32];
	char text[65];

	if (n == 1)
		return mem_text(h->get(h, d[0], "delivery.key"));
	for (uint32_t i = 0; i < n; i++)
		buf_text_add(&all, h->get(h, d[i], "delivery.key"));
	hash_sha256(all.data, all.len, digest);
	hash_hex(digest, 16, text);
	buf_free(&all);
	return mem_text(text);
}

static void deliver_many(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	enum mode how = mode(h);
	struct headers all = {0};
	struct buf body = {0};
	struct pm_http rq;
	char *id;

	add_events(h, d, n, how, &body);
	add_common(h, how == NDJSON ? "application/x-ndjson" : "application/cloudevents-batch+json",
		   &all);
	if (h->nth(h, "secret", 0)) {
		id = id_of(h, d, n);
		sign(h, id, buf_text(&body), &all);
		free(id);
	}
	if (add_own(h, d[0], &all)) {
		rq = request(h, buf_text(&body), &all);
		if (n == 1)
			h->finish_by_http(h, d[0], &rq);
		else
			h->finish_many_by_http(h, d, n, &rq);
	} else {
		for (uint32_t i = 1; i < n; i++)
			add_own(h, d[i], &all); /* ends it as it ended the first */
	}
	free_headers(&all);
	buf_free(&body);
}

static void deliver_one(struct pm_host *h, pm_delivery d, enum mode how)
{
	const char *body = body_of(h, d, how);
	struct headers all = {0};
	struct pm_http rq;

	if (!body)
		return;
	add_common(h, content_type(h, how), &all);
	if (how == BINARY)
		add_attributes(h, d, &all);
	if (h->nth(h, "secret", 0))
		sign(h, h->get(h, d, "delivery.key"), body, &all);
	if (add_own(h, d, &all)) {
		rq = request(h, body, &all);
		h->finish_by_http(h, d, &rq);
	}
	free_headers(&all);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	enum mode how = mode(h);

	if (how == NDJSON)
		deliver_many(h, &d, 1);
	else
		deliver_one(h, d, how);
}

PM_PLUGIN(.kind = PM_SINK, .name = "http", .version = "1.0",
	  .summary = "Send events to a web server, as CloudEvents or with a body of one's own.",
	  .keys = keys, .check = check, .deliver = deliver, .deliver_many = deliver_many);
