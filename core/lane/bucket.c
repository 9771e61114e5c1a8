#include "lane/bucket.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_SWEEP 1024

/* In microseconds, above 0; a limit that was lifted lets everybody go. */
static int64_t interval_of(const struct rate *rate)
{
	int64_t events = rate->events;

	return events ? (rate->per_ms * 1000 + events - 1) / events : 1;
}

/* A start moves the moment at which the bucket is full again by one interval; it may lie at
 * most the whole burst ahead. */
static int64_t next_start(const struct bucket *b, const struct rate *rate, uint32_t taken,
			  int64_t now_us)
{
	int64_t interval = interval_of(rate), ahead;
	int64_t full_at = (b->full_at > now_us ? b->full_at : now_us) + taken * interval;

	if (__builtin_mul_overflow(interval, rate->burst ? (int64_t)rate->burst - 1 : 0, &ahead))
		return now_us;
	return full_at > now_us + ahead ? full_at - ahead : now_us;
}

/* Not before the millisecond in which it is allowed. */
static int64_t next_start_ms(const struct bucket *b, const struct rate *rate, uint32_t taken,
			     int64_t now)
{
	return (next_start(b, rate, taken, now * 1000) + 999) / 1000;
}

static void drop(struct bucket *b)
{
	heap_free(&b->waiting);
	free(b);
}

static bool keep_unless_full(struct hashed_node *node, void *arg)
{
	struct bucket *b = (struct bucket *)(void *)node;
	bool keep = b->waiting.n || b->full_at > *(int64_t *)arg;

	if (!keep)
		drop(b);
	return keep;
}

static void sweep(struct buckets *b, int64_t now_us)
{
	if (b->by_group.n < (b->sweep_at ? b->sweep_at : FIRST_SWEEP))
		return;
	hashed_each(&b->by_group, keep_unless_full, &now_us);
	b->sweep_at = b->by_group.n * 2 > FIRST_SWEEP ? b->by_group.n * 2 : FIRST_SWEEP;
}

struct bucket *buckets_find(struct buckets *b, uint64_t group, int64_t now)
{
	struct hashed_node *node = hashed_find(&b->by_group, group);
	struct bucket *found;

	if (node)
		return (struct bucket *)(void *)node;
	sweep(b, now * 1000);
	found = mem_new(struct bucket);
	hashed_add(&b->by_group, &found->node, group);
	return found;
}

bool bucket_take(struct bucket *b, const struct rate *rate, int64_t now)
{
	int64_t now_us = now * 1000;

	if (next_start(b, rate, 0, now_us) > now_us)
		return false;
	b->full_at = (b->full_at > now_us ? b->full_at : now_us) + interval_of(rate);
	return true;
}

void bucket_wait(struct buckets *all, struct bucket *b, const struct rate *rate,
		 struct heap_node *turn, int64_t rank, int64_t now)
{
	heap_put(&b->waiting, turn, rank);
	if (!b->refill.heap)
		heap_put(&all->refills, &b->refill, next_start_ms(b, rate, 0, now));
}

static uint32_t starts_left(const struct bucket *b, const struct rate *rate, int64_t now_us)
{
	int64_t interval = interval_of(rate);
	int64_t used = b->full_at > now_us ? (b->full_at - now_us + interval - 1) / interval : 0;

	return used < rate->burst ? rate->burst - (uint32_t)used : 1;
}

/* As many as may start; whoever is let go may find that another was faster, and waits
 * again. */
static struct heap_node *let_go(struct buckets *all, struct bucket *b, const struct rate *rate,
				int64_t now)
{
	struct heap_node *turn = heap_top(&b->waiting);

	if (!b->grants) {
		b->grants = starts_left(b, rate, now * 1000);
		b->next_ms = next_start_ms(b, rate, b->grants, now);
	}
	b->grants--;
	if (turn)
		heap_remove(turn);
	if (!b->waiting.n) {
		b->grants = 0;
		heap_remove(&b->refill);
	} else if (!b->grants) {
		heap_put(&all->refills, &b->refill, b->next_ms > now ? b->next_ms : now + 1);
	}
	return turn;
}

struct heap_node *buckets_next(struct buckets *all, const struct rate *rate, int64_t now)
{
	struct heap_node *top, *turn = NULL;

	while (!turn && (top = heap_top(&all->refills)) && top->rank <= now)
		turn = let_go(all, HEAP_OWNER(top, struct bucket, refill), rate, now);
	return turn;
}

static bool open_bucket(struct hashed_node *node, void *arg)
{
	struct bucket *b = (struct bucket *)(void *)node;
	struct heap_node *turn;

	while ((turn = heap_top(&b->waiting)))
		heap_put(arg, turn, turn->rank);
	heap_remove(&b->refill);
	b->grants = 0;
	return true;
}

void buckets_open(struct buckets *all, struct heap *to)
{
	hashed_each(&all->by_group, open_bucket, to);
}

int64_t buckets_refill_at(const struct buckets *all)
{
	const struct heap_node *top = heap_top(&all->refills);

	return top ? top->rank : INT64_MAX;
}

static bool drop_any(struct hashed_node *node, void *arg)
{
	(void)arg;
	drop((struct bucket *)(void *)node);
	return false;
}

void buckets_free(struct buckets *b)
{
	hashed_each(&b->by_group, drop_any, NULL);
	hashed_free(&b->by_group);
	heap_free(&b->refills);
}
