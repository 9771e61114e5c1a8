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

static void timeouts_take_an_unfinished_call_back_with_its_outcome_unknown(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_pass(r, 29999);
	assert_int_equal(rig_count(r, LANE_ABANDON), 0);
	rig_pass(r, 1);
	assert_true(rig_has(r, LANE_ABANDON, 1));
	assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
	assert_true(rig_row(r, 1)->unknown);
	assert_string_equal(rig_row(r, 1)->why, "the plugin did not finish within 30s");
	rig_ok(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
	rig_pass(r, 1000);
	assert_string_equal(rig_calls(r), "1 1 ");
}

static void timeouts_of_a_quarter_of_an_hour_are_waited_for(void **state)
{
	struct rig *r = *state;

	r->settings.timeout_ms = 900000;
	rig_configure(r);
	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_offer(r, seq, 0);
	rig_pass(r, 600000);
	rig_ok(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DONE);
	assert_int_equal(rig_row(r, 1)->attempt, 1);
	rig_hold(r, 2, 600000, "job");
	rig_pass(r, 299999);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	rig_pass(r, 1);
	assert_true(rig_has(r, LANE_ABANDON, 3));
	assert_false(rig_has(r, LANE_ABANDON, 2));
}

static void a_call_that_has_to_wait_has_its_time_from_when_it_begins(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	lane_delayed(r->lane, 1);
	rig_pass(r, 10 * 60000);
	assert_int_equal(rig_count(r, LANE_ABANDON), 0);
	lane_begun(r->lane, 1, r->now);
	rig_pass(r, 29999);
	assert_int_equal(rig_count(r, LANE_ABANDON), 0);
	rig_pass(r, 1);
	assert_true(rig_has(r, LANE_ABANDON, 1));
}

static void deadline_over_a_held_delivery_is_cancelled_then_dead(void **state)
{
	struct rig *r = *state;

	r->settings.deadline_ms = 45 * 60000;
	rig_configure(r);
	rig_offer(r, 1, 0);
	rig_hold(r, 1, 3600000, "job");
	rig_pass(r, 45 * 60000 - 1);
	assert_int_equal(rig_count(r, LANE_CANCEL), 0);
	rig_pass(r, 1);
	assert_true(rig_has(r, LANE_CANCEL, 1));
	assert_string_equal(rig_last(r, LANE_CANCEL)->delivery.held, "job");
	rig_pass(r, 29999);
	assert_int_equal(rig_state(r, 1), DELIVERY_HELD);
	rig_pass(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DEAD);
	assert_string_equal(rig_row(r, 1)->why, "not ended within its deadline of 45m");
	assert_true(rig_row(r, 1)->unknown);
	assert_true(rig_has(r, LANE_ABANDON, 1));
	assert_int_equal(rig_count(r, LANE_CANCEL), 1);
}

static void deadline_over_a_delivery_may_still_end_by_itself(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_hold(r, 1, 7200000, "job");
	rig_pass(r, 3600000);
	assert_true(rig_has(r, LANE_CANCEL, 1));
	rig_hold(r, 1, 5000, "job, stopping");
	rig_pass(r, 5000);
	assert_string_equal(rig_calls(r), "1 1 ");
	rig_ok(r, 1);
	rig_pass(r, 100000);
	assert_int_equal(rig_state(r, 1), DELIVERY_DONE);
	assert_int_equal(rig_count(r, LANE_CANCEL), 1);
}

static void deadline_counts_one_attempt_and_not_the_waiting_for_the_next(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_hold(r, 1, 3500000, "job");
	rig_pass(r, 3500000);
	rig_again(r, 1);
	rig_pass(r, 1000);
	rig_hold(r, 1, 3500000, "job");
	rig_pass(r, 3500000);
	assert_int_equal(rig_count(r, LANE_CANCEL), 0);
	assert_int_equal(rig_count(r, LANE_CALL), 4);
}

static void deaths_are_announced_at_once_then_gathered_for_a_minute(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 4; seq++)
		rig_offer(r, seq, 0);
	rig_reject(r, 1);
	assert_true(rig_has(r, LANE_DIED, 1));
	assert_true(rig_row(r, 1)->told);
	rig_reject(r, 2);
	rig_reject(r, 3);
	rig_pass(r, 59999);
	assert_int_equal(rig_count(r, LANE_DIED), 1);
	assert_false(rig_row(r, 2)->told);
	rig_pass(r, 1);
	assert_int_equal(rig_count(r, LANE_DIED), 2);
	assert_int_equal(rig_last(r, LANE_DIED)->count, 2);
	assert_int_equal(rig_last(r, LANE_DIED)->delivery.seq, 2);
	assert_true(rig_row(r, 2)->told && rig_row(r, 3)->told);
	rig_offer(r, 5, 0);
	rig_reject(r, 5);
	assert_int_equal(rig_count(r, LANE_DIED), 2);
	rig_pass(r, 60000);
	assert_int_equal(rig_count(r, LANE_DIED), 3);
	rig_pass(r, 600000);
	assert_int_equal(rig_count(r, LANE_DIED), 3);
}

static void deaths_of_our_own_events_are_not_announced(void **state)
{
	struct rig *r = *state;
	struct duty duty = {.target = RIG_TARGET};

	lane_offer(r->lane, &(struct lane_event){.seq = 1, .own = true}, &duty, r->now, &r->out);
	rig_reject(r, 1);
	rig_pass(r, 600000);
	assert_int_equal(rig_count(r, LANE_DIED), 0);
	assert_true(rig_row(r, 1)->told);
}

static void deaths_untold_survive_a_restart(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_offer(r, seq, 0);
	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_reject(r, seq);
	rig_clear(r);
	rig_restart(r, true, 3);
	rig_pass(r, 0);
	assert_int_equal(rig_count(r, LANE_DIED), 1);
	assert_int_equal(rig_last(r, LANE_DIED)->count, 2);
	assert_true(rig_row(r, 2)->told && rig_row(r, 3)->told);
}

static void deaths_that_were_redriven_are_not_written_again(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_offer(r, seq, 0);
	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_reject(r, seq);
	rig_redrive(r, 2, 0);
	rig_ok(r, 2);
	lane_forget(r->lane, 3);
	rig_pass(r, 60000);
	assert_int_equal(rig_state(r, 2), DELIVERY_DONE);
	assert_int_equal(rig_count(r, LANE_DIED), 1);
}

static void deaths_in_masses_are_counted_without_being_kept(void **state)
{
	struct rig *r = *state;
	struct duty duty = {.target = RIG_TARGET};

	for (uint64_t seq = 1; seq <= 3000; seq++) {
		lane_offer(r->lane, &(struct lane_event){.seq = seq}, &duty, r->now, &r->out);
		lane_finished(r->lane, seq, LANE_REJECT, "404", -1, false, r->now, &r->out);
	}
	rig_clear(r);
	rig_pass(r, 60000);
	assert_int_equal(rig_last(r, LANE_DIED)->count, 2999);
}

static void care_starts_one_at_a_time_with_its_row_before(void **state)
{
	struct rig *r = *state;

	rig_restart(r, true, 4);
	for (uint64_t seq = 1; seq <= 5; seq++)
		rig_offer(r, seq, 0);
	assert_string_equal(rig_calls(r), "");
	rig_permit(r);
	assert_string_equal(rig_calls(r), "1 ");
	assert_int_equal(rig_state(r, 1), DELIVERY_CALLED);
	assert_int_equal(r->out.list[0].kind, LANE_ROW);
	rig_permit(r);
	assert_string_equal(rig_calls(r), "1 ");
	rig_ok(r, 1);
	rig_permit(r);
	assert_string_equal(rig_calls(r), "1 2 ");
	assert_true(lane_is_careful(r->lane));
}

static void care_ends_when_nothing_of_that_time_is_left(void **state)
{
	struct rig *r = *state;

	rig_restart(r, true, 2);
	assert_true(lane_is_careful(r->lane));
	rig_permit(r);
	assert_true(lane_is_careful(r->lane));
	rig_offer(r, 1, 0);
	rig_offer(r, 2, 0);
	rig_permit(r);
	rig_ok(r, 1);
	rig_permit(r);
	assert_true(lane_is_careful(r->lane));
	rig_ok(r, 2);
	assert_false(lane_is_careful(r->lane));
	rig_offer(r, 3, 0);
	assert_string_equal(rig_calls(r), "1 2 3 ");
}

static void care_is_over_after_twice_the_concurrency(void **state)
{
	struct rig *r = *state;

	rig_restart(r, true, 1000);
	for (uint64_t seq = 1; seq <= 100; seq++)
		rig_offer(r, seq, 0);
	for (uint64_t seq = 1; seq <= 16; seq++) {
		rig_permit(r);
		rig_ok(r, seq);
	}
	assert_false(lane_is_careful(r->lane));
	assert_int_equal(rig_count(r, LANE_CALL), 24);
}

static void the_third_death_of_the_process_makes_a_dead_letter(void **state)
{
	struct rig *r = *state;
	int deaths = 1; /* it died while 1 was in a call, which no row tells */

	for (;;) {
		rig_restart(r, true, 1);
		if (!rig_row(r, 1))
			rig_offer(r, 1, 0);
		rig_permit(r);
		if (rig_state(r, 1) == DELIVERY_DEAD)
			break;
		deaths++;
	}
	assert_int_equal(deaths, LANE_DEATHS);
	assert_string_equal(rig_row(r, 1)->why, "the process died 3 times while plugin and event "
						"were together in a call");
	assert_true(rig_has(r, LANE_DIED, 1));
}

static void a_death_is_forgiven_to_a_call_that_ends(void **state)
{
	struct rig *r = *state;

	rig_restart(r, true, 1);
	rig_offer(r, 1, 0);
	rig_permit(r);
	rig_restart(r, true, 1);
	assert_int_equal(rig_row(r, 1)->deaths, 2);
	rig_permit(r);
	rig_again(r, 1);
	assert_int_equal(rig_row(r, 1)->deaths, 0);
}

static void a_death_is_not_counted_before_the_call_is_made_again(void **state)
{
	struct rig *r = *state;

	rig_restart(r, true, 1);
	rig_offer(r, 1, 0);
	rig_permit(r);
	for (int i = 0; i < 10; i++)
		rig_restart(r, true, 1);
	assert_int_equal(rig_row(r, 1)->deaths, 2);
	assert_int_equal(rig_state(r, 1), DELIVERY_WAITING);
}

static void a_clean_stop_blames_nobody(void **state)
{
	struct rig *r = *state;

	rig_restart(r, true, 1);
	rig_offer(r, 1, 0);
	rig_permit(r);
	rig_restart(r, false, 0);
	assert_int_equal(rig_row(r, 1)->deaths, 1);
	assert_int_equal(rig_count(r, LANE_CALL), 2);
}

static void a_death_in_a_look_keeps_what_was_held(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_hold(r, 1, 1000, "job");
	r->now.wall += 1000;
	r->now.boot += 1000;
	rig_restart(r, true, 1);
	rig_permit(r);
	assert_int_equal(rig_state(r, 1), DELIVERY_CALLED);
	rig_restart(r, true, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_HELD);
	rig_clear(r);
	rig_permit(r);
	assert_string_equal(rig_last(r, LANE_CALL)->delivery.held, "job");
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.attempt, 1);
}

static void clocks_that_jump_move_nothing_in_memory(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_again(r, 1);
	r->now.wall += 86400000;
	rig_pass(r, 999);
	assert_string_equal(rig_calls(r), "1 ");
	r->now.wall -= 10 * 86400000L;
	rig_pass(r, 1);
	assert_string_equal(rig_calls(r), "1 1 ");
	rig_again(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
}

/* A day ahead, told to the lane, and a restart: as though nothing had been. */
static void clocks_that_were_set_use_up_no_budget_over_a_restart(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_again(r, 1);
	rig_offer(r, 2, 0);
	rig_hold(r, 2, 60000, "job");
	rig_set_clock(r, r->now.wall + 2 * 86400000L);
	rig_restart(r, false, 0);
	rig_clear(r);
	rig_pass(r, 1000);
	assert_string_equal(rig_calls(r), "1 ");
	rig_again(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
	assert_int_equal(rig_state(r, 2), DELIVERY_HELD);
	rig_pass(r, 59000);
	assert_true(rig_has(r, LANE_CALL, 2));
	assert_false(rig_has(r, LANE_CANCEL, 2));
}

/* The other way round: what was first tried in a year of the past. */
static void clocks_that_were_wrong_at_the_first_attempt_use_up_no_budget(void **state)
{
	struct rig *r = *state;
	int64_t right = r->now.wall;

	r->now.wall = 86400000;
	rig_offer(r, 1, 0);
	rig_again(r, 1);
	rig_set_clock(r, right);
	assert_int_equal(rig_row(r, 1)->first_at, right);
	assert_int_equal(rig_row(r, 1)->due, right + 1000);
	rig_restart(r, false, 0);
	rig_pass(r, 1000);
	rig_again(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
}

static void clocks_that_were_set_tell_anew_since_when_the_breaker_is_open(void **state)
{
	struct rig *r = *state;
	int64_t opened_at;

	rig_open_breaker(r);
	opened_at = lane_stats(r->lane).opened_at;
	rig_set_clock(r, r->now.wall - 3600000);
	assert_int_equal(lane_stats(r->lane).opened_at, opened_at - 3600000);
}

static void clocks_set_back_before_a_start_delay_by_one_interval_at_most(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_again(r, 1);
	rig_offer(r, 2, 0);
	rig_hold(r, 2, 1000, "job");
	r->now.wall -= 30 * 86400000L;
	r->now.boot = 3;
	rig_restart(r, false, 0);
	rig_clear(r);
	rig_pass(r, r->settings.retry.max_ms);
	assert_string_equal(rig_calls(r), "1 ");
	rig_ok(r, 1);
	rig_pass(r, r->settings.deadline_ms - r->settings.retry.max_ms);
	assert_true(rig_has(r, LANE_CALL, 2) || rig_has(r, LANE_CANCEL, 2));
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(timeouts_take_an_unfinished_call_back_with_its_outcome_unknown),
		FACT(timeouts_of_a_quarter_of_an_hour_are_waited_for),
		FACT(a_call_that_has_to_wait_has_its_time_from_when_it_begins),
		FACT(deadline_over_a_held_delivery_is_cancelled_then_dead),
		FACT(deadline_over_a_delivery_may_still_end_by_itself),
		FACT(deadline_counts_one_attempt_and_not_the_waiting_for_the_next),
		FACT(deaths_are_announced_at_once_then_gathered_for_a_minute),
		FACT(deaths_of_our_own_events_are_not_announced),
		FACT(deaths_untold_survive_a_restart),
		FACT(deaths_that_were_redriven_are_not_written_again),
		FACT(deaths_in_masses_are_counted_without_being_kept),
		FACT(care_starts_one_at_a_time_with_its_row_before),
		FACT(care_ends_when_nothing_of_that_time_is_left),
		FACT(care_is_over_after_twice_the_concurrency),
		FACT(the_third_death_of_the_process_makes_a_dead_letter),
		FACT(a_death_is_forgiven_to_a_call_that_ends),
		FACT(a_death_is_not_counted_before_the_call_is_made_again),
		FACT(a_clean_stop_blames_nobody),
		FACT(a_death_in_a_look_keeps_what_was_held),
		FACT(clocks_that_jump_move_nothing_in_memory),
		FACT(clocks_that_were_set_use_up_no_budget_over_a_restart),
		FACT(clocks_that_were_wrong_at_the_first_attempt_use_up_no_budget),
		FACT(clocks_that_were_set_tell_anew_since_when_the_breaker_is_open),
		FACT(clocks_set_back_before_a_start_delay_by_one_interval_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
