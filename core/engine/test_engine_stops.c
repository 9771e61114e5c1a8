#include "engine/testengine.h"

#include "journal/testdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#define TO_A "[rule r]\non = t.*\ndo = a\n"

static struct bench *b;

static int set_up(void **state)
{
	(void)state;
	b = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (b)
		bench_free(b);
	return 0;
}

static void a_kill_before_the_end_delivers_again_with_the_same_key(void **state)
{
	char key[33];
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	memcpy(key, b->a.keys[0], sizeof key);
	bench_kill(b);
	b->a.calls = 0;
	b->a.act = fake_ok;
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 1);
	assert_int_equal(b->a.seqs[0], seq);
	assert_string_equal(b->a.keys[0], key);
	bench_settle(b);
	bench_kill(b);
	bench_ready(b);
	bench_wait(b, 50);
	assert_int_equal(b->a.calls, 1);
}

static void what_may_have_killed_the_process_goes_one_at_a_time(void **state)
{
	(void)state;
	b = bench_new("", "[rule r]\non = t.*\ndo = a, b\n");
	for (int i = 0; i < 3; i++)
		bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 3 && b->b.calls == 3);
	bench_kill(b);
	b->a.calls = b->b.calls = 0;
	b->a.number = b->b.number = 0;
	bench_ready(b);
	for (size_t n = 1; n <= 6; n++) {
		struct fake *f;

		BENCH_UNTIL(b, b->a.calls + b->b.calls == n);
		bench_wait(b, 20);
		assert_int_equal(b->a.calls + b->b.calls, n);
		f = engine_find(b->engine, b->b.number) ? &b->b : &b->a;
		assert_int_equal(bench_row(b, f->seqs[f->calls - 1], f->name).state,
				 DELIVERY_CALLED);
		bench_finish(b, f->number, LANE_OK, false);
	}
	bench_event(b, "t.x", NULL);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 5 && b->b.calls == 5);
}

static void a_lane_that_went_carefully_wakes_when_its_rate_lets_it_go_on(void **state)
{
	(void)state;
	b = bench_new("rate = 5/s, burst 1\n", TO_A);
	for (int i = 0; i < 3; i++)
		bench_event(b, "t.x", NULL);
	bench_kill(b);
	b->a.calls = 0;
	b->a.act = fake_ok;
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 3);
}

static void the_third_death_of_the_process_makes_a_dead_letter(void **state)
{
	int deaths = 0;
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A "[rule w]\non = pointsman.delivery.dead\ndo = watch\n");
	seq = bench_event(b, "t.x", NULL);
	do {
		BENCH_UNTIL(b, b->a.calls == 1);
		b->a.calls = 0;
		deaths++;
		bench_kill(b);
		bench_ready(b);
		bench_settle(b);
	} while (bench_row(b, seq, "a").state != DELIVERY_DEAD && deaths < 10);
	assert_int_equal(deaths, LANE_DEATHS);
	BENCH_UNTIL(b, b->watch.calls == 1);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
}

static void a_visitor_after_a_crash_counts_as_no_death(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_kill(b);
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 2);
	b->visiting = true;
	bench_kill(b);
	for (int i = 0; i < 3; i++) {
		bench_settle(b);
		assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_CALLED);
		assert_int_equal(bench_row(b, seq, "a").deaths, 1);
		bench_stop(b);
		bench_open(b);
	}
	b->visiting = false;
	bench_stop(b);
	bench_open(b);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "a").deaths, 2);
}

static void an_orderly_stop_goes_on_without_care(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	for (int i = 0; i < 4; i++)
		bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 4);
	bench_stop(b);
	bench_open(b);
	b->a.calls = 0;
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 4);
}

static void take_a_while(struct journal *j, struct sequencer *s, void *arg)
{
	(void)j;
	(void)s;
	(void)arg;
	usleep(100000);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Handed over while the journal's thread is busy with more than one thing. */
static void an_orderly_stop_writes_what_was_handed_over_last(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	bench_ready(b);
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	for (int i = 0; i < 3; i++)
		engine_ask(b->engine, take_a_while, nothing, NULL);
	usleep(150000);
	bench_finish(b, b->a.number, LANE_OK, false);
	bench_stop(b);
	bench_open(b);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
}

static void a_held_delivery_is_called_again_over_a_restart(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_hold(b, b->a.number, 30, "job-7");
	assert_null(engine_find(b->engine, b->a.number));
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_string_equal(b->a.held, "job-7");
	bench_hold(b, b->a.number, 60, "job-7");
	bench_settle(b);
	bench_kill(b);
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 3);
	assert_string_equal(b->a.held, "job-7");
	assert_int_equal(b->a.attempts[2], 1);
	bench_finish(b, b->a.number, LANE_OK, false);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
}

static void the_breaker_is_announced_and_outlives_a_restart(void **state)
{
	(void)state;
	b = bench_new("retry = 1h, 1s..1s\n",
		      TO_A "[rule w]\non = pointsman.breaker.*\ndo = watch\n");
	b->a.act = fake_down;
	for (int i = 0; i < LANE_TROUBLE; i++)
		bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->watch.calls == 1);
	assert_string_equal(bench_data(b, "pointsman.breaker.opened"),
			    "{\"target\":\"a\",\"reason\":\"no luck\"}");
	bench_stop(b);
	bench_open(b);
	assert_true(engine_lane_stats(b->engine, "a", &(struct lane_stats){0}));
	b->a.calls = 0;
	b->a.act = fake_ok;
	bench_ready(b);
	BENCH_UNTIL(b, b->watch.calls == 2);
	assert_int_equal(bench_count(b, "pointsman.breaker.closed"), 1);
	BENCH_UNTIL(b, b->a.calls == LANE_TROUBLE);
	bench_stop(b);
	bench_open(b);
	bench_settle(b);
	assert_int_equal(bench_count(b, "pointsman.breaker.closed"), 1);
}

static void a_drain_waits_for_calls_and_not_for_what_is_held(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_hold(b, b->a.number, 600000, "job");
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 2);
	engine_drain(b->engine, 600000, bench_tell, b);
	bench_wait(b, 20);
	assert_false(b->told);
	bench_event(b, "t.x", NULL);
	bench_wait(b, 20);
	assert_int_equal(b->a.calls, 2);
	bench_finish(b, b->a.number, LANE_OK, false);
	BENCH_UNTIL(b, b->told);
}

static void a_drain_ends_when_its_time_is_over(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	engine_drain(b->engine, 30, bench_tell, b);
	BENCH_UNTIL(b, b->told);
	bench_stop(b);
	bench_open(b);
	b->a.calls = 0;
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 1);
}

static void intake_stops_below_min_free_and_tells_when_there_is_room(void **state)
{
	const char *why;

	(void)state;
	b = bench_new("", TO_A);
	assert_true(engine_has_room(b->engine, &why));
	b->free_bytes = 1000;
	BENCH_UNTIL(b, !engine_has_room(b->engine, &why));
	assert_non_null(strstr(why, "min-free"));
	assert_true(engine_stats(b->engine).full);
	engine_when_room(b->engine, bench_tell, b);
	b->a.act = fake_ok;
	bench_event(b, "t.x", NULL); /* what follows from a delivery is never refused */
	BENCH_UNTIL(b, b->a.calls == 1);
	assert_false(b->told);
	b->free_bytes = 0;
	BENCH_UNTIL(b, b->told);
	assert_true(engine_has_room(b->engine, &why));
}

static void disk_full_tries_again_until_it_fits(void **state)
{
	const char *why;

	(void)state;
	b = bench_on_testdisk("", TO_A);
	b->a.act = fake_ok;
	disk_stay_full(true);
	bench_send(b, "t.x", NULL, NULL);
	BENCH_UNTIL(b, !engine_has_room(b->engine, &why));
	assert_non_null(strstr(why, "disk"));
	assert_int_equal(b->a.calls, 0);
	disk_stay_full(false);
	BENCH_UNTIL(b, b->a.calls == 1);
	BENCH_UNTIL(b, engine_has_room(b->engine, &why));
	assert_int_equal(b->failed, 0);
	bench_free(b);
	b = NULL;
	disk_remove();
}

static void disk_full_lets_lanes_finish_and_begin_nothing(void **state)
{
	uint64_t first;
	const char *why;

	(void)state;
	b = bench_on_testdisk("", TO_A);
	first = bench_event(b, "t.x", "s");
	bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	disk_stay_full(true);
	bench_send(b, "u.x", NULL, NULL);
	BENCH_UNTIL(b, !engine_has_room(b->engine, &why));
	bench_wait(b, 20);
	bench_finish(b, b->a.number, LANE_OK, false);
	bench_wait(b, 100);
	assert_int_equal(b->a.calls, 1);
	disk_stay_full(false);
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_int_equal(bench_row(b, first, "a").state, DELIVERY_DONE);
	bench_free(b);
	b = NULL;
	disk_remove();
}

static void an_error_of_the_disk_ends_with_74_and_answers_nobody(void **state)
{
	(void)state;
	b = bench_on_testdisk("", TO_A);
	b->a.act = fake_ok;
	disk_fail(DISK_BROKEN, 1);
	bench_send(b, "t.x", NULL, NULL);
	BENCH_UNTIL(b, b->failed);
	assert_int_equal(b->failed, 74);
	assert_int_equal(b->a.calls, 0);
	bench_free(b);
	b = NULL;
	disk_remove();
}

/* An empty disk on which the n-th write or sync fails: the exit status of the start. */
static int start_on_trouble(enum disk_trouble trouble, uint32_t n, bool *failed)
{
	struct err err = {{0}};
	int status;

	b = bench_on_testdisk("", TO_A);
	bench_stop(b);
	disk_insert();
	disk_fail(trouble, n);
	status = bench_try(b, &err);
	*failed = disk_failed();
	if (status)
		assert_non_null(strstr(err.text, "journal"));
	bench_free(b);
	b = NULL;
	disk_remove();
	return status;
}

static void trouble_of_the_disk_at_the_start_is_no_mistake_in_the_configuration(void **state)
{
	static const enum disk_trouble troubles[] = {DISK_BROKEN, DISK_FULL};
	bool failed;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bool refused = false;
		uint32_t n = 0;

		do {
			int status = start_on_trouble(troubles[i], ++n, &failed);

			if (status)
				assert_true(status == 73 || status == 74);
			refused |= status == 74;
		} while (failed);
		assert_true(refused);
	}
}

static void the_process_that_holds_the_directory_is_named(void **state)
{
	struct engine_options options = {0};
	struct err err = {{0}};
	int status = 0;

	(void)state;
	b = bench_new("", TO_A);
	options.world = &b->world;
	options.loop = b->loop;
	options.config = b->config;
	assert_null(engine_new(&options, &status, &err));
	assert_int_equal(status, 73);
}

static void a_lane_begins_where_its_rows_and_cursor_stand(void **state)
{
	(void)state;
	b = bench_new("retry = 1h, 1h..1h\n", TO_A);
	for (int i = 0; i < 6; i++) {
		b->a.act = i % 2 ? fake_ok : NULL;
		bench_event(b, "t.x", NULL);
		BENCH_UNTIL(b, b->a.calls == (size_t)i + 1);
		if (i % 2 == 0 && i < 4)
			bench_finish(b, b->a.number, LANE_AGAIN, false);
	}
	bench_settle(b);
	assert_int_equal(engine_lane_cursor(b->engine, "a"), 4);
	bench_kill(b);
	b->a.calls = 0;
	b->a.act = fake_ok;
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_wait(b, 50);
	assert_int_equal(b->a.calls, 1);
	assert_int_equal(b->a.seqs[0], 5);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(a_kill_before_the_end_delivers_again_with_the_same_key),
		FACT(what_may_have_killed_the_process_goes_one_at_a_time),
		FACT(a_lane_that_went_carefully_wakes_when_its_rate_lets_it_go_on),
		FACT(the_third_death_of_the_process_makes_a_dead_letter),
		FACT(a_visitor_after_a_crash_counts_as_no_death),
		FACT(an_orderly_stop_goes_on_without_care),
		FACT(an_orderly_stop_writes_what_was_handed_over_last),
		FACT(a_held_delivery_is_called_again_over_a_restart),
		FACT(the_breaker_is_announced_and_outlives_a_restart),
		FACT(a_drain_waits_for_calls_and_not_for_what_is_held),
		FACT(a_drain_ends_when_its_time_is_over),
		FACT(intake_stops_below_min_free_and_tells_when_there_is_room),
		FACT(disk_full_tries_again_until_it_fits),
		FACT(disk_full_lets_lanes_finish_and_begin_nothing),
		FACT(an_error_of_the_disk_ends_with_74_and_answers_nobody),
		FACT(trouble_of_the_disk_at_the_start_is_no_mistake_in_the_configuration),
		FACT(the_process_that_holds_the_directory_is_named),
		FACT(a_lane_begins_where_its_rows_and_cursor_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
