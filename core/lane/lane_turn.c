/* Whose turn it is, and the call. */
#include "lane/lane_inside.h"

#include "base/hash.h"

#include <stdlib.h>

static struct lane_entry *of_turn(struct heap_node *node)
{
	return HEAP_OWNER(node, struct lane_entry, turn);
}

static struct lane_entry *of_order(struct chain_link *link)
{
	return link ? HEAP_OWNER(link, struct lane_entry, order) : NULL;
}

static struct lane_entry *of_overlap(struct chain_link *link)
{
	return link ? HEAP_OWNER(link, struct lane_entry, overlap) : NULL;
}

/* Those of one key may go in one call, behind each other: they end by one answer, and if that is
 * no end they are tried again in their order. */
static bool follows_in_call(const struct lane *l, const struct lane_entry *e)
{
	return e->order.older && lane_is_filling(l, of_order(e->order.older));
}

static bool may_start(const struct lane *l, const struct lane_entry *e)
{
	bool waits_for_time = e->d.state == DELIVERY_RETRY && e->alarm.heap;

	if (waits_for_time || (e->d.state != DELIVERY_WAITING && e->d.state != DELIVERY_RETRY))
		return false;
	return (chain_may_start(&e->order) || follows_in_call(l, e)) &&
	       chain_may_start(&e->overlap);
}

void lane_consider(struct lane *l, struct lane_entry *e)
{
	if (!e->turn.heap && may_start(l, e))
		heap_put(&l->ready, &e->turn, (int64_t)e->d.seq);
}

static void consider_heads(struct lane *l, struct chain_link *order, struct chain_link *overlap)
{
	if (order)
		lane_consider(l, of_order(order));
	if (overlap)
		lane_consider(l, of_overlap(overlap));
}

void lane_busy(struct lane *l, struct lane_entry *e, bool busy)
{
	chain_busy(&e->order, busy);
	chain_busy(&e->overlap, busy);
	if (!busy)
		consider_heads(l, e->order.chain ? e->order.chain->oldest : NULL,
			       e->overlap.chain ? e->overlap.chain->oldest : NULL);
}

void lane_leave(struct lane *l, struct lane_entry *e)
{
	struct chain_link *order = chains_leave(&l->orders, &e->order);
	struct chain_link *overlap = chains_leave(&l->overlaps, &e->overlap);

	consider_heads(l, order, overlap);
}

/* Behind something that waits for longer than its turn? */
static bool is_stuck(const struct lane_entry *e, const struct lane_entry *oldest)
{
	if (!oldest || oldest == e)
		return false;
	return oldest->d.state == DELIVERY_RETRY || oldest->d.state == DELIVERY_HELD ||
	       (oldest->has_row && oldest->d.state == DELIVERY_WAITING);
}

/* A start reads rows first, and what has none after them: so who is ahead of one with a row has
 * one, too. */
static void write_in_order(struct lane *l, struct lane_entry *e, struct lane_effects *out)
{
	if (!e || e->has_row)
		return;
	write_in_order(l, of_order(e->order.older), out);
	write_in_order(l, of_overlap(e->overlap.older), out);
	lane_write(l, e, out);
}

void lane_park(struct lane *l, struct lane_entry *e, struct lane_effects *out)
{
	struct chain *order = e->order.chain, *overlap = e->overlap.chain;

	if (e->has_row || e->d.state != DELIVERY_WAITING || l->breaker.open)
		return;
	if (is_stuck(e, of_order(order ? order->oldest : NULL)) ||
	    is_stuck(e, of_overlap(overlap ? overlap->oldest : NULL)))
		write_in_order(l, e, out);
}

/* Those without a row are the newest of a chain. */
void lane_park_behind(struct lane *l, struct lane_entry *e, struct lane_effects *out)
{
	struct chain_link *link;

	if (l->breaker.open)
		return;
	for (link = e->order.chain ? e->order.chain->newest : NULL;
	     link && !of_order(link)->has_row; link = link->older)
		lane_park(l, of_order(link), out);
	for (link = e->overlap.chain ? e->overlap.chain->newest : NULL;
	     link && !of_overlap(link)->has_row; link = link->older)
		lane_park(l, of_overlap(link), out);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void lane_set_alarm(struct lane *l, struct lane_entry *e)
{
	int64_t deadline = e->cancelled ? e->over_at : e->began + l->settings.deadline_ms;
	int64_t at;

	switch (e->d.state) {
	case DELIVERY_RETRY: at = e->due; break;
	case DELIVERY_HELD: at = e->turn.heap ? deadline : least(e->due, deadline); break;
	case DELIVERY_CALLED:
		at = e->cancelled || e->delayed
			     ? deadline
			     : least(e->called + l->settings.timeout_ms, deadline);
		break;
	default: heap_remove(&e->alarm); return;
	}
	heap_put(&l->alarms, &e->alarm, at);
}

static struct bucket *bucket_of(struct lane *l, const struct lane_entry *e, struct lane_now now)
{
	const struct rate *rate = &l->settings.rate;
	uint64_t group = 0;

	if (rate->per_group)
		group = hash64(&e->d.duty.rule, sizeof e->d.duty.rule, e->d.duty.group);
	return buckets_find(&l->buckets, group, now.boot);
}

/* Does the rate let it go?  If not, it waits in its bucket. */
static bool pass_rate(struct lane *l, struct lane_entry *e, struct lane_now now)
{
	const struct rate *rate = &l->settings.rate;
	struct bucket *b;

	if (!rate->events)
		return true;
	b = bucket_of(l, e, now);
	if (bucket_take(b, rate, now.boot))
		return true;
	bucket_wait(&l->buckets, b, rate, &e->turn, (int64_t)e->d.seq, now.boot);
	return false;
}

static void refill(struct lane *l, struct lane_now now)
{
	struct heap_node *turn;

	while ((turn = buckets_next(&l->buckets, &l->settings.rate, now.boot)))
		heap_put(&l->ready, turn, turn->rank);
}

static bool has_place(const struct lane *l, struct lane_now now)
{
	return !l->resting && lane_has_room(l) && breaker_allows(&l->breaker, now);
}

/* Entries that were overtaken by an older one of their chain leave the heap here; they are
 * considered again when that is over. */
static struct lane_entry *next_attempt(struct lane *l, struct lane_now now)
{
	struct heap_node *top;

	if (!has_place(l, now))
		return NULL;
	refill(l, now);
	while ((top = heap_top(&l->ready))) {
		struct lane_entry *e = of_turn(top);

		lane_make_fit(l, e);
		if (!lane_has_room(l))
			return NULL;
		heap_remove(top);
		if (may_start(l, e) && pass_rate(l, e, now))
			return e;
	}
	return NULL;
}

static void begin_attempt(struct lane *l, struct lane_entry *e, struct lane_now now)
{
	e->d.attempt++;
	e->d.begun_at = now.wall;
	e->began = now.boot;
	if (!e->d.held)
		e->d.emitted = 0;
	if (!e->d.first_at) {
		e->d.first_at = now.wall;
		e->first = now.boot;
	}
	e->d.unknown = false;
	e->cancelled = false;
	if (l->breaker.open)
		l->breaker.probe = e->d.seq;
	l->attempts++;
}

static void write_carefully(struct lane *l, struct lane_entry *e, struct lane_effects *out)
{
	if (e->suspect && !e->d.deaths)
		e->d.deaths = 1; /* the death that made us careful */
	e->suspect = false;
	e->careful = true;
	l->careful_call = true;
	if (l->careful_left)
		l->careful_left--;
	lane_write(l, e, out);
}

static void call(struct lane *l, struct lane_entry *e, struct lane_now now,
		 struct lane_effects *out)
{
	heap_remove(&e->turn);
	e->look = e->d.state == DELIVERY_HELD;
	if (e->look)
		l->held--;
	else
		begin_attempt(l, e, now);
	lane_move(e, DELIVERY_CALLED);
	e->called = now.boot;
	l->called++;
	lane_join_call(l, e);
	lane_busy(l, e, true);
	lane_set_alarm(l, e);
	if (l->careful)
		write_carefully(l, e, out);
	lane_effect_add(out, LANE_CALL, &e->d)->call = e->call ? e->call->number : 0;
	if (lane_is_filling(l, e) && e->order.newer)
		lane_consider(l, of_order(e->order.newer));
}

/* A look is no attempt: what it asks after goes on, however the target is. */
bool lane_start_one(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	struct heap_node *look = heap_top(&l->looks);
	struct lane_entry *e = look ? of_turn(look) : next_attempt(l, now);

	if (e)
		call(l, e, now, out);
	return e != NULL;
}

bool lane_has_turn(struct lane *l, struct lane_now now)
{
	return l->looks.n || (l->ready.n && has_place(l, now));
}

void lane_advance(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	if (l->paused || l->careful)
		return;
	while (lane_start_one(l, now, out))
		;
}
