#include "lane/testlane.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_WALL 1800000000000
#define START_BOOT 5000
#define ONE_SECOND 999 /* what makes every jittered pause of 1s and more one second */

struct rig *rig_new(void)
{
	struct rig *r = mem_new(struct rig);

	r->settings = (struct lane_settings){
		.retry = {.for_ms = 86400000, .min_ms = 1000, .max_ms = 900000},
		.concurrency = 8,
		.timeout_ms = 30000,
		.deadline_ms = 3600000,
		.ordered = true,
		.max_waiting = LANE_MAX_WAITING,
		.max_rows = LANE_MAX_ROWS,
	};
	r->now = (struct lane_now){START_WALL, START_BOOT, ONE_SECOND};
	r->lane = lane_new(RIG_TARGET, &r->settings, 0);
	return r;
}

void rig_free(struct rig *r)
{
	lane_effects_clear(&r->out);
	lane_free(r->lane);
	for (size_t i = 0; i < r->nrows; i++)
		delivery_clear(&r->rows[i]);
	free(r->rows);
	free(r);
}

void rig_configure(struct rig *r)
{
	lane_configure(r->lane, &r->settings);
}

void rig_clear(struct rig *r)
{
	lane_effects_clear(&r->out);
}

static struct delivery *find_row(const struct rig *r, uint64_t seq)
{
	for (size_t i = 0; i < r->nrows; i++) {
		if (r->rows[i].seq == seq)
			return &r->rows[i];
	}
	return NULL;
}

static void store(struct rig *r, const struct delivery *d)
{
	struct delivery *row = find_row(r, d->seq);

	if (row) {
		delivery_clear(row);
	} else {
		mem_room(r->rows, r->nrows, r->cap);
		row = &r->rows[r->nrows++];
	}
	delivery_copy(row, d);
}

/* Effects from `from` on reach the journal. */
static void take(struct rig *r, size_t from)
{
	for (size_t i = from; i < r->out.n; i++) {
		if (r->out.list[i].kind == LANE_ROW)
			store(r, &r->out.list[i].delivery);
	}
}

void rig_restart(struct rig *r, bool unclean, uint64_t last)
{
	char *breaker = lane_breaker_save(r->lane);
	size_t from = r->out.n, n = r->nrows;

	lane_free(r->lane);
	r->lane = lane_new(RIG_TARGET, &r->settings, 0);
	if (unclean)
		lane_careful(r->lane, last);
	lane_breaker_load(r->lane, breaker, r->now);
	for (size_t i = 0; i < n; i++)
		lane_recall(r->lane, &r->rows[i], &(struct lane_event){0}, r->now, &r->out);
	take(r, from);
	free(breaker);
}

static void offer(struct rig *r, uint64_t seq, const struct duty *duty, uint64_t key, size_t bytes)
{
	size_t from = r->out.n;

	lane_offer(r->lane, &(struct lane_event){.seq = seq, .key = key, .bytes = bytes}, duty,
		   r->now, &r->out);
	lane_reached(r->lane, seq);
	take(r, from);
}

void rig_offer(struct rig *r, uint64_t seq, uint64_t key)
{
	struct duty duty = {.target = RIG_TARGET, .rule = 1};

	offer(r, seq, &duty, key, 0);
}

void rig_offer_large(struct rig *r, uint64_t seq, size_t bytes)
{
	struct duty duty = {.target = RIG_TARGET, .rule = 1};

	offer(r, seq, &duty, 0, bytes);
}

void rig_fire(struct rig *r, uint64_t seq, enum overlap overlap, uint64_t group)
{
	struct duty duty = {.target = RIG_TARGET,
			    .rule = 2,
			    .group = group,
			    .overlap = (uint8_t)overlap,
			    .members = true};

	offer(r, seq, &duty, 0, 0);
}

static void finish(struct rig *r, uint64_t seq, enum lane_result result, const char *why)
{
	size_t from = r->out.n;

	lane_finished(r->lane, seq, result, why, -1, false, r->now, &r->out);
	take(r, from);
}

void rig_ok(struct rig *r, uint64_t seq)
{
	finish(r, seq, LANE_OK, "");
}

void rig_down(struct rig *r, uint64_t seq)
{
	finish(r, seq, LANE_DOWN, "503");
}

void rig_again(struct rig *r, uint64_t seq)
{
	finish(r, seq, LANE_AGAIN, "not yet");
}

void rig_reject(struct rig *r, uint64_t seq)
{
	finish(r, seq, LANE_REJECT, "404");
}

void rig_split(struct rig *r, uint64_t seq)
{
	finish(r, seq, LANE_SPLIT, "413");
}

void rig_hold(struct rig *r, uint64_t seq, int64_t ms, const char *state)
{
	size_t from = r->out.n;

	lane_held(r->lane, seq, ms, state, 0, r->now, &r->out);
	take(r, from);
}

static void move_to(struct rig *r, int64_t boot)
{
	r->now.wall += boot - r->now.boot;
	r->now.boot = boot;
}

void rig_set_clock(struct rig *r, int64_t wall)
{
	size_t from = r->out.n;

	r->now.wall = wall;
	lane_clock_set(r->lane, r->now, &r->out);
	take(r, from);
}

void rig_pass(struct rig *r, int64_t ms)
{
	int64_t until = r->now.boot + ms, next;
	size_t from = r->out.n;
	int turns = 0;

	while ((next = lane_next(r->lane, r->now)) <= until) {
		move_to(r, next);
		lane_tick(r->lane, r->now, &r->out);
		assert(++turns < 1000000); /* a lane that asks for ever */
	}
	move_to(r, until);
	take(r, from);
}

void rig_permit(struct rig *r)
{
	size_t from = r->out.n;

	lane_permit(r->lane, r->now, &r->out);
	take(r, from);
}

void rig_redrive(struct rig *r, uint64_t seq, uint64_t key)
{
	struct delivery d = *rig_row(r, seq);
	size_t from = r->out.n;

	lane_forget(r->lane, seq);
	d.state = DELIVERY_WAITING;
	d.attempt = d.emitted = d.deaths = 0;
	d.first_at = d.begun_at = d.ended_at = d.due = 0;
	d.unknown = d.told = false;
	d.round++;
	d.held = d.why = d.trail = NULL;
	store(r, &d);
	lane_recall(r->lane, &d, &(struct lane_event){.key = key}, r->now, &r->out);
	take(r, from);
}

void rig_open_breaker(struct rig *r)
{
	for (uint64_t seq = 1; seq <= LANE_TROUBLE; seq++)
		rig_offer(r, seq, 0);
	for (uint64_t seq = 1; seq <= LANE_TROUBLE; seq++)
		rig_down(r, seq);
	assert(lane_stats(r->lane).open);
	rig_clear(r);
}

size_t rig_count(const struct rig *r, enum lane_effect_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < r->out.n; i++)
		n += r->out.list[i].kind == kind;
	return n;
}

bool rig_has(const struct rig *r, enum lane_effect_kind kind, uint64_t seq)
{
	for (size_t i = 0; i < r->out.n; i++) {
		if (r->out.list[i].kind == kind && r->out.list[i].delivery.seq == seq)
			return true;
	}
	return false;
}

const struct lane_effect *rig_last(const struct rig *r, enum lane_effect_kind kind)
{
	for (size_t i = r->out.n; i > 0; i--) {
		if (r->out.list[i - 1].kind == kind)
			return &r->out.list[i - 1];
	}
	return NULL;
}

const struct delivery *rig_row(const struct rig *r, uint64_t seq)
{
	return find_row(r, seq);
}

enum delivery_state rig_state(const struct rig *r, uint64_t seq)
{
	const struct delivery *row = find_row(r, seq);

	assert(row);
	return row->state;
}

const char *rig_calls(struct rig *r)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < r->out.n && len < sizeof text - 24; i++) {
		if (r->out.list[i].kind == LANE_CALL)
			len += (size_t)snprintf(text + len, sizeof text - len, "%llu ",
						(unsigned long long)r->out.list[i].delivery.seq);
	}
	return text;
}
