#include "lane/testlane.h"
#include "lane/trail.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

static void retry_comes_after_a_pause_and_costs_an_attempt(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_again(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
	assert_string_equal(rig_row(r, 1)->why, "not yet");
	assert_true(rig_row(r, 1)->due == r->now.wall + 1000);
	rig_pass(r, 999);
	assert_string_equal(rig_calls(r), "1 ");
	rig_pass(r, 1);
	assert_string_equal(rig_calls(r), "1 1 ");
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.attempt, 2);
}

static void retry_pauses_double_and_are_jittered_in_full(void **state)
{
	struct rig *r = *state;
	static const int64_t longest[] = {1000,  2000,   4000,   8000,   16000,  32000,
					  64000, 128000, 256000, 512000, 900000, 900000};

	r->settings.concurrency = 2;
	rig_configure(r);
	rig_offer(r, 1, 0);
	rig_offer(r, 2, 0);
	for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
		r->now.random = (uint64_t)longest[i] - 1;
		rig_again(r, 1);
		assert_true(rig_row(r, 1)->due == r->now.wall + longest[i]);
		r->now.random = (uint64_t)longest[i];
		rig_again(r, 2);
		assert_true(rig_row(r, 2)->due == r->now.wall + 1);
		r->settings.timeout_ms = 10000000;
		rig_configure(r);
		rig_pass(r, longest[i]);
	}
}

static void retry_after_wins(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	lane_finished(r->lane, 1, LANE_DOWN, "429", 77000, false, r->now, &r->out);
	assert_true(rig_last(r, LANE_ROW)->delivery.due == r->now.wall + 77000);
	rig_pass(r, 76999);
	assert_string_equal(rig_calls(r), "1 ");
	rig_pass(r, 1);
	assert_string_equal(rig_calls(r), "1 1 ");
}

static void retry_after_beyond_the_time_leaves_one_more_try_and_no_second(void **state)
{
	struct rig *r = *state;

	r->settings.retry.for_ms = 5000;
	rig_configure(r);
	rig_offer(r, 1, 0);
	lane_finished(r->lane, 1, LANE_AGAIN, "429", 60000, false, r->now, &r->out);
	assert_true(rig_last(r, LANE_ROW)->delivery.due == r->now.wall + 5000);
	rig_pass(r, 4999);
	assert_string_equal(rig_calls(r), "1 ");
	rig_pass(r, 1);
	assert_string_equal(rig_calls(r), "1 1 ");
	rig_pass(r, 10);
	lane_finished(r->lane, 1, LANE_AGAIN, "429", 60000, false, r->now, &r->out);
	assert_int_equal(rig_last(r, LANE_ROW)->delivery.state, DELIVERY_DEAD);
}

static void retry_gives_up_when_the_next_attempt_would_come_after_its_time(void **state)
{
	struct rig *r = *state;

	r->settings.retry.for_ms = 5000;
	rig_configure(r);
	rig_offer(r, 1, 0);
	for (int i = 0; i < 5; i++) {
		rig_again(r, 1);
		assert_int_equal(rig_state(r, 1), DELIVERY_RETRY);
		rig_pass(r, 1000);
	}
	rig_again(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DEAD);
	assert_string_equal(rig_row(r, 1)->why, "gave up after 5s, 6 attempts: not yet");
	assert_true(rig_has(r, LANE_DIED, 1));
}

static void retry_none_makes_the_first_failure_final(void **state)
{
	struct rig *r = *state;

	r->settings.retry = (struct retry){.none = true};
	rig_configure(r);
	rig_offer(r, 1, 0);
	rig_again(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DEAD);
	assert_string_equal(rig_row(r, 1)->why, "not yet (retry = none)");
}

static void a_bad_delivery_is_dead_at_once(void **state)
{
	struct rig *r = *state;

	rig_offer(r, 1, 0);
	rig_reject(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DEAD);
	assert_string_equal(rig_row(r, 1)->why, "404");
	assert_int_equal(rig_count(r, LANE_ABANDON), 0);
}

static void the_trail_keeps_the_first_attempt_and_the_last_nine(void **state)
{
	char *trail = NULL, result[16];
	json_t *list;

	(void)state;
	for (int i = 1; i <= 14; i++) {
		snprintf(result, sizeof result, "r%d", i);
		trail = trail_add(trail, 1000 * i, 1000 * i + 1, result, "why");
	}
	list = json_loads(trail, 0, NULL);
	assert_int_equal(json_array_size(list), TRAIL_MAX);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "result")),
			    "r1");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "result")),
			    "r6");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 9), "result")),
			    "r14");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "at")),
			    "1970-01-01T00:00:01.000Z");
	json_decref(list);
	free(trail);
}

static void a_trail_cuts_long_reasons_between_characters(void **state)
{
	struct buf why = {0};
	char *trail;
	json_t *list;

	(void)state;
	buf_char(&why, 'x');
	while (why.len < 1000)
		buf_text_add(&why, "\xc3\xa9");
	trail = trail_add(NULL, 0, 0, "failed", buf_text(&why));
	list = json_loads(trail, 0, NULL);
	assert_int_equal(json_string_length(json_object_get(json_array_get(list, 0), "why")), 299);
	json_decref(list);
	free(trail);
	buf_free(&why);
}

static void five_downs_in_a_row_open_the_breaker(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= LANE_TROUBLE; seq++) {
		rig_offer(r, seq, 0);
		assert_int_equal(rig_count(r, LANE_OPENED), 0);
		rig_down(r, seq);
	}
	assert_int_equal(rig_count(r, LANE_OPENED), 1);
	assert_string_equal(rig_last(r, LANE_OPENED)->delivery.why, "503");
	assert_true(lane_stats(r->lane).open);
	assert_true(lane_stats(r->lane).opened_at == r->now.wall);
}

static void the_breaker_does_not_count_an_answer_as_trouble(void **state)
{
	struct rig *r = *state;

	for (uint64_t seq = 1; seq <= 8; seq++)
		rig_offer(r, seq, 0);
	for (uint64_t seq = 1; seq < LANE_TROUBLE; seq++)
		rig_down(r, seq);
	rig_again(r, 5);
	for (uint64_t seq = 6; seq <= 8; seq++)
		rig_down(r, seq);
	assert_int_equal(rig_count(r, LANE_OPENED), 0);
}

static void an_open_breaker_lets_one_probe_out_at_doubling_pauses(void **state)
{
	struct rig *r = *state;
	static const int64_t pauses[] = {1000, 2000, 4000, 8000};

	rig_open_breaker(r);
	for (uint64_t seq = 10; seq < 20; seq++)
		rig_offer(r, seq, 0);
	assert_string_equal(rig_calls(r), "");
	for (size_t i = 0; i < 4; i++) {
		uint64_t probe;

		rig_pass(r, pauses[i] - 1);
		assert_int_equal(rig_count(r, LANE_CALL), 0);
		rig_pass(r, 1);
		assert_int_equal(rig_count(r, LANE_CALL), 1);
		probe = rig_last(r, LANE_CALL)->delivery.seq;
		rig_pass(r, 20000);
		assert_int_equal(rig_count(r, LANE_CALL), 1);
		rig_down(r, probe);
		rig_clear(r);
	}
}

static void an_open_breaker_waits_as_long_as_the_target_asks(void **state)
{
	struct rig *r = *state;

	rig_open_breaker(r);
	rig_offer(r, 10, 0);
	rig_pass(r, 1000);
	lane_finished(r->lane, rig_last(r, LANE_CALL)->delivery.seq, LANE_DOWN, "429", 300000,
		      false, r->now, &r->out);
	rig_clear(r);
	rig_pass(r, 299999);
	assert_string_equal(rig_calls(r), "");
	rig_pass(r, 1);
	assert_int_equal(rig_count(r, LANE_CALL), 1);
}

static void an_open_breaker_does_not_wake_for_what_the_rate_lets_go(void **state)
{
	struct rig *r = *state;

	r->settings.rate = (struct rate){.events = 1, .per_ms = 5000, .burst = LANE_TROUBLE};
	rig_configure(r);
	rig_open_breaker(r);
	rig_offer(r, 10, 0);
	rig_pass(r, 5000);
	assert_int_equal(rig_count(r, LANE_CALL), 1);
	lane_finished(r->lane, rig_last(r, LANE_CALL)->delivery.seq, LANE_DOWN, "429", 300000,
		      false, r->now, &r->out);
	rig_pass(r, 100000);
	assert_int_equal(lane_next(r->lane, r->now), r->now.boot + 200000);
}

/* Those of the journal that it does not know yet are not read before it has more room. */
static void a_careful_lane_that_nobody_reads_for_goes_on_by_its_rate(void **state)
{
	struct rig *r = *state;

	r->settings.rate = (struct rate){.events = 1, .per_ms = 60000, .burst = 1};
	rig_configure(r);
	lane_careful(r->lane, 2 * LANE_MAX_WAITING);
	for (uint64_t seq = 1; lane_wants(r->lane) > LANE_READ_LEAST / 2; seq++)
		rig_offer(r, seq, 0);
	rig_permit(r);
	rig_ok(r, 1);
	rig_permit(r);
	assert_false(lane_is_careful(r->lane));
	rig_pass(r, 60000);
	assert_string_equal(rig_calls(r), "1 2 ");
}

static void whatever_shows_that_the_target_is_there_closes_the_breaker(void **state)
{
	static void (*const answers[])(struct rig * r, uint64_t seq) = {rig_ok, rig_again,
									rig_reject};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct rig *r = rig_new();
		uint64_t probe;

		rig_open_breaker(r);
		rig_pass(r, 1000);
		probe = rig_last(r, LANE_CALL)->delivery.seq;
		if (i < 3)
			answers[i](r, probe);
		else
			rig_hold(r, probe, 60000, "job");
		assert_int_equal(rig_count(r, LANE_CLOSED), 1);
		assert_string_equal(rig_last(r, LANE_CLOSED)->delivery.why,
				    "it answers again, after 1s");
		assert_false(lane_stats(r->lane).open);
		assert_true(rig_count(r, LANE_CALL) >= LANE_TROUBLE);
		rig_free(r);
	}
}

static void a_probe_that_runs_into_its_timeout_is_a_failed_probe(void **state)
{
	struct rig *r = *state;

	rig_open_breaker(r);
	rig_pass(r, 1000);
	rig_pass(r, 30000);
	assert_int_equal(rig_count(r, LANE_ABANDON), 1);
	assert_int_equal(rig_count(r, LANE_CALL), 1);
	rig_pass(r, 2000);
	assert_int_equal(rig_count(r, LANE_CALL), 2);
}

static void an_open_breaker_writes_no_rows_for_those_who_wait(void **state)
{
	struct rig *r = *state;

	rig_open_breaker(r);
	for (uint64_t seq = 10; seq < 300; seq++)
		rig_offer(r, seq, 5);
	assert_int_equal(rig_count(r, LANE_ROW), 0);
	assert_int_equal(lane_cursor(r->lane), 9);
}

static void budgets_stand_still_while_the_breaker_is_open(void **state)
{
	struct rig *r = *state;
	int64_t first_at;

	r->settings.retry.for_ms = 60000;
	r->settings.retry.max_ms = 10000;
	rig_configure(r);
	rig_open_breaker(r);
	first_at = rig_row(r, 1)->first_at;
	for (int i = 0; i < 200; i++) {
		rig_pass(r, 10000);
		rig_down(r, rig_last(r, LANE_CALL)->delivery.seq);
		rig_clear(r);
	}
	assert_int_equal(lane_stats(r->lane).dead, 0);
	rig_pass(r, 10000);
	rig_ok(r, rig_last(r, LANE_CALL)->delivery.seq);
	assert_int_equal(lane_stats(r->lane).dead, 0);
	for (uint64_t seq = 1; seq <= LANE_TROUBLE; seq++) {
		if (rig_state(r, seq) == DELIVERY_RETRY)
			assert_true(rig_row(r, seq)->first_at == first_at + 201 * 10000);
	}
}

static void budgets_do_not_count_what_an_open_breaker_is_told_to_wait(void **state)
{
	struct rig *r = *state;

	r->settings.retry.for_ms = 60000;
	rig_configure(r);
	rig_open_breaker(r);
	rig_pass(r, 1000);
	lane_finished(r->lane, 1, LANE_DOWN, "429", 3600000, false, r->now, &r->out);
	assert_int_equal(lane_stats(r->lane).dead, 0);
	assert_int_equal(rig_last(r, LANE_ROW)->delivery.state, DELIVERY_RETRY);
}

static void budgets_stand_still_over_a_restart_of_an_open_breaker(void **state)
{
	struct rig *r = *state;

	r->settings.retry.for_ms = 60000;
	r->settings.retry.max_ms = 10000;
	rig_configure(r);
	rig_open_breaker(r);
	rig_pass(r, 500);
	r->now.wall += 10 * 60000;
	r->now.boot = 17;
	rig_restart(r, false, 0);
	assert_true(lane_stats(r->lane).open);
	assert_int_equal(rig_count(r, LANE_CALL), 1);
	rig_again(r, rig_last(r, LANE_CALL)->delivery.seq);
	assert_int_equal(rig_count(r, LANE_CLOSED), 1);
	rig_pass(r, 1000);
	for (uint64_t seq = 2; seq <= LANE_TROUBLE; seq++)
		rig_again(r, seq);
	assert_int_equal(lane_stats(r->lane).dead, 0);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(retry_comes_after_a_pause_and_costs_an_attempt),
		FACT(retry_pauses_double_and_are_jittered_in_full),
		FACT(retry_after_wins),
		FACT(retry_after_beyond_the_time_leaves_one_more_try_and_no_second),
		FACT(retry_gives_up_when_the_next_attempt_would_come_after_its_time),
		FACT(retry_none_makes_the_first_failure_final),
		FACT(a_bad_delivery_is_dead_at_once),
		FACT(the_trail_keeps_the_first_attempt_and_the_last_nine),
		FACT(a_trail_cuts_long_reasons_between_characters),
		FACT(five_downs_in_a_row_open_the_breaker),
		FACT(the_breaker_does_not_count_an_answer_as_trouble),
		FACT(an_open_breaker_lets_one_probe_out_at_doubling_pauses),
		FACT(an_open_breaker_waits_as_long_as_the_target_asks),
		FACT(an_open_breaker_does_not_wake_for_what_the_rate_lets_go),
		FACT(a_careful_lane_that_nobody_reads_for_goes_on_by_its_rate),
		FACT(whatever_shows_that_the_target_is_there_closes_the_breaker),
		FACT(a_probe_that_runs_into_its_timeout_is_a_failed_probe),
		FACT(an_open_breaker_writes_no_rows_for_those_who_wait),
		FACT(budgets_stand_still_while_the_breaker_is_open),
		FACT(budgets_do_not_count_what_an_open_breaker_is_told_to_wait),
		FACT(budgets_stand_still_over_a_restart_of_an_open_breaker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
