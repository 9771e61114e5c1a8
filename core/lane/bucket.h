/*
 * bucket - a rate kept: so many starts in a time, so many at once.
 *
 * One for a target, or one for each group.  Whoever finds it empty waits in it, in order of
 * seq, and is let go when a start will be possible.
 */
#ifndef POINTSMAN_LANE_BUCKET_H
#define POINTSMAN_LANE_BUCKET_H

#include "base/heap.h"
#include "config/config.h"
#include "lane/hashed.h"

struct bucket {
	struct hashed_node node; /* by group; first member */
	struct heap waiting;
	struct heap_node refill; /* in buckets.refills */
	int64_t full_at;         /* boot time in microseconds */
	int64_t next_ms;         /* when more may be, after those */
	uint32_t grants;         /* how many more may be let go at this moment */
};

struct buckets {
	struct hashed by_group;
	struct heap refills; /* of buckets in which somebody waits, by boot ms */
	size_t sweep_at;     /* when there are so many, the full ones are dropped */
};

struct bucket *buckets_find(struct buckets *b, uint64_t group, int64_t now);
/* Take a start, if there is one. */
bool bucket_take(struct bucket *b, const struct rate *rate, int64_t now);
void bucket_wait(struct buckets *all, struct bucket *b, const struct rate *rate,
		 struct heap_node *turn, int64_t rank, int64_t now);
/* Who may try again now, out of the bucket; NULL: nobody. */
struct heap_node *buckets_next(struct buckets *all, const struct rate *rate, int64_t now);
/* The rate has changed: all who wait go to `to`. */
void buckets_open(struct buckets *all, struct heap *to);
int64_t buckets_refill_at(const struct buckets *all); /* INT64_MAX: nobody waits */
void buckets_free(struct buckets *b);

#endif
