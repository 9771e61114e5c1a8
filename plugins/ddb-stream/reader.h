/*
 * reader - one instance: which stream is read, and what is known of it.
 *
 * listing.c learns of streams and shards, polling.c reads shards that are ready.  Saved
 * state: `stream`, the ARN being read, and `shard/<id>`, the place in each of its shards.
 */
#ifndef POINTSMAN_DDB_READER_H
#define POINTSMAN_DDB_READER_H

#include "shard.h"

#include "base/err.h"

#include <jansson.h>
#include <pointsman/plugin.h>

enum reader_start { START_HORIZON, START_LATEST, START_TIME };

struct reader {
	enum reader_start start;
	int64_t start_at;   /* START_TIME: skip what happened before */
	char *stream;       /* ARN, NULL until known */
	char *successor;    /* the table's newer stream, read once this one is drained; or NULL */
	char *table;        /* its name, as the stream says */
	char *hash, *range; /* names of the key attributes, or NULL */
	bool first;         /* nothing was ever read: `start` decides where to begin */
	bool disabled;      /* nothing more is written to the stream */
	bool stopped;

	struct shards shards;
	uint32_t epoch;   /* of `shards`: what was asked of an earlier one is ignored */
	uint64_t seen;    /* number of the listing */
	bool listing;     /* one is under way */
	bool asked_again; /* and another was wanted meanwhile */
	unsigned pages;   /* of it so far */
	bool lost_table;  /* DescribeTable failed, the stream is read all the same */
	uint64_t timer;   /* of the next listing; earlier ones are void */
	unsigned trials;  /* listings in a row that brought nothing new to read */
	unsigned failures;
	char *problem;    /* of the listing, or NULL */
	unsigned failing; /* shards whose last request failed */
};

static inline struct reader *reader_of(struct pm_host *h)
{
	return h->self;
}

/* List streams and shards now, unless that is under way; then again and again. */
void listing_begin(struct pm_host *h);
void listing_in(struct pm_host *h, uint32_t ms);

/* Read every shard that is ready. */
void polling_begin(struct pm_host *h);
/* emit() has room again. */
void polling_resume(struct pm_host *h);

/* Remember how far a shard was read. */
void reader_save(struct pm_host *h, const struct shard *shard);
void reader_forget(struct pm_host *h, const struct shard *shard);
/* Say that records are missing; false: no room, come again. */
bool reader_gap(struct pm_host *h, const struct shard *shard, const char *reason);
/* All is well, if it is: feeds alive(). */
void reader_heard(struct pm_host *h);

/* Names a request for the person on call. */
#define READER_STREAMS "DynamoDBStreams_20120810."
void reader_ask(struct pm_host *h, const char *service, const char *target, json_t *body,
		uint32_t max_kb, pm_done_fn *done, uint64_t arg);

#endif
