#include "route/router.h"

#include "base/mem.h"
#include "journal/cell.h"
#include "journal/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000
#define MINUTE (60 * SECOND)

/* Numbers by order of asking; `was` is looked up first, as names.h does it. */
struct numbering {
	char *names[64];
	uint32_t n;
};

static uint32_t known(struct numbering *n, int kind, const char *name)
{
	char *key = mem_format("%d %s", kind, name);
	uint32_t found = 0;

	for (uint32_t i = 0; i < n->n && !found; i++) {
		if (strcmp(n->names[i], key) == 0)
			found = i + 1;
	}
	free(key);
	return found;
}

static uint32_t number(void *arg, int kind, const char *name, const char *was)
{
	struct numbering *n = arg;
	uint32_t found = known(n, kind, name);

	if (!found && was && (found = known(n, kind, was)) != 0) {
		free(n->names[found - 1]);
		n->names[found - 1] = mem_format("%d %s", kind, name);
	}
	if (found)
		return found;
	n->names[n->n++] = mem_format("%d %s", kind, name);
	return n->n;
}

struct fixture {
	struct numbering numbers;
	struct config *config;
	struct plan *plan;
	struct router_state *state;
	struct outcome out;
	uint64_t seq;
	struct event *events[4096]; /* by seq */
};

static const char targets[] = "[source src]\nplugin = p\n[source other]\nplugin = p\n"
			      "[action build]\nplugin = p\n[sink slack]\nplugin = p\n"
			      "[sink cdn]\nplugin = p\n";

static void configure(struct fixture *f, const char *rules)
{
	struct plan_numbers numbers = {number, &f->numbers};
	struct report report = {0};
	struct buf said = {0};
	char *text = mem_format("%s%s", targets, rules);
	struct config *config = config_load_text("t.ini", text, &report);
	struct err err;

	report_print(&report, &said);
	if (report.errors)
		fail_msg("%s", buf_text(&said));
	plan_free(f->plan);
	config_free(f->config);
	f->config = config;
	f->plan = plan_prepare(config, &err);
	if (!f->plan)
		fail_msg("%s", err.text);
	assert_true(plan_number(f->plan, 1, &numbers));
	buf_free(&said);
	report_free(&report);
	free(text);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->state = router_state_new();
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	outcome_clear(&f->out);
	for (uint64_t i = 0; i <= f->seq; i++)
		event_unref(f->events[i]);
	for (uint32_t i = 0; i < f->numbers.n; i++)
		free(f->numbers.names[i]);
	router_state_free(f->state);
	plan_free(f->plan);
	config_free(f->config);
	free(f);
	return 0;
}

/* Route it without taking over what was said. */
static void route(struct fixture *f, struct event ev, int64_t at)
{
	ev.id = ev.id ? ev.id : "id";
	ev.source = ev.source ? ev.source : "s";
	ev.instance = ev.instance ? ev.instance : "src";
	ev.time = "2026-11-24T01:02:03Z";
	ev.data = ev.data ? ev.data : "{}";
	ev.data_len = strlen(ev.data);
	ev.seq = ++f->seq;
	ev.at = at;
	f->events[f->seq] = event_create(&ev);
	outcome_clear(&f->out);
	route_event(f->plan, f->state, f->events[f->seq], NULL, &f->out);
}

static void happen(struct fixture *f, const char *type, const char *data, int64_t at)
{
	route(f, (struct event){.type = type, .data = data}, at);
	router_apply(f->state, &f->out);
}

static void time_is(struct fixture *f, int64_t at)
{
	outcome_clear(&f->out);
	route_deadline(f->plan, f->state, at, &f->out);
	router_apply(f->state, &f->out);
}

static uint32_t target(struct fixture *f, const char *name)
{
	return known(&f->numbers, NAME_INSTANCE, name);
}

static const struct duty *duty_to(struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->out.nduties; i++) {
		if (f->out.duties[i].target == target(f, name))
			return &f->out.duties[i];
	}
	return NULL;
}

static void goes_to(struct fixture *f, const char *names)
{
	size_t n = 0;

	for (const char *at = names; *at; n++) {
		size_t len = strcspn(at, " ");
		char *name = mem_slice(at, len);

		if (!duty_to(f, name))
			fail_msg("nothing goes to %s", name);
		free(name);
		at += len + (at[len] == ' ');
	}
	assert_int_equal(f->out.nduties, n);
}

static void members_are(struct fixture *f, const char *expected)
{
	struct buf b = {0};

	assert_int_equal(f->out.nfirings, 1);
	for (size_t i = 0; i < f->out.firings[0].n; i++) {
		const struct member *m = &f->out.firings[0].members[i];

		buf_printf(&b, "%s%s%s%d", i ? " " : "", m->input ? m->input : "",
			   m->input ? "=" : "", (int)m->seq);
	}
	assert_string_equal(buf_text(&b), expected);
	buf_free(&b);
}

static void a_match_is_a_duty_of_each_target(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a.b\ndo = build, slack then cdn\n");
	happen(f, "a.b", NULL, 1);
	goes_to(f, "build slack");
	assert_int_equal(duty_to(f, "slack")->then, target(f, "cdn"));
	assert_int_equal(duty_to(f, "build")->then, 0);
	assert_false(duty_to(f, "build")->members);
	assert_int_equal(duty_to(f, "build")->rule, known(&f->numbers, NAME_RULE, "r"));
	happen(f, "a.c", NULL, 1);
	goes_to(f, "");
}

/* docs/behaviour.md, idempotency key: one event makes at most one delivery per target, whichever
 * rules ask for it. */
static void two_rules_make_one_delivery_to_a_target(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule one]\non = a.b\ndo = slack\n"
		     "[rule two]\non = a.*\ndo = slack, cdn\n");
	happen(f, "a.b", NULL, 1);
	goes_to(f, "slack cdn");
	assert_int_equal(duty_to(f, "slack")->rule, known(&f->numbers, NAME_RULE, "one"));
	assert_string_equal(buf_text(&f->out.decided),
			    "[{\"rule\":\"one\",\"matched\":true},"
			    "{\"rule\":\"two\",\"matched\":true,\"taken\":[\"slack\"]}]");
}

/* docs/behaviour.md, `a then b`. */
static void a_target_asked_for_by_itself_does_not_wait_for_a_then(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule one]\non = a.b\ndo = slack then cdn\n"
		     "[rule two]\non = a.b\ndo = cdn\n");
	happen(f, "a.b", NULL, 1);
	goes_to(f, "slack cdn");
	assert_int_equal(duty_to(f, "slack")->then, 0);
}

static void else_is_asked_only_when_no_other_rule_matched(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule rest]\nelse = yes\ndo = slack\n[rule r]\non = a.b\ndo = build\n");
	happen(f, "a.b", NULL, 1);
	goes_to(f, "build");
	happen(f, "a.c", NULL, 1);
	goes_to(f, "slack");
}

static void decided_is(struct fixture *f, const char *expected)
{
	assert_string_equal(buf_text(&f->out.decided), expected);
}

/* docs/behaviour.md, shadow. */
static void a_shadow_matches_and_delivers_nothing(void **state)
{
	struct fixture *f = *state;
	struct rule_count count;

	configure(f, "[rule r]\non = a\nshadow = yes\ndo = build, slack\n"
		     "[rule q]\non = a\ndo = slack\n");
	happen(f, "a", NULL, 1);
	goes_to(f, "slack");
	decided_is(f, "[{\"rule\":\"r\",\"matched\":true,\"shadow\":[\"build\",\"slack\"]},"
		      "{\"rule\":\"q\",\"matched\":true}]");
	assert_true(plan_count(f->plan, 0, &count));
	assert_true(count.shadow && count.matches == 1);
}

static void a_shadow_says_which_targets_another_rule_had(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule q]\non = a\ndo = slack\n"
		     "[rule r]\non = a\nshadow = yes\ndo = slack\n");
	happen(f, "a", NULL, 1);
	goes_to(f, "slack");
	decided_is(f, "[{\"rule\":\"q\",\"matched\":true},{\"rule\":\"r\",\"matched\":true,"
		      "\"taken\":[\"slack\"],\"shadow\":[]}]");
}

static void to_else_a_shadow_is_no_other_rule(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\nshadow = yes\ndo = build\n"
		     "[rule rest]\non = *\nelse = yes\ndo = slack\n"
		     "[rule tried]\non = *\nelse = yes\nshadow = yes\ndo = cdn\n");
	happen(f, "a", NULL, 1);
	goes_to(f, "slack");
	assert_non_null(strstr(buf_text(&f->out.decided), "\"shadow\":[\"cdn\"]"));
}

static void a_shadow_gathers_and_fires_for_itself(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	configure(f, "[rule r]\non = a\nshadow = yes\ncount = 2 in 1m\ndo = build\n");
	happen(f, "a", NULL, 1);
	decided_is(f, "[{\"rule\":\"r\",\"matched\":true,\"shadow\":[]}]");
	route(f, (struct event){.type = "a"}, 2);
	members_are(f, "1 2");
	route_event(f->plan, f->state, f->events[2], &f->out.firings[0], &o);
	assert_int_equal(o.nduties, 0);
	assert_non_null(strstr(buf_text(&o.decided), "\"shadow\":[\"build\"]"));
	outcome_clear(&o);
}

static void a_rule_switched_off_matches_nothing(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\nenabled = no\non = a.b\ndo = build\n");
	happen(f, "a.b", NULL, 1);
	goes_to(f, "");
	assert_int_equal(f->out.decided.len, 0);
}

static void verdicts_name_the_condition_that_failed(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a.b\nwhere = data.x == 1 and data.y == 2\ndo = build\n"
		     "[rule q]\non = z\ndo = build\n");
	happen(f, "a.b", "{\"x\":1,\"y\":3}", 1);
	assert_string_equal(buf_text(&f->out.decided),
			    "[{\"rule\":\"r\",\"failed\":[\"where\",1]}]");
	happen(f, "a.b", "{\"x\":1}", 1);
	assert_string_equal(buf_text(&f->out.decided),
			    "[{\"rule\":\"r\",\"failed\":[\"where\",1,\"absent\"]}]");
	happen(f, "a.b", "{\"x\":\"1\"}", 1);
	assert_string_equal(buf_text(&f->out.decided),
			    "[{\"rule\":\"r\",\"failed\":[\"where\",0,\"type\"]}]");
	configure(f, "[rule r]\non = a.b\nwhere = data.x == 1\n"
		     "pattern = {\"data\": {\"y\": [1], \"z\": [2]}}\ndo = build\n");
	happen(f, "a.b", "{\"x\":1,\"y\":1}", 1);
	assert_string_equal(buf_text(&f->out.decided),
			    "[{\"rule\":\"r\",\"failed\":[\"pattern\",1,\"absent\"]}]");
	happen(f, "a.b", "{\"x\":2,\"y\":1,\"z\":2}", 1);
	assert_string_equal(buf_text(&f->out.decided),
			    "[{\"rule\":\"r\",\"failed\":[\"where\",0]}]");
}

static void routing_changes_nothing_until_it_is_applied(void **state)
{
	struct fixture *f = *state;
	size_t n;

	configure(f, "[rule r]\non = a\ncoalesce = 10s\ndo = build\n");
	for (int i = 0; i < 3; i++) {
		route(f, (struct event){.type = "a"}, 1);
		assert_int_equal(f->out.nchanges, 1);
		assert_true(router_next_deadline(f->plan, f->state) == INT64_MAX);
		free(router_held(f->state, &n));
		assert_int_equal(n, 0);
	}
}

static const char four_inputs[] = "[input repo]\non = push\n[input in]\non = put\n"
				  "where = data.key == \"in\"\n";

static void inputs_fire_when_all_are_filled_and_one_is_new(void **state)
{
	struct fixture *f = *state;
	char *rules = mem_format("%s[rule r]\ninputs = repo, in\ndo = build\n", four_inputs);

	configure(f, rules);
	happen(f, "push", NULL, 1);
	assert_int_equal(f->out.nfirings, 0);
	happen(f, "push", NULL, 2);
	assert_int_equal(f->out.nfirings, 0);
	happen(f, "put", "{\"key\":\"in\"}", 3);
	members_are(f, "repo=2 in=3");
	assert_int_equal(f->out.firings[0].newest, 3);
	goes_to(f, ""); /* the firing is an event of its own, and has the duties */
	happen(f, "put", "{\"key\":\"out\"}", 4);
	assert_int_equal(f->out.nfirings, 0);
	happen(f, "push", NULL, 5);
	members_are(f, "repo=5 in=3");
	free(rules);
}

/* docs/behaviour.md, slots: "new" is cleared when the rule fires. */
static void a_slot_is_new_only_once(void **state)
{
	struct fixture *f = *state;
	struct buf text = {0};
	char *rules = mem_format("%s[rule r]\ninputs = repo, in\ncoalesce = 10s\ndo = build\n",
				 four_inputs);

	configure(f, rules);
	happen(f, "push", NULL, 0);
	happen(f, "put", "{\"key\":\"in\"}", 0);
	time_is(f, 10 * SECOND);
	members_are(f, "repo=1 in=2");
	router_cell(f->state, f->out.changes[0].key, &text);
	assert_null(strstr(text.data, "\"new\":true"));
	assert_true(router_next_deadline(f->plan, f->state) == INT64_MAX);
	time_is(f, 60 * SECOND);
	assert_int_equal(f->out.nfirings, 0);
	buf_free(&text);
	free(rules);
}

static void a_slot_older_than_reset_is_emptied(void **state)
{
	struct fixture *f = *state;
	char *rules =
		mem_format("%s[rule r]\ninputs = repo, in\nreset = 60s\ndo = build\n", four_inputs);

	configure(f, rules);
	happen(f, "push", NULL, 0);
	assert_true(router_next_deadline(f->plan, f->state) == 60 * SECOND + 1);
	happen(f, "put", "{\"key\":\"in\"}", 60 * SECOND + 1);
	assert_int_equal(f->out.nfirings, 0);
	happen(f, "push", NULL, 60 * SECOND + 2);
	members_are(f, "repo=3 in=2");
	happen(f, "push", NULL, 120 * SECOND + 1); /* just within */
	members_are(f, "repo=4 in=2");
	time_is(f, 200 * SECOND);
	assert_int_equal(f->out.nfirings, 0);
	assert_true(router_next_deadline(f->plan, f->state) == INT64_MAX);
	free(rules);
}

/* The flow: three metadata objects changed within a window make one firing. */
static void with_coalesce_inputs_wait_for_quiet_and_take_the_slots_as_they_then_are(void **state)
{
	struct fixture *f = *state;
	char *rules =
		mem_format("%s[rule r]\ninputs = repo, in\ncoalesce = 30s, max 50s\ndo = build\n",
			   four_inputs);

	configure(f, rules);
	happen(f, "push", NULL, 0);
	assert_true(router_next_deadline(f->plan, f->state) == INT64_MAX);
	happen(f, "put", "{\"key\":\"in\"}", 1 * SECOND);
	assert_true(router_next_deadline(f->plan, f->state) == 31 * SECOND);
	happen(f, "put", "{\"key\":\"in\"}", 20 * SECOND);
	assert_int_equal(f->out.nfirings, 0);
	assert_true(router_next_deadline(f->plan, f->state) == 50 * SECOND);
	happen(f, "push", NULL, 40 * SECOND);
	assert_true(router_next_deadline(f->plan, f->state) == 51 * SECOND); /* max */
	time_is(f, 51 * SECOND);
	members_are(f, "repo=4 in=3");
	free(rules);
}

/* docs/behaviour.md, slots: the text belongs to the slot. */
static void a_slot_whose_text_changed_is_empty_and_says_so(void **state)
{
	struct fixture *f = *state;
	const char *key;
	struct buf text = {0}, lost = {0};
	struct outcome kept;

	configure(f, "[input a]\non = x\nfrom = src\n[input b]\non = y\n"
		     "[rule r]\ninputs = a, b\ndo = build\n");
	route(f, (struct event){.type = "x"}, 1);
	kept = f->out;
	f->out = (struct outcome){0};
	key = kept.changes[0].key;
	cell_text(kept.changes[0].cell, &text);

	configure(f, "[source neu]\nplugin = p\nwas = src\n[input a]\non = x\nfrom = neu\n"
		     "[input b]\non = z\n[rule r]\ninputs = b, a\ndo = slack\n");
	assert_true(router_load(f->state, f->plan, key, text.data, text.len, &lost));
	assert_string_equal(buf_text(&lost), ""); /* a renamed source is the same source */
	happen(f, "z", NULL, 2);
	members_are(f, "b=2 a=1");

	configure(f, "[input a]\non = x\nwhere = data.n == 1\n[input b]\non = z\n"
		     "[rule r]\ninputs = b, a\ndo = slack\n");
	assert_true(router_load(f->state, f->plan, key, text.data, text.len, &lost));
	assert_non_null(strstr(buf_text(&lost), "input a asks for something else now"));
	happen(f, "z", NULL, 3);
	assert_int_equal(f->out.nfirings, 0);

	configure(f, "[input a]\non = x\npattern = {\"n\": [1]}\npattern-at = data\n"
		     "[input b]\non = z\n[rule r]\ninputs = b, a\ndo = slack\n");
	assert_true(router_load(f->state, f->plan, key, text.data, text.len, &lost));
	happen(f, "z", NULL, 4);
	assert_int_equal(f->out.nfirings, 0);
	outcome_clear(&kept);
	buf_free(&text);
	buf_free(&lost);
}

static void a_window_fires_after_quiet_with_all_its_events(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ncoalesce = 30s, max 60s\ndo = build\n");
	happen(f, "a", NULL, 0);
	happen(f, "b", NULL, 10 * SECOND);
	happen(f, "a", NULL, 29 * SECOND);
	time_is(f, 59 * SECOND - 1);
	assert_int_equal(f->out.nfirings, 0);
	assert_true(router_next_deadline(f->plan, f->state) == 59 * SECOND);
	time_is(f, 59 * SECOND);
	members_are(f, "1 3");
	time_is(f, 100 * SECOND);
	assert_int_equal(f->out.nfirings, 0);
	happen(f, "a", NULL, 101 * SECOND);
	assert_true(router_next_deadline(f->plan, f->state) == 131 * SECOND);
}

static void a_window_closes_at_max_however_busy(void **state)
{
	struct fixture *f = *state;
	int64_t at = 0;

	configure(f, "[rule r]\non = a\ncoalesce = 30s, max 60s\ndo = build\n");
	for (; router_next_deadline(f->plan, f->state) > at; at += 20 * SECOND)
		happen(f, "a", NULL, at);
	assert_int_equal(at, 60 * SECOND);
	time_is(f, at);
	members_are(f, "1 2 3");
}

/* docs/behaviour.md, a firing: a window closes early at 1,000 events or 1 MB. */
static void a_window_closes_early_at_1000_events(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ncoalesce = 30s\ndo = build\n");
	for (int i = 1; i < 1000; i++) {
		happen(f, "a", NULL, 1);
		assert_int_equal(f->out.nfirings, 0);
	}
	happen(f, "a", NULL, 1);
	assert_int_equal(f->out.nfirings, 1);
	assert_int_equal(f->out.firings[0].n, 1000);
	happen(f, "a", NULL, 1);
	assert_int_equal(f->out.nfirings, 0);
}

static void a_window_closes_early_at_a_megabyte(void **state)
{
	struct fixture *f = *state;
	char *data = mem_format("{\"t\":\"%0300000d\"}", 0);

	configure(f, "[rule r]\non = a\ncoalesce = 30s\ndo = build\n");
	for (int i = 1; i < 4; i++) {
		happen(f, "a", data, 1);
		assert_int_equal(f->out.nfirings, 0);
	}
	happen(f, "a", data, 1);
	members_are(f, "1 2 3 4");
	free(data);
}

static void a_count_fires_at_the_nth_event_in_time_with_all_of_them(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ncount = 3 in 10m\ndo = build\n");
	happen(f, "a", NULL, 0);
	happen(f, "a", NULL, 9 * MINUTE);
	happen(f, "a", NULL, 10 * MINUTE + 1); /* the first is too old */
	assert_int_equal(f->out.nfirings, 0);
	happen(f, "a", NULL, 19 * MINUTE);
	members_are(f, "2 3 4");
	happen(f, "a", NULL, 19 * MINUTE);
	assert_int_equal(f->out.nfirings, 0); /* starts over */
	happen(f, "a", NULL, 19 * MINUTE);
	happen(f, "a", NULL, 29 * MINUTE); /* just within */
	members_are(f, "5 6 7");
}

static void a_count_lets_go_of_events_that_are_too_old(void **state)
{
	struct fixture *f = *state;
	size_t n;

	configure(f, "[rule r]\non = a\ncount = 3 in 10m\ndo = build\n");
	happen(f, "a", NULL, 0);
	free(router_held(f->state, &n));
	assert_int_equal(n, 1);
	assert_true(router_next_deadline(f->plan, f->state) == 10 * MINUTE + 1);
	time_is(f, 10 * MINUTE + 1);
	assert_int_equal(f->out.nfirings, 0);
	free(router_held(f->state, &n));
	assert_int_equal(n, 0);
}

static void groups_are_kept_apart(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ngroup-by = data.g | lower\ncount = 2 in 10m\n"
		     "overlap = queue\ndo = build\n");
	happen(f, "a", "{\"g\":\"X\"}", 1);
	happen(f, "a", "{\"g\":\"y\"}", 1);
	happen(f, "a", "{}", 1);
	assert_int_equal(f->out.nfirings, 0);
	happen(f, "a", "{\"g\":\"x\"}", 1);
	members_are(f, "1 4");
	assert_string_equal(f->out.firings[0].group, "x");
	happen(f, "a", "{\"g\":null}", 1);
	members_are(f, "3 5");
	assert_string_equal(f->out.firings[0].group, "");
}

static void the_group_goes_with_the_duty(void **state)
{
	struct fixture *f = *state;
	uint64_t x, none;

	configure(f, "[rule r]\non = a\ngroup-by = data.g\noverlap = supersede\ndo = build\n");
	happen(f, "a", "{\"g\":\"x\"}", 1);
	x = duty_to(f, "build")->group;
	assert_int_equal(duty_to(f, "build")->overlap, OVERLAP_SUPERSEDE);
	happen(f, "a", "{}", 1);
	none = duty_to(f, "build")->group;
	happen(f, "a", "{\"g\":\"y\"}", 1);
	assert_true(x != 0 && none == 0 && duty_to(f, "build")->group != x);
	happen(f, "a", "{\"g\":\"x\"}", 1);
	assert_true(duty_to(f, "build")->group == x);
}

/* docs/behaviour.md, own events: pointsman.group.dropped. */
static void the_oldest_idle_group_gives_way_and_is_named(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ngroup-by = data.g\ngroups = 2\ncount = 2 in 10m\n"
		     "do = build\n");
	happen(f, "a", "{\"g\":\"x\"}", 1);
	happen(f, "a", "{\"g\":\"y\"}", 2);
	happen(f, "a", "{\"g\":\"z\"}", 3);
	assert_int_equal(f->out.ndropped, 1);
	assert_string_equal(f->out.dropped[0].group, "x");
	assert_string_equal(plan_rule_name(f->plan, f->out.dropped[0].rule), "r");
	happen(f, "a", "{\"g\":\"y\"}", 4);
	members_are(f, "2 4");
	assert_int_equal(f->out.ndropped, 0);
}

static void a_firing_never_has_the_number_of_an_earlier_one(void **state)
{
	struct fixture *f = *state;
	uint64_t last = 0;

	configure(f, "[rule r]\non = a\ngroup-by = data.g\ngroups = 1\ncount = 2 in 10m\n"
		     "do = build\n");
	for (int i = 0; i < 10; i++) {
		const char *data = i % 2 ? "{\"g\":\"x\"}" : "{\"g\":\"y\"}";

		happen(f, "a", data, i);
		happen(f, "a", data, i);
		assert_int_equal(f->out.nfirings, 1);
		assert_true(f->out.firings[0].number > last);
		last = f->out.firings[0].number;
	}
}

static void a_very_long_group_goes_by_its_digest(void **state)
{
	struct fixture *f = *state;
	char *data = mem_format("{\"g\":\"%01000d\"}", 0);

	configure(f, "[rule r]\non = a\ngroup-by = data.g\ncount = 2 in 10m\ndo = build\n");
	happen(f, "a", data, 1);
	happen(f, "a", data, 1);
	assert_int_equal(f->out.nfirings, 1);
	assert_memory_equal(f->out.firings[0].group, "sha256:", 7);
	assert_int_equal(strlen(f->out.firings[0].group), 7 + 64);
	free(data);
}

/* docs/behaviour.md, a firing: the rule's targets are its duties. */
static void a_firing_is_delivered_to_its_rules_targets_and_to_who_asks_for_it(void **state)
{
	struct fixture *f = *state;
	struct firing fired;

	configure(f, "[rule r]\non = a\ngroup-by = data.g\ncount = 2 in 10m\ndo = build\n"
		     "[rule watch]\non = pointsman.rule.fired\ndo = slack, build\n");
	happen(f, "a", "{\"g\":\"x\"}", 1);
	happen(f, "a", "{\"g\":\"x\"}", 1);
	fired = f->out.firings[0];
	f->out.nfirings = 0;
	route(f, (struct event){.type = EVENT_FIRED, .instance = "pointsman", .source = "r"}, 1);
	outcome_clear(&f->out);
	route_event(f->plan, f->state, f->events[f->seq], &fired, &f->out);
	goes_to(f, "build slack");
	assert_true(duty_to(f, "build")->members);
	assert_true(duty_to(f, "build")->group != 0);
	assert_int_equal(duty_to(f, "build")->rule, known(&f->numbers, NAME_RULE, "r"));
	assert_false(duty_to(f, "slack")->members);
	free(fired.group);
	free(fired.members);
}

/* docs/behaviour.md, loops. */
static void an_own_event_is_never_told_to_the_target_it_is_about(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = pointsman.*\ndo = slack, cdn, build then slack\n");
	route(f,
	      (struct event){.type = "pointsman.delivery.dead",
			     .instance = "pointsman",
			     .subject = "slack"},
	      1);
	goes_to(f, "cdn build");
	assert_int_equal(duty_to(f, "build")->then, 0);
	assert_non_null(strstr(buf_text(&f->out.decided), "\"spared\":[\"slack\"]"));
	route(f,
	      (struct event){.type = "pointsman.source.stalled",
			     .instance = "pointsman",
			     .subject = "src",
			     .caused_by = "cdn"},
	      1);
	goes_to(f, "slack build");
	route(f, (struct event){.type = EVENT_FIRED, .instance = "pointsman", .subject = "slack"},
	      1);
	goes_to(f, "slack cdn build"); /* it stands for its members */
}

static void an_event_of_a_target_may_go_to_it_again(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = build.failed\ndo = build\n");
	route(f, (struct event){.type = "build.failed", .instance = "build", .caused_by = "build"},
	      1);
	goes_to(f, "build");
}

static void own_events_are_not_meant_by_a_star(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\ndo = build\n");
	route(f, (struct event){.type = "pointsman.rule.fired", .instance = "pointsman"}, 1);
	goes_to(f, "");
}

static void a_rule_switched_off_keeps_its_window(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ncoalesce = 30s\ndo = build\n");
	happen(f, "a", NULL, 1);
	configure(f, "[rule r]\nenabled = no\non = a\ncoalesce = 30s\ndo = build\n");
	assert_true(router_next_deadline(f->plan, f->state) == INT64_MAX);
	time_is(f, 100 * SECOND);
	assert_int_equal(f->out.nfirings, 0);
	configure(f, "[rule r]\non = a\ncoalesce = 30s\ndo = build\n");
	time_is(f, 100 * SECOND);
	members_are(f, "1");
}

static void windows_due_at_once_fire_in_the_same_order_every_time(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ngroup-by = data.g\ncoalesce = 30s\ndo = build\n");
	happen(f, "a", "{\"g\":\"y\"}", 1);
	happen(f, "a", "{\"g\":\"x\"}", 1);
	happen(f, "a", "{\"g\":\"w\"}", 0);
	time_is(f, 60 * SECOND);
	assert_int_equal(f->out.nfirings, 3);
	assert_string_equal(f->out.firings[0].group, "w");
	assert_string_equal(f->out.firings[1].group, "x");
	assert_string_equal(f->out.firings[2].group, "y");
}

static void a_window_that_is_due_closes_before_a_later_event_enters(void **state)
{
	struct fixture *f = *state;

	configure(f, "[rule r]\non = a\ncoalesce = 30s\ndo = build\n"
		     "[input i]\non = b\n[rule q]\ninputs = i\ncoalesce = 30s\ndo = build\n");
	happen(f, "a", NULL, 0);
	happen(f, "a", NULL, 30 * SECOND);
	members_are(f, "1");
	assert_true(router_next_deadline(f->plan, f->state) == 60 * SECOND);
	happen(f, "b", NULL, 40 * SECOND);
	happen(f, "b", NULL, 70 * SECOND);
	members_are(f, "i=3");
	time_is(f, 60 * SECOND);
	members_are(f, "2");
	time_is(f, 100 * SECOND);
	members_are(f, "i=4");
}

static void many_windows_due_at_once_fire_a_few_at_a_time(void **state)
{
	struct fixture *f = *state;
	size_t fired = 0, rounds = 0;

	configure(f, "[rule r]\non = a\ngroup-by = data.g\ncoalesce = 30s\ndo = build\n");
	for (int i = 0; i < 100; i++) {
		char data[32];

		snprintf(data, sizeof data, "{\"g\":%d}", i);
		happen(f, "a", data, i);
	}
	for (; router_next_deadline(f->plan, f->state) <= 60 * SECOND; rounds++) {
		time_is(f, 60 * SECOND);
		fired += f->out.nfirings;
	}
	assert_int_equal(fired, 100);
	assert_int_equal(rounds, (100 + ROUTER_FIRINGS - 1) / ROUTER_FIRINGS);
}

/* A rule may be changed into another kind; what was collected for the old one is not for
 * the new one. */
static void state_of_another_kind_or_of_no_rule_is_dropped_and_said(void **state)
{
	struct fixture *f = *state;
	struct buf text = {0}, lost = {0};
	char *key;

	configure(f, "[rule r]\non = a\ncoalesce = 30s\ndo = build\n");
	route(f, (struct event){.type = "a"}, 1);
	key = mem_text(f->out.changes[0].key);
	cell_text(f->out.changes[0].cell, &text);
	configure(f, "[rule r]\non = a\ncount = 2 in 10m\ndo = build\n");
	assert_false(router_load(f->state, f->plan, key, text.data, text.len, &lost));
	assert_non_null(strstr(buf_text(&lost), "rule r: an open window"));
	configure(f, "[rule q]\non = a\ndo = build\n");
	buf_cut(&lost, 0);
	assert_false(router_load(f->state, f->plan, key, text.data, text.len, &lost));
	assert_non_null(strstr(buf_text(&lost), "a rule that is no more"));
	buf_cut(&lost, 0);
	assert_false(router_load(f->state, f->plan, key, "{", 1, &lost));
	assert_non_null(strstr(buf_text(&lost), "cannot be read"));
	free(key);
	buf_free(&text);
	buf_free(&lost);
}

static void a_cell_with_impossible_numbers_cannot_be_read(void **state)
{
	static const char good[] =
		"{\"kind\":\"count\",\"used\":1,\"open\":false,\"opened\":1,\"last\":1,"
		"\"bytes\":1,\"slots\":[],\"members\":[[1,1]]}";
	static const char *const changes[][2] = {
		{"\"used\":1", "\"used\":-1"},
		{"\"last\":1", "\"last\":9223372036854775807"},
		{"\"bytes\":1", "\"bytes\":-1"},
		{"[1,1]", "[-1,1]"},
		{"[1,1]", "[1,9223372036854775807]"},
	};
	struct cell *c = cell_parse("00001 ", good, sizeof good - 1);

	(void)state;
	assert_non_null(c);
	cell_free(c);
	assert_null(cell_parse("-1 ", good, sizeof good - 1));
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		const char *at = strstr(good, changes[i][0]);
		char *bad = mem_format("%.*s%s%s", (int)(at - good), good, changes[i][1],
				       at + strlen(changes[i][0]));

		assert_null(cell_parse("00001 ", bad, strlen(bad)));
		free(bad);
	}
}

static void a_cell_comes_back_as_it_was_stored(void **state)
{
	struct cell *c = cell_new(CELL_INPUTS, 77, "g \"x\" 1", 2), *back;
	struct buf text = {0}, again = {0};
	char *key = cell_key(c->rule, c->group);

	(void)state;
	c->used = 5;
	c->open = true;
	c->opened = 3;
	c->last = 4;
	c->slots[1] = (struct cell_slot){3, UINT64_MAX, UINT64_C(1) << 40, 9, true};
	cell_add(c, 8, 9);
	cell_add(c, 10, 11);
	cell_text(c, &text);
	back = cell_parse(key, text.data, text.len);
	assert_non_null(back);
	cell_text(back, &again);
	assert_string_equal(again.data, text.data);
	assert_int_equal(back->rule, 77);
	assert_string_equal(back->group, c->group);
	for (size_t len = 0; len < text.len; len++)
		assert_null(cell_parse(key, text.data, len));
	cell_free(c);
	cell_free(back);
	buf_free(&text);
	buf_free(&again);
	free(key);
}

static struct json_value find(const struct event *ev, const char *text, struct buf *scratch)
{
	struct path path;
	size_t used;
	struct json_value v;

	assert_true(path_parse(text, strlen(text), &path, &used, NULL));
	v = event_find(ev, EVENT_MEMBERS, &path, scratch);
	path_free(&path);
	return v;
}

static void has(const struct event *ev, const char *path, const char *expected)
{
	struct buf text = {0}, scratch = {0};
	struct json_value v = find(ev, path, &scratch);

	json_text(&v, &text);
	assert_string_equal(buf_text(&text), expected);
	buf_free(&text);
	buf_free(&scratch);
}

static struct event *payload_event(struct fixture *f, const struct firing *firing)
{
	struct event *members[1000] = {0}, *ev;
	struct buf payload = {0};
	size_t bytes = 0;

	for (size_t i = firing->n; i-- > 0;) {
		ev = f->events[firing->members[i].seq];
		members[i] = firing_member(ev ? event_ref(ev) : NULL, &bytes);
	}
	firing_payload(f->plan, firing, members, &payload);
	for (size_t i = 0; i < firing->n; i++)
		event_unref(members[i]);
	ev = event_create(&(struct event){.id = "i",
					  .source = "r",
					  .type = EVENT_FIRED,
					  .instance = "pointsman",
					  .data = payload.data,
					  .data_len = payload.len});
	buf_free(&payload);
	return ev;
}

/* docs/behaviour.md, a firing: paths show its members, and the newest as itself. */
static void a_firing_holds_copies_of_its_members(void **state)
{
	struct fixture *f = *state;
	char *rules = mem_format("%s[rule r]\ninputs = repo, in\ndo = build\n"
				 "[rule w]\non = a\ncoalesce = 1s\ndo = build\n",
				 four_inputs);
	struct event *ev;

	configure(f, rules);
	happen(f, "put", "{\"key\":\"in\",\"v\":1.50}", 1);
	happen(f, "push", "{\"after\":\"abc\"}", 2);
	ev = payload_event(f, &f->out.firings[0]);
	has(ev, "inputs.in.data.v", "1.50");
	has(ev, "inputs.repo.data.after", "abc");
	has(ev, "data.after", "abc");
	has(ev, "type", "push");
	event_unref(ev);
	happen(f, "a", "{\"n\":1}", 3);
	happen(f, "a", "{\"n\":2}", 3);
	time_is(f, 3 + SECOND);
	ev = payload_event(f, &f->out.firings[0]);
	has(ev, "window.count", "2");
	has(ev, "window.events.0.data.n", "1");
	has(ev, "data.n", "2");
	event_unref(ev);
	free(rules);
}

static void members_beyond_what_a_firing_may_hold_come_without_data(void **state)
{
	struct fixture *f = *state;
	char *data = mem_format("{\"n\":1,\"t\":\"%01000000d\"}", 0);
	struct event *ev;

	configure(f, "[rule r]\non = a\ncount = 20 in 10m\ndo = build\n");
	for (int i = 0; i < 20; i++)
		happen(f, "a", data, 1);
	ev = payload_event(f, &f->out.firings[0]);
	assert_true(ev->data_len < FIRING_MAX_BYTES + 100000);
	has(ev, "window.count", "20");
	has(ev, "window.events.19.data.n", "1");
	has(ev, "window.events.0.data", "{}");
	has(ev, "window.events.0.type", "a");
	event_unref(ev);
	free(data);
}

static void a_firing_goes_on_without_a_member_that_is_lost(void **state)
{
	struct fixture *f = *state;
	struct event *ev, *lost;

	configure(f, "[rule r]\non = a\ncount = 2 in 10m\ndo = build\n");
	happen(f, "a", "{\"n\":1}", 1);
	happen(f, "a", "{\"n\":2}", 1);
	lost = f->events[1];
	f->events[1] = NULL;
	ev = payload_event(f, &f->out.firings[0]);
	f->events[1] = lost;
	has(ev, "window.count", "1");
	has(ev, "data.n", "2");
	event_unref(ev);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_match_is_a_duty_of_each_target),
		TEST(two_rules_make_one_delivery_to_a_target),
		TEST(a_target_asked_for_by_itself_does_not_wait_for_a_then),
		TEST(else_is_asked_only_when_no_other_rule_matched),
		TEST(a_shadow_matches_and_delivers_nothing),
		TEST(a_shadow_says_which_targets_another_rule_had),
		TEST(to_else_a_shadow_is_no_other_rule),
		TEST(a_shadow_gathers_and_fires_for_itself),
		TEST(a_rule_switched_off_matches_nothing),
		TEST(verdicts_name_the_condition_that_failed),
		TEST(routing_changes_nothing_until_it_is_applied),
		TEST(inputs_fire_when_all_are_filled_and_one_is_new),
		TEST(a_slot_is_new_only_once),
		TEST(a_slot_older_than_reset_is_emptied),
		TEST(with_coalesce_inputs_wait_for_quiet_and_take_the_slots_as_they_then_are),
		TEST(a_slot_whose_text_changed_is_empty_and_says_so),
		TEST(a_window_fires_after_quiet_with_all_its_events),
		TEST(a_window_closes_at_max_however_busy),
		TEST(a_window_closes_early_at_1000_events),
		TEST(a_window_closes_early_at_a_megabyte),
		TEST(a_count_fires_at_the_nth_event_in_time_with_all_of_them),
		TEST(a_count_lets_go_of_events_that_are_too_old),
		TEST(groups_are_kept_apart),
		TEST(the_group_goes_with_the_duty),
		TEST(the_oldest_idle_group_gives_way_and_is_named),
		TEST(a_firing_never_has_the_number_of_an_earlier_one),
		TEST(a_very_long_group_goes_by_its_digest),
		TEST(a_firing_is_delivered_to_its_rules_targets_and_to_who_asks_for_it),
		TEST(an_own_event_is_never_told_to_the_target_it_is_about),
		TEST(an_event_of_a_target_may_go_to_it_again),
		TEST(own_events_are_not_meant_by_a_star),
		TEST(a_rule_switched_off_keeps_its_window),
		TEST(windows_due_at_once_fire_in_the_same_order_every_time),
		TEST(a_window_that_is_due_closes_before_a_later_event_enters),
		TEST(many_windows_due_at_once_fire_a_few_at_a_time),
		TEST(state_of_another_kind_or_of_no_rule_is_dropped_and_said),
		TEST(a_cell_with_impossible_numbers_cannot_be_read),
		TEST(a_cell_comes_back_as_it_was_stored),
		TEST(a_firing_holds_copies_of_its_members),
		TEST(members_beyond_what_a_firing_may_hold_come_without_data),
		TEST(a_firing_goes_on_without_a_member_that_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
