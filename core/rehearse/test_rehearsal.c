#include "rehearse/rehearsal.h"

#include "base/mem.h"
#include "route/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START  INT64_C(1767225600000)
#define SECOND INT64_C(1000)
#define DAY    (86400 * SECOND)

struct stage {
	struct config *config;
	struct rehearsal *r;
	enum lane_result first[8]; /* what the first calls are answered, whoever is called */
	size_t nfirst, calls;
	struct buf told; /* "rule -> target" of each delivery, as it ended */
};

static enum lane_result deliver(void *arg, const struct rehearsed *d, struct err *why)
{
	struct stage *s = arg;

	assert_true(d->attempts > 0);
	assert_int_equal(strlen(d->key), 32);
	if (s->calls++ >= s->nfirst)
		return LANE_OK;
	err_set(why, "scripted");
	return s->first[s->calls - 1];
}

static struct stage *open_stage(const char *rules)
{
	static const char parts[] = "[source src]\nplugin = p\n[sink a]\nplugin = p\n"
				    "[sink b]\nplugin = p\n[sink slow]\nplugin = p\nrate = 1/m\n"
				    "[sink off]\nplugin = p\nenabled = no\n";
	struct stage *s = mem_new(struct stage);
	char *text = mem_format("%s%s", parts, rules);
	struct report report = {0};
	struct buf said = {0};
	struct err err = {{0}};

	s->config = config_load_text("t.ini", text, &report);
	report_print(&report, &said);
	if (report.errors)
		fail_msg("%s", buf_text(&said));
	s->r = rehearsal_new(&(struct rehearsal_options){s->config, START, deliver, s}, &err);
	if (!s->r)
		fail_msg("%s", err.text);
	buf_free(&said);
	report_free(&report);
	free(text);
	return s;
}

static void close_stage(struct stage *s)
{
	rehearsal_free(s->r);
	config_free(s->config);
	buf_free(&s->told);
	free(s);
}

static enum rehearsal_given give(struct stage *s, const char *type, const char *id)
{
	struct event ev = {.id = id,
			   .source = "src",
			   .type = type,
			   .instance = "src",
			   .data = "{}",
			   .data_len = 2};
	struct err err;

	return rehearsal_give(s->r, &ev, &err);
}

static void give_group(struct stage *s, const char *id, const char *data)
{
	struct event ev = {.id = id,
			   .source = "src",
			   .type = "t.x",
			   .instance = "src",
			   .data = data,
			   .data_len = strlen(data)};
	struct err err;

	assert_int_equal(rehearsal_give(s->r, &ev, &err), REHEARSAL_TAKEN);
}

static void answer_first(struct stage *s, size_t n, enum lane_result result)
{
	for (s->nfirst = 0; s->nfirst < n; s->nfirst++)
		s->first[s->nfirst] = result;
}

static const char *told(struct stage *s)
{
	const struct rehearsed *d;

	buf_cut(&s->told, 0);
	for (size_t i = 0; (d = rehearsal_delivery(s->r, i)); i++)
		buf_printf(&s->told, "%s%s -> %s %s", i ? ", " : "", d->rule, d->target,
			   delivery_state_name(d->state));
	return buf_text(&s->told);
}

static void a_match_is_delivered_at_once(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = a, b\n");

	(void)state;
	give(s, "t.y", "1");
	assert_string_equal(told(s), "");
	give(s, "t.x", "2");
	assert_string_equal(told(s), "r -> a done, r -> b done");
	close_stage(s);
}

static void a_repeat_is_known_and_dropped(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = a\n");

	(void)state;
	assert_int_equal(give(s, "t.x", "1"), REHEARSAL_TAKEN);
	assert_int_equal(give(s, "t.x", "1"), REHEARSAL_KNOWN);
	assert_string_equal(told(s), "r -> a done");
	close_stage(s);
}

static void what_is_unfit_does_not_come_in(void **state)
{
	struct stage *s = open_stage("[rule r]\ndo = a\n");

	(void)state;
	assert_int_equal(give(s, "Not A Type", "1"), REHEARSAL_UNFIT);
	assert_string_equal(told(s), "");
	assert_null(rehearsal_event(s->r, 1));
	close_stage(s);
}

static void a_window_closes_when_its_time_has_passed_and_not_before(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ncoalesce = 90s, max 10m\ndo = a\n");

	(void)state;
	give(s, "t.x", "1");
	rehearsal_pass(s->r, 60 * SECOND);
	give(s, "t.x", "2");
	rehearsal_pass(s->r, 89 * SECOND);
	assert_string_equal(told(s), "");
	rehearsal_pass(s->r, 1 * SECOND);
	assert_string_equal(told(s), "r -> a done");
	assert_int_equal(rehearsal_delivery(s->r, 0)->view, EVENT_MEMBERS);
	close_stage(s);
}

static void a_count_forgets_what_is_too_old(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ncount = 2 in 10m\ndo = a\n");

	(void)state;
	give(s, "t.x", "1");
	rehearsal_pass(s->r, 601 * SECOND);
	give(s, "t.x", "2");
	assert_string_equal(told(s), "");
	give(s, "t.x", "3");
	assert_string_equal(told(s), "r -> a done");
	close_stage(s);
}

static void inputs_fire_together(void **state)
{
	struct stage *s = open_stage("[input x]\non = t.x\n[input y]\non = t.y\n"
				     "[rule r]\ninputs = x, y\ndo = a\n");

	(void)state;
	give(s, "t.x", "1");
	assert_string_equal(told(s), "");
	give(s, "t.y", "2");
	assert_string_equal(told(s), "r -> a done");
	close_stage(s);
}

static void a_failed_attempt_is_made_again(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = a\n");

	(void)state;
	answer_first(s, 2, LANE_AGAIN);
	give(s, "t.x", "1");
	assert_string_equal(told(s), "r -> a retry");
	rehearsal_finish(s->r, DAY);
	assert_string_equal(told(s), "r -> a done");
	assert_int_equal(rehearsal_delivery(s->r, 0)->attempts, 3);
	close_stage(s);
}

static void a_dead_letter_is_an_event(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = a\n"
				     "[rule d]\non = pointsman.delivery.dead\ndo = a, b\n");

	(void)state;
	answer_first(s, 1, LANE_REJECT);
	give(s, "t.x", "1");
	assert_string_equal(told(s), "r -> a dead, d -> b done");
	assert_string_equal(rehearsal_delivery(s->r, 0)->why, "scripted");
	close_stage(s);
}

static void dead_letters_of_a_minute_are_announced_together(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = a\n"
				     "[rule d]\non = pointsman.delivery.dead\ndo = b\n");
	struct event *last;

	(void)state;
	s->first[0] = s->first[2] = s->first[3] = LANE_REJECT; /* the second call is b's */
	s->first[1] = LANE_OK;
	s->nfirst = 4;
	give(s, "t.x", "1");
	give(s, "t.x", "2");
	give(s, "t.x", "3");
	rehearsal_finish(s->r, DAY);
	assert_string_equal(told(s), "r -> a dead, d -> b done, r -> a dead, r -> a dead, "
				     "d -> b done");
	last = rehearsal_event(s->r, 5);
	assert_non_null(strstr(last->data, "\"count\":2"));
	event_unref(last);
	close_stage(s);
}

static void a_breaker_opens_and_closes(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = a\n"
				     "[rule o]\non = pointsman.breaker.opened\ndo = b\n"
				     "[rule c]\non = pointsman.breaker.closed\ndo = b\n");

	(void)state;
	answer_first(s, LANE_TROUBLE, LANE_DOWN);
	give(s, "t.x", "1");
	rehearsal_finish(s->r, DAY);
	assert_string_equal(told(s), "r -> a done, o -> b done, c -> b done");
	close_stage(s);
}

static void then_begins_when_the_first_is_done(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = a then b\n");

	(void)state;
	answer_first(s, 1, LANE_AGAIN);
	give(s, "t.x", "1");
	assert_string_equal(told(s), "r -> a retry");
	rehearsal_finish(s->r, DAY);
	assert_string_equal(told(s), "r -> a done, r -> b done");
	close_stage(s);
}

static void a_waiting_one_is_superseded(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\noverlap = supersede\ndo = slow\n");

	(void)state;
	for (int i = 0; i < 4; i++) {
		char id[8];

		snprintf(id, sizeof id, "%d", i);
		give(s, "t.x", id);
	}
	rehearsal_finish(s->r, DAY);
	assert_string_equal(told(s), "r -> slow done, r -> slow done");
	assert_int_equal(rehearsal_delivery(s->r, 1)->event->seq, 4);
	close_stage(s);
}

static void a_rate_lets_more_wait_than_a_lane_holds(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = slow\n");
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 2 * LANE_MAX_WAITING; i++) {
		char id[8];

		snprintf(id, sizeof id, "%d", i);
		give(s, "t.x", id);
	}
	assert_string_equal(told(s), "r -> slow done");
	rehearsal_finish(s->r, DAY);
	while (rehearsal_delivery(s->r, n))
		n++;
	assert_int_equal(n, 2 * LANE_MAX_WAITING);
	close_stage(s);
}

static void a_group_given_up_is_an_event(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ngroup-by = data.g\ngroups = 1\n"
				     "coalesce = 1h\ndo = a\n"
				     "[rule d]\non = pointsman.group.dropped\ndo = b\n");

	(void)state;
	give_group(s, "1", "{\"g\":\"one\"}");
	give_group(s, "2", "{\"g\":\"two\"}");
	assert_string_equal(told(s), "d -> b done");
	rehearsal_finish(s->r, DAY);
	assert_string_equal(told(s), "d -> b done, r -> a done");
	close_stage(s);
}

static void a_target_that_is_not_enabled_is_never_called(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ndo = off, a\n");

	(void)state;
	give(s, "t.x", "1");
	rehearsal_finish(s->r, DAY);
	assert_string_equal(told(s), "r -> a done");
	close_stage(s);
}

static void a_loop_is_given_up_and_named(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x, pointsman.rule.fired\n"
				     "coalesce = 1s\ndo = a\n");

	(void)state;
	give(s, "t.x", "1");
	rehearsal_finish(s->r, DAY);
	assert_non_null(rehearsal_trouble(s->r));
	assert_non_null(strstr(rehearsal_trouble(s->r), "a loop"));
	close_stage(s);
}

/* Jitter and ids included. */
static void the_same_events_come_to_the_same_end(void **state)
{
	static const char rules[] = "[rule r]\non = t.x\ndo = a\n"
				    "[rule o]\non = pointsman.breaker.*\ndo = b\n";
	struct buf seen[2] = {{0}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct stage *s = open_stage(rules);
		struct event *ev;

		answer_first(s, 7, LANE_DOWN);
		give(s, "t.x", "1");
		rehearsal_finish(s->r, DAY);
		for (uint64_t seq = 1; (ev = rehearsal_event(s->r, seq)); seq++) {
			event_json(ev, &seen[i]);
			event_unref(ev);
		}
		close_stage(s);
	}
	assert_true(seen[0].len > 0);
	assert_string_equal(buf_text(&seen[0]), buf_text(&seen[1]));
	buf_free(&seen[0]);
	buf_free(&seen[1]);
}

static void the_end_is_when_nothing_is_due(void **state)
{
	struct stage *s = open_stage("[rule r]\non = t.x\ncoalesce = 20d, max 300d\ndo = a\n");

	(void)state;
	give(s, "t.x", "1");
	rehearsal_finish(s->r, 19 * DAY);
	assert_string_equal(told(s), "");
	rehearsal_finish(s->r, 400 * DAY);
	assert_string_equal(told(s), "r -> a done");
	close_stage(s);
}

static void a_reason_is_the_condition_that_failed(void **state)
{
	struct stage *s =
		open_stage("[rule r]\non = t.x\nfrom = src\n"
			   "where = data.g == \"one\" and data.h exists\ndo = a\n"
			   "[input x]\non = t.x\nwhere = data.n > 1\n[input y]\non = t.y\n"
			   "[rule j]\ninputs = x, y\ndo = a\n");
	struct buf why = {0};
	struct event *ev;

	(void)state;
	give_group(s, "1", "{\"g\":\"two\",\"n\":\"text\"}");
	give_group(s, "2", "{\"g\":\"one\",\"h\":1,\"n\":2}");
	give(s, "t.z", "3");
	ev = rehearsal_event(s->r, 1);
	assert_true(reason_add(rehearsal_plan(s->r), 0, ev, &why));
	assert_string_equal(buf_text(&why), "where data.g == \"one\": not so\n");
	buf_cut(&why, 0);
	assert_true(reason_add(rehearsal_plan(s->r), 1, ev, &why));
	assert_string_equal(buf_text(&why),
			    "input x: where data.n > 1: data.n is of another type\n");
	event_unref(ev);
	buf_cut(&why, 0);
	ev = rehearsal_event(s->r, 2);
	assert_true(reason_add(rehearsal_plan(s->r), 0, ev, &why));
	assert_string_equal(buf_text(&why), "matches\n");
	event_unref(ev);
	buf_cut(&why, 0);
	ev = rehearsal_event(s->r, 3);
	assert_false(reason_add(rehearsal_plan(s->r), 0, ev, &why));
	assert_int_equal(why.len, 0);
	event_unref(ev);
	buf_free(&why);
	close_stage(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_match_is_delivered_at_once),
		cmocka_unit_test(a_repeat_is_known_and_dropped),
		cmocka_unit_test(what_is_unfit_does_not_come_in),
		cmocka_unit_test(a_window_closes_when_its_time_has_passed_and_not_before),
		cmocka_unit_test(a_count_forgets_what_is_too_old),
		cmocka_unit_test(inputs_fire_together),
		cmocka_unit_test(a_failed_attempt_is_made_again),
		cmocka_unit_test(a_dead_letter_is_an_event),
		cmocka_unit_test(dead_letters_of_a_minute_are_announced_together),
		cmocka_unit_test(a_breaker_opens_and_closes),
		cmocka_unit_test(then_begins_when_the_first_is_done),
		cmocka_unit_test(a_waiting_one_is_superseded),
		cmocka_unit_test(a_rate_lets_more_wait_than_a_lane_holds),
		cmocka_unit_test(a_group_given_up_is_an_event),
		cmocka_unit_test(a_target_that_is_not_enabled_is_never_called),
		cmocka_unit_test(a_loop_is_given_up_and_named),
		cmocka_unit_test(the_same_events_come_to_the_same_end),
		cmocka_unit_test(the_end_is_when_nothing_is_due),
		cmocka_unit_test(a_reason_is_the_condition_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
