/* Being told by a queue: receive, emit, delete what is durable. */
#include "message.h"
#include "watch.h"

#include "awscall.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_S       20
#define TIMEOUT_MS   (WAIT_S * 1000 + 15000)
#define PAGE_KB      8192
#define PAUSE_MS     1000
#define PAUSE_MAX_MS 60000

/* Notifications of one key can come out of order, but not by hours: the number of the last one
 * is kept of this many keys. */
#define MAX_SEQUENCES 4096

struct sequence {
	char *text;
	int64_t at;
};

static void receive(struct pm_host *h);

static void sequence_free(void *value)
{
	struct sequence *s = value;

	free(s->text);
	free(s);
}

void queue_free(struct watch *w)
{
	json_decref(w->page);
	map_free(&w->sequences, sequence_free);
}

static void set_sequence(struct watch *w, const char *hash, const char *text, int64_t at)
{
	struct sequence *s = mem_new(struct sequence), *old;

	s->text = mem_text(text);
	s->at = at;
	old = map_put(&w->sequences, hash, s);
	if (old)
		sequence_free(old);
}

static void load_one(struct pm_host *h, const char *name, const char *value)
{
	const char *text = strchr(value, ' ');

	if (text)
		set_sequence(watch_of(h), name + strlen("sequence/"), text + 1,
			     strtoll(value, NULL, 10));
}

void queue_load(struct pm_host *h)
{
	h->each(h, "sequence/", load_one);
}

static void save_sequence(struct pm_host *h, const char *hash, const char *value)
{
	char *name = mem_format("sequence/%s", hash);

	h->save(h, name, value);
	free(name);
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Forget the older half. */
static void forget_some(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	int64_t *times = mem_zero(w->sequences.count * sizeof *times), middle;
	struct map_entry *e;
	size_t n = 0;

	for (size_t i = 0; (e = map_next(&w->sequences, &i));)
		times[n++] = ((const struct sequence *)e->value)->at;
	qsort(times, n, sizeof *times, by_number);
	middle = times[n / 2];
	free(times);
	for (size_t i = 0; (e = map_next(&w->sequences, &i));) {
		if (((const struct sequence *)e->value)->at <= middle) {
			save_sequence(h, e->key, NULL);
			sequence_free(map_remove(&w->sequences, e->key));
		}
	}
}

static void hash_of(const struct object *o, char out[24])
{
	uint64_t hash = hash64(o->key, strlen(o->key), hash64(o->bucket, strlen(o->bucket), 0));

	snprintf(out, 24, "%016llx", (unsigned long long)hash);
}

static bool is_stale(struct pm_host *h, const struct object *o)
{
	const struct sequence *last;
	char hash[24];

	if (!o->sequencer)
		return false;
	hash_of(o, hash);
	last = map_get(&watch_of(h)->sequences, hash);
	return last && message_compare(o->sequencer, last->text) <= 0;
}

static void note_sequence(struct pm_host *h, const struct object *o)
{
	struct watch *w = watch_of(h);
	char hash[24], *value;

	if (!o->sequencer)
		return;
	if (w->sequences.count >= MAX_SEQUENCES)
		forget_some(h);
	hash_of(o, hash);
	set_sequence(w, hash, o->sequencer, h->now(h));
	value = mem_format("%lld %s", (long long)h->now(h), o->sequencer);
	save_sequence(h, hash, value);
	free(value);
}

/* False: no room. */
static bool take_change(struct pm_host *h, const struct change *c)
{
	const struct object *o = &c->object;
	pm_result result;

	if (!watch_wants(h, o->bucket, o->key)) {
		h->count(h, "ignored_notifications", 1);
		return true;
	}
	if (is_stale(h, o)) {
		h->count(h, "stale_notifications", 1);
		return true;
	}
	result = c->removed ? object_removed(h, o) : object_changed(h, o, false);
	if (result != PM_RETRY)
		note_sequence(h, o);
	return result != PM_RETRY;
}

static bool emit_unreadable(struct pm_host *h, const char *id, const char *body, const char *reason)
{
	json_t *data = json_pack("{s:s, s:s, s:s*, s:s*}", "queue", h->str(h, "queue"), "reason",
				 reason, "message", id, "body", body);
	char *json = data ? json_dumps(data, JSON_COMPACT) : mem_text("{}");
	char *event_id = mem_format("unreadable/%s", id ? id : "");
	pm_result result;

	h->count(h, "unreadable_messages", 1);
	result = h->emit(h, &PM_EMIT(.type = "s3.message.unreadable", .id = event_id, .json = json,
				     .refuse = reason));
	free(event_id);
	free(json);
	json_decref(data);
	return result != PM_RETRY;
}

/* False: no room. */
static bool take_message(struct pm_host *h, const json_t *json)
{
	const char *body = json_string_value(json_object_get(json, "Body"));
	const char *id = json_string_value(json_object_get(json, "MessageId"));
	struct message m;
	struct err why;
	bool ok = true;

	if (!message_read(body ? body : "", &m, &why))
		ok = emit_unreadable(h, id, body, why.text);
	else if (m.ignored)
		h->count(h, "ignored_notifications", (int64_t)m.ignored);
	for (size_t i = 0; ok && i < m.n; i++)
		ok = take_change(h, &m.changes[i]);
	message_free(&m);
	return ok;
}

static void ask(struct pm_host *h, const char *target, json_t *body, pm_done_fn *done)
{
	json_object_set_new(body, "QueueUrl", json_string(h->str(h, "queue")));
	awscall_json(h,
		     &(struct awscall){.service = "sqs",
				       .target = target,
				       .protocol = "1.0",
				       .body = body,
				       .timeout_ms = TIMEOUT_MS,
				       .max_kb = PAGE_KB},
		     done, 0);
}

/* What is not deleted comes again, and is known then. */
static void on_deleted(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct err why;
	json_t *body = awscall_answer(m, &why);
	size_t failed = json_array_size(json_object_get(body, "Failed"));

	(void)arg;
	if (failed)
		err_set(&why, "%zu messages stay", failed);
	if ((!body || failed) && !watch_of(h)->stopped)
		h->log(h, PM_WARN, "DeleteMessageBatch: %s; they come again and are dropped then",
		       why.text);
	json_decref(body);
}

static void delete_until(struct pm_host *h, size_t end)
{
	const json_t *messages = json_object_get(watch_of(h)->page, "Messages");
	json_t *entries = json_array();
	char id[24];

	for (size_t i = 0; i < end; i++) {
		const char *receipt = json_string_value(
			json_object_get(json_array_get(messages, i), "ReceiptHandle"));

		snprintf(id, sizeof id, "%zu", i);
		if (receipt)
			json_array_append_new(entries, json_pack("{s:s, s:s}", "Id", id,
								 "ReceiptHandle", receipt));
	}
	if (json_array_size(entries))
		ask(h, "AmazonSQS.DeleteMessageBatch", json_pack("{s:O}", "Entries", entries),
		    on_deleted);
	json_decref(entries);
}

/* Go on with the page; the requests leave when what was emitted is durable. */
static void take_page(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	const json_t *messages = json_object_get(w->page, "Messages");

	for (; w->message < json_array_size(messages); w->message++) {
		if (!take_message(h, json_array_get(messages, w->message))) {
			w->paused = true;
			return;
		}
	}
	delete_until(h, w->message);
	json_decref(w->page);
	w->page = NULL;
	receive(h);
}

static void on_pause(struct pm_host *h, uint64_t arg)
{
	(void)arg;
	if (!watch_of(h)->stopped)
		receive(h);
}

static void on_received(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct watch *w = watch_of(h);
	struct err why;

	(void)arg;
	if (w->stopped)
		return;
	w->page = awscall_answer(m, &why);
	w->message = 0;
	if (w->page) {
		w->failures = 0;
		h->alive(h, NULL);
		take_page(h);
		return;
	}
	err_prefix(&why, "ReceiveMessage of %s", h->str(h, "queue"));
	if (!w->failures++)
		h->log(h, PM_WARN, "%s; tried again", why.text);
	h->alive(h, why.text);
	h->after(h, awscall_pause(h, w->failures, PAUSE_MS, PAUSE_MAX_MS), on_pause, 0);
}

static void receive(struct pm_host *h)
{
	ask(h, "AmazonSQS.ReceiveMessage",
	    json_pack("{s:i, s:i}", "MaxNumberOfMessages", 10, "WaitTimeSeconds", WAIT_S),
	    on_received);
}

const struct way queue_way = {.begin = receive, .resume = take_page};
