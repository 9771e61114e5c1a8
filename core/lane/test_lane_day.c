#include "lane/testlane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A target that is down for a day, and its backlog afterwards. */

#define BACKLOG 5000
#define KEYS    3
#define DAY_MS  86400000

struct day {
	struct rig *r;
	uint64_t read;       /* so much of the backlog the lane has been offered */
	uint64_t done[KEYS]; /* the last of each key */
	size_t calls, ended;
	bool up;
};

static int set_up(void **state)
{
	*state = rig_new();
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

/* What the journal holds, as far as the lane wants it. */
static void feed(struct day *d)
{
	while (d->read < BACKLOG && lane_wants(d->r->lane)) {
		d->read++;
		rig_offer(d->r, d->read, 1 + d->read % KEYS);
		lane_reached(d->r->lane, d->read);
	}
}

static void answer(struct day *d, uint64_t seq)
{
	d->calls++;
	if (!d->up) {
		rig_down(d->r, seq);
		return;
	}
	assert_true(d->done[seq % KEYS] < seq);
	d->done[seq % KEYS] = seq;
	d->ended++;
	rig_ok(d->r, seq);
}

static void answer_calls(struct day *d)
{
	struct lane_effects given = d->r->out;

	d->r->out = (struct lane_effects){0};
	for (size_t i = 0; i < given.n; i++) {
		if (given.list[i].kind == LANE_CALL)
			answer(d, given.list[i].delivery.seq);
	}
	lane_effects_clear(&given);
}

static void be_down(struct day *d, int64_t ms)
{
	for (int64_t until = d->r->now.boot + ms; d->r->now.boot < until;) {
		feed(d);
		answer_calls(d);
		rig_pass(d->r, 1000);
	}
}

static uint32_t in_memory(const struct day *d)
{
	struct lane_stats s = lane_stats(d->r->lane);

	return s.waiting + s.called + s.held + s.retry;
}

static void a_day_costs_probes_and_nothing_else(void **state)
{
	struct day d = {.r = *state};
	size_t rows, first;
	uint32_t held;

	be_down(&d, 3600000);
	assert_true(lane_stats(d.r->lane).open);
	/* Until the breaker opened, those behind a failed one of their key got rows. */
	rows = d.r->nrows;
	held = in_memory(&d);
	assert_in_range(held, 1, rows + LANE_MAX_WAITING);
	first = d.calls;
	be_down(&d, DAY_MS);
	/* Probes, at the pauses of `retry`, whose jitter the rig makes small. */
	assert_in_range(d.calls - first, DAY_MS / 900000, DAY_MS / 1000);
	assert_int_equal(d.r->nrows, rows);
	assert_int_equal(lane_stats(d.r->lane).dead, 0);
	assert_int_equal(lane_wants(d.r->lane), 0);
	assert_int_equal(in_memory(&d), held);
}

static void the_backlog_drains_at_its_rate_in_order(void **state)
{
	struct day d = {.r = *state};
	int64_t began;

	d.r->settings.rate = (struct rate){.events = 10, .per_ms = 1000, .burst = 20};
	rig_configure(d.r);
	be_down(&d, DAY_MS + 3600000);
	d.up = true;
	began = d.r->now.boot;
	d.calls = 0;
	while (d.ended < BACKLOG) {
		feed(&d);
		answer_calls(&d);
		rig_pass(d.r, 1000);
		assert_in_range(d.calls, 0, 20 + 10 * (d.r->now.boot - began) / 1000 + 1);
		assert_true(d.r->now.boot - began < DAY_MS);
	}
	assert_int_equal(lane_stats(d.r->lane).dead, 0);
	assert_int_equal(lane_cursor(d.r->lane), BACKLOG);
	/* The wait for the first probe that finds it up is a quarter of an hour at most; what
	 * follows goes as fast as it may. */
	assert_true(d.r->now.boot - began < 900000 + 2 * BACKLOG / 10 * 1000);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(a_day_costs_probes_and_nothing_else),
		FACT(the_backlog_drains_at_its_rate_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
