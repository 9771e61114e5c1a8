#include "route/explain.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char parts[] = "[source src]\nplugin = p\n[action build]\nplugin = p\n"
			    "[sink slack]\nplugin = p\n[sink cdn]\nplugin = p\n";

static struct event *event_of(const char *type, const char *data)
{
	return event_create(&(struct event){.seq = 7,
					    .at = 1000,
					    .id = "id",
					    .source = "s",
					    .type = type,
					    .time = "2026-11-24T01:02:03Z",
					    .instance = "src",
					    .data = data,
					    .data_len = strlen(data)});
}

static void say_asks(const struct explained *x, struct buf *out)
{
	for (size_t i = 0; i < x->nasks; i++) {
		const struct explained_ask *a = &x->asks[i];

		buf_printf(out, " %s%s", a->input ? a->input : "", a->matched ? "+" : "-");
		for (size_t c = 0; c < a->n; c++)
			buf_char(out, a->seen[c].verdict == VERDICT_PASS      ? 'P'
				      : a->seen[c].verdict == VERDICT_UNASKED ? '.'
									      : 'F');
	}
}

static void say_held(const struct explained *x, struct buf *out)
{
	if (!x->holds)
		return;
	buf_text_add(out, ", holds");
	for (size_t i = 0; i < x->holds->nslots; i++)
		buf_printf(out, " %s%s", x->rule->inputs[i], x->holds->slots[i].seq ? "!" : "?");
	if (x->holds->n)
		buf_printf(out, " %zu", x->holds->n);
	if (x->holds->open)
		buf_text_add(out, " open");
}

static void say_rule(const struct explained *x, struct buf *out)
{
	buf_printf(out, "%s %s", x->rule->name, x->fired ? "FIRED" : x->matched ? "YES" : "NO");
	say_asks(x, out);
	say_held(x, out);
	for (size_t i = 0; i < x->n; i++)
		buf_printf(out, " -> %s%s%s%s of %s", x->deliveries[i].target,
			   x->deliveries[i].then ? " then " : "",
			   x->deliveries[i].then ? x->deliveries[i].then : "",
			   x->deliveries[i].view == EVENT_MEMBERS ? " members" : "",
			   x->event->type);
	buf_char(out, '\n');
}

static void explains(const char *rules, const char *type, const char *data, const char *expected)
{
	struct explain_numbers n = {{0}, 0};
	struct plan_numbers numbers = explain_numbers(&n);
	struct report report = {0};
	char *text = mem_format("%s%s", parts, rules);
	struct config *config = config_load_text("t.ini", text, &report);
	struct err err = {{0}};
	struct plan *plan = plan_prepare(config, &err);
	struct event *ev = event_of(type, data);
	struct explanation *e;
	struct explained x;
	struct buf out = {0};

	assert_int_equal(report.errors, 0);
	assert_true(plan && plan_number(plan, 1, &numbers));
	e = explain_event(plan, ev);
	for (size_t i = 0; explain_rule(e, i, &x); i++) {
		say_rule(&x, &out);
		explained_clear(&x);
	}
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
	explanation_free(e);
	event_unref(ev);
	plan_free(plan);
	explain_numbers_free(&n);
	config_free(config);
	report_free(&report);
	free(text);
}

static void each_rule_tells_its_conditions_and_its_deliveries(void **state)
{
	(void)state;
	explains("[rule a]\non = x.*\nwhere = data.n == 1 and data.m == 2\ndo = slack\n"
		 "[rule b]\non = x.y\ndo = build then cdn, slack\n"
		 "[rule c]\non = other\nwhere = data.n == 1\ndo = cdn\n"
		 "[rule d]\non = x.y\nenabled = no\ndo = cdn\n",
		 "x.y", "{\"n\":2,\"m\":2}",
		 "a NO -PFP\n"
		 "b YES +P -> build then cdn of x.y -> slack of x.y\n"
		 "c NO -F.\n"
		 "d NO\n");
}

static void a_target_another_rule_has_already_is_not_delivered_to_twice(void **state)
{
	(void)state;
	explains("[rule a]\ndo = slack\n[rule b]\ndo = slack, cdn\n[rule c]\nelse = yes\n"
		 "do = build\n",
		 "x.y", "{}", "a YES +P -> slack of x.y\nb YES +P -> cdn of x.y\nc NO +P\n");
}

static void an_input_that_is_filled_says_what_is_waited_for(void **state)
{
	static const char rules[] = "[input one]\non = x.y\n[input two]\non = x.z\n"
				    "[rule r]\ninputs = one, two\ndo = build\n";

	(void)state;
	explains(rules, "x.y", "{}", "r YES one+P two-F, holds one! two?\n");
	explains(rules, "x.w", "{}", "r NO one-F two-F\n");
}

static void a_window_or_count_says_what_it_would_hold(void **state)
{
	(void)state;
	explains("[rule w]\ncoalesce = 1m\ndo = slack\n[rule c]\ncount = 3 in 1m\ndo = cdn\n",
		 "x.y", "{}", "w YES +P, holds 1 open\nc YES +P, holds 1\n");
}

static void what_fires_at_once_says_what_is_delivered(void **state)
{
	(void)state;
	explains("[input one]\non = x.y\n[rule r]\ninputs = one\ndo = build\n", "x.y", "{}",
		 "r YES one+P -> build members of pointsman.rule.fired\n");
}

static void a_firing_is_delivered_as_its_rule_says(void **state)
{
	(void)state;
	explains("[rule w]\ncoalesce = 1m\ndo = slack\n"
		 "[rule f]\non = pointsman.rule.fired\ndo = cdn\n",
		 "pointsman.rule.fired",
		 "{\"rule\":\"w\",\"group\":\"\",\"window\":{\"count\":0,\"events\":[]},"
		 "\"newest\":0}",
		 "w FIRED -> slack members of pointsman.rule.fired\n"
		 "f YES +P -> cdn of pointsman.rule.fired\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_tells_its_conditions_and_its_deliveries),
		cmocka_unit_test(a_target_another_rule_has_already_is_not_delivered_to_twice),
		cmocka_unit_test(an_input_that_is_filled_says_what_is_waited_for),
		cmocka_unit_test(a_window_or_count_says_what_it_would_hold),
		cmocka_unit_test(what_fires_at_once_says_what_is_delivered),
		cmocka_unit_test(a_firing_is_delivered_as_its_rule_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
