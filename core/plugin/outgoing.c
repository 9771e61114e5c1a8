#include "plugin/outgoing.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "plugin/blocking.h"
#include "plugin/host.h"

#include <stdlib.h>
#include <string.h>

/* The number of the call's own transaction is not known before it ends. */
#define GATE_THIS_CALL UINT64_MAX

#define MORE_WHEN_CANCELLED 100 /* requests made by those who hear of it */

/* What the client holds while it works: it may answer after its request was given up. */
struct pending {
	struct outgoing *outgoing; /* NULL: given up */
};

struct outgoing {
	struct outgoing *next;
	struct instance *instance;
	uint64_t gate;
	struct pending *pending; /* NULL: not sent, or answered */
	uint64_t number;         /* the client's */
	bool sent;

	char *method, *url, *service, *region;
	char **headers, **query; /* NULL-terminated, or NULL */
	void *body;
	size_t body_len, max_bytes;
	uint32_t timeout_ms;
	struct asked asked;
	pm_done_fn *done;
	uint64_t arg;      /* of done, or the delivery to finish */
	pm_delivery *many; /* those to finish, if they are several; or NULL */
	size_t nmany;

	struct http_answer answer; /* a copy */

	struct http_exchange *exchange; /* a reply; NULL: a request */
	int status;
	char *content_type;
};

static char **copy_texts(const char *const *texts)
{
	char **copy = NULL;
	size_t n = 0, cap = 0;

	if (!texts)
		return NULL;
	for (; *texts; texts++) {
		mem_room(copy, n, cap);
		copy[n++] = mem_text(*texts);
	}
	mem_room(copy, n, cap);
	copy[n] = NULL;
	return copy;
}

static void free_texts(char **texts)
{
	for (char **t = texts; t && *t; t++)
		free(*t);
	free(texts);
}

static void outgoing_free(struct outgoing *o)
{
	free(o->method);
	free(o->url);
	free(o->service);
	free(o->region);
	free_texts(o->headers);
	free_texts(o->query);
	free(o->body);
	free(o->many);
	asked_clear(&o->asked);
	free((char *)(uintptr_t)o->answer.error);
	free((char *)(uintptr_t)o->answer.body);
	free((char *)(uintptr_t)o->answer.headers);
	free(o->content_type);
	free(o);
}

static void unlink_one(struct outgoing *o)
{
	struct outgoing **at = &o->instance->outgoing;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
}

static void append(struct instance *i, struct outgoing *o)
{
	struct outgoing **at = &i->outgoing;

	while (*at)
		at = &(*at)->next;
	*at = o;
	o->instance = i;
	o->gate = i->txn ? GATE_THIS_CALL : i->gate;
}

/* "hooks.slack.com" of "https://hooks.slack.com/services/..": what messages may name. */
static char *peer_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at;
	size_t len;

	host = host ? host + 3 : url;
	len = strcspn(host, "/?#");
	at = memchr(host, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return mem_slice(host, len);
}

static void split_aws(struct outgoing *o, const char *aws)
{
	const char *colon = strchr(aws, ':');

	o->service = mem_slice(aws, colon ? (size_t)(colon - aws) : strlen(aws));
	o->region = mem_text(colon ? colon + 1 : "");
}

static void add_query(struct buf *url, char *const *query)
{
	char mark = strchr(buf_text(url), '?') ? '&' : '?';

	for (; query && query[0] && query[1]; query += 2) {
		buf_char(url, mark);
		http_encode(url, query[0], strlen(query[0]), "");
		buf_char(url, '=');
		http_encode(url, query[1], strlen(query[1]), "");
		mark = '&';
	}
}

/* Names the delivery to the other side, and the trace it belongs to. */
static void add_delivery(struct outgoing *o, const struct engine_call *call)
{
	size_t n = 0;

	while (o->headers && o->headers[n])
		n++;
	o->headers = mem_grow(o->headers, n + 3, sizeof *o->headers);
	o->headers[n++] = mem_format("Idempotency-Key: %s", call->key);
	if (call->event->traceparent)
		o->headers[n++] = mem_format("traceparent: %s", call->event->traceparent);
	o->headers[n] = NULL;
}

static uint32_t timeout_of(struct instance *i, const struct pm_http *rq)
{
	return rq->timeout_ms ? rq->timeout_ms : (uint32_t)i->section->timeout_ms;
}

static struct outgoing *outgoing_new(struct instance *i, const struct pm_http *given)
{
	struct outgoing *o = mem_new(struct outgoing);
	const struct engine_call *call = NULL;
	struct pm_http rq = {0};

	memcpy(&rq, given, given->size < sizeof rq ? given->size : sizeof rq);
	if (rq.delivery)
		call = engine_find(instance_options(i)->engine, rq.delivery);
	o->method = mem_text(rq.method);
	o->url = mem_text(rq.url ? rq.url : "");
	o->headers = copy_texts(rq.headers);
	o->query = copy_texts(rq.query);
	o->body_len = rq.body && !rq.body_len ? strlen(rq.body) : rq.body_len;
	o->body = rq.body ? mem_slice(rq.body, o->body_len) : NULL;
	o->max_bytes = (rq.max_kb ? (size_t)rq.max_kb : 1024) * 1024;
	o->timeout_ms = timeout_of(i, &rq);
	o->asked.ok = mem_text(rq.ok);
	o->asked.again = mem_text(rq.again);
	o->asked.aws = rq.aws != NULL;
	o->asked.has_secrets = values_has_secrets(i->values);
	o->asked.peer = rq.aws ? mem_text(rq.aws) : peer_of(o->url);
	if (rq.aws)
		split_aws(o, rq.aws);
	if (call)
		add_delivery(o, call);
	return o;
}

/* From the loop, so that `done` never runs inside http(). */
static void queue(struct instance *i, struct outgoing *o)
{
	append(i, o);
	if (!i->in_call)
		outgoing_flush(i);
}

void outgoing_request(struct instance *i, const struct pm_http *rq, pm_done_fn *done, uint64_t arg)
{
	struct outgoing *o = outgoing_new(i, rq);

	o->done = done;
	o->arg = done ? arg : rq->delivery;
	queue(i, o);
}

void outgoing_for_many(struct instance *i, const struct pm_http *rq, const pm_delivery *d, size_t n)
{
	pm_delivery *live = mem_zero(n * sizeof *live);
	struct outgoing *o;
	size_t nlive = 0;

	for (size_t k = 0; k < n; k++) {
		if (engine_find(instance_options(i)->engine, d[k]))
			live[nlive++] = d[k];
	}
	if (!nlive) {
		free(live);
		return;
	}
	o = outgoing_new(i, rq);
	o->many = live;
	o->nmany = nlive;
	queue(i, o);
}

void outgoing_reply(struct instance *i, struct http_exchange *x, int status,
		    const char *content_type, struct buf *body)
{
	struct outgoing *o = mem_new(struct outgoing);

	o->exchange = x;
	o->status = status;
	o->content_type = mem_text(content_type);
	o->body_len = body->len;
	o->body = buf_take(body);
	append(i, o);
}

static void take_answer(struct instance *i, void *arg)
{
	struct outgoing *o = arg;
	struct answer_message message;

	unlink_one(o);
	if (o->done) {
		answer_message(&message, &o->answer, &o->asked, &i->scratch);
		blocking_release(i);
		o->done(&i->host, &message.public, o->arg);
		blocking_take(i);
	} else {
		struct world *w = instance_world(i);
		struct ending ending = answer_read(&o->answer, &o->asked, w->wall(w));

		if (o->many)
			host_end_many(i, o->many, o->nmany, &ending);
		else
			host_end(i, o->arg, &ending);
	}
	outgoing_free(o);
}

static void copy_answer(struct outgoing *o, const struct http_answer *answer)
{
	o->answer = *answer;
	o->answer.error = mem_text(answer->error ? answer->error : "");
	o->answer.body = mem_slice(answer->body, answer->body_len);
	o->answer.headers = mem_text(answer->headers ? answer->headers : "");
}

static void on_answer(const struct http_answer *answer, void *arg)
{
	struct pending *pending = arg;
	struct outgoing *o = pending->outgoing;

	free(pending);
	if (!o)
		return;
	o->pending = NULL;
	copy_answer(o, answer);
	instance_run(o->instance, "an answer", take_answer, NULL, o);
}

static struct pending *pend(struct outgoing *o)
{
	o->pending = mem_new(struct pending);
	o->pending->outgoing = o;
	return o->pending;
}

static const char *endpoint_of(struct instance *i)
{
	const char *endpoint = values_str(i->values, "endpoint", NULL);

	return endpoint && *endpoint ? endpoint : NULL;
}

static void send_aws(struct outgoing *o)
{
	struct aws_request rq = {
		.service = o->service,
		.region = o->region,
		.endpoint = endpoint_of(o->instance),
		.method = o->method,
		.path = o->url,
		.query = (const char *const *)o->query,
		.headers = (const char *const *)o->headers,
		.body = o->body,
		.body_len = o->body_len,
		.timeout_ms = o->timeout_ms,
		.max_bytes = o->max_bytes,
	};

	o->number = aws_send(instance_options(o->instance)->aws, &rq, on_answer, pend(o));
}

static void send_plain(struct outgoing *o)
{
	struct http_client *client = instance_world(o->instance)->network;
	struct buf url = {0};
	struct http_request rq = {
		.method = o->method,
		.headers = (const char *const *)o->headers,
		.body = o->body,
		.body_len = o->body_len,
		.timeout_ms = o->timeout_ms,
		.max_bytes = o->max_bytes,
	};

	buf_text_add(&url, o->url);
	add_query(&url, o->query);
	rq.url = buf_text(&url);
	o->number = client->send(client, &rq, on_answer, pend(o));
	buf_free(&url);
}

static void send_reply(struct outgoing *o)
{
	char *type = o->content_type ? mem_format("Content-Type: %s", o->content_type) : NULL;
	const char *headers[] = {type, NULL, NULL};

	if (o->status == 503 || o->status == 429)
		headers[type ? 1 : 0] = "Retry-After: 5";
	http_reply(o->exchange, o->status, headers, o->body, o->body_len);
	free(type);
}

void outgoing_gate(struct instance *i, uint64_t number)
{
	for (struct outgoing *o = i->outgoing; o; o = o->next) {
		if (o->gate == GATE_THIS_CALL)
			o->gate = number;
	}
}

void outgoing_flush(struct instance *i)
{
	uint64_t durable = engine_durable(instance_options(i)->engine);
	struct outgoing *next;

	for (struct outgoing *o = i->outgoing; o; o = next) {
		next = o->next;
		if (o->sent || o->gate > durable)
			continue;
		o->sent = true;
		if (o->exchange) {
			send_reply(o);
			unlink_one(o);
			outgoing_free(o);
		} else if (o->asked.aws) {
			send_aws(o);
		} else {
			send_plain(o);
		}
	}
}

static void cancel_one(struct instance *i, struct outgoing *o)
{
	struct http_answer answer = {.error = "cancelled", .body = "", .headers = ""};

	if (o->exchange) {
		http_reply(o->exchange, 503, NULL, NULL, 0);
		unlink_one(o);
		outgoing_free(o);
		return;
	}
	if (o->pending) {
		o->pending->outgoing = NULL;
		if (o->asked.aws)
			aws_cancel(instance_options(i)->aws, o->number);
		else
			instance_world(i)->network->cancel(instance_world(i)->network, o->number);
	}
	if (!o->answer.error) {
		answer.sent = o->sent;
		copy_answer(o, &answer);
	}
	take_answer(i, o);
}

static size_t count(const struct outgoing *o)
{
	size_t n = 0;

	for (; o; o = o->next)
		n++;
	return n;
}

/* Nobody hears of it any more. */
static void discard(struct outgoing *o)
{
	unlink_one(o);
	outgoing_free(o);
}

/* A plugin that answers "cancelled" with another request would go on for ever. */
void outgoing_cancel(struct instance *i)
{
	size_t left = count(i->outgoing) + MORE_WHEN_CANCELLED;

	for (; i->outgoing && left; left--)
		cancel_one(i, i->outgoing);
	if (i->outgoing)
		log_error("%s: plugin %s asks again whenever a request is cancelled; what it asked "
			  "last gets no answer",
			  i->host.instance, i->plugin->table.name);
	while (i->outgoing)
		discard(i->outgoing);
}
