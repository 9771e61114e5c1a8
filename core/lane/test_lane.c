#include "lane/testlane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void a_delivery_is_called_at_once_and_ends_with_one_row(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	assert_string_equal(rig_calls(r), "1 ");
	assert_int_equal(rig_count(r, LANE_ROW), 0);
	rig_ok(r, 1);
	assert_int_equal(rig_count(r, LANE_ROW), 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DONE);
	assert_int_equal(rig_row(r, 1)->attempt, 1);
	assert_true(rig_row(r, 1)->ended_at == r->now.wall);
	assert_int_equal(lane_stats(r->lane).done, 1);
}

static void a_held_delivery_is_looked_after_at_its_time_without_an_attempt(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_hold(r, 1, 10000, "job-1");
	assert_int_equal(rig_state(r, 1), DELIVERY_HELD);
	assert_string_equal(rig_row(r, 1)->held, "job-1");
	rig_pass(r, 9999);
	assert_string_equal(rig_calls(r), "1 ");
	rig_pass(r, 1);
	assert_string_equal(rig_calls(r), "1 1 ");
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.attempt, 1);
	assert_string_equal(rig_last(r, LANE_CALL)->delivery.held, "job-1");
	rig_hold(r, 1, 10000, "job-1b");
	rig_pass(r, 10000);
	rig_ok(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DONE);
	assert_int_equal(rig_row(r, 1)->attempt, 1);
}

static void a_held_delivery_keeps_its_place_and_its_order(void **state)
{
	struct rig *r = *state;

	r->settings.concurrency = 2;
	rig_configure(r);
	rig_offer(r, 1, 5);
	rig_offer(r, 2, 5);
	rig_offer(r, 3, 6);
	rig_offer(r, 4, 7);
	rig_hold(r, 1, 600000, "job");
	assert_string_equal(rig_calls(r), "1 3 ");
	rig_ok(r, 3);
	assert_string_equal(rig_calls(r), "1 3 4 ");
	rig_ok(r, 4);
	assert_string_equal(rig_calls(r), "1 3 4 ");
	rig_pass(r, 600000);
	rig_ok(r, 1);
	assert_string_equal(rig_calls(r), "1 3 4 1 2 ");
}

static void a_look_that_fails_is_retried_with_what_was_held(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	lane_held(r->lane, 1, 1000, "job", 2, r->now, &r->out);
	rig_pass(r, 1000);
	rig_down(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
	rig_pass(r, 1000);
	assert_string_equal(rig_last(r, LANE_CALL)->delivery.held, "job");
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.emitted, 2);
}

static void a_look_goes_on_while_the_breaker_is_open(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 9, 0);
	rig_hold(r, 9, 500, "job");
	rig_open_breaker(r);
	rig_pass(r, 500);
	assert_string_equal(rig_calls(r), "9 ");
}

static void a_held_delivery_may_end_between_two_looks(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_hold(r, 1, 10000, "job");
	rig_ok(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DONE);
	assert_int_equal(lane_stats(r->lane).held, 0);
	rig_pass(r, 100000);
	assert_string_equal(rig_calls(r), "1 ");
}

static void order_starts_only_the_oldest_of_a_key(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 5);
	rig_offer(r, 2, 5);
	rig_offer(r, 3, 6);
	assert_string_equal(rig_calls(r), "1 3 ");
	rig_again(r, 1);
	rig_pass(r, 999);
	assert_string_equal(rig_calls(r), "1 3 ");
	rig_pass(r, 1);
	rig_ok(r, 1);
	assert_string_equal(rig_calls(r), "1 3 1 2 ");
}

static void order_lets_the_next_pass_a_dead_one(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 5);
	rig_offer(r, 2, 5);
	rig_reject(r, 1);
	assert_string_equal(rig_calls(r), "1 2 ");
}

static void order_by_none_lets_all_pass(void **state)
{
	struct rig *r = *state;

	r->settings.ordered = false;
	rig_configure(r);
	rig_offer(r, 1, 5);
	rig_offer(r, 2, 5);
	rig_offer(r, 3, 0);
	assert_string_equal(rig_calls(r), "1 2 3 ");
}

static void order_has_a_redriven_one_wait_for_the_newer_under_way(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 5);
	rig_offer(r, 2, 5);
	rig_offer(r, 3, 5);
	rig_reject(r, 1);
	rig_redrive(r, 1, 5);
	assert_string_equal(rig_calls(r), "1 2 ");
	rig_ok(r, 2);
	assert_string_equal(rig_calls(r), "1 2 1 ");
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.round, 1);
	rig_ok(r, 1);
	assert_string_equal(rig_calls(r), "1 2 1 3 ");
}

static void order_gives_rows_to_followers_so_that_the_cursor_moves_on(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 5);
	rig_offer(r, 2, 5);
	rig_offer(r, 3, 5);
	assert_int_equal(lane_cursor(r->lane), 0);
	rig_again(r, 1);
	assert_int_equal(rig_state(r, 2), DELIVERY_WAITING);
	assert_int_equal(rig_state(r, 3), DELIVERY_WAITING);
	assert_int_equal(lane_cursor(r->lane), 3);
	rig_offer(r, 4, 5);
	assert_int_equal(rig_state(r, 4), DELIVERY_WAITING);
	assert_int_equal(lane_cursor(r->lane), 4);
	rig_offer(r, 5, 6);
	assert_int_equal(lane_cursor(r->lane), 4);
}

static void then_begins_with_the_end_and_not_with_a_death(void **state)
{
	struct rig *r = *state;
	struct duty duty = {.target = RIG_TARGET, .rule = 1, .then = 9};

	lane_offer(r->lane, &(struct lane_event){.seq = 1}, &duty, r->now, &r->out);
	lane_offer(r->lane, &(struct lane_event){.seq = 2}, &duty, r->now, &r->out);
	rig_reject(r, 1);
	assert_int_equal(rig_count(r, LANE_THEN), 0);
	rig_ok(r, 2);
	assert_int_equal(rig_count(r, LANE_THEN), 1);
	assert_int_equal(rig_last(r, LANE_THEN)->delivery.duty.then, 9);
	rig_redrive(r, 1, 0);
	rig_ok(r, 1);
	assert_true(rig_has(r, LANE_THEN, 1));
}

static void overlap_supersede_keeps_one_started_and_the_newest_waiting(void **state)
{
	struct rig *r = *state;

	rig_fire(r, 1, OVERLAP_SUPERSEDE, 4);
	rig_fire(r, 2, OVERLAP_SUPERSEDE, 4);
	rig_fire(r, 3, OVERLAP_SUPERSEDE, 4);
	rig_fire(r, 4, OVERLAP_SUPERSEDE, 5);
	assert_string_equal(rig_calls(r), "1 4 ");
	assert_int_equal(rig_state(r, 2), DELIVERY_SUPERSEDED);
	assert_int_equal(rig_row(r, 2)->by, 3);
	rig_hold(r, 1, 1000, "build");
	rig_fire(r, 5, OVERLAP_SUPERSEDE, 4);
	assert_int_equal(rig_state(r, 3), DELIVERY_SUPERSEDED);
	rig_ok(r, 1);
	assert_string_equal(rig_calls(r), "1 4 5 ");
}

static void overlap_supersede_replaces_one_that_failed_with_a_definite_answer(void **state)
{
	struct rig *r = *state;

	rig_fire(r, 1, OVERLAP_SUPERSEDE, 4);
	rig_again(r, 1);
	rig_fire(r, 2, OVERLAP_SUPERSEDE, 4);
	assert_int_equal(rig_state(r, 1), DELIVERY_SUPERSEDED);
	assert_string_equal(rig_calls(r), "1 2 ");
	rig_fire(r, 3, OVERLAP_SUPERSEDE, 4);
	rig_again(r, 2);
	assert_int_equal(rig_state(r, 2), DELIVERY_SUPERSEDED);
	assert_string_equal(rig_calls(r), "1 2 3 ");
}

static void overlap_supersede_spares_one_whose_outcome_is_unknown(void **state)
{
	struct rig *r = *state;

	rig_fire(r, 1, OVERLAP_SUPERSEDE, 4);
	lane_finished(r->lane, 1, LANE_DOWN, "cut", -1, true, r->now, &r->out);
	rig_fire(r, 2, OVERLAP_SUPERSEDE, 4);
	rig_fire(r, 3, OVERLAP_SUPERSEDE, 4);
	assert_int_equal(rig_state(r, 2), DELIVERY_SUPERSEDED);
	assert_string_equal(rig_calls(r), "1 ");
	rig_pass(r, 1000);
	rig_ok(r, 1);
	assert_string_equal(rig_calls(r), "1 1 3 ");
}

static void overlap_queue_starts_one_after_the_other(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_fire(r, seq, OVERLAP_QUEUE, 4);
	rig_fire(r, 4, OVERLAP_QUEUE, 5);
	assert_string_equal(rig_calls(r), "1 4 ");
	rig_again(r, 1);
	rig_pass(r, 1000);
	rig_ok(r, 1);
	rig_reject(r, 2);
	assert_string_equal(rig_calls(r), "1 4 1 2 3 ");
}

static void overlap_parallel_starts_all(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_fire(r, seq, OVERLAP_PARALLEL, 4);
	assert_string_equal(rig_calls(r), "1 2 3 ");
}

static void concurrency_is_kept(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 20; seq++)
		rig_offer(r, seq, 0);
	assert_int_equal(rig_count(r, LANE_CALL), 8);
	rig_ok(r, 4);
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.seq, 9);
	r->settings.concurrency = 10;
	rig_configure(r);
	rig_pass(r, 0);
	assert_int_equal(rig_count(r, LANE_CALL), 11);
}

static void rate_of_a_target_is_kept_with_its_burst(void **state)
{
	struct rig *r = *state;

	r->settings.rate = (struct rate){.events = 5, .per_ms = 1000, .burst = 3};
	r->settings.concurrency = 100;
	rig_configure(r);
	for (uint64_t seq = 1; seq <= 20; seq++)
		rig_offer(r, seq, 0);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	rig_pass(r, 199);
	assert_int_equal(rig_count(r, LANE_CALL), 3);
	rig_pass(r, 1);
	assert_int_equal(rig_count(r, LANE_CALL), 4);
	rig_pass(r, 1000);
	assert_int_equal(rig_count(r, LANE_CALL), 9);
	rig_pass(r, 10000);
	assert_string_equal(rig_calls(r), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 ");
}

static void who_is_ahead_of_one_with_a_row_has_a_row_too(void **state)
{
	struct rig *r = *state;

	r->settings.rate = (struct rate){.events = 1, .per_ms = 3600000, .burst = 2};
	rig_configure(r);
	rig_offer(r, 1, 7);
	rig_offer(r, 2, 7);
	rig_again(r, 1);
	rig_pass(r, 1000); /* 1 is in a call again: 3 is behind nobody who waits */
	rig_offer(r, 3, 7);
	assert_null(rig_row(r, 3));
	rig_ok(r, 1); /* 2 has to wait for its rate */
	rig_offer(r, 4, 7);
	assert_int_equal(rig_state(r, 2), DELIVERY_WAITING);
	assert_int_equal(rig_state(r, 4), DELIVERY_WAITING);
	assert_int_equal(rig_state(r, 3), DELIVERY_WAITING);
}

static void rate_per_group_holds_up_no_other_group(void **state)
{
	struct rig *r = *state;

	r->settings.rate =
		(struct rate){.events = 1, .per_ms = 60000, .burst = 1, .per_group = true};
	r->settings.timeout_ms = 10000000;
	rig_configure(r);
	rig_fire(r, 1, OVERLAP_PARALLEL, 4);
	rig_fire(r, 2, OVERLAP_PARALLEL, 4);
	rig_fire(r, 3, OVERLAP_PARALLEL, 5);
	assert_string_equal(rig_calls(r), "1 3 ");
	rig_pass(r, 59999);
	assert_string_equal(rig_calls(r), "1 3 ");
	rig_pass(r, 1);
	assert_string_equal(rig_calls(r), "1 3 2 ");
}

static void rates_above_one_a_millisecond_are_reached(void **state)
{
	struct rig *r = *state;

	r->settings.rate = (struct rate){.events = 5000, .per_ms = 1000, .burst = 10};
	r->settings.concurrency = 1000;
	rig_configure(r);
	for (uint64_t seq = 1; seq <= 500; seq++)
		rig_offer(r, seq, 0);
	rig_pass(r, 10);
	assert_in_range(rig_count(r, LANE_CALL), 50, 60);
}

static void a_rate_that_is_lifted_lets_all_go(void **state)
{
	struct rig *r = *state;

	r->settings.rate = (struct rate){.events = 1, .per_ms = 3600000, .burst = 1};
	rig_configure(r);
	for (uint64_t seq = 1; seq <= 4; seq++)
		rig_offer(r, seq, 0);
	r->settings.rate = (struct rate){0};
	rig_configure(r);
	rig_offer(r, 5, 0);
	rig_pass(r, 3600000);
	assert_int_equal(lane_stats(r->lane).waiting, 0);
}

static void the_cursor_is_below_whatever_has_neither_ended_nor_a_row(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_offer(r, seq * 10, 0);
	lane_reached(r->lane, 35);
	assert_int_equal(lane_cursor(r->lane), 9);
	rig_ok(r, 20);
	assert_int_equal(lane_cursor(r->lane), 9);
	rig_again(r, 10);
	assert_int_equal(lane_cursor(r->lane), 29);
	rig_hold(r, 30, 1000, "x");
	assert_int_equal(lane_cursor(r->lane), 35);
}

static void the_lane_takes_512_without_a_row(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; lane_wants(r->lane) > 0; seq++)
		rig_offer(r, seq, 5);
	assert_int_equal(lane_stats(r->lane).waiting, LANE_MAX_WAITING - 1);
	rig_ok(r, 1);
	assert_int_equal(lane_wants(r->lane), 1);
}

static void the_lane_stops_reading_at_10000_rows(void **state)
{
	struct rig *r = *state;
	uint64_t seq = 1;

	rig_offer(r, seq++, 5);
	rig_again(r, 1);
	while (lane_wants(r->lane) > 0) {
		struct duty duty = {.target = RIG_TARGET};

		lane_offer(r->lane, &(struct lane_event){.seq = seq++, .key = 5}, &duty, r->now,
			   &r->out);
		rig_clear(r);
	}
	assert_int_equal(seq - 1, LANE_MAX_ROWS);
}

static void a_restart_goes_on_where_the_rows_stand(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_again(r, 1);
	rig_offer(r, 2, 0);
	rig_hold(r, 2, 5000, "job");
	r->now.wall += 400;
	r->now.boot = 3;
	rig_restart(r, false, 0);
	rig_clear(r);
	rig_pass(r, 599);
	assert_string_equal(rig_calls(r), "");
	rig_pass(r, 1);
	assert_string_equal(rig_calls(r), "1 ");
	rig_pass(r, 4000);
	assert_string_equal(rig_calls(r), "1 2 ");
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.attempt, 1);
}

static void a_target_that_goes_away_gives_back_what_it_had(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_offer(r, 2, 0);
	rig_hold(r, 2, 1000, "job");
	rig_pass(r, 1000);
	lane_pause(r->lane, true, r->now, &r->out);
	assert_true(rig_has(r, LANE_ABANDON, 1) && rig_has(r, LANE_ABANDON, 2));
	rig_clear(r);
	rig_offer(r, 3, 0);
	rig_pass(r, 10000000);
	assert_int_equal(r->out.n, 0);
	lane_pause(r->lane, false, r->now, &r->out);
	assert_true(rig_has(r, LANE_CALL, 1) && rig_has(r, LANE_CALL, 3));
	assert_true(rig_has(r, LANE_CANCEL, 2));
}

static void a_lane_at_rest_goes_on_with_what_it_began(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_hold(r, 1, 1000, "job");
	rig_offer(r, 2, 0);
	lane_rest(r->lane, true);
	rig_offer(r, 3, 0);
	rig_again(r, 2);
	rig_pass(r, 5000);
	assert_string_equal(rig_calls(r), "1 2 1 ");
	rig_ok(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DONE);
	lane_rest(r->lane, false);
	rig_pass(r, 0);
	assert_string_equal(rig_calls(r), "1 2 1 2 3 ");
}

static void a_dropped_delivery_lets_the_next_pass(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 5);
	rig_offer(r, 2, 5);
	lane_drop(r->lane, 1, "no use", r->now, &r->out);
	assert_true(rig_has(r, LANE_ABANDON, 1));
	assert_string_equal(rig_calls(r), "1 2 ");
	assert_int_equal(rig_last(r, LANE_ROW)->delivery.state, DELIVERY_DROPPED);
	assert_string_equal(rig_last(r, LANE_ROW)->delivery.why, "no use");
}

static void what_is_unknown_changes_nothing(void **state)
{
	struct rig *r = *state;

	rig_ok(r, 99);
	rig_hold(r, 99, 1, "x");
	lane_drop(r->lane, 99, "x", r->now, &r->out);
	rig_offer(r, 1, 0);
	rig_offer(r, 1, 0);
	rig_ok(r, 1);
	rig_ok(r, 1);
	assert_int_equal(rig_count(r, LANE_CALL), 1);
	assert_int_equal(rig_count(r, LANE_ROW), 1);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(a_delivery_is_called_at_once_and_ends_with_one_row),
		FACT(a_held_delivery_is_looked_after_at_its_time_without_an_attempt),
		FACT(a_held_delivery_keeps_its_place_and_its_order),
		FACT(a_look_that_fails_is_retried_with_what_was_held),
		FACT(a_look_goes_on_while_the_breaker_is_open),
		FACT(a_held_delivery_may_end_between_two_looks),
		FACT(order_starts_only_the_oldest_of_a_key),
		FACT(order_lets_the_next_pass_a_dead_one),
		FACT(order_by_none_lets_all_pass),
		FACT(order_has_a_redriven_one_wait_for_the_newer_under_way),
		FACT(order_gives_rows_to_followers_so_that_the_cursor_moves_on),
		FACT(then_begins_with_the_end_and_not_with_a_death),
		FACT(overlap_supersede_keeps_one_started_and_the_newest_waiting),
		FACT(overlap_supersede_replaces_one_that_failed_with_a_definite_answer),
		FACT(overlap_supersede_spares_one_whose_outcome_is_unknown),
		FACT(overlap_queue_starts_one_after_the_other),
		FACT(overlap_parallel_starts_all),
		FACT(concurrency_is_kept),
		FACT(rate_of_a_target_is_kept_with_its_burst),
		FACT(who_is_ahead_of_one_with_a_row_has_a_row_too),
		FACT(rate_per_group_holds_up_no_other_group),
		FACT(rates_above_one_a_millisecond_are_reached),
		FACT(a_rate_that_is_lifted_lets_all_go),
		FACT(the_cursor_is_below_whatever_has_neither_ended_nor_a_row),
		FACT(the_lane_takes_512_without_a_row),
		FACT(the_lane_stops_reading_at_10000_rows),
		FACT(a_restart_goes_on_where_the_rows_stand),
		FACT(a_target_that_goes_away_gives_back_what_it_had),
		FACT(a_lane_at_rest_goes_on_with_what_it_began),
		FACT(a_dropped_delivery_lets_the_next_pass),
		FACT(what_is_unknown_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
