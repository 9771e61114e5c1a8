/* http - send each event to a web server, as CloudEvents or as a body of one's own. */
#include "base/buf.h"
#include "base/mem.h"

#include <pointsman/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"url", PM_URL, PM_REQUIRED, NULL, NULL, "Where events are sent to."},
	{"method", PM_ENUM, 0, "POST", "POST|PUT|PATCH", "How."},
	{"mode", PM_ENUM, 0, NULL, "structured|binary|body",
	 "structured: the whole event as one CloudEvents object (the default without `body`); "
	 "binary: the payload as body, the rest in ce-* headers; body: what the key `body` says."},
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

enum mode { STRUCTURED, BINARY, BODY };

static enum mode mode(struct pm_host *h)
{
	if (*h->str(h, "mode"))
		return (enum mode)h->num(h, "mode");
	return *h->str(h, "body") ? BODY : STRUCTURED;
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
	return true;
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
static void sign(struct pm_host *h, pm_delivery d, const char *body, struct headers *all)
{
	const char *id = h->get(h, d, "delivery.key"), *mac;
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

static void send_event(struct pm_host *h, pm_delivery d, const char *body, struct headers *all)
{
	add_line(all, NULL);
	h->finish_by_http(h, d,
			  &PM_HTTP(.url = h->str(h, "url"), .method = h->str(h, "method"),
				   .headers = (const char *const *)all->lines, .body = body));
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	enum mode how = mode(h);
	const char *body = body_of(h, d, how);
	struct headers all = {0};

	if (!body)
		return;
	add(&all, "Content-Type", content_type(h, how));
	if (how == BINARY)
		add_attributes(h, d, &all);
	if (*h->str(h, "token"))
		add_line(&all, mem_format("Authorization: Bearer %s", h->str(h, "token")));
	if (h->nth(h, "secret", 0))
		sign(h, d, body, &all);
	if (add_own(h, d, &all))
		send_event(h, d, body, &all);
	free_headers(&all);
}

PM_PLUGIN(.kind = PM_SINK, .name = "http", .version = "1.0",
	  .summary = "Send events to a web server, as CloudEvents or with a body of one's own.",
	  .keys = keys, .check = check, .deliver = deliver);
