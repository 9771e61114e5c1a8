#include "route/replay.h"

#include "base/mem.h"
#include "journal/names.h"
#include "route/plan.h"
#include "route/sequencer_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000)
#define BEGIN  (INT64_C(20000) * 86400 * SECOND)
#define MOST   20000

static const char targets[] = "[source src]\nplugin = p\n[sink a]\nplugin = p\n"
			      "[sink b]\nplugin = p\n[sink c]\nplugin = p\n";

/* One rule of each kind that holds something. */
static const char rules[] =
	"[rule plain]\non = x\nwhere = data.n > 3\ndo = a\n"
	"[rule window]\non = x, y\ngroup-by = data.g\ncoalesce = 3s, max 10s\ndo = a, b\n"
	"[rule three]\non = y\ngroup-by = data.g\ncount = 3 in 20s\ndo = b\n"
	"[input l]\non = x\nwhere = data.n > 4\n[input r]\non = y\n[input s]\non = z\n"
	"[rule both]\ninputs = l, r\nreset = 1m\ndo = c\n"
	"[rule both-quiet]\ninputs = r, s\ncoalesce = 2s\ngroup-by = data.g\ndo = c\n"
	"[rule firings]\non = pointsman.rule.fired\nwhere = source == \"three\"\n"
	"count = 2 in 1m\ndo = a\n"
	"[rule rest]\non = *\nelse = yes\ndo = c\n";

struct rules_set {
	struct config *config;
	struct plan *plan;
};

struct fixture {
	char *names[64]; /* numbers by order of asking */
	uint32_t nnames;
	struct rules_set recorded, other;
	struct router_state *state;
	struct journal_event rows[MOST + 1]; /* by seq */
	uint64_t last;
	int64_t at;
	uint32_t chance;
	/* What a replay told. */
	size_t told, changed, unknown, fresh, lost, other_members;
};

static uint32_t number(void *arg, int kind, const char *name, const char *was)
{
	struct fixture *f = arg;
	char *key = mem_format("%d %s", kind, name);

	(void)was;
	for (uint32_t i = 0; i < f->nnames; i++) {
		if (strcmp(f->names[i], key) == 0) {
			free(key);
			return i + 1;
		}
	}
	f->names[f->nnames++] = key;
	return f->nnames;
}

static void compile(struct fixture *f, struct rules_set *set, const char *sections)
{
	struct plan_numbers numbers = {number, f};
	struct report report = {0};
	struct buf said = {0};
	char *text = mem_format("%s%s", targets, sections);
	struct err err;

	plan_free(set->plan);
	config_free(set->config);
	set->config = config_load_text("t.ini", text, &report);
	report_print(&report, &said);
	if (report.errors)
		fail_msg("%s", buf_text(&said));
	set->plan = plan_prepare(set->config, &err);
	if (!set->plan)
		fail_msg("%s", err.text);
	assert_true(plan_number(set->plan, 1, &numbers));
	buf_free(&said);
	report_free(&report);
	free(text);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->state = router_state_new();
	f->at = BEGIN;
	f->chance = 55433;
	compile(f, &f->recorded, rules);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 1; i <= f->last; i++)
		journal_event_clear(&f->rows[i]);
	for (uint32_t i = 0; i < f->nnames; i++)
		free(f->names[i]);
	router_state_free(f->state);
	plan_free(f->recorded.plan);
	config_free(f->recorded.config);
	plan_free(f->other.plan);
	config_free(f->other.config);
	free(f);
	return 0;
}

/* As the sequencer does it. */
static void record(struct fixture *f, struct event *made, const struct firing *fired);

static void take(struct fixture *f, struct outcome *o)
{
	router_apply(f->state, o);
	for (size_t i = 0; i < o->nfirings; i++) {
		struct firing *by = &o->firings[i];
		struct event **members = mem_zero(by->n * sizeof *members);

		for (size_t m = 0; m < by->n; m++)
			members[m] = f->rows[by->members[m].seq].event;
		record(f, own_firing(f->recorded.plan, by, members, f->at), by);
		free(members);
	}
	outcome_clear(o);
}

static void record(struct fixture *f, struct event *made, const struct firing *fired)
{
	struct journal_event *row = &f->rows[++f->last];
	struct outcome o;

	assert_true(f->last <= MOST);
	row->event = event_accepted(made, f->last, f->at);
	event_unref(made);
	route_event(f->recorded.plan, f->state, row->event, fired, &o);
	row->duties = o.duties;
	row->nduties = o.nduties;
	row->decided = o.decided.len ? mem_text(o.decided.data) : NULL;
	o.duties = NULL;
	take(f, &o);
}

/* The thread wakes up a little late. */
static void time_goes_to(struct fixture *f, int64_t at)
{
	int64_t due;

	while ((due = router_next_deadline(f->recorded.plan, f->state)) <= at) {
		struct outcome o;

		f->at = due + 2 < at ? due + 2 : at;
		route_deadline(f->recorded.plan, f->state, f->at, &o);
		take(f, &o);
	}
	f->at = at;
}

static void happens(struct fixture *f, int64_t after, const char *type, uint32_t n)
{
	char *id = mem_format("%llu", (unsigned long long)f->last);
	char *data = mem_format("{\"n\":%u,\"g\":\"g%u\"}", n, n % 3);

	time_goes_to(f, f->at + after);
	record(f,
	       event_create(&(struct event){.id = id,
					    .source = "s",
					    .type = type,
					    .instance = "src",
					    .time = "2026-11-24T01:02:03Z",
					    .data = data,
					    .data_len = strlen(data)}),
	       NULL);
	free(id);
	free(data);
}

static uint32_t chance(struct fixture *f, uint32_t below)
{
	f->chance = f->chance * 1664525 + 1013904223;
	return (f->chance >> 8) % below;
}

static void live(struct fixture *f, size_t n)
{
	static const char *const types[] = {"x", "y", "z", "nobody"};

	for (size_t i = 0; i < n; i++) {
		int64_t after = chance(f, 5) ? chance(f, 1500) : chance(f, 12000);

		happens(f, after, types[chance(f, 4)], chance(f, 10));
	}
}

static struct event *find_event(uint64_t seq, void *arg)
{
	struct fixture *f = arg;

	return seq && seq <= f->last ? event_ref(f->rows[seq].event) : NULL;
}

static bool same_duties(const struct journal_event *was, const struct outcome *now)
{
	if (was->nduties != now->nduties)
		return false;
	for (size_t i = 0; i < was->nduties; i++) {
		const struct duty *a = &was->duties[i], *b = &now->duties[i];

		if (a->target != b->target || a->rule != b->rule || a->group != b->group ||
		    a->members != b->members)
			return false;
	}
	return strcmp(was->decided ? was->decided : "", buf_text(&now->decided)) == 0;
}

static void count_result(const struct replay_result *r, void *arg)
{
	struct fixture *f = arg;

	f->told++;
	f->unknown += r->unknown;
	f->fresh += !r->was;
	f->lost += !r->now && !r->unknown;
	f->other_members += r->other_members && !r->unknown;
	f->changed += r->was && r->now && !r->unknown && !same_duties(r->was, r->now);
}

static struct replay *begin(struct fixture *f, const struct plan *p, uint64_t from, uint64_t after)
{
	struct replay_options options = {.plan = p,
					 .from = from,
					 .until = UINT64_MAX,
					 .event = find_event,
					 .result = count_result,
					 .arg = f};

	f->told = f->changed = f->unknown = f->fresh = f->lost = f->other_members = 0;
	return replay_new(&options, after, after ? f->rows[after].event->at : 0);
}

static void feed(struct fixture *f, struct replay *r, uint64_t seq)
{
	const struct journal_event *row = &f->rows[seq];
	struct journal_event copy = *row;

	copy.event = event_ref(row->event);
	copy.decided = mem_text(row->decided);
	copy.duties = mem_zero(row->nduties * sizeof *copy.duties);
	for (size_t i = 0; i < row->nduties; i++)
		copy.duties[i] = row->duties[i];
	replay_feed(r, &copy);
}

static void finish(struct fixture *f, struct replay *r, uint64_t after)
{
	for (uint64_t seq = after + 1; seq <= f->last; seq++)
		feed(f, r, seq);
	replay_end(r);
	replay_free(r);
}

static void nothing_changes(const struct fixture *f)
{
	if (f->changed || f->fresh || f->lost || f->other_members)
		fail_msg("chance %u: %zu changed, %zu firings new, %zu lost, %zu other, of %zu",
			 f->chance, f->changed, f->fresh, f->lost, f->other_members, f->told);
}

static void the_same_rules_decide_the_same(void **state)
{
	struct fixture *f = *state;

	live(f, 3000);
	finish(f, begin(f, f->recorded.plan, 1, 0), 0);
	nothing_changes(f);
	assert_int_equal(f->told, f->last);
	assert_int_equal(f->unknown, 0);
	assert_true(f->last > 3500);
}

/* Wherever it begins, nothing that was only not known is told as a difference. */
static void without_a_snapshot_what_is_not_known_is_no_difference(void **state)
{
	struct fixture *f = *state;
	size_t unknown = 0;

	live(f, 1200);
	for (uint64_t after = 1; after < 1000; after += 7) {
		finish(f, begin(f, f->recorded.plan, after + 1, after), after);
		nothing_changes(f);
		assert_int_equal(f->told, f->last - after);
		unknown += f->unknown;
	}
	assert_true(unknown > 0);
}

static void load_snapshot(struct fixture *f, struct replay *r)
{
	const struct plan *p = f->recorded.plan;
	const char *key;

	for (size_t i = 0; i < p->nrules; i++)
		replay_rule(r, p->rules[i].number, p->rules[i].text);
	for (size_t i = 0; (key = router_next(f->state, &i));) {
		struct buf text = {0};

		router_cell(f->state, key, &text);
		replay_cell(r, key, text.data, text.len);
		buf_free(&text);
	}
}

static bool all_known(const struct replay *r)
{
	const char *rule;
	int64_t until;

	return !replay_unknown(r, 0, &rule, &until);
}

/* Each begins before what it is fed has happened. */
static void from_a_snapshot_on_all_is_known(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 0; n < 20; n++) {
		struct replay *r;
		uint64_t after;

		live(f, 50 + n);
		after = f->last;
		r = begin(f, f->recorded.plan, after + 1, after);
		load_snapshot(f, r);
		assert_true(all_known(r));
		live(f, 100);
		finish(f, r, after);
		nothing_changes(f);
		assert_int_equal(f->unknown, 0);
		assert_int_equal(f->told, f->last - after);
	}
}

static void a_rule_that_asks_for_something_else_is_unknown_at_first(void **state)
{
	struct fixture *f = *state;
	struct replay *r;
	const char *rule;
	int64_t until;
	uint64_t after;

	compile(f, &f->other,
		"[rule three]\non = y\ngroup-by = data.g\ncount = 2 in 20s\ndo = b\n"
		"[input l]\non = x\n[input r]\non = y\n"
		"[rule both]\ninputs = l, r\nreset = 1m\ndo = c\n");
	live(f, 40);
	after = f->last;
	r = begin(f, f->other.plan, after + 1, after);
	load_snapshot(f, r);
	assert_true(replay_unknown(r, 0, &rule, &until));
	assert_string_equal(rule, "three");
	assert_true(until == f->rows[after].event->at + 20 * SECOND);
	assert_true(replay_unknown(r, 1, &rule, &until));
	assert_string_equal(rule, "both");
	assert_true(until == 0);
	assert_false(replay_unknown(r, 2, &rule, &until));
	replay_free(r);
}

static void firings_that_come_and_go_are_told(void **state)
{
	struct fixture *f = *state;

	compile(f, &f->recorded, "[rule n]\non = x\ncount = 2 in 1m\ndo = a\n");
	for (uint32_t n = 0; n < 6; n++)
		happens(f, 10, "x", n); /* fires behind the 2nd, 4th and 6th */
	assert_int_equal(f->last, 9);
	compile(f, &f->other, "[rule n]\non = x\ncount = 3 in 1m\ndo = a\n");
	finish(f, begin(f, f->other.plan, 1, 0), 0);
	assert_int_equal(f->fresh, 1);         /* behind the 3rd */
	assert_int_equal(f->lost, 2);          /* behind the 2nd and the 4th */
	assert_int_equal(f->other_members, 1); /* behind the 6th */
	assert_int_equal(f->told, 10);
}

static void a_gap_makes_unknown_what_rules_hold(void **state)
{
	struct fixture *f = *state;
	struct replay *r;

	compile(f, &f->recorded, "[rule n]\non = x\ncount = 3 in 1m\ndo = a\n");
	for (uint32_t n = 0; n < 3; n++)
		happens(f, 10, "x", n);
	assert_int_equal(f->last, 4);
	r = begin(f, f->recorded.plan, 1, 0);
	feed(f, r, 1);
	feed(f, r, 3);
	feed(f, r, 4);
	replay_end(r);
	assert_false(all_known(r));
	replay_free(r);
	nothing_changes(f);
	assert_int_equal(f->unknown, 1);
}

static void refused_events_and_what_lies_outside_are_not_told(void **state)
{
	struct fixture *f = *state;
	struct replay *r;

	for (uint32_t n = 0; n < 30; n++)
		happens(f, 10, "nobody", n);
	f->rows[20].refused = true;
	r = begin(f, f->recorded.plan, 11, 0);
	finish(f, r, 0);
	assert_int_equal(f->told, f->last - 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_rules_decide_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_snapshot_what_is_not_known_is_no_difference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(from_a_snapshot_on_all_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_rule_that_asks_for_something_else_is_unknown_at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(firings_that_come_and_go_are_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_gap_makes_unknown_what_rules_hold, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(refused_events_and_what_lies_outside_are_not_told,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
