/* The power is cut at every write of a run, and what was accepted comes to its end. */
#include "engine/testengine.h"
#include "journal/testdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVENTS 6
#define LAST   400 /* writes; a run has fewer */

static struct {
	bool accepted[EVENTS + 1]; /* by number of the event's id */
	char keys[EVENTS + 1][2][33];
} seen;

static void on_accepted(struct txn *t, void *arg)
{
	*(bool *)arg = !t->failed;
}

static void check_key(const struct fake *f, const struct engine_call *call)
{
	char *key = seen.keys[atoi(call->event->id + 1)][f == &f->bench->b];

	if (*key)
		assert_string_equal(key, call->key);
	memcpy(key, call->key, 33);
}

/* Of three events one fails first, one is held, one just works. */
static void act(struct fake *f, const struct engine_call *call)
{
	int kind = atoi(call->event->id + 1) % 3;

	check_key(f, call);
	if (kind == 0 && call->attempt == 1)
		bench_finish(f->bench, call->number, LANE_AGAIN, false);
	else if (kind == 1 && !call->held)
		bench_hold(f->bench, call->number, 2, "job");
	else
		bench_finish(f->bench, call->number, LANE_OK, false);
}

static struct bench *bench_new_run(void)
{
	struct bench *b =
		bench_on_testdisk("retry = 10s, 1ms..2ms\n", "[rule r]\non = t.*\ndo = a then b\n");

	memset(&seen, 0, sizeof seen);
	b->a.act = b->b.act = act;
	return b;
}

static bool all_done(struct bench *b, uint64_t seq)
{
	return bench_row(b, seq, "a").state == DELIVERY_DONE &&
	       bench_row(b, seq, "b").state == DELIVERY_DONE;
}

static size_t count_done(struct bench *b)
{
	size_t n = 0;

	for (uint64_t seq = 1; seq <= engine_stats(b->engine).last_seq; seq++)
		n += all_done(b, seq);
	return n;
}

static size_t count_accepted(void)
{
	size_t n = 0;

	for (int i = 1; i <= EVENTS; i++)
		n += seen.accepted[i];
	return n;
}

/* False: the run came to its end before that write. */
static bool run_until_cut(struct bench *b, uint32_t write)
{
	disk_fail(DISK_CUT, write);
	for (int i = 1; i <= EVENTS; i++)
		bench_send(b, "t.x", on_accepted, &seen.accepted[i]);
	for (int64_t until = bench_patience(b); !b->failed; bench_turn(b, until, "an end")) {
		struct lane_stats to_a, to_b;

		engine_lane_stats(b->engine, "a", &to_a);
		engine_lane_stats(b->engine, "b", &to_b);
		if (to_a.done == EVENTS && to_b.done == EVENTS)
			break;
	}
	return b->failed || disk_failed();
}

static void start_again(struct bench *b, uint32_t seed)
{
	bench_stop(b);
	disk_power_cut(seed);
	b->failed = 0;
	bench_open(b);
	bench_ready(b);
}

static void power_cut_at_any_write_loses_nothing_accepted(void **state)
{
	bool cut = true;
	uint32_t write;

	(void)state;
	for (write = 1; cut && write < LAST; write++) {
		struct bench *b = bench_new_run();

		cut = run_until_cut(b, write);
		start_again(b, write % 3);
		BENCH_UNTIL(b, count_done(b) == engine_stats(b->engine).last_seq);
		assert_true(engine_stats(b->engine).last_seq >= count_accepted());
		assert_int_equal(b->failed, 0);
		bench_free(b);
		disk_remove();
	}
	assert_in_range(write, 10, LAST - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_cut_at_any_write_loses_nothing_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
