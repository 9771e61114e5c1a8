#include "journal/dedupe.h"

#include "base/hash.h"
#include "base/mem.h"
#include "journal/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECENT_IDS   16384              /* in memory; then they become a run */
#define RECENT_BYTES (64 * 1024 * 1024) /* of their events, which wait for that to be pruned */

struct dedupe {
	struct journal *j;
	const struct names *names;
	struct hasher *hasher;
	struct buf text; /* of the last id hashed */
	int64_t age_ms, max_ids;
	size_t run_ids, run_bytes;
	struct runs *runs;
	struct id *recent; /* in order of seq */
	size_t n, cap;
	size_t bytes;    /* of the events of `recent` */
	uint32_t *slots; /* 1 + index into recent, at most half full; 0: free */
	size_t nslots;
	int64_t now; /* latest time of acceptance */
};

/* A section that was renamed is the same section; its rows may still have the name of old. */
static const char *first_name(const struct dedupe *d, const char *instance)
{
	uint32_t number = names_find(d->names, NAME_INSTANCE, instance);

	return number ? names_first(d->names, number) : instance;
}

/* A digest, because ids come from outside: who could make two of them collide could make
 * us take an event for a known one. */
static struct dedupe_mark mark_of(struct dedupe *d, const char *instance, const char *source,
				  const char *id)
{
	struct dedupe_mark mark;
	unsigned char digest[32];

	instance = first_name(d, instance);
	buf_cut(&d->text, 0);
	buf_add(&d->text, instance, strlen(instance) + 1);
	buf_add(&d->text, source, strlen(source) + 1);
	buf_text_add(&d->text, id);
	hasher_sha256(d->hasher, d->text.data, d->text.len, digest);
	memcpy(mark.hash, digest, sizeof mark.hash);
	return mark;
}

struct dedupe_mark dedupe_mark(struct dedupe *d, const struct event *ev)
{
	return mark_of(d, ev->instance, ev->source, ev->id);
}

static size_t find_slot(const struct dedupe *d, const uint64_t hash[2])
{
	size_t i = hash[0] & (d->nslots - 1);

	for (; d->slots[i]; i = (i + 1) & (d->nslots - 1)) {
		const struct id *id = &d->recent[d->slots[i] - 1];

		if (id->hash[0] == hash[0] && id->hash[1] == hash[1])
			break;
	}
	return i;
}

static void rehash(struct dedupe *d)
{
	d->nslots = d->nslots ? d->nslots * 2 : 256;
	free(d->slots);
	d->slots = mem_zero(d->nslots * sizeof *d->slots);
	for (size_t i = 0; i < d->n; i++)
		d->slots[find_slot(d, d->recent[i].hash)] = (uint32_t)i + 1;
}

static void remember(struct dedupe *d, const struct id *id, size_t bytes)
{
	if ((d->n + 1) * 2 > d->nslots)
		rehash(d);
	mem_room(d->recent, d->n, d->cap);
	d->recent[d->n++] = *id;
	d->slots[find_slot(d, id->hash)] = (uint32_t)d->n;
	d->bytes += bytes;
	if (id->at > d->now)
		d->now = id->at;
}

static void forget_recent(struct dedupe *d)
{
	free(d->recent);
	free(d->slots);
	d->recent = NULL;
	d->slots = NULL;
	d->n = d->cap = d->nslots = d->bytes = 0;
}

static int64_t expired(const struct dedupe *d)
{
	return d->now - d->age_ms;
}

/* Firings are made here: nobody can send one twice. */
static bool is_remembered(const char *type)
{
	return strcmp(type, EVENT_FIRED) != 0;
}

static bool load_one(const struct journal_id *row, void *arg)
{
	struct dedupe *d = arg;
	struct id id = {.seq = row->seq, .at = row->at};

	if (is_remembered(row->type)) {
		struct dedupe_mark mark = mark_of(d, row->instance, row->source, row->id);

		memcpy(id.hash, mark.hash, sizeof id.hash);
		remember(d, &id, row->bytes);
	}
	return true;
}

/* Runs cover all ids up to a number; those of later events are found in their rows. */
enum journal_status dedupe_reload(struct dedupe *d, struct err *err)
{
	struct buf covered = {0};
	enum journal_status status = runs_load(d->runs, d->j, err);

	forget_recent(d);
	if (status == JOURNAL_OK)
		status = journal_get(d->j, "dedupe", "covered", &covered, err);
	if (status == JOURNAL_OK || status == JOURNAL_ABSENT)
		status =
			journal_ids(d->j, strtoull(buf_text(&covered), NULL, 10), load_one, d, err);
	buf_free(&covered);
	return status;
}

struct dedupe *dedupe_load(struct journal *j, const struct names *names, int64_t age_ms,
			   int64_t max_ids, struct err *err)
{
	struct dedupe *d = mem_new(struct dedupe);

	d->j = j;
	d->names = names;
	d->runs = runs_new();
	d->hasher = hasher_new();
	dedupe_configure(d, age_ms, max_ids);
	d->run_bytes = RECENT_BYTES;
	if (dedupe_reload(d, err) == JOURNAL_OK)
		return d;
	dedupe_free(d);
	return NULL;
}

void dedupe_configure(struct dedupe *d, int64_t age_ms, int64_t max_ids)
{
	d->age_ms = age_ms;
	d->max_ids = max_ids;
	/* With few ids to keep, runs must be small: they are forgotten whole. */
	d->run_ids = max_ids / 8 < RECENT_IDS ? (size_t)(max_ids / 8) + 1 : RECENT_IDS;
}

void dedupe_hold_back(struct dedupe *d, int64_t bytes)
{
	d->run_bytes = bytes < RECENT_BYTES ? (size_t)bytes : RECENT_BYTES;
}

void dedupe_free(struct dedupe *d)
{
	if (!d)
		return;
	forget_recent(d);
	runs_free(d->runs);
	hasher_free(d->hasher);
	buf_free(&d->text);
	free(d);
}

enum journal_status dedupe_find(struct dedupe *d, const struct dedupe_mark *mark, int64_t now,
				uint64_t *seq, struct err *err)
{
	struct id found = {0};
	uint32_t at;
	enum journal_status status = JOURNAL_OK;

	if (now > d->now)
		d->now = now;
	at = d->nslots ? d->slots[find_slot(d, mark->hash)] : 0;
	if (at)
		found = d->recent[at - 1];
	else
		status = runs_find(d->runs, d->j, mark->hash, &found, err);
	*seq = (at || status == JOURNAL_OK) && found.at >= expired(d) ? found.seq : 0;
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

static enum journal_status flush(struct dedupe *d, struct err *err)
{
	char covered[24];
	int len = snprintf(covered, sizeof covered, "%llu",
			   (unsigned long long)d->recent[d->n - 1].seq);
	enum journal_status status = runs_add(d->runs, d->j, d->recent, d->n, expired(d), err);

	forget_recent(d);
	if (status == JOURNAL_OK)
		status = journal_put(d->j, "dedupe", "covered", covered, (size_t)len, err);
	return status;
}

enum journal_status dedupe_flush(struct dedupe *d, struct err *err)
{
	return d->n ? flush(d, err) : JOURNAL_OK;
}

enum journal_status dedupe_add(struct dedupe *d, const struct dedupe_mark *mark,
			       const struct event *ev, struct err *err)
{
	struct id id = {.seq = ev->seq, .at = ev->at};

	if (!is_remembered(ev->type))
		return JOURNAL_OK;
	memcpy(id.hash, mark->hash, sizeof id.hash);
	remember(d, &id, event_size(ev));
	return d->n >= d->run_ids || d->bytes >= d->run_bytes ? flush(d, err) : JOURNAL_OK;
}

/* The first of the recent ids that still matters: without its event's row it would be
 * forgotten after a crash. */
static uint64_t floor_of(const struct dedupe *d)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->recent[i].at >= expired(d))
			return d->recent[i].seq;
	}
	return UINT64_MAX;
}

enum journal_status dedupe_trim(struct dedupe *d, int64_t now, uint64_t *floor, struct err *err)
{
	enum journal_status status;

	if (now > d->now)
		d->now = now;
	status = runs_trim(d->runs, d->j, expired(d), d->max_ids, (int64_t)d->n, err);
	/* In a quiet time ids would stay in memory, and their events in the history, for all
	 * of `age`. */
	if (status == JOURNAL_OK && d->n && d->now - d->recent[0].at > d->age_ms / RUNS_MERGED)
		status = flush(d, err);
	*floor = floor_of(d);
	return status;
}

int64_t dedupe_bytes(const struct dedupe *d)
{
	return runs_bytes(d->runs);
}
