#include "engine/testengine.h"

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

static void one_target_that_is_down_holds_up_no_other_and_loses_nothing(void **state)
{
	const size_t many = 1500;
	size_t tried;

	(void)state;
	b = bench_new("retry = 1d, 1s..1s\n", "[rule r]\non = t.*\ndo = a, b\n");
	b->a.act = fake_down;
	b->b.act = fake_ok;
	for (size_t i = 0; i < many; i++)
		bench_send(b, "t.x", NULL, NULL);
	BENCH_UNTIL(b, b->b.calls == many);
	assert_in_range(b->a.calls, LANE_TROUBLE, many / 10);
	for (size_t i = 1; i < many; i++)
		assert_true(b->b.seqs[i - 1] < b->b.seqs[i]);
	b->a.act = fake_ok;
	tried = b->a.calls;
	BENCH_UNTIL(b, engine_lane_cursor(b->engine, "a") == many + 2); /* opened, closed */
	assert_in_range(b->a.calls, many, many + tried + 10);
	assert_int_equal(bench_row(b, many, "a").state, DELIVERY_DONE);
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
	/* The event of the second was read anew, and its time ran from then on. */
	BENCH_UNTIL(b, b->a.calls == 3);
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
		bench_send(b, "t.x", NULL, NULL);
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
	assert_non_null(strstr(bench_data(b, "pointsman.delivery.dead"), "\"type\":\"t.x\""));
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
	bench_settle(b);
	assert_non_null(strstr(bench_row(b, seq, "a").trail, "late: event"));
}

static void dead_letters_of_intake_are_announced_once_a_minute(void **state)
{
	(void)state;
	b = bench_new("", TO_A "[rule w]\non = pointsman.delivery.dead\ndo = watch\n");
	b->watch.act = fake_ok;
	bench_refuse(b, "no such shape");
	BENCH_UNTIL(b, b->watch.calls == 1);
	assert_non_null(strstr(bench_data(b, "pointsman.delivery.dead"),
			       "{\"target\":\"intake\",\"count\":1,\"reason\":\"no such shape\""));
	bench_refuse(b, "nor such a one");
	bench_settle(b);
	bench_wait(b, 20);
	assert_int_equal(bench_count(b, "pointsman.delivery.dead"), 1);
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

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(an_event_is_delivered_and_its_end_is_durable),
		FACT(one_target_that_is_down_holds_up_no_other_and_loses_nothing),
		FACT(a_repeat_is_answered_and_not_delivered),
		FACT(a_failed_delivery_comes_again_with_the_same_key),
		FACT(numbers_of_ended_calls_find_nothing),
		FACT(timeouts_make_the_number_of_a_forgotten_call_stale),
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
		FACT(dead_letters_of_intake_are_announced_once_a_minute),
		FACT(what_cannot_be_redriven_says_why),
		FACT(a_drop_ends_live_and_dead_deliveries),
		FACT(a_slow_target_holds_up_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
