/* Deliveries that share a call. */
#include "lane/testlane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct rig *rig_of(uint32_t concurrency, uint32_t batch)
{
	struct rig *r = rig_new();

	r->settings.concurrency = concurrency;
	r->settings.batch = batch;
	rig_configure(r);
	return r;
}

static void offer_some(struct rig *r, uint64_t from, uint64_t to, uint64_t key)
{
	for (uint64_t seq = from; seq <= to; seq++)
		rig_offer(r, seq, key);
}

static uint64_t call_of(const struct rig *r, uint64_t seq)
{
	for (size_t i = r->out.n; i > 0; i--) {
		const struct lane_effect *e = &r->out.list[i - 1];

		if (e->kind == LANE_CALL && e->delivery.seq == seq)
			return e->call;
	}
	fail_msg("%llu was not called", (unsigned long long)seq);
	return 0;
}

static void depart(struct rig *r, uint64_t seq)
{
	lane_depart(r->lane, call_of(r, seq));
}

static void split(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t seq = from; seq <= to; seq++)
		rig_split(r, seq);
}

static void what_is_ready_together_goes_together(void **state)
{
	struct rig *r = rig_of(2, 3);

	(void)state;
	offer_some(r, 1, 9, 0);
	assert_string_equal(rig_calls(r), "1 2 3 4 5 6 ");
	assert_true(call_of(r, 1) != 0);
	assert_true(call_of(r, 1) == call_of(r, 2) && call_of(r, 2) == call_of(r, 3));
	assert_true(call_of(r, 4) != call_of(r, 3) && call_of(r, 4) == call_of(r, 6));
	rig_free(r);
}

static void a_call_that_left_takes_no_more(void **state)
{
	struct rig *r = rig_of(2, 3);

	(void)state;
	rig_offer(r, 1, 0);
	depart(r, 1);
	rig_offer(r, 2, 0);
	rig_offer(r, 3, 0);
	assert_true(call_of(r, 2) != call_of(r, 1) && call_of(r, 2) == call_of(r, 3));
	depart(r, 2);
	rig_offer(r, 4, 0);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	rig_free(r);
}

static void concurrency_counts_calls_and_a_place_is_free_when_the_last_has_ended(void **state)
{
	struct rig *r = rig_of(1, 2);

	(void)state;
	offer_some(r, 1, 4, 0);
	rig_ok(r, 1);
	assert_string_equal(rig_calls(r), "1 2 ");
	rig_ok(r, 2);
	assert_string_equal(rig_calls(r), "1 2 3 4 ");
	rig_free(r);
}

static void without_batch_each_goes_alone(void **state)
{
	struct rig *r = rig_of(2, 1);

	(void)state;
	offer_some(r, 1, 3, 0);
	assert_string_equal(rig_calls(r), "1 2 ");
	assert_true(call_of(r, 1) == 0 && call_of(r, 2) == 0);
	rig_free(r);
}

static void a_call_holds_a_megabyte(void **state)
{
	struct rig *r = rig_of(3, 10);

	(void)state;
	rig_offer_large(r, 1, LANE_CALL_BYTES / 2);
	rig_offer_large(r, 2, LANE_CALL_BYTES / 2);
	rig_offer_large(r, 3, 1);
	rig_offer_large(r, 4, LANE_CALL_BYTES * 2);
	assert_string_equal(rig_calls(r), "1 2 3 4 ");
	assert_true(call_of(r, 1) == call_of(r, 2));
	assert_true(call_of(r, 3) != call_of(r, 2) && call_of(r, 4) != call_of(r, 3));
	rig_free(r);
}

static void those_of_one_key_go_behind_each_other_in_one_call(void **state)
{
	struct rig *r = rig_of(4, 3);

	(void)state;
	offer_some(r, 1, 5, 77);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	assert_true(call_of(r, 1) == call_of(r, 3));
	rig_ok(r, 1);
	rig_ok(r, 2);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	rig_ok(r, 3);
	assert_string_equal(rig_calls(r), "1 2 3 4 5 ");
	rig_free(r);
}

static void one_of_a_key_does_not_follow_into_another_call(void **state)
{
	struct rig *r = rig_of(4, 3);

	(void)state;
	rig_offer(r, 1, 77);
	depart(r, 1);
	rig_offer(r, 2, 77);
	rig_offer(r, 3, 0);
	assert_string_equal(rig_calls(r), "1 3 ");
	rig_free(r);
}

static void a_call_that_fails_is_tried_again_in_order(void **state)
{
	struct rig *r = rig_of(4, 3);

	(void)state;
	offer_some(r, 1, 5, 77);
	for (uint64_t seq = 1; seq <= 3; seq++)
		rig_again(r, seq);
	rig_clear(r);
	rig_pass(r, 5000);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	assert_true(call_of(r, 1) == call_of(r, 3));
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.attempt, 2);
	rig_free(r);
}

/* The oldest waits longest: the others of its key wait for it. */
static void none_of_a_key_overtakes_one_that_waits(void **state)
{
	struct rig *r = rig_of(4, 3);

	(void)state;
	offer_some(r, 1, 3, 77);
	lane_finished(r->lane, 1, LANE_AGAIN, "no", 60000, false, r->now, &r->out);
	rig_again(r, 2);
	rig_again(r, 3);
	rig_clear(r);
	rig_pass(r, 59000);
	assert_string_equal(rig_calls(r), "");
	rig_pass(r, 1000);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	rig_free(r);
}

/* As a server does that refuses every request with 5 in it; the requests it saw. */
static size_t serve(struct rig *r)
{
	size_t requests = 0;

	for (size_t i = 0; i < r->out.n;) {
		uint64_t call = r->out.list[i].call, first = r->out.list[i].delivery.seq, last;
		bool bad = false;

		if (r->out.list[i].kind != LANE_CALL) {
			i++;
			continue;
		}
		for (last = first; i < r->out.n && r->out.list[i].kind == LANE_CALL &&
				   r->out.list[i].call == call && (call || last == first);
		     i++) {
			last = r->out.list[i].delivery.seq;
			bad |= last == 5;
		}
		requests++;
		for (uint64_t seq = first; seq <= last; seq++) {
			if (bad)
				rig_split(r, seq);
			else
				rig_ok(r, seq);
		}
	}
	return requests;
}

static void a_refused_call_is_split_until_the_bad_one_is_alone(void **state)
{
	struct rig *r = rig_of(1, 64);

	(void)state;
	offer_some(r, 1, 64, 0);
	assert_int_equal(serve(r), 13); /* one, and two for each halving */
	for (uint64_t seq = 1; seq <= 64; seq++)
		assert_int_equal(rig_state(r, seq), seq == 5 ? DELIVERY_DEAD : DELIVERY_DONE);
	rig_free(r);
}

static void split_costs_no_attempt_and_is_told(void **state)
{
	struct rig *r = rig_of(8, 4);
	const struct delivery *row;

	(void)state;
	offer_some(r, 1, 4, 0);
	rig_clear(r);
	split(r, 1, 4);
	assert_string_equal(rig_calls(r), "1 2 3 4 ");
	assert_true(call_of(r, 1) == call_of(r, 2) && call_of(r, 3) == call_of(r, 4));
	assert_true(call_of(r, 2) != call_of(r, 3));
	assert_int_equal(rig_last(r, LANE_CALL)->delivery.attempt, 1);
	rig_ok(r, 1);
	rig_ok(r, 2);
	rig_clear(r);
	split(r, 3, 4);
	assert_true(call_of(r, 3) != call_of(r, 4));
	rig_split(r, 3);
	rig_ok(r, 4);
	assert_int_equal(rig_state(r, 3), DELIVERY_DEAD);
	assert_int_equal(rig_state(r, 4), DELIVERY_DONE);
	row = rig_row(r, 4);
	assert_non_null(strstr(row->trail, "\"split\""));
	assert_non_null(strstr(row->trail, "413"));
	assert_int_equal(row->attempt, 1);
	rig_free(r);
}

static void a_split_keeps_the_order_of_a_key(void **state)
{
	struct rig *r = rig_of(8, 4);

	(void)state;
	offer_some(r, 1, 4, 77);
	rig_clear(r);
	split(r, 1, 4);
	assert_string_equal(rig_calls(r), "1 2 ");
	rig_ok(r, 1);
	rig_ok(r, 2);
	assert_string_equal(rig_calls(r), "1 2 3 4 ");
	rig_free(r);
}

static void a_split_of_one_is_a_dead_letter(void **state)
{
	struct rig *r = rig_of(8, 4);

	(void)state;
	rig_offer(r, 1, 0);
	rig_split(r, 1);
	assert_int_equal(rig_state(r, 1), DELIVERY_DEAD);
	rig_free(r);
}

static void a_failed_call_is_one_sign_of_trouble(void **state)
{
	struct rig *r = rig_of(8, 10);

	(void)state;
	for (uint64_t call = 0; call < LANE_TROUBLE; call++) {
		assert_false(lane_stats(r->lane).open);
		offer_some(r, call * 10 + 1, call * 10 + 10, 0);
		for (uint64_t seq = call * 10 + 1; seq <= call * 10 + 10; seq++)
			rig_down(r, seq);
	}
	assert_true(lane_stats(r->lane).open);
	rig_free(r);
}

static void a_probe_goes_alone(void **state)
{
	struct rig *r = rig_of(8, 1);

	(void)state;
	rig_open_breaker(r);
	r->settings.batch = 10;
	rig_configure(r);
	rig_pass(r, 5000);
	assert_int_equal(rig_count(r, LANE_CALL), 1);
	assert_true(rig_last(r, LANE_CALL)->call == 0);
	rig_ok(r, rig_last(r, LANE_CALL)->delivery.seq);
	assert_int_equal(rig_count(r, LANE_CALL), LANE_TROUBLE);
	rig_free(r);
}

static void after_a_crash_each_goes_alone(void **state)
{
	struct rig *r = rig_of(8, 10);

	(void)state;
	rig_restart(r, true, 20);
	offer_some(r, 1, 3, 0);
	rig_permit(r);
	assert_string_equal(rig_calls(r), "1 ");
	assert_true(call_of(r, 1) == 0);
	rig_ok(r, 1);
	rig_permit(r);
	assert_string_equal(rig_calls(r), "1 2 ");
	rig_free(r);
}

/* As many may have been in calls when it ended. */
static void care_is_taken_of_all_that_calls_can_hold(void **state)
{
	struct rig *r = rig_of(2, 3);

	(void)state;
	rig_restart(r, true, 100);
	offer_some(r, 1, 20, 0);
	for (uint64_t seq = 1; seq <= 12; seq++) {
		rig_permit(r);
		assert_int_equal(rig_count(r, LANE_CALL), seq);
		rig_ok(r, seq);
	}
	assert_string_equal(rig_calls(r), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 ");
	rig_free(r);
}

static void rate_counts_deliveries(void **state)
{
	struct rig *r = rig_of(8, 10);

	(void)state;
	r->settings.rate = (struct rate){.events = 2, .per_ms = 1000, .burst = 2};
	rig_configure(r);
	offer_some(r, 1, 10, 0);
	assert_string_equal(rig_calls(r), "1 2 ");
	rig_free(r);
}

static void a_lane_with_large_calls_takes_what_they_need(void **state)
{
	struct rig *r = rig_of(4, 1000);
	uint64_t seq = 0;

	(void)state;
	while (lane_wants(r->lane))
		rig_offer(r, ++seq, 0);
	assert_int_equal(seq, 8000);
	assert_int_equal(rig_count(r, LANE_CALL), 4000);
	rig_free(r);
}

static void one_that_is_dropped_leaves_its_call(void **state)
{
	struct rig *r = rig_of(1, 2);

	(void)state;
	offer_some(r, 1, 3, 0);
	lane_drop(r->lane, 1, "not wanted", r->now, &r->out);
	assert_string_equal(rig_calls(r), "1 2 ");
	lane_drop(r->lane, 2, "not wanted", r->now, &r->out);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	rig_free(r);
}

static void a_call_that_runs_out_of_time_is_tried_again_whole(void **state)
{
	struct rig *r = rig_of(1, 3);

	(void)state;
	offer_some(r, 1, 3, 77);
	rig_clear(r);
	rig_pass(r, 29999);
	assert_int_equal(rig_count(r, LANE_ABANDON), 0);
	rig_pass(r, 1);
	assert_int_equal(rig_count(r, LANE_ABANDON), 3);
	rig_pass(r, 5000);
	assert_string_equal(rig_calls(r), "1 2 3 ");
	rig_free(r);
}

#define FACT(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(what_is_ready_together_goes_together),
		FACT(a_call_that_left_takes_no_more),
		FACT(concurrency_counts_calls_and_a_place_is_free_when_the_last_has_ended),
		FACT(without_batch_each_goes_alone),
		FACT(a_call_holds_a_megabyte),
		FACT(those_of_one_key_go_behind_each_other_in_one_call),
		FACT(one_of_a_key_does_not_follow_into_another_call),
		FACT(a_call_that_fails_is_tried_again_in_order),
		FACT(none_of_a_key_overtakes_one_that_waits),
		FACT(a_refused_call_is_split_until_the_bad_one_is_alone),
		FACT(split_costs_no_attempt_and_is_told),
		FACT(a_split_keeps_the_order_of_a_key),
		FACT(a_split_of_one_is_a_dead_letter),
		FACT(a_failed_call_is_one_sign_of_trouble),
		FACT(a_probe_goes_alone),
		FACT(after_a_crash_each_goes_alone),
		FACT(care_is_taken_of_all_that_calls_can_hold),
		FACT(rate_counts_deliveries),
		FACT(a_lane_with_large_calls_takes_what_they_need),
		FACT(one_that_is_dropped_leaves_its_call),
		FACT(a_call_that_runs_out_of_time_is_tried_again_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
