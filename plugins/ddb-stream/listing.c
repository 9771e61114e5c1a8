/* Which stream the table has, and which shards the stream has. */
#include "reader.h"

#include "awscall.h"
#include "awserror.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE_MS     1000
#define PAUSE_MAX_MS 60000
#define MAX_PAGES    1000

/* Longer than records are kept (24 h): a marker dropped too early makes an old shard new. */
#define MARKER_MS (48 * 3600 * 1000LL)

static void ask_page(struct pm_host *h, const char *after);

static void set(char **at, const char *text)
{
	char *copy = mem_text(text);

	free(*at);
	*at = copy;
}

static void on_timer(struct pm_host *h, uint64_t timer)
{
	if (timer == reader_of(h)->timer)
		listing_begin(h);
}

void listing_in(struct pm_host *h, uint32_t ms)
{
	h->after(h, ms, on_timer, ++reader_of(h)->timer);
}

/* The listing ends with a problem that people or time must mend. */
static void fail(struct pm_host *h, const struct err *why)
{
	struct reader *r = reader_of(h);
	bool news = !r->problem || strcmp(r->problem, why->text) != 0;

	r->listing = false;
	if (news)
		h->log(h, PM_ERROR, "%s; asked again until it is mended", why->text);
	set(&r->problem, why->text);
	h->alive(h, why->text);
	listing_in(h, awscall_pause(h, ++r->failures, PAUSE_MS, PAUSE_MAX_MS));
}

static void succeed(struct pm_host *h)
{
	struct reader *r = reader_of(h);

	r->listing = false;
	r->failures = 0;
	set(&r->problem, NULL);
	reader_heard(h);
}

/* Go over to the table's newer stream.  What changed between the two is in neither. */
static bool switch_stream(struct pm_host *h)
{
	struct reader *r = reader_of(h);
	struct shard *shard;

	if (!reader_gap(h, NULL, "the table's stream was replaced by a new one"))
		return false;
	h->log(h, PM_WARN, "stream %s is read to its end; going on with %s", r->stream,
	       r->successor);
	for (size_t i = 0; (shard = shards_next(&r->shards, &i));)
		reader_forget(h, shard);
	shards_free(&r->shards);
	r->epoch++;
	r->failing = 0;
	set(&r->stream, r->successor);
	set(&r->successor, NULL);
	h->save(h, "stream", r->stream);
	return true;
}

static void begin_shard(struct pm_host *h, struct shard *shard)
{
	struct reader *r = reader_of(h);

	if (r->first && r->start == START_LATEST && shard->closed) {
		shard->finished = h->now(h);
	} else if (r->first && r->start == START_LATEST) {
		/* Should the position be lost before there is a record to go by, time decides;
		 * a minute early, for the clocks. */
		shard->latest = true;
		shard->from = h->now(h) - 60000;
	}
	reader_save(h, shard);
}

static void drop_markers(struct pm_host *h)
{
	struct reader *r = reader_of(h);
	struct shard *shard;

	for (size_t i = 0; (shard = shards_next(&r->shards, &i));) {
		if (shard->seen != r->seen && shard->finished && !shard->busy &&
		    h->now(h) - shard->finished > MARKER_MS) {
			reader_forget(h, shard);
			shards_remove(&r->shards, shard);
		}
	}
}

/* A listing may lag behind: on a stream that is written to, a shard at its end has a child. */
static bool lags(const struct reader *r)
{
	struct shard *shard, *parent;
	bool late = r->shards.by_id.count == 0;

	if (r->disabled)
		return false;
	for (size_t i = 0; (shard = shards_next(&r->shards, &i));) {
		parent = shard->parent ? shards_get(&r->shards, shard->parent) : NULL;
		if (parent)
			parent->has_child = true;
	}
	for (size_t i = 0; (shard = shards_next(&r->shards, &i));)
		late = late || (shard->finished && shard->seen == r->seen && !shard->has_child);
	return late;
}

static uint32_t next_listing(struct pm_host *h)
{
	struct reader *r = reader_of(h);
	uint32_t usual = (uint32_t)h->num(h, "relist");

	r->trials = lags(r) ? r->trials + 1 : 0;
	if (r->asked_again)
		return PAUSE_MS;
	return r->trials ? awscall_pause(h, r->trials, PAUSE_MS, usual) : usual;
}

static void listed(struct pm_host *h)
{
	struct reader *r = reader_of(h);
	struct err why;

	if (r->first)
		h->save(h, "stream", r->stream);
	r->first = false;
	drop_markers(h);
	if (shards_drained(&r->shards) && r->successor) {
		r->listing = false;
		if (switch_stream(h))
			listing_begin(h);
		else
			listing_in(h, PAUSE_MS);
		return;
	}
	if (shards_drained(&r->shards) && r->disabled) {
		err_set(&why, "stream %s is switched off and read to its end", r->stream);
		fail(h, &why);
		return;
	}
	succeed(h);
	polling_begin(h);
	listing_in(h, next_listing(h));
}

static void take_shard(struct pm_host *h, const json_t *json)
{
	struct reader *r = reader_of(h);
	const char *id = json_string_value(json_object_get(json, "ShardId"));
	const json_t *range = json_object_get(json, "SequenceNumberRange");
	bool known = id && shards_get(&r->shards, id);
	struct shard *shard = id ? shards_add(&r->shards, id) : NULL;

	if (!shard)
		return;
	shard->seen = r->seen;
	shard->closed = json_is_string(json_object_get(range, "EndingSequenceNumber"));
	shard_parent(shard, json_string_value(json_object_get(json, "ParentShardId")));
	if (!known)
		begin_shard(h, shard);
}

static void take_schema(struct reader *r, const json_t *stream)
{
	const json_t *schema = json_object_get(stream, "KeySchema");
	const char *table = json_string_value(json_object_get(stream, "TableName"));
	size_t i;
	json_t *key;

	if (table)
		set(&r->table, table);
	json_array_foreach((json_t *)schema, i, key)
	{
		const char *name = json_string_value(json_object_get(key, "AttributeName"));
		const char *type = json_string_value(json_object_get(key, "KeyType"));

		set(type && strcmp(type, "RANGE") == 0 ? &r->range : &r->hash, name);
	}
}

/* A rule that asks what changed needs both images. */
static bool has_both_images(const struct reader *r, const json_t *stream, struct err *why)
{
	const char *view = json_string_value(json_object_get(stream, "StreamViewType"));

	if (view && strcmp(view, "NEW_AND_OLD_IMAGES") == 0)
		return true;
	err_set(why,
		"stream %s holds %s: refused, it must hold NEW_AND_OLD_IMAGES; switch the table's "
		"stream off and on again with that view type",
		r->stream, view ? view : "no view type");
	return false;
}

static void take_stream(struct pm_host *h, const json_t *stream)
{
	struct reader *r = reader_of(h);
	const char *status = json_string_value(json_object_get(stream, "StreamStatus"));
	const char *last = json_string_value(json_object_get(stream, "LastEvaluatedShardId"));
	size_t i;
	json_t *shard;
	struct err why;

	r->disabled = status && strcmp(status, "DISABLED") == 0;
	take_schema(r, stream);
	json_array_foreach(json_object_get(stream, "Shards"), i, shard) take_shard(h, shard);
	if (!last) {
		listed(h);
	} else if (++r->pages < MAX_PAGES) {
		ask_page(h, last);
	} else {
		err_set(&why, "DescribeStream of %s has no end", r->stream);
		fail(h, &why);
	}
}

/* The stream is not there any more: with a newer one in its place, that is only a gap. */
static void no_stream(struct pm_host *h, const struct pm_message *m, struct err *why)
{
	struct reader *r = reader_of(h);
	struct awserror e;

	awserror_read(m, &e);
	if (r->successor && awserror_is(&e, "ResourceNotFoundException") && switch_stream(h)) {
		r->listing = false;
		listing_begin(h);
		return;
	}
	err_prefix(why, "DescribeStream of %s", r->stream);
	fail(h, why);
}

static void on_page(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct reader *r = reader_of(h);
	struct err why;
	json_t *body;
	const json_t *stream;

	(void)arg;
	if (r->stopped)
		return;
	body = awscall_answer(m, &why);
	stream = json_object_get(body, "StreamDescription");
	if (body && !stream)
		err_set(&why, "no StreamDescription in the answer");
	if (!stream)
		no_stream(h, m, &why);
	else if (!has_both_images(r, stream, &why))
		fail(h, &why);
	else
		take_stream(h, stream);
	json_decref(body);
}

static void ask_page(struct pm_host *h, const char *after)
{
	json_t *body = json_pack("{s:s, s:s*}", "StreamArn", reader_of(h)->stream,
				 "ExclusiveStartShardId", after);

	reader_ask(h, "streams.dynamodb", READER_STREAMS "DescribeStream", body, 0, on_page, 0);
}

static void on_table(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct reader *r = reader_of(h);
	struct err why = {""};
	json_t *body;
	const char *latest;

	(void)arg;
	if (r->stopped)
		return;
	body = awscall_answer(m, &why);
	latest = json_string_value(
		json_object_get(json_object_get(body, "Table"), "LatestStreamArn"));
	if (body && !latest)
		err_set(&why, "it has no stream; switch one on that holds NEW_AND_OLD_IMAGES");
	if (latest && !r->stream)
		set(&r->stream, latest);
	else if (latest && strcmp(latest, r->stream) != 0)
		set(&r->successor, latest);
	json_decref(body);
	err_prefix(&why, "table %s", h->str(h, "table"));
	if (!r->stream) {
		fail(h, &why);
		return;
	}
	/* What is known can be read on, whatever the table says. */
	if (!latest && !r->lost_table)
		h->log(h, PM_WARN, "%s; going on with %s", why.text, r->stream);
	r->lost_table = !latest;
	ask_page(h, NULL);
}

void listing_begin(struct pm_host *h)
{
	struct reader *r = reader_of(h);

	r->asked_again = r->listing; /* what it is asked for may be newer than the answer */
	if (r->listing || r->stopped)
		return;
	r->listing = true;
	r->pages = 0;
	r->seen++;
	if (!*h->str(h, "table")) {
		ask_page(h, NULL);
		return;
	}
	reader_ask(h, "dynamodb", "DynamoDB_20120810.DescribeTable",
		   json_pack("{s:s}", "TableName", h->str(h, "table")), 0, on_table, 0);
}
