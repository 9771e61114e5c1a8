/* ddb-stream - the changes of a DynamoDB table, from its stream. */
#include "reader.h"

#include "awscall.h"
#include "base/mem.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"table", PM_STRING, 0, NULL, NULL,
	 "The table; its newest stream is found, also after it was switched off and on."},
	{"stream", PM_STRING, 0, NULL, NULL, "The ARN of a stream, instead of `table`."},
	{"start", PM_STRING, 0, "trim-horizon", NULL,
	 "Where to begin the first time: trim-horizon (all that is kept, up to 24 hours), latest, "
	 "or an RFC 3339 time."},
	{"poll", PM_DURATION, 0, "1s", "250ms..1m", "How long to wait after an empty page."},
	{"relist", PM_DURATION, 0, "1m", "1s..1h", "How often to look for new shards and streams."},
	AWS_KEY_REGION(""),
	AWS_KEY_ENDPOINT,
	{0},
};

static const struct pm_type types[] = {
	{"dynamodb.item.inserted", "the item's key: hash or hash/range",
	 "table shard sequence keys:object new:object ?expired:bool", "An item is new."},
	{"dynamodb.item.modified", "the item's key: hash or hash/range",
	 "table shard sequence keys:object new:object old:object ?expired:bool",
	 "An item changed."},
	{"dynamodb.item.removed", "the item's key: hash or hash/range",
	 "table shard sequence keys:object old:object ?expired:bool",
	 "An item was deleted, or expired."},
	{"dynamodb.item.unreadable", "none",
	 "table shard ?sequence reason ?record ?record-base64 ?bytes:number",
	 "A record of an unknown shape; kept as a dead letter, never routed."},
	{"dynamodb.stream.gap", "the table", "table stream reason ?shard ?after ?successor",
	 "Records are missing: the table must be read by other means if its state must be right."},
	{0},
};

void reader_ask(struct pm_host *h, const char *service, const char *target, json_t *body,
		uint32_t max_kb, pm_done_fn *done, uint64_t arg)
{
	awscall_json(h,
		     &(struct awscall){.service = service,
				       .target = target,
				       .protocol = "1.0",
				       .body = body,
				       .max_kb = max_kb},
		     done, arg);
}

static char *state_key(const struct shard *shard)
{
	return mem_format("shard/%s", shard->id);
}

void reader_save(struct pm_host *h, const struct shard *shard)
{
	struct buf place = {0};
	char *key = state_key(shard);

	shard_place(shard, &place);
	h->save(h, key, buf_text(&place));
	buf_free(&place);
	free(key);
}

void reader_forget(struct pm_host *h, const struct shard *shard)
{
	char *key = state_key(shard);

	h->save(h, key, NULL);
	free(key);
}

void reader_heard(struct pm_host *h)
{
	const struct reader *r = reader_of(h);

	if (!r->problem && !r->failing)
		h->alive(h, NULL);
}

bool reader_gap(struct pm_host *h, const struct shard *shard, const char *reason)
{
	struct reader *r = reader_of(h);
	const char *after = shard ? shard->after : NULL;
	json_t *data = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*}", "table",
				 r->table ? r->table : h->str(h, "table"), "stream", r->stream,
				 "reason", reason, "shard", shard ? shard->id : NULL, "after",
				 after, "successor", shard ? NULL : r->successor);
	char *json = data ? json_dumps(data, JSON_COMPACT) : mem_text("{}");
	char *id = mem_format("%s/%s/gap/%s", r->stream, shard ? shard->id : "",
			      shard ? (after ? after : "start") : r->successor);
	pm_result result = h->emit(h, &PM_EMIT(.type = "dynamodb.stream.gap", .id = id,
					       .subject = r->table, .json = json));

	if (result != PM_RETRY)
		h->log(h, PM_ERROR, "records of %s are missing: %s", shard ? shard->id : r->stream,
		       reason);
	free(id);
	free(json);
	json_decref(data);
	return result != PM_RETRY;
}

static bool valid_start(const char *start, enum reader_start *mode, int64_t *at)
{
	*at = 0;
	*mode = strcmp(start, "trim-horizon") == 0 ? START_HORIZON
		: strcmp(start, "latest") == 0     ? START_LATEST
						   : START_TIME;
	return *mode != START_TIME || units_time(start, at);
}

/* By its name the saved stream is known again, so it must be the bare name. */
static bool valid_table(const char *table)
{
	return table[strspn(table, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-")] == '\0';
}

static bool check(struct pm_host *h)
{
	bool table = *h->str(h, "table"), stream = *h->str(h, "stream");
	enum reader_start mode;
	int64_t at;

	if (table == stream) {
		h->log(h, PM_ERROR, "give either `table` or `stream`");
		return false;
	}
	if (!valid_table(h->str(h, "table"))) {
		h->log(h, PM_ERROR, "table: \"%s\" is no table's name; a stream's ARN is `stream`",
		       h->str(h, "table"));
		return false;
	}
	if (!valid_start(h->str(h, "start"), &mode, &at)) {
		h->log(h, PM_ERROR,
		       "start: \"%s\" is none of trim-horizon, latest, or a time like "
		       "2026-11-24T08:00:00Z",
		       h->str(h, "start"));
		return false;
	}
	return true;
}

static void resume_shard(struct pm_host *h, const char *key, const char *place)
{
	shard_resume(shards_add(&reader_of(h)->shards, key + strlen("shard/")), place);
}

/* Does the saved stream belong to the section as it now is? */
static bool is_ours(struct pm_host *h, const char *stream)
{
	const char *table = h->str(h, "table");
	char *part = mem_format(":table/%s/", table);
	bool ours =
		*table ? strstr(stream, part) != NULL : strcmp(stream, h->str(h, "stream")) == 0;

	free(part);
	return ours;
}

static void load_state(struct pm_host *h)
{
	struct reader *r = reader_of(h);
	const char *stream = h->load(h, "stream");

	r->first = !stream || !is_ours(h, stream);
	if (!r->first) {
		r->stream = mem_text(stream);
		h->each(h, "shard/", resume_shard);
	} else if (*h->str(h, "stream")) {
		r->stream = mem_text(h->str(h, "stream"));
	}
}

static void forget_place(struct pm_host *h, const char *key, const char *place)
{
	(void)place;
	h->save(h, key, NULL);
}

static bool create(struct pm_host *h)
{
	struct reader *r = mem_new(struct reader);

	h->self = r;
	valid_start(h->str(h, "start"), &r->start, &r->start_at);
	if (h->state_lost && r->start != START_HORIZON) {
		h->log(h, PM_WARN,
		       "its places in the stream were lost with the journal: reading "
		       "from the oldest record on, so repeats will come");
		r->start = START_HORIZON;
	}
	load_state(h);
	return true;
}

static bool start(struct pm_host *h)
{
	if (reader_of(h)->first) /* places in another table's stream mean nothing here */
		h->each(h, "shard/", forget_place);
	listing_begin(h);
	return true;
}

static void stop(struct pm_host *h)
{
	reader_of(h)->stopped = true;
}

static void destroy(struct pm_host *h)
{
	struct reader *r = reader_of(h);

	shards_free(&r->shards);
	free(r->stream);
	free(r->successor);
	free(r->table);
	free(r->hash);
	free(r->range);
	free(r->problem);
	free(r);
}

PM_PLUGIN(.kind = PM_SOURCE, .name = "ddb-stream", .version = "1.0",
	  .summary = "Read the changes of a DynamoDB table from its stream.", .keys = keys,
	  .types = types, .check = check, .create = create, .start = start,
	  .resume = polling_resume, .stop = stop, .destroy = destroy);
