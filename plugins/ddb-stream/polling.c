/* Reading shards: an iterator, pages of records, the end. */
#include "reader.h"

#include "awscall.h"
#include "awserror.h"
#include "base/mem.h"
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Five reads a second of a shard are allowed to all readers together. */
#define FAST_MS      250
#define PAUSE_MS     1000
#define PAUSE_MAX_MS 30000

/* A page is at most 1 MB of items; written as DynamoDB's JSON it can be several times that. */
#define PAGE_KB 8192

static void go_on(struct pm_host *h, struct shard *shard);

static uint64_t ticket(const struct reader *r, const struct shard *shard)
{
	return (uint64_t)r->epoch << 32 | shard->number;
}

/* NULL if the shard is gone, or we are told to stop. */
static struct shard *redeem(struct pm_host *h, uint64_t arg)
{
	struct reader *r = reader_of(h);
	struct shard *shard = NULL;

	if (!r->stopped && (uint32_t)(arg >> 32) == r->epoch)
		shard = shards_at(&r->shards, (uint32_t)arg);
	if (shard)
		shard->busy = false;
	return shard;
}

static void on_timer(struct pm_host *h, uint64_t arg)
{
	struct shard *shard = redeem(h, arg);

	if (shard)
		go_on(h, shard);
}

static void wait(struct pm_host *h, struct shard *shard, uint32_t ms)
{
	shard->busy = true;
	h->after(h, ms, on_timer, ticket(reader_of(h), shard));
}

static void failed(struct pm_host *h, struct shard *shard, const char *what, struct err *why)
{
	struct reader *r = reader_of(h);

	err_prefix(why, "%s of %s", what, shard->id);
	if (!shard->failures++) {
		r->failing++;
		h->log(h, PM_WARN, "%s; tried again", why->text);
	}
	h->alive(h, why->text);
	wait(h, shard, awscall_pause(h, shard->failures, PAUSE_MS, PAUSE_MAX_MS));
}

static void succeeded(struct pm_host *h, struct shard *shard)
{
	if (shard->failures)
		reader_of(h)->failing--;
	shard->failures = 0;
	reader_heard(h);
}

/* What we would have read next is not kept any more. */
static void trimmed(struct pm_host *h, struct shard *shard, const char *what, struct err *why)
{
	shard_iterator(shard, NULL);
	if (shard->latest) { /* nothing was read yet, so nothing can be missing */
		shard->latest = false;
	} else if (!reader_gap(h, shard, why->text)) {
		shard->paused = true;
		return;
	} else {
		shard_handled(shard, NULL);
		reader_save(h, shard);
	}
	failed(h, shard, what, why);
}

/* The service does not know the shard, or its listing is behind. */
static void unknown(struct pm_host *h, struct shard *shard, const char *what, struct err *why)
{
	struct reader *r = reader_of(h);

	shard_iterator(shard, NULL);
	if (shard->seen == r->seen || r->listing) {
		failed(h, shard, what, why);
		listing_in(h, PAUSE_MS);
		return;
	}
	if (!reader_gap(h, shard, "the shard is gone, its records were kept for 24 hours")) {
		shard->paused = true;
		return;
	}
	shard->finished = h->now(h);
	reader_save(h, shard);
	succeeded(h, shard);
	polling_begin(h);
	listing_in(h, 0);
}

/* Read by both requests: what went wrong, and what that means for the shard. */
static void refused(struct pm_host *h, struct shard *shard, const struct pm_message *m,
		    const char *what)
{
	struct awserror e;
	struct err why;

	awserror_read(m, &e);
	awserror_text(&e, &why);
	if (awserror_is(&e, "ExpiredIteratorException")) {
		shard_iterator(shard, NULL);
		wait(h, shard, FAST_MS);
	} else if (awserror_is(&e, "TrimmedDataAccessException") ||
		   (awserror_is(&e, "ValidationException") && shard->after && !shard->iterator)) {
		trimmed(h, shard, what, &why);
	} else if (awserror_is(&e, "ResourceNotFoundException")) {
		unknown(h, shard, what, &why);
	} else {
		if (awserror_is(&e, "ValidationException"))
			shard_iterator(shard, NULL);
		/* Should the page be what does not get through, a smaller one might. */
		if (!e.status)
			shard->limit = shard->limit > 1 ? shard->limit / 2 : 1;
		failed(h, shard, what, &why);
	}
}

static struct record_place place_of(const struct reader *r, const struct shard *shard)
{
	return (struct record_place){.stream = r->stream,
				     .table = r->table,
				     .shard = shard->id,
				     .hash = r->hash,
				     .range = r->range};
}

static pm_result emit(struct pm_host *h, const struct record *r, const char *refuse)
{
	return h->emit(h, &PM_EMIT(.type = r->type, .id = r->id, .subject = r->subject,
				   .time = *r->time ? r->time : NULL, .json = buf_text(&r->data),
				   .json_len = r->data.len, .refuse = refuse));
}

/* The bytes of the i-th record as they came; free() them. */
static char *raw_record(struct pm_host *h, const struct pm_message *m, const json_t *json, size_t i)
{
	char path[40];
	const char *raw;

	snprintf(path, sizeof path, "Records.%zu", i);
	raw = h->find(h, m->body, m->body_len, path);
	return raw ? mem_text(raw) : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

static pm_result emit_unreadable(struct pm_host *h, struct shard *shard, const char *raw,
				 size_t len, const char *sequence, const char *reason)
{
	struct record_place place = place_of(reader_of(h), shard);
	json_t *text = json_string(reason); /* NULL if a name in it was cut within a letter */
	struct record r;
	pm_result result;

	reason = text ? reason : "a record of an unknown shape";
	h->count(h, "unreadable_records", 1);
	record_unreadable(raw, len, sequence, reason, &place, &r);
	result = emit(h, &r, reason);
	record_free(&r);
	json_decref(text);
	return result;
}

static bool too_old(struct pm_host *h, const struct shard *shard, const json_t *json)
{
	const struct reader *r = reader_of(h);
	int64_t time = record_time(json);

	return time && (time < r->start_at || time < shard->from);
}

static pm_result take_record(struct pm_host *h, struct shard *shard, const struct pm_message *m,
			     const json_t *json, size_t i)
{
	struct record_place place = place_of(reader_of(h), shard);
	struct record r = {0};
	struct err why;
	pm_result result = PM_OK;

	if (too_old(h, shard, json)) {
		h->count(h, "skipped_records", 1);
		return PM_OK;
	}
	if (record_read(json, &place, &r, &why)) {
		result = emit(h, &r, NULL);
	} else {
		char *raw = raw_record(h, m, json, i);

		result = emit_unreadable(h, shard, raw, strlen(raw), r.sequence, why.text);
		free(raw);
	}
	record_free(&r);
	return result;
}

/* False: no room; the page is read again later, and what was taken of it is known then. */
static bool take_records(struct pm_host *h, struct shard *shard, const struct pm_message *m,
			 const json_t *records)
{
	const char *last = NULL;
	size_t i;
	json_t *json;

	json_array_foreach((json_t *)records, i, json)
	{
		if (take_record(h, shard, m, json, i) == PM_RETRY) {
			shard->paused = true;
			return false;
		}
		if (record_sequence(json))
			last = record_sequence(json);
	}
	if (last)
		shard_handled(shard, last);
	return true;
}

/* The page is handled: on to the next, or the shard is at its end. */
static void turn(struct pm_host *h, struct shard *shard, const char *next, bool empty)
{
	shard_iterator(shard, next);
	shard->latest = false;
	shard->limit = shard->limit < SHARD_PAGE / 2 ? shard->limit * 2 : SHARD_PAGE;
	if (!next)
		shard->finished = h->now(h);
	if (!next || !empty)
		reader_save(h, shard);
	succeeded(h, shard);
	if (next) {
		wait(h, shard, empty && !shard->closed ? (uint32_t)h->num(h, "poll") : FAST_MS);
		return;
	}
	polling_begin(h);
	listing_in(h, 0);
}

/* The text of a member in JSON that cannot be read otherwise; free() it.  Inside a text the
 * quotes of such a name would be escaped, so it is a name. */
static char *text_of(const char *json, const char *name)
{
	const char *at = strstr(json, name);

	if (!at)
		return NULL;
	at += strlen(name);
	at += strspn(at, " :");
	return *at == '"' ? mem_slice(at + 1, strcspn(at + 1, "\"")) : NULL;
}

/* The page cannot be read.  Ask for one record alone, and let that one go if it is to blame. */
static void broken_page(struct pm_host *h, struct shard *shard, const struct pm_message *m,
			struct err *why)
{
	char *sequence = text_of(m->body, "\"SequenceNumber\"");
	char *next = text_of(m->body, "\"NextShardIterator\"");

	if (shard->limit > 1 || !sequence) {
		shard->limit = 1;
		failed(h, shard, "GetRecords", why);
	} else if (emit_unreadable(h, shard, m->body, m->body_len, sequence, why->text) ==
		   PM_RETRY) {
		shard->paused = true;
	} else {
		shard_handled(shard, sequence);
		turn(h, shard, next, false);
	}
	free(sequence);
	free(next);
}

static void on_records(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct shard *shard = redeem(h, arg);
	const json_t *records;
	struct err why;
	json_t *body;

	if (!shard)
		return;
	if (m->status != 200) {
		refused(h, shard, m, "GetRecords");
		return;
	}
	body = awscall_answer(m, &why);
	records = json_object_get(body, "Records");
	if (!body) {
		broken_page(h, shard, m, &why);
		return;
	}
	if (take_records(h, shard, m, records))
		turn(h, shard, json_string_value(json_object_get(body, "NextShardIterator")),
		     json_array_size(records) == 0);
	json_decref(body);
}

static void ask_records(struct pm_host *h, struct shard *shard)
{
	json_t *body = json_pack("{s:s, s:i}", "ShardIterator", shard->iterator, "Limit",
				 (int)shard->limit);

	shard->busy = true;
	reader_ask(h, "streams.dynamodb", READER_STREAMS "GetRecords", body, PAGE_KB, on_records,
		   ticket(reader_of(h), shard));
}

static void on_iterator(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct shard *shard = redeem(h, arg);
	struct err why;
	json_t *body;
	const char *iterator;

	if (!shard)
		return;
	if (m->status != 200) {
		refused(h, shard, m, "GetShardIterator");
		return;
	}
	body = awscall_answer(m, &why);
	iterator = json_string_value(json_object_get(body, "ShardIterator"));
	if (body && !iterator)
		err_set(&why, "no ShardIterator in the answer");
	shard_iterator(shard, iterator);
	json_decref(body);
	if (shard->iterator)
		ask_records(h, shard);
	else
		failed(h, shard, "GetShardIterator", &why);
}

static void ask_iterator(struct pm_host *h, struct shard *shard)
{
	const char *type = shard->after    ? "AFTER_SEQUENCE_NUMBER"
			   : shard->latest ? "LATEST"
					   : "TRIM_HORIZON";
	json_t *body =
		json_pack("{s:s, s:s, s:s, s:s*}", "StreamArn", reader_of(h)->stream, "ShardId",
			  shard->id, "ShardIteratorType", type, "SequenceNumber", shard->after);

	shard->busy = true;
	reader_ask(h, "streams.dynamodb", READER_STREAMS "GetShardIterator", body, 0, on_iterator,
		   ticket(reader_of(h), shard));
}

static void go_on(struct pm_host *h, struct shard *shard)
{
	if (shard->iterator)
		ask_records(h, shard);
	else
		ask_iterator(h, shard);
}

void polling_begin(struct pm_host *h)
{
	struct reader *r = reader_of(h);
	struct shard *shard;

	for (size_t i = 0; !r->stopped && (shard = shards_next(&r->shards, &i));) {
		if (shards_ready(&r->shards, shard))
			go_on(h, shard);
	}
}

void polling_resume(struct pm_host *h)
{
	struct reader *r = reader_of(h);
	struct shard *shard;

	for (size_t i = 0; (shard = shards_next(&r->shards, &i));)
		shard->paused = false;
	polling_begin(h);
}
