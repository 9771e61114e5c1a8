#include "plugin/outgoing.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "plugin/blocking.h"
#include "plugin/host.h"

#include <stdlib.h>
#include <string.h>

/* The number of the call's own transaction is not known before it ends. */
#define GATE_THIS_CALL UINT64_MAX

#define MOST_SPARE       32 /* of an instance */
#define MOST_SPARE_BYTES (64 * 1024)

#define MORE_WHEN_CANCELLED 100 /* requests made by those who hear of it */

/* What the client holds while it works: it may answer after its request was given up. */
struct pending {
	struct outgoing *outgoing; /* NULL: given up */
};

struct outgoing {
	struct outgoing *next, *before; /* in one of the instance's lists */
	struct instance *instance;
	uint64_t gate;
	struct pending *pending; /* NULL: not sent, or answered */
	uint64_t number;         /* the client's */
	bool sent;

	struct arena texts; /* all of the following, but for the body */
	const char *method, *url, *service, *region;
	const char **headers, **query; /* NULL-terminated, or NULL */
	void *body;
	size_t body_len, max_bytes;
	uint32_t timeout_ms;
	struct asked asked;
	pm_done_fn *done;
	uint64_t arg;      /* of done, or the delivery to finish */
	pm_delivery *many; /* those to finish, if they are several; or NULL */
	size_t nmany;

	struct http_answer answer;
	bool copied; /* the answer's texts are */

	struct http_exchange *exchange; /* a reply; NULL: a request */
	int status;
	const char *content_type;
};

static const char *copy_text(struct outgoing *o, const char *text)
{
	return text ? arena_text(&o->texts, text, strlen(text)) : NULL;
}

/* With room for `more`, which are NULL. */
static const char **copy_texts(struct outgoing *o, const char *const *texts, size_t more)
{
	const char **copy;
	size_t n = 0;

	while (texts && texts[n])
		n++;
	if (!n && !more)
		return NULL;
	copy = arena_take(&o->texts, (n + more + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = copy_text(o, texts[i]);
	return copy;
}

static struct outgoing *outgoing_new(struct instance *i)
{
	struct outgoing *o = i->spare;

	if (!o) {
		o = mem_new(struct outgoing);
	} else {
		i->spare = o->next;
		i->nspare--;
		o->next = NULL;
	}
	o->instance = i;
	return o;
}

static void outgoing_free(struct outgoing *o)
{
	struct instance *i = o->instance;
	struct arena texts = o->texts;

	free(o->body);
	free(o->many);
	if (o->copied) {
		free((char *)(uintptr_t)o->answer.error);
		free((char *)(uintptr_t)o->answer.body);
		free((char *)(uintptr_t)o->answer.headers);
	}
	if (i->nspare == MOST_SPARE || texts.bytes > MOST_SPARE_BYTES) {
		arena_free(&texts);
		free(o);
		return;
	}
	arena_reset(&texts);
	*o = (struct outgoing){.next = i->spare, .texts = texts};
	i->spare = o;
	i->nspare++;
}

void outgoing_forget(struct instance *i)
{
	while (i->spare) {
		struct outgoing *o = i->spare;

		i->spare = o->next;
		arena_free(&o->texts);
		free(o);
	}
	i->nspare = 0;
}

static void put(struct outgoing_list *list, struct outgoing *o)
{
	o->before = list->last;
	o->next = NULL;
	*(list->last ? &list->last->next : &list->first) = o;
	list->last = o;
}

static void take_out(struct outgoing_list *list, struct outgoing *o)
{
	*(o->before ? &o->before->next : &list->first) = o->next;
	*(o->next ? &o->next->before : &list->last) = o->before;
}

static void unlink_one(struct outgoing *o)
{
	take_out(o->sent ? &o->instance->sent : &o->instance->waiting, o);
}

static void append(struct instance *i, struct outgoing *o)
{
	put(&i->waiting, o);
	o->gate = i->txn ? GATE_THIS_CALL : i->gate;
}

/* "hooks.slack.com" of "https://hooks.slack.com/services/..": what messages may name. */
static char *peer_of(struct outgoing *o, const char *url)
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
	return arena_text(&o->texts, host, len);
}

static void split_aws(struct outgoing *o, const char *aws)
{
	const char *colon = strchr(aws, ':');

	o->service = arena_text(&o->texts, aws, colon ? (size_t)(colon - aws) : strlen(aws));
	o->region = copy_text(o, colon ? colon + 1 : "");
}

static void add_query(struct buf *url, const char *const *query)
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

#define FOR_DELIVERY 2 /* headers, at most */

static const char *header(struct outgoing *o, const char *name, const char *value)
{
	size_t name_len = strlen(name), len = strlen(value);
	char *text = arena_take(&o->texts, name_len + len + 1);

	memcpy(text, name, name_len);
	memcpy(text + name_len, value, len);
	return text;
}

/* Names the delivery to the other side, and the trace it belongs to. */
static void add_delivery(struct outgoing *o, const struct engine_call *call)
{
	size_t n = 0;

	while (o->headers[n])
		n++;
	o->headers[n++] = header(o, "Idempotency-Key: ", call->key);
	if (call->event->traceparent)
		o->headers[n] = header(o, "traceparent: ", call->event->traceparent);
}

static uint32_t timeout_of(struct instance *i, const struct pm_http *rq)
{
	return rq->timeout_ms ? rq->timeout_ms : (uint32_t)i->section->timeout_ms;
}

static struct outgoing *request_new(struct instance *i, const struct pm_http *given)
{
	struct outgoing *o = outgoing_new(i);
	const struct engine_call *call = NULL;
	struct pm_http rq = {0};

	memcpy(&rq, given, given->size < sizeof rq ? given->size : sizeof rq);
	if (rq.delivery)
		call = engine_find(instance_options(i)->engine, rq.delivery);
	o->method = copy_text(o, rq.method);
	o->url = copy_text(o, rq.url ? rq.url : "");
	o->headers = copy_texts(o, rq.headers, call ? FOR_DELIVERY : 0);
	o->query = copy_texts(o, rq.query, 0);
	o->body_len = rq.body && !rq.body_len ? strlen(rq.body) : rq.body_len;
	o->body = rq.body ? mem_slice(rq.body, o->body_len) : NULL;
	o->max_bytes = (rq.max_kb ? (size_t)rq.max_kb : 1024) * 1024;
	o->timeout_ms = timeout_of(i, &rq);
	o->asked.ok = copy_text(o, rq.ok);
	o->asked.again = copy_text(o, rq.again);
	o->asked.aws = rq.aws != NULL;
	o->asked.has_secrets = values_has_secrets(i->values);
	o->asked.peer = rq.aws ? copy_text(o, rq.aws) : peer_of(o, o->url);
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
	struct outgoing *o = request_new(i, rq);

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
	o = request_new(i, rq);
	o->many = live;
	o->nmany = nlive;
	queue(i, o);
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
	o->copied = true;
}

static void on_answer(const struct http_answer *answer, void *arg)
{
	struct pending *pending = arg;
	struct outgoing *o = pending->outgoing;

	free(pending);
	if (!o)
		return;
	o->pending = NULL;
	if (instance_is_free(o->instance))
		o->answer = *answer; /* it is taken before this returns */
	else
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
		.url = o->url,
		.headers = (const char *const *)o->headers,
		.body = o->body,
		.body_len = o->body_len,
		.body_stays = true,
		.timeout_ms = o->timeout_ms,
		.max_bytes = o->max_bytes,
	};

	if (o->query) {
		buf_text_add(&url, o->url);
		add_query(&url, o->query);
		rq.url = buf_text(&url);
	}
	o->number = client->send(client, &rq, on_answer, pend(o));
	buf_free(&url);
}

static void send_reply(struct outgoing *o)
{
	char *type = o->content_type ? mem_format("Content-Type: %s", o->content_type) : NULL;
	const char *headers[] = {type, NULL};

	http_reply(o->exchange, o->status, headers, o->body, o->body_len);
	free(type);
}

/* What belongs to the call that ends is at the end. */
void outgoing_gate(struct instance *i, uint64_t number)
{
	for (struct outgoing *o = i->waiting.last; o && o->gate == GATE_THIS_CALL; o = o->before)
		o->gate = number;
}

static void send_one(struct instance *i, struct outgoing *o)
{
	take_out(&i->waiting, o);
	o->sent = true;
	if (o->exchange) {
		send_reply(o);
		outgoing_free(o);
		return;
	}
	put(&i->sent, o);
	if (o->asked.aws)
		send_aws(o);
	else
		send_plain(o);
}

void outgoing_reply(struct instance *i, struct http_exchange *x, int status,
		    const char *content_type, struct buf *body)
{
	struct outgoing *o = outgoing_new(i);

	o->exchange = x;
	o->status = status;
	o->content_type = copy_text(o, content_type);
	o->body_len = body->len;
	o->body = buf_take(body);
	append(i, o);
	if (i->room != ROOM_FREE)
		send_one(i, o); /* "no room" rests on nothing, and need not wait */
}

void outgoing_flush(struct instance *i)
{
	uint64_t durable = engine_durable(instance_options(i)->engine);

	while (i->waiting.first && i->waiting.first->gate <= durable)
		send_one(i, i->waiting.first);
}

/* The client answers it still, and nobody listens. */
static void give_up(struct instance *i, struct outgoing *o)
{
	if (!o->pending)
		return;
	o->pending->outgoing = NULL;
	o->pending = NULL;
	if (o->asked.aws)
		aws_cancel(instance_options(i)->aws, o->number);
	else
		instance_world(i)->network->cancel(instance_world(i)->network, o->number);
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
	give_up(i, o);
	if (!o->answer.error) {
		answer.sent = o->sent;
		copy_answer(o, &answer);
	}
	take_answer(i, o);
}

static size_t count(const struct outgoing_list *list)
{
	size_t n = 0;

	for (const struct outgoing *o = list->first; o; o = o->next)
		n++;
	return n;
}

/* Nobody hears of it any more. */
static void discard(struct outgoing *o)
{
	unlink_one(o);
	outgoing_free(o);
}

/* Those sent came before those that wait. */
static struct outgoing *oldest(const struct instance *i)
{
	return i->sent.first ? i->sent.first : i->waiting.first;
}

/* Without this delivery there is none that its answer would finish. */
static bool is_left_without(struct outgoing *o, pm_delivery delivery)
{
	size_t kept = 0;

	if (!o->many)
		return o->arg == delivery;
	for (size_t k = 0; k < o->nmany; k++) {
		if (o->many[k] != delivery)
			o->many[kept++] = o->many[k];
	}
	o->nmany = kept;
	return kept == 0;
}

/* One that was answered waits for its turn in the plugin and is stale then. */
static void abandon(struct instance *i, struct outgoing_list *list, pm_delivery delivery)
{
	struct outgoing *next;

	for (struct outgoing *o = list->first; o; o = next) {
		next = o->next;
		if (o->exchange || o->done || o->answer.error || !is_left_without(o, delivery))
			continue;
		give_up(i, o);
		discard(o);
	}
}

void outgoing_abandon(struct instance *i, uint64_t delivery)
{
	abandon(i, &i->sent, delivery);
	abandon(i, &i->waiting, delivery);
}

/* A plugin that answers "cancelled" with another request would go on for ever. */
void outgoing_cancel(struct instance *i)
{
	size_t left = count(&i->sent) + count(&i->waiting) + MORE_WHEN_CANCELLED;

	for (; oldest(i) && left; left--)
		cancel_one(i, oldest(i));
	if (oldest(i))
		log_error("%s: plugin %s asks again whenever a request is cancelled; what it asked "
			  "last gets no answer",
			  i->host.instance, i->plugin->table.name);
	while (oldest(i))
		discard(oldest(i));
}
