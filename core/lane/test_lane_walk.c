/* A lane led through thousands of random inputs, power cuts included, beside a model that
 * knows only the rules. */
#include "base/mem.h"
#include "lane/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVENTS 900
#define WALKS  6
#define STEPS  5000 /* of each */
#define TARGET 3

struct known { /* one event's delivery */
	struct duty duty;
	uint64_t key;
	enum delivery_state state;
	bool offered, has_row, unknown;
	bool probe; /* in a call that began while the breaker was open */
	uint64_t call;
	struct delivery row;
	bool durable_row; /* as the journal has it */
	struct delivery durable;
	unsigned ends; /* final rows seen since the last power cut undid any */
};

struct walk {
	struct lane *lane;
	struct lane_settings settings;
	struct lane_now now;
	struct lane_effects out;
	struct known known[EVENTS + 1];
	uint64_t next, reached; /* to offer; told to the lane */
	uint64_t cursor, durable_cursor;
	int64_t starts[64]; /* boot times of the last attempts */
	size_t nstarts;
	bool open;
	uint64_t dice, last_call;
	unsigned cuts, calls, holds, superseded, opened, shared, split;
};

static uint64_t roll(struct walk *w, uint64_t sides)
{
	w->dice ^= w->dice << 13;
	w->dice ^= w->dice >> 7;
	w->dice ^= w->dice << 17;
	return (w->dice >> 11) % sides;
}

static bool in_hand(const struct known *k)
{
	return k->state == DELIVERY_CALLED || k->state == DELIVERY_HELD;
}

static bool is_live(const struct known *k)
{
	return k->offered && !delivery_ended(k->state);
}

static bool same_chain(const struct known *a, const struct known *b)
{
	bool same_key = a->key && a->key == b->key;
	bool same_run = a->duty.overlap != OVERLAP_PARALLEL && a->duty.overlap == b->duty.overlap &&
			a->duty.rule == b->duty.rule && a->duty.group == b->duty.group;

	return same_key || same_run;
}

static bool goes_before(const struct known *k, const struct known *other)
{
	return other->call && other->call == k->call && other->key == k->key;
}

static void check_turn(const struct walk *w, uint64_t seq)
{
	const struct known *k = &w->known[seq];

	for (uint64_t i = 1; i < w->next; i++) {
		const struct known *other = &w->known[i];

		if (i == seq || !is_live(other) || !same_chain(k, other))
			continue;
		if (i < seq && in_hand(other) && goes_before(k, other))
			continue;
		assert_false(in_hand(other));
		assert_true(i > seq);
	}
}

/* How many calls are under way, and none too large. */
static void check_calls(const struct walk *w)
{
	uint32_t calls = 0, alone = 0;

	for (uint64_t i = 1; i < w->next; i++) {
		const struct known *k = &w->known[i];
		uint32_t before = 0, size = 1;

		if (!is_live(k) || k->state != DELIVERY_CALLED)
			continue;
		for (uint64_t j = 1; k->call && j < w->next; j++) {
			const struct known *other = &w->known[j];
			bool together = is_live(other) && other->state == DELIVERY_CALLED &&
					other->call == k->call;

			before += together && j < i;
			size += together && j != i;
		}
		assert_true(size <= w->settings.batch);
		calls += before == 0;
		alone += !k->call;
	}
	assert_true(calls - alone <= w->settings.concurrency);
}

static void check_rate(struct walk *w)
{
	const struct rate *rate = &w->settings.rate;

	w->starts[w->nstarts++ % 64] = w->now.boot;
	for (size_t back = 1; back < 64 && back < w->nstarts; back++) {
		int64_t passed = w->now.boot - w->starts[(w->nstarts - 1 - back) % 64];

		assert_true((int64_t)back + 1 <=
			    rate->burst + 1 + passed * rate->events / rate->per_ms);
	}
}

static void check_probe(const struct walk *w)
{
	for (uint64_t i = 1; w->open && i < w->next; i++)
		assert_false(w->known[i].probe && w->known[i].state == DELIVERY_CALLED);
}

static void close_breaker(struct walk *w)
{
	w->open = false;
	for (uint64_t i = 1; i < w->next; i++)
		w->known[i].probe = false;
}

static void take_call(struct walk *w, const struct delivery *d, uint64_t call)
{
	struct known *k = &w->known[d->seq];
	bool look = k->state == DELIVERY_HELD;

	k->call = call;
	w->shared += call && call == w->last_call;
	w->last_call = call ? call : w->last_call;
	assert_true(delivery_may_move(k->state, DELIVERY_CALLED));
	assert_int_equal(d->state, DELIVERY_CALLED);
	w->calls++;
	if (!look) {
		check_turn(w, d->seq);
		check_rate(w);
		check_probe(w);
		k->probe = w->open;
	}
	k->state = DELIVERY_CALLED;
}

static void take_row(struct walk *w, const struct delivery *d)
{
	struct known *k = &w->known[d->seq];
	bool told = d->state == DELIVERY_DEAD && k->state == DELIVERY_DEAD && d->told;

	assert_true(told || k->state == d->state || delivery_may_move(k->state, d->state));
	assert_true(told || !delivery_ended(k->state));
	if (delivery_ended(d->state) && !told)
		k->ends++;
	w->superseded += d->state == DELIVERY_SUPERSEDED;
	k->state = d->state;
	k->unknown = d->unknown;
	if (k->has_row)
		delivery_clear(&k->row);
	delivery_copy(&k->row, d);
	k->has_row = true;
}

static void take_abandon(struct walk *w, const struct delivery *d)
{
	assert_true(in_hand(&w->known[d->seq]));
}

static void take_one(struct walk *w, const struct lane_effect *effect)
{
	switch (effect->kind) {
	case LANE_CALL: take_call(w, &effect->delivery, effect->call); break;
	case LANE_ROW: take_row(w, &effect->delivery); break;
	case LANE_ABANDON: take_abandon(w, &effect->delivery); break;
	case LANE_CANCEL: w->known[effect->delivery.seq].state = DELIVERY_CALLED; break;
	case LANE_OPENED:
		w->open = true;
		w->opened++;
		break;
	case LANE_CLOSED: close_breaker(w); break;
	default: break;
	}
}

static void check_waiting_of_runs(const struct walk *w)
{
	for (uint64_t i = 1; i < w->next; i++) {
		for (uint64_t j = i + 1; j < w->next && is_live(&w->known[i]); j++) {
			const struct known *a = &w->known[i], *b = &w->known[j];

			if (a->duty.overlap != OVERLAP_SUPERSEDE || !is_live(b) ||
			    a->duty.overlap != b->duty.overlap || a->duty.group != b->duty.group)
				continue;
			assert_true(in_hand(a) || in_hand(b) || a->unknown || b->unknown);
		}
	}
}

static void check_cursor(struct walk *w)
{
	uint64_t cursor = lane_cursor(w->lane);

	assert_true(cursor >= w->cursor && cursor <= w->reached);
	w->cursor = cursor;
	for (uint64_t i = 1; i <= cursor; i++)
		assert_true(!w->known[i].offered || w->known[i].has_row);
}

static void check(struct walk *w)
{
	size_t hand = 0, bare = 0;

	for (uint64_t i = 1; i < w->next; i++) {
		hand += is_live(&w->known[i]) && in_hand(&w->known[i]);
		bare += is_live(&w->known[i]) && !w->known[i].has_row;
		assert_in_range(w->known[i].ends, 0, 1);
	}
	assert_true(hand <= (size_t)w->settings.concurrency * w->settings.batch);
	assert_int_equal(lane_wants(w->lane), LANE_MAX_WAITING - bare);
	check_calls(w);
	check_cursor(w);
}

static void take(struct walk *w)
{
	for (size_t i = 0; i < w->out.n; i++)
		take_one(w, &w->out.list[i]);
	lane_effects_clear(&w->out);
	check(w);
}

static void offer_seq(struct walk *w, uint64_t seq)
{
	struct known *k = &w->known[seq];

	k->offered = true;
	k->state = DELIVERY_WAITING;
	k->unknown = false;
	lane_offer(w->lane, &(struct lane_event){.seq = seq, .key = k->key}, &k->duty, w->now,
		   &w->out);
	lane_reached(w->lane, seq);
	w->reached = seq;
	take(w);
}

static void offer(struct walk *w)
{
	if (w->next > EVENTS || !lane_wants(w->lane))
		return;
	if (roll(w, 4) == 0)
		w->next++; /* an event without a duty for us */
	if (w->next <= EVENTS)
		offer_seq(w, w->next++);
}

/* One that is in a call, or 0. */
static uint64_t any_called(struct walk *w)
{
	uint64_t from = roll(w, EVENTS);

	for (uint64_t i = 0; i < EVENTS; i++) {
		uint64_t seq = 1 + (from + i) % EVENTS;

		if (seq < w->next && is_live(&w->known[seq]) &&
		    w->known[seq].state == DELIVERY_CALLED)
			return seq;
	}
	return 0;
}

static void finish(struct walk *w)
{
	static const enum lane_result results[] = {LANE_OK, LANE_OK, LANE_AGAIN, LANE_DOWN,
						   LANE_REJECT};
	uint64_t seq = any_called(w);

	if (!seq)
		return;
	lane_finished(w->lane, seq, results[roll(w, 5)], "because",
		      roll(w, 8) ? -1 : (int64_t)roll(w, 5000), roll(w, 4) == 0, w->now, &w->out);
	take(w);
}

/* All of one call by one answer. */
static void finish_call(struct walk *w)
{
	static const enum lane_result results[] = {LANE_OK, LANE_AGAIN, LANE_SPLIT, LANE_SPLIT};
	enum lane_result result = results[roll(w, 4)];
	uint64_t first = any_called(w), call = first ? w->known[first].call : 0;

	for (uint64_t seq = 1; call && seq < w->next; seq++) {
		struct known *k = &w->known[seq];

		if (!is_live(k) || k->state != DELIVERY_CALLED || k->call != call)
			continue;
		if (result == LANE_SPLIT) { /* no row says so */
			k->state = DELIVERY_WAITING;
			w->split++;
		}
		lane_finished(w->lane, seq, result, "together", -1, false, w->now, &w->out);
		take(w);
	}
}

/* Weather: for a while everything fails. */
static void storm(struct walk *w)
{
	for (int i = 0; i < LANE_TROUBLE + 2; i++) {
		uint64_t seq = any_called(w);

		if (!seq)
			return;
		lane_finished(w->lane, seq, LANE_DOWN, "storm", -1, false, w->now, &w->out);
		take(w);
	}
}

static void hold(struct walk *w)
{
	uint64_t seq = any_called(w);

	if (!seq)
		return;
	w->holds++;
	lane_held(w->lane, seq, (int64_t)roll(w, 9000), "state", 1, w->now, &w->out);
	take(w);
}

static void pass(struct walk *w, int64_t ms)
{
	int64_t until = w->now.boot + ms, next;

	while ((next = lane_next(w->lane, w->now)) <= until) {
		w->now.wall += next - w->now.boot;
		w->now.boot = next;
		lane_tick(w->lane, w->now, &w->out);
		take(w);
	}
	w->now.wall += until - w->now.boot;
	w->now.boot = until;
}

static void drop(struct walk *w)
{
	uint64_t seq = 1 + roll(w, EVENTS);

	if (seq < w->next && is_live(&w->known[seq])) {
		lane_drop(w->lane, seq, "an operator", w->now, &w->out);
		take(w);
	}
}

static void pause_it(struct walk *w)
{
	lane_pause(w->lane, true, w->now, &w->out);
	for (uint64_t i = 1; i < w->next; i++) {
		struct known *k = &w->known[i];

		if (is_live(k) && k->state == DELIVERY_CALLED) {
			k->state = k->has_row && k->row.held && k->row.state == DELIVERY_HELD
					   ? DELIVERY_HELD
					   : DELIVERY_WAITING;
			k->unknown = true;
		}
	}
	lane_effects_clear(&w->out);
	pass(w, (int64_t)roll(w, 20000));
	lane_pause(w->lane, false, w->now, &w->out);
	take(w);
}

static void make_durable(struct walk *w)
{
	for (uint64_t i = 1; i < w->next; i++) {
		struct known *k = &w->known[i];

		if (k->durable_row)
			delivery_clear(&k->durable);
		k->durable_row = k->has_row;
		if (k->has_row)
			delivery_copy(&k->durable, &k->row);
	}
	w->durable_cursor = w->cursor;
}

static void forget_since(struct walk *w)
{
	for (uint64_t i = 1; i <= EVENTS; i++) {
		struct known *k = &w->known[i];

		if (k->has_row)
			delivery_clear(&k->row);
		k->has_row = k->durable_row;
		k->offered = k->durable_row;
		k->ends = 0;
		if (!k->durable_row)
			continue;
		delivery_copy(&k->row, &k->durable);
		k->state = k->row.state;
		k->unknown = k->row.unknown;
		k->ends = delivery_ended(k->state) ? 1 : 0;
	}
}

/* What was not durable never happened; the new process reads rows, then duties. */
static void cut(struct walk *w)
{
	uint64_t last = w->next;

	w->cuts++;
	forget_since(w);
	lane_free(w->lane);
	w->lane = lane_new(TARGET, &w->settings, w->durable_cursor);
	w->cursor = w->reached = w->durable_cursor;
	close_breaker(w);
	w->last_call = 0;
	w->nstarts = 0;
	lane_pause(w->lane, true, w->now, &w->out);
	for (uint64_t i = 1; i < last; i++) {
		if (!w->known[i].has_row)
			continue;
		lane_recall(w->lane, &w->known[i].row, &(struct lane_event){.key = w->known[i].key},
			    w->now, &w->out);
		take(w);
	}
	lane_pause(w->lane, false, w->now, &w->out);
	take(w);
	w->next = w->durable_cursor + 1;
	while (w->next < last && lane_wants(w->lane)) {
		uint64_t seq = w->next++;

		if (!w->known[seq].has_row && w->known[seq].duty.target)
			offer_seq(w, seq);
	}
	if (w->next < last)
		w->next = last; /* not reached with the sizes of this test */
}

static struct walk *walk_new(uint64_t seed)
{
	struct walk *w = mem_new(struct walk);

	w->dice = seed;
	w->next = 1;
	w->settings = (struct lane_settings){
		.retry = {.for_ms = 600000, .min_ms = 100, .max_ms = 8000},
		.rate = {.events = 20, .per_ms = 1000, .burst = 6},
		.concurrency = 5,
		.batch = seed % 2 ? 1 : 7,
		.timeout_ms = 4000,
		.deadline_ms = 30000,
		.ordered = true,
		.max_waiting = LANE_MAX_WAITING,
		.max_rows = LANE_MAX_ROWS,
	};
	w->now = (struct lane_now){1800000000000, 1000, 0};
	w->lane = lane_new(TARGET, &w->settings, 0);
	for (uint64_t i = 1; i <= EVENTS; i++) {
		struct known *k = &w->known[i];

		k->duty = (struct duty){.target = TARGET, .rule = 1};
		k->key = roll(w, 12);
		if (roll(w, 3) == 0) {
			k->duty.overlap = roll(w, 2) ? OVERLAP_SUPERSEDE : OVERLAP_QUEUE;
			k->duty.rule = 2 + k->duty.overlap;
			k->duty.group = roll(w, 3);
		}
	}
	return w;
}

static void step(struct walk *w)
{
	w->now.random = roll(w, UINT64_MAX);
	switch (roll(w, 24)) {
	case 0: hold(w); break;
	case 1: drop(w); break;
	case 2:
		if (roll(w, 10) == 0)
			pause_it(w);
		break;
	case 3:
		if (roll(w, 12) == 0)
			storm(w);
		break;
	case 4:
		if (roll(w, 20) == 0)
			cut(w);
		break;
	case 5:
	case 6: make_durable(w); break;
	case 7:
	case 8: pass(w, (int64_t)roll(w, 900)); break;
	case 9:
	case 10:
	case 11: offer(w); break;
	case 12:
	case 13: finish_call(w); break;
	case 14: lane_depart(w->lane, w->last_call); break;
	default: finish(w); break;
	}
	if (roll(w, 8) == 0)
		check_waiting_of_runs(w);
}

/* In good weather everything comes to its end. */
static void let_end(struct walk *w)
{
	bool live = true;

	for (int turn = 0; live && turn < 20000; turn++) {
		uint64_t seq;

		offer(w);
		while ((seq = any_called(w))) {
			lane_finished(w->lane, seq, LANE_OK, "", -1, false, w->now, &w->out);
			take(w);
		}
		pass(w, 500);
		live = w->next <= EVENTS;
		for (uint64_t i = 1; i < w->next && !live; i++)
			live = is_live(&w->known[i]);
	}
	assert_false(live);
	assert_true(lane_cursor(w->lane) == w->reached);
}

static void walk_free(struct walk *w)
{
	for (uint64_t i = 1; i <= EVENTS; i++) {
		if (w->known[i].has_row)
			delivery_clear(&w->known[i].row);
		if (w->known[i].durable_row)
			delivery_clear(&w->known[i].durable);
	}
	lane_free(w->lane);
	free(w);
}

static void a_random_walk_breaks_no_rule_and_everything_ends_once(void **state)
{
	unsigned cuts = 0, holds = 0, superseded = 0, opened = 0, shared = 0, split = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WALKS; seed++) {
		struct walk *w = walk_new(seed * 0x9e3779b97f4a7c15u);

		for (int i = 0; i < STEPS; i++)
			step(w);
		let_end(w);
		cuts += w->cuts;
		holds += w->holds;
		superseded += w->superseded;
		opened += w->opened;
		shared += w->shared;
		split += w->split;
		walk_free(w);
	}
	assert_true(cuts > 5 && holds > 50 && superseded > 20 && opened > 3);
	assert_true(shared > 100 && split > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_random_walk_breaks_no_rule_and_everything_ends_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
