#include "journal/runs.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACE       "dedupe"
#define FILTER_BITS 12 /* per id: with eight probes one false answer in 300 */
#define PROBES      8
#define CHUNK_IDS   128 /* at most, on average: a lookup reads two pages of the journal */
#define CHUNK_BITS  24  /* at most, as their keys have six hex digits */

struct run {
	uint32_t number;
	uint32_t level; /* 0: as flushed, 1: merged */
	uint64_t n;
	int64_t last_at;
	unsigned chunk_bits;
	uint64_t *filter;
	size_t words;
};

struct runs {
	struct run *list; /* oldest first */
	size_t n, cap;
	uint32_t last_number;
};

struct runs *runs_new(void)
{
	return mem_new(struct runs);
}

static void clear(struct runs *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->list[i].filter);
	free(r->list);
	*r = (struct runs){0};
}

void runs_free(struct runs *r)
{
	if (!r)
		return;
	clear(r);
	free(r);
}

size_t runs_count(const struct runs *r)
{
	return r->n;
}

/* An entry, its share of the filter, and what pages leave empty. */
int64_t runs_bytes(const struct runs *r)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < r->n; i++)
		bytes += (int64_t)r->list[i].n * (int64_t)(sizeof(struct id) + 10);
	return bytes;
}

/* Two hashes make as many as are wanted. */
static uint64_t probe(const struct run *run, const uint64_t hash[2], uint64_t i)
{
	return (hash[1] + i * (hash[0] | 1)) % (run->words * 64);
}

static void filter_add(struct run *run, const uint64_t hash[2])
{
	for (uint64_t i = 0; i < PROBES; i++) {
		uint64_t bit = probe(run, hash, i);

		run->filter[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

static bool filter_has(const struct run *run, const uint64_t hash[2])
{
	for (uint64_t i = 0; i < PROBES; i++) {
		uint64_t bit = probe(run, hash, i);

		if (!(run->filter[bit / 64] >> bit % 64 & 1))
			return false;
	}
	return true;
}

static uint64_t chunk_of(const struct run *run, const uint64_t hash[2])
{
	return run->chunk_bits ? hash[0] >> (64 - run->chunk_bits) : 0;
}

struct key {
	char text[40];
};

static struct key run_key(char kind, uint32_t number)
{
	struct key k;

	snprintf(k.text, sizeof k.text, "%c %010" PRIu32, kind, number);
	return k;
}

static struct key chunk_key(uint32_t number, uint64_t chunk)
{
	struct key k;

	snprintf(k.text, sizeof k.text, "c %010" PRIu32 " %06" PRIx64, number, chunk);
	return k;
}

static bool load_run(const char *key, const void *value, size_t len, void *arg)
{
	struct runs *r = arg;
	char *text = mem_slice(value, len);
	struct run run = {.number = (uint32_t)strtoul(key + 2, NULL, 10)};

	if (sscanf(text, "%" SCNu32 " %" SCNu64 " %" SCNd64 " %u", &run.level, &run.n, &run.last_at,
		   &run.chunk_bits) == 4 &&
	    run.chunk_bits <= CHUNK_BITS && run.n <= (uint64_t)CHUNK_IDS << CHUNK_BITS) {
		mem_room(r->list, r->n, r->cap);
		r->list[r->n++] = run;
	}
	if (run.number > r->last_number)
		r->last_number = run.number;
	free(text);
	return true;
}

static enum journal_status load_filter(struct run *run, struct journal *j, struct err *err)
{
	struct buf bits = {0};
	enum journal_status status =
		journal_get(j, SPACE, run_key('f', run->number).text, &bits, err);

	if (status != JOURNAL_OK && status != JOURNAL_ABSENT)
		return status;
	run->words = bits.len / 8;
	if (!run->words) { /* lost with a damaged journal: ask the chunks */
		run->words = 1;
		buf_cut(&bits, 0);
		buf_add(&bits, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	}
	run->filter = (uint64_t *)(void *)buf_take(&bits);
	return JOURNAL_OK;
}

enum journal_status runs_load(struct runs *r, struct journal *j, struct err *err)
{
	enum journal_status status;

	clear(r);
	status = journal_values(j, SPACE, "r ", load_run, r, err);
	for (size_t i = 0; i < r->n && status == JOURNAL_OK; i++)
		status = load_filter(&r->list[i], j, err);
	return status;
}

static int by_hash(const void *a, const void *b)
{
	const struct id *x = a, *y = b;

	for (int i = 0; i < 2; i++) {
		if (x->hash[i] != y->hash[i])
			return x->hash[i] < y->hash[i] ? -1 : 1;
	}
	return (x->seq < y->seq) - (x->seq > y->seq); /* the latest of one id first */
}

static enum journal_status put_run(struct journal *j, const struct run *run, struct err *err)
{
	char text[96];
	int len = snprintf(text, sizeof text, "%" PRIu32 " %" PRIu64 " %" PRId64 " %u", run->level,
			   run->n, run->last_at, run->chunk_bits);
	enum journal_status status =
		journal_put(j, SPACE, run_key('r', run->number).text, text, (size_t)len, err);

	if (status == JOURNAL_OK)
		status = journal_put(j, SPACE, run_key('f', run->number).text, run->filter,
				     run->words * 8, err);
	return status;
}

static enum journal_status put_chunks(struct journal *j, const struct run *run,
				      const struct id *ids, struct err *err)
{
	enum journal_status status = JOURNAL_OK;

	for (size_t i = 0, n; i < run->n && status == JOURNAL_OK; i += n) {
		uint64_t chunk = chunk_of(run, ids[i].hash);

		for (n = 1; i + n < run->n && chunk_of(run, ids[i + n].hash) == chunk;)
			n++;
		status = journal_put(j, SPACE, chunk_key(run->number, chunk).text, ids + i,
				     n * sizeof *ids, err);
	}
	return status;
}

static enum journal_status write_run(struct runs *r, struct journal *j, struct id *ids, size_t n,
				     uint32_t level, struct err *err)
{
	struct run run = {.number = ++r->last_number, .level = level, .n = n};
	enum journal_status status;

	while ((uint64_t)CHUNK_IDS << run.chunk_bits < n)
		run.chunk_bits++;
	run.words = (n * FILTER_BITS + 63) / 64;
	run.filter = mem_zero(run.words * 8);
	qsort(ids, n, sizeof *ids, by_hash);
	for (size_t i = 0; i < n; i++) {
		filter_add(&run, ids[i].hash);
		if (ids[i].at > run.last_at)
			run.last_at = ids[i].at;
	}
	status = put_run(j, &run, err);
	if (status == JOURNAL_OK)
		status = put_chunks(j, &run, ids, err);
	mem_room(r->list, r->n, r->cap);
	r->list[r->n++] = run;
	return status;
}

struct collected {
	struct id *ids;
	size_t n, cap;
};

static enum journal_status read_chunk(struct journal *j, const struct run *run, uint64_t chunk,
				      struct buf *out, struct err *err)
{
	enum journal_status status =
		journal_get(j, SPACE, chunk_key(run->number, chunk).text, out, err);

	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

static enum journal_status collect(struct journal *j, const struct run *run, int64_t expired,
				   struct collected *to, struct err *err)
{
	enum journal_status status = JOURNAL_OK;

	for (uint64_t chunk = 0; chunk >> run->chunk_bits == 0 && status == JOURNAL_OK; chunk++) {
		struct buf bytes = {0};

		status = read_chunk(j, run, chunk, &bytes, err);
		for (size_t at = 0; at + sizeof(struct id) <= bytes.len; at += sizeof(struct id)) {
			struct id id;

			memcpy(&id, bytes.data + at, sizeof id);
			if (id.at < expired)
				continue;
			mem_room(to->ids, to->n, to->cap);
			to->ids[to->n++] = id;
		}
		buf_free(&bytes);
	}
	return status;
}

static enum journal_status drop_run(struct runs *r, struct journal *j, size_t i, struct err *err)
{
	struct run *run = &r->list[i];
	enum journal_status status =
		journal_put(j, SPACE, run_key('r', run->number).text, NULL, 0, err);

	if (status == JOURNAL_OK)
		status = journal_put(j, SPACE, run_key('f', run->number).text, NULL, 0, err);
	for (uint64_t c = 0; c >> run->chunk_bits == 0 && status == JOURNAL_OK; c++)
		status = journal_put(j, SPACE, chunk_key(run->number, c).text, NULL, 0, err);
	free(run->filter);
	r->n--;
	memmove(run, run + 1, (r->n - i) * sizeof *run);
	return status;
}

static size_t count_small(const struct runs *r)
{
	size_t n = 0;

	while (n < r->n && r->list[r->n - 1 - n].level == 0)
		n++;
	return n;
}

/* The small ones are the youngest, so the merged one takes their place at the end. */
static enum journal_status merge(struct runs *r, struct journal *j, int64_t expired,
				 struct err *err)
{
	size_t small = count_small(r);
	struct collected all = {0};
	enum journal_status status = JOURNAL_OK;

	for (size_t i = r->n - small; i < r->n && status == JOURNAL_OK; i++)
		status = collect(j, &r->list[i], expired, &all, err);
	while (small-- > 0 && status == JOURNAL_OK)
		status = drop_run(r, j, r->n - 1, err);
	if (status == JOURNAL_OK && all.n)
		status = write_run(r, j, all.ids, all.n, 1, err);
	free(all.ids);
	return status;
}

enum journal_status runs_add(struct runs *r, struct journal *j, struct id *ids, size_t n,
			     int64_t expired, struct err *err)
{
	enum journal_status status = JOURNAL_OK;

	if (count_small(r) >= RUNS_MERGED)
		status = merge(r, j, expired, err);
	if (status == JOURNAL_OK)
		status = write_run(r, j, ids, n, 0, err);
	return status;
}

static bool find_in_chunk(const struct buf *bytes, const uint64_t hash[2], struct id *found)
{
	for (size_t at = 0; at + sizeof *found <= bytes->len; at += sizeof *found) {
		memcpy(found, bytes->data + at, sizeof *found);
		if (found->hash[0] == hash[0] && found->hash[1] == hash[1])
			return true;
	}
	return false;
}

enum journal_status runs_find(struct runs *r, struct journal *j, const uint64_t hash[2],
			      struct id *found, struct err *err)
{
	for (size_t i = r->n; i-- > 0;) {
		struct run *run = &r->list[i];
		struct buf bytes = {0};
		enum journal_status status;
		bool there;

		if (!filter_has(run, hash))
			continue;
		status = read_chunk(j, run, chunk_of(run, hash), &bytes, err);
		there = find_in_chunk(&bytes, hash, found);
		buf_free(&bytes);
		if (there || status != JOURNAL_OK)
			return status;
	}
	return JOURNAL_ABSENT;
}

enum journal_status runs_trim(struct runs *r, struct journal *j, int64_t expired, int64_t max,
			      int64_t newer, struct err *err)
{
	enum journal_status status = JOURNAL_OK;

	for (size_t i = 0; i < r->n; i++)
		newer += (int64_t)r->list[i].n;
	while (r->n && status == JOURNAL_OK) {
		newer -= (int64_t)r->list[0].n; /* those younger than this run's */
		if (r->list[0].last_at >= expired && newer < max)
			break;
		status = drop_run(r, j, 0, err);
	}
	return status;
}
