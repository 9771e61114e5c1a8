#include "engine/testengine.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/testdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TO_A  "[rule r]\non = t.*\ndo = a\n"
#define QUICK "retry = 10s, 5ms..10ms\n"

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

static void an_event_is_delivered_and_its_end_is_durable(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_ok;
	seq = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	assert_int_equal(b->a.seqs[0], seq);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
	assert_int_equal(engine_lane_cursor(b->engine, "a"), seq);
	assert_int_equal(engine_stats(b->engine).accepted, 1);
	assert_int_equal(b->b.calls, 0);
}

static void a_repeat_is_answered_and_not_delivered(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_ok;
	bench_event(b, "t.x", NULL);
	b->made = 0;
	assert_int_equal(bench_event(b, "t.x", NULL), 1);
	assert_int_equal(engine_stats(b->engine).duplicates, 1);
	bench_wait(b, 20);
	assert_int_equal(b->a.calls, 1);
}

static void a_failed_delivery_comes_again_with_the_same_key(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new(QUICK, TO_A);
	seq = bench_event(b, "t.x", NULL);
	for (size_t n = 1; n <= 3; n++) {
		BENCH_UNTIL(b, b->a.calls == n);
		bench_finish(b, b->a.number, n < 3 ? LANE_AGAIN : LANE_OK, false);
	}
	bench_settle(b);
	assert_string_equal(b->a.keys[0], b->a.keys[2]);
	assert_int_equal(b->a.attempts[2], 3);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
	assert_int_equal(bench_row(b, seq, "a").attempt, 3);
}

static void numbers_of_ended_calls_find_nothing(void **state)
{
	struct txn *t = txn_new();
	uint64_t number;

	(void)state;
	b = bench_new("", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	number = b->a.number;
	assert_non_null(engine_find(b->engine, number));
	bench_finish(b, number, LANE_OK, false);
	assert_null(engine_find(b->engine, number));
	assert_null(engine_find(b->engine, 0));
	assert_false(engine_finish(b->engine, t, number, LANE_OK, "", -1, false));
	assert_false(engine_hold(b->engine, t, number, 1, "x"));
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_true(b->a.number != number);
	assert_null(engine_find(b->engine, number));
	txn_free(t);
}

static void timeouts_make_the_number_of_a_forgotten_call_stale(void **state)
{
	uint64_t number;

	(void)state;
	b = bench_new(QUICK "timeout = 50ms\n", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	number = b->a.number;
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_null(engine_find(b->engine, number));
	assert_string_equal(b->a.keys[0], b->a.keys[1]);
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
	bench_ready(b);
	for (size_t n = 1; n <= 6; n++) {
		struct fake *f = &b->a;
		size_t before = b->b.calls;

		BENCH_UNTIL(b, b->a.calls + b->b.calls == n);
		bench_wait(b, 20);
		assert_int_equal(b->a.calls + b->b.calls, n);
		if (engine_find(b->engine, b->b.number) && b->b.calls >= before && b->b.calls)
			f = &b->b;
		assert_int_equal(bench_row(b, f->seqs[f->calls - 1], f->name).state,
				 DELIVERY_CALLED);
		bench_finish(b, f->number, LANE_OK, false);
	}
	bench_event(b, "t.x", NULL);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 5 && b->b.calls == 5);
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

static void deadline_over_a_held_delivery_is_cancelled_under_a_number(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("deadline = 1s\n", TO_A);
	b->a.cancel_ends = true;
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_hold(b, b->a.number, 600000, "job");
	BENCH_UNTIL(b, b->a.cancels == 1);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
	assert_int_equal(b->a.calls, 1);
}

static void then_begins_when_the_first_is_done(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", "[rule r]\non = t.*\ndo = a then b\n");
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_wait(b, 20);
	assert_int_equal(b->b.calls, 0);
	bench_finish(b, b->a.number, LANE_OK, false);
	BENCH_UNTIL(b, b->b.calls == 1);
	assert_int_equal(b->b.seqs[0], seq);
	bench_kill(b);
	b->b.calls = 0;
	b->b.act = fake_ok;
	bench_ready(b);
	BENCH_UNTIL(b, b->b.calls == 1);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "b").state, DELIVERY_DONE);
	assert_int_equal(b->a.calls, 1);
}

static void then_is_not_begun_by_a_death_and_follows_a_redrive(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", "[rule r]\non = t.*\ndo = a then b\n");
	b->a.act = fake_reject;
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "b").state, DELIVERY_STATES);
	b->a.act = fake_ok;
	assert_string_equal(bench_redrive(b, seq, "a", false), "");
	BENCH_UNTIL(b, b->b.calls == 1);
}

static void order_holds_for_one_subject_and_not_across_subjects(void **state)
{
	uint64_t first, second, third;

	(void)state;
	b = bench_new(QUICK, TO_A);
	first = bench_event(b, "t.x", "one");
	second = bench_event(b, "t.x", "one");
	third = bench_event(b, "t.x", "two");
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_int_equal(b->a.seqs[0], first);
	assert_int_equal(b->a.seqs[1], third);
	bench_settle(b);
	bench_kill(b);
	b->a.calls = 0;
	b->a.act = fake_ok;
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 3);
	for (size_t i = 0; b->a.seqs[i] != first; i++)
		assert_true(b->a.seqs[i] != second);
}

static void a_backlog_is_read_from_the_journal_in_order(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	engine_ready(b->engine, "a", false);
	b->a.act = fake_ok;
	for (int i = 0; i < 1499; i++)
		bench_event_lost(b, "t.x");
	bench_event(b, "t.x", NULL);
	engine_ready(b->engine, "a", true);
	BENCH_UNTIL(b, b->a.calls == 1500);
	for (size_t i = 0; i < 1500; i++)
		assert_int_equal(b->a.seqs[i], i + 1);
	bench_settle(b);
	assert_int_equal(engine_lane_cursor(b->engine, "a"), 1500);
}

static void a_target_that_goes_away_gets_its_deliveries_again(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	engine_ready(b->engine, "a", false);
	assert_null(engine_find(b->engine, b->a.number));
	engine_ready(b->engine, "a", true);
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_string_equal(b->a.keys[0], b->a.keys[1]);
}

static void a_call_taken_back_before_it_began_is_not_made(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	engine_ready(b->engine, "a", false);
	bench_event(b, "t.x", NULL);
	bench_wait(b, 20);
	engine_ready(b->engine, "a", true);
	engine_ready(b->engine, "a", false);
	engine_ready(b->engine, "a", true);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_wait(b, 20);
	assert_int_equal(b->a.calls, 1);
}

static void what_is_emitted_in_a_call_has_ids_that_a_retry_repeats(void **state)
{
	struct buf first = {0}, second = {0}, again = {0};

	(void)state;
	b = bench_new(QUICK, TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	engine_emit_id(b->engine, b->a.number, "made.it", &first);
	engine_emit_id(b->engine, b->a.number, "made.it", &second);
	bench_finish(b, b->a.number, LANE_AGAIN, false);
	BENCH_UNTIL(b, b->a.calls == 2);
	engine_emit_id(b->engine, b->a.number, "made.it", &again);
	assert_string_equal(buf_text(&first), buf_text(&again));
	assert_string_not_equal(buf_text(&first), buf_text(&second));
	assert_memory_equal(first.data, b->a.keys[0], 32);
	buf_free(&first);
	buf_free(&second);
	buf_free(&again);
}

static void ids_of_emitted_events_go_on_after_a_hold(void **state)
{
	struct buf first = {0}, second = {0};

	(void)state;
	b = bench_new("", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	engine_emit_id(b->engine, b->a.number, "made.it", &first);
	bench_hold(b, b->a.number, 10, "job");
	BENCH_UNTIL(b, b->a.calls == 2);
	engine_emit_id(b->engine, b->a.number, "made.it", &second);
	assert_string_not_equal(buf_text(&first), buf_text(&second));
	buf_free(&first);
	buf_free(&second);
}

static void what_a_call_emits_is_routed_with_its_cause(void **state)
{
	(void)state;
	b = bench_new("", TO_A "[rule n]\non = made.it\ndo = b\n");
	b->b.act = fake_ok;
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_finish_emitting(b, b->a.number, "made.it");
	BENCH_UNTIL(b, b->b.calls == 1);
	assert_int_equal(bench_count(b, "made.it"), 1);
}

static void a_dead_letter_is_announced_and_can_be_redriven_under_a_new_key(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A "[rule w]\non = pointsman.delivery.dead\ndo = a, watch\n");
	b->a.act = fake_reject;
	seq = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->watch.calls == 1);
	assert_non_null(strstr(bench_data(b, "pointsman.delivery.dead"),
			       "{\"target\":\"a\",\"count\":1,\"reason\":\"no luck\",\"event\":"));
	assert_int_equal(b->a.calls, 1); /* what is about a is never delivered to a */
	b->a.act = fake_ok;
	assert_string_equal(bench_redrive(b, seq, "a", false), "");
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_string_not_equal(b->a.keys[0], b->a.keys[1]);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
	assert_int_equal(bench_row(b, seq, "a").round, 1);
}

static void dead_letters_of_one_minute_are_announced_together(void **state)
{
	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_reject;
	for (int i = 0; i < 5; i++)
		bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 5);
	bench_settle(b);
	assert_int_equal(bench_count(b, "pointsman.delivery.dead"), 1);
	bench_stop(b);
	bench_open(b);
	bench_settle(b);
	BENCH_UNTIL(b, bench_count(b, "pointsman.delivery.dead") == 2);
	assert_non_null(strstr(bench_data(b, "pointsman.delivery.dead"), "\"count\":4"));
	bench_stop(b);
	bench_open(b);
	bench_wait(b, 20);
	assert_int_equal(bench_count(b, "pointsman.delivery.dead"), 2);
}

static void a_redrive_keeps_the_key_of_an_attempt_whose_outcome_is_unknown(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("retry = none\n", TO_A);
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_finish(b, b->a.number, LANE_DOWN, true);
	bench_settle(b);
	assert_string_equal(bench_redrive(b, seq, "a", false), "");
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_string_equal(b->a.keys[0], b->a.keys[1]);
}

static void a_redrive_that_would_set_back_a_newer_one_needs_force(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_reject;
	seq = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	b->a.act = fake_ok;
	bench_event(b, "t.x", "other");
	BENCH_UNTIL(b, b->a.calls == 2);
	bench_settle(b);
	bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 3);
	bench_settle(b);
	assert_non_null(strstr(bench_redrive(b, seq, "a", false), "--force"));
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DEAD);
	assert_string_equal(bench_redrive(b, seq, "a", true), "");
	BENCH_UNTIL(b, b->a.calls == 4);
}

static void what_cannot_be_redriven_says_why(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_ok;
	seq = bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_settle(b);
	assert_non_null(strstr(bench_redrive(b, seq, "a", false), "not dead"));
	assert_non_null(strstr(bench_redrive(b, 999, "a", false), "no dead letter"));
	bench_refuse(b, "not fit");
	assert_non_null(strstr(bench_redrive(b, seq + 1, NULL, false), "refused at intake"));
}

static void a_drop_ends_live_and_dead_deliveries(void **state)
{
	uint64_t live, dead;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_reject;
	dead = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	b->a.act = NULL;
	live = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 2);
	assert_string_equal(bench_drop(b, dead, "a"), "");
	assert_string_equal(bench_drop(b, live, "a"), "");
	assert_null(engine_find(b->engine, b->a.number));
	assert_int_equal(bench_row(b, dead, "a").state, DELIVERY_DROPPED);
	assert_int_equal(bench_row(b, live, "a").state, DELIVERY_DROPPED);
	assert_string_equal(bench_row(b, live, "a").why, "no use");
	assert_non_null(strstr(bench_drop(b, live, "a"), ""));
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

static void a_slow_target_holds_up_no_other(void **state)
{
	(void)state;
	b = bench_new("concurrency = 1\n", "[rule r]\non = t.*\ndo = a, b\n");
	b->b.act = fake_ok;
	for (int i = 0; i < 20; i++)
		bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->b.calls == 20);
	assert_int_equal(b->a.calls, 1);
}

static void set_true(void *arg)
{
	*(bool *)arg = true;
}

static void a_drain_waits_for_calls_and_not_for_what_is_held(void **state)
{
	bool drained = false;

	(void)state;
	b = bench_new("", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_hold(b, b->a.number, 600000, "job");
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 2);
	engine_drain(b->engine, 600000, set_true, &drained);
	bench_wait(b, 20);
	assert_false(drained);
	bench_event(b, "t.x", NULL);
	bench_wait(b, 20);
	assert_int_equal(b->a.calls, 2);
	bench_finish(b, b->a.number, LANE_OK, false);
	BENCH_UNTIL(b, drained);
}

static void a_drain_ends_when_its_time_is_over(void **state)
{
	bool drained = false;

	(void)state;
	b = bench_new("", TO_A);
	bench_event(b, "t.x", NULL);
	BENCH_UNTIL(b, b->a.calls == 1);
	engine_drain(b->engine, 30, set_true, &drained);
	BENCH_UNTIL(b, drained);
	bench_stop(b);
	bench_open(b);
	b->a.calls = 0;
	bench_ready(b);
	BENCH_UNTIL(b, b->a.calls == 1);
}

static void intake_stops_below_min_free_and_tells_when_there_is_room(void **state)
{
	const char *why;
	bool told = false;

	(void)state;
	b = bench_new("", TO_A);
	assert_true(engine_has_room(b->engine, &why));
	b->free_bytes = 1000;
	BENCH_UNTIL(b, !engine_has_room(b->engine, &why));
	assert_non_null(strstr(why, "min-free"));
	assert_true(engine_stats(b->engine).full);
	engine_when_room(b->engine, set_true, &told);
	b->a.act = fake_ok;
	bench_event(b, "t.x", NULL); /* what follows from a delivery is never refused */
	BENCH_UNTIL(b, b->a.calls == 1);
	assert_false(told);
	b->free_bytes = 0;
	BENCH_UNTIL(b, told);
	assert_true(engine_has_room(b->engine, &why));
}

static struct bench *bench_on_testdisk(void)
{
	struct bench *made;

	disk_insert();
	made = bench_new("", TO_A);
	bench_stop(made);
	made->world.vfs = DISK_NAME;
	bench_open(made);
	bench_ready(made);
	bench_settle(made);
	return made;
}

static void disk_full_tries_again_until_it_fits(void **state)
{
	const char *why;

	(void)state;
	b = bench_on_testdisk();
	b->a.act = fake_ok;
	disk_stay_full(true);
	bench_event_lost(b, "t.x");
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
	b = bench_on_testdisk();
	first = bench_event(b, "t.x", "s");
	bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	disk_stay_full(true);
	bench_event_lost(b, "u.x");
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
	b = bench_on_testdisk();
	b->a.act = fake_ok;
	disk_fail(DISK_BROKEN, 1);
	bench_event_lost(b, "t.x");
	BENCH_UNTIL(b, b->failed);
	assert_int_equal(b->failed, 74);
	assert_int_equal(b->a.calls, 0);
	bench_free(b);
	b = NULL;
	disk_remove();
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
		FACT(an_event_is_delivered_and_its_end_is_durable),
		FACT(a_repeat_is_answered_and_not_delivered),
		FACT(a_failed_delivery_comes_again_with_the_same_key),
		FACT(numbers_of_ended_calls_find_nothing),
		FACT(timeouts_make_the_number_of_a_forgotten_call_stale),
		FACT(a_kill_before_the_end_delivers_again_with_the_same_key),
		FACT(what_may_have_killed_the_process_goes_one_at_a_time),
		FACT(the_third_death_of_the_process_makes_a_dead_letter),
		FACT(a_visitor_after_a_crash_counts_as_no_death),
		FACT(an_orderly_stop_goes_on_without_care),
		FACT(a_held_delivery_is_called_again_over_a_restart),
		FACT(deadline_over_a_held_delivery_is_cancelled_under_a_number),
		FACT(then_begins_when_the_first_is_done),
		FACT(then_is_not_begun_by_a_death_and_follows_a_redrive),
		FACT(order_holds_for_one_subject_and_not_across_subjects),
		FACT(a_backlog_is_read_from_the_journal_in_order),
		FACT(a_target_that_goes_away_gets_its_deliveries_again),
		FACT(a_call_taken_back_before_it_began_is_not_made),
		FACT(what_is_emitted_in_a_call_has_ids_that_a_retry_repeats),
		FACT(ids_of_emitted_events_go_on_after_a_hold),
		FACT(what_a_call_emits_is_routed_with_its_cause),
		FACT(a_dead_letter_is_announced_and_can_be_redriven_under_a_new_key),
		FACT(dead_letters_of_one_minute_are_announced_together),
		FACT(a_redrive_keeps_the_key_of_an_attempt_whose_outcome_is_unknown),
		FACT(a_redrive_that_would_set_back_a_newer_one_needs_force),
		FACT(what_cannot_be_redriven_says_why),
		FACT(a_drop_ends_live_and_dead_deliveries),
		FACT(the_breaker_is_announced_and_outlives_a_restart),
		FACT(a_slow_target_holds_up_no_other),
		FACT(a_drain_waits_for_calls_and_not_for_what_is_held),
		FACT(a_drain_ends_when_its_time_is_over),
		FACT(intake_stops_below_min_free_and_tells_when_there_is_room),
		FACT(disk_full_tries_again_until_it_fits),
		FACT(disk_full_lets_lanes_finish_and_begin_nothing),
		FACT(an_error_of_the_disk_ends_with_74_and_answers_nobody),
		FACT(the_process_that_holds_the_directory_is_named),
		FACT(a_lane_begins_where_its_rows_and_cursor_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
