#include "matcher/ruleset.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)  (sizeof(a) / sizeof *(a))
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct event *event_of(const char *type, const char *instance, const char *data)
{
	struct event from = {.id = "1",
			     .source = "s",
			     .type = type,
			     .time = "2026-11-24T01:02:03Z",
			     .instance = instance,
			     .data = data,
			     .data_len = strlen(data)};

	return event_create(&from);
}

static struct ruleset *compiled(const struct selector *s, size_t n)
{
	struct err err = {{0}};
	struct ruleset *set = ruleset_compile(s, n, NULL, NULL, &err);

	if (!set)
		fail_msg("%s", err.text);
	return set;
}

static void expect_hits(const struct ruleset *set, const char *type, const char *instance,
			const char *data, const char *expected)
{
	struct event *ev = event_of(type, instance, data);
	struct match m = {0};

	for (int explain = 0; explain < 2; explain++) {
		struct buf hits = {0};

		ruleset_match(set, ev, explain, &m);
		for (size_t i = 0; i < m.nhits; i++)
			buf_printf(&hits, "%u ", m.hits[i]);
		if (strcmp(buf_text(&hits), expected) != 0)
			fail_msg("%s from %s: %s", type, instance, buf_text(&hits));
		buf_free(&hits);
	}
	match_free(&m);
	event_unref(ev);
}

static void types_and_instances_select(void **state)
{
	const struct selector s[] = {
		{.on = LIST("a.b")},
		{.on = LIST("a.*")},
		{.on = LIST("a.b", "a.*", "*.b")},
		{0},
		{.on = LIST("pointsman.*")},
		{.on = LIST("a.b"), .from = LIST("x", "y")},
		{.from = LIST("z")},
	};
	struct ruleset *set = compiled(s, COUNT(s));

	(void)state;
	expect_hits(set, "a.b", "x", "{}", "0 1 2 3 5 ");
	expect_hits(set, "a.b", "z", "{}", "0 1 2 3 6 ");
	expect_hits(set, "a.c", "x", "{}", "1 2 3 ");
	expect_hits(set, "a.c.d", "x", "{}", "1 2 3 ");
	expect_hits(set, "c.b", "x", "{}", "2 3 ");
	expect_hits(set, "c", "x", "{}", "3 ");
	expect_hits(set, "pointsman.rule.fired", "pointsman", "{}", "4 ");
	ruleset_free(set);
}

static void changed_compares_new_with_old(void **state)
{
	static const struct {
		const char *data;
		bool changed;
	} rows[] = {
		{"{\"new\":{\"p\":\"B\"},\"old\":{\"p\":\"A\"}}", true},
		{"{\"new\":{\"p\":\"A\"},\"old\":{\"p\":\"A\"}}", false},
		{"{\"new\":{\"p\":\"\\u0041\"},\"old\":{\"p\":\"A\"}}", false},
		{"{\"new\":{\"p\":1.0},\"old\":{\"p\":1}}", false},
		{"{\"new\":{\"p\":9007199254740993},\"old\":{\"p\":9007199254740992}}", true},
		{"{\"new\":{\"p\":1},\"old\":{\"p\":\"1\"}}", true},
		{"{\"new\":{\"p\":[1,2]},\"old\":{\"p\":[1,2]}}", false},
		{"{\"new\":{\"p\":[1,2]},\"old\":{\"p\":[2,1]}}", true},
		{"{\"new\":{\"p\":{\"a\":1,\"b\":2}},\"old\":{\"p\":{\"b\":2,\"a\":1}}}", false},
		{"{\"new\":{\"p\":\"A\"},\"old\":{}}", true},
		{"{\"new\":{\"p\":null},\"old\":{\"p\":\"A\"}}", true},
		{"{\"new\":{},\"old\":{\"p\":\"A\"}}", true},
		{"{\"new\":{\"q\":1},\"old\":{\"q\":2}}", false},
		{"{\"new\":{\"p\":\"A\"}}", true},
		{"{\"new\":{\"p\":\"A\"},\"old\":null}", true},
		{"{\"new\":{},\"old\":null}", false},
		{"{\"old\":{\"p\":\"A\"}}", false},
		{"{\"new\":null,\"old\":{\"p\":\"A\"}}", false},
		{"{}", false},
	};
	const struct selector s = {.changed = "data.new.p"};
	struct ruleset *set = compiled(&s, 1);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		expect_hits(set, "dynamodb.item.modified", "x", rows[i].data,
			    rows[i].changed ? "0 " : "");
	ruleset_free(set);
}

static void a_selector_that_does_not_compile_is_named(void **state)
{
	static const struct {
		struct selector s;
		size_t at;
		const char *why;
	} rows[] = {
		{{.where = "data.a = 1"}, 7, "= is written =="},
		{{.pattern = "{\"data\":{\"a\":1}}"}, 13, "values stand in an array"},
		{{.where = "id exists", .pattern = "{\"a\":[1]}"}, 1, "no field of an event"},
		{{.changed = "data.phase"}, 0, "no path under data.new"},
		{{.changed = "data.new"}, 0, "no path under data.new"},
		{{.changed = "data.new.x y"}, 0, "no path under data.new"},
		{{.changed = "data."}, 0, "changed: a name is missing"},
		{{.changed = ""}, 0, "changed: a path is missing"},
	};
	static const char *const types[] = {"", "A.b", "a..b", "a.", "a.b*", "**", "a b", "a.*x"};
	struct selector two[2] = {{.where = "id exists"}, {0}};
	struct err err;
	size_t which, at;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		two[1] = rows[i].s;
		at = 99;
		assert_null(ruleset_compile(two, 2, &which, &at, &err));
		assert_int_equal(which, 1);
		if (at != rows[i].at || !strstr(err.text, rows[i].why))
			fail_msg("row %zu: at %zu: %s", i, at, err.text);
	}
	for (size_t i = 0; i < COUNT(types); i++) {
		two[1] = (struct selector){.on = LIST("ok.*", types[i])};
		if (ruleset_compile(two, 2, &which, &at, &err) || !strstr(err.text, "event type"))
			fail_msg("\"%s\" was taken", types[i]);
	}
	two[1] = (struct selector){.on = (const char *const[]){NULL}};
	assert_null(ruleset_compile(two, 2, NULL, NULL, &err));
	assert_non_null(strstr(err.text, "no event type"));
}

static void expect_verdicts(const struct ruleset *set, const char *type, const char *instance,
			    const char *data, const char *expected)
{
	static const char letters[] = {
		[VERDICT_UNASKED] = '-', [VERDICT_PASS] = 'P', [VERDICT_FAIL] = 'F',
		[VERDICT_ABSENT] = 'A',  [VERDICT_TYPE] = 'T',
	};
	struct event *ev = event_of(type, instance, data);
	struct match m = {0};
	char seen[64] = "";

	ruleset_match(set, ev, true, &m);
	for (size_t c = 0; c < ruleset_conditions(set, 1); c++)
		seen[c] = letters[m.verdicts[m.first[1] + c]];
	if (strcmp(seen, expected) != 0)
		fail_msg("%s %s %s: %s, not %s", type, instance, data, seen, expected);
	match_free(&m);
	event_unref(ev);
}

static void each_condition_has_its_verdict(void **state)
{
	const struct selector s[] = {
		{.on = LIST("x"), .where = "id exists"},
		{.on = LIST("a.b", "a.c"),
		 .from = LIST("i", "j"),
		 .where = "data.new.n == 1 and ( data.t == \"x\" or not any data.l ( k == 1 ) )",
		 .changed = "data.new.n"},
	};
	static const char *const texts[] = {"a.b, a.c",        "i, j",   "data.new.n == 1",
					    "data.t == \"x\"", "k == 1", "data.new.n"};
	static const enum condition_kind kinds[] = {CONDITION_ON,    CONDITION_FROM,
						    CONDITION_WHERE, CONDITION_WHERE,
						    CONDITION_WHERE, CONDITION_CHANGED};
	struct ruleset *set = compiled(s, COUNT(s));

	(void)state;
	assert_int_equal(ruleset_conditions(set, 0), 2);
	assert_int_equal(ruleset_conditions(set, 1), COUNT(texts));
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct condition c = ruleset_condition(set, 1, i);

		assert_int_equal(c.kind, kinds[i]);
		assert_int_equal(c.len, strlen(texts[i]));
		assert_memory_equal(c.text, texts[i], c.len);
		assert_int_equal(c.path != NULL, i >= 2);
	}
	expect_verdicts(set, "a.x", "i", "{}", "F-----");
	expect_verdicts(set, "a.b", "k", "{}", "PF----");
	expect_verdicts(set, "a.b", "i", "{}", "PPA---");
	expect_verdicts(set, "a.b", "i", "{\"new\":{\"n\":2}}", "PPF---");
	expect_verdicts(set, "a.b", "i", "{\"new\":{\"n\":\"1\"}}", "PPT---");
	expect_verdicts(set, "a.b", "i", "{\"new\":{\"n\":null}}", "PPF---");
	expect_verdicts(set, "a.c", "j", "{\"new\":{\"n\":1},\"t\":\"x\"}", "PPPP-P");
	expect_verdicts(set, "a.c", "j", "{\"new\":{\"n\":1}}", "PPPAAP");
	expect_verdicts(set, "a.c", "j", "{\"new\":{\"n\":1},\"l\":[{\"k\":\"x\"},{\"k\":2}]}",
			"PPPAFP");
	expect_verdicts(set, "a.c", "j", "{\"new\":{\"n\":1},\"l\":[{\"k\":1}]}", "PPPAP-");
	expect_verdicts(set, "a.c", "j", "{\"new\":{\"n\":1},\"old\":{\"n\":1.0}}", "PPPAAF");
	ruleset_free(set);
}

static void conditions_of_a_pattern_follow_those_of_where(void **state)
{
	const struct selector s[] = {
		{.on = LIST("x")},
		{.where = "data.a == 1 or data.b == 1",
		 .pattern = "{\"c\": [1], \"d\": {\"e\": [2], \"f\": [{\"exists\": false}]}}",
		 .pattern_data = true,
		 .changed = "data.new.n"},
	};
	static const char *const texts[] = {"*",           "data.a == 1",
					    "data.b == 1", "\"c\": [1]",
					    "\"e\": [2]",  "\"f\": [{\"exists\": false}]",
					    "data.new.n"};
	static const enum condition_kind kinds[] = {
		CONDITION_ON,      CONDITION_WHERE,   CONDITION_WHERE,  CONDITION_PATTERN,
		CONDITION_PATTERN, CONDITION_PATTERN, CONDITION_CHANGED};
	struct ruleset *set = compiled(s, COUNT(s));

	(void)state;
	assert_int_equal(ruleset_conditions(set, 1), COUNT(texts));
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct condition c = ruleset_condition(set, 1, i);

		assert_int_equal(c.kind, kinds[i]);
		assert_int_equal(c.len, strlen(texts[i]));
		assert_memory_equal(c.text, texts[i], c.len);
	}
	assert_string_equal(ruleset_condition(set, 1, 3).path->text, "data.c");
	expect_verdicts(set, "t", "i", "{\"a\":2,\"c\":1}", "PFA----");
	expect_verdicts(set, "t", "i", "{\"b\":1,\"c\":\"1\"}", "PAPT---");
	expect_verdicts(set, "t", "i", "{\"a\":1,\"c\":1,\"d\":{}}", "PP-PA--");
	expect_verdicts(set, "t", "i", "{\"a\":1,\"c\":1,\"d\":{\"e\":2,\"f\":3}}", "PP-PPP-");
	expect_verdicts(set, "t", "i", "{\"a\":1,\"c\":1,\"d\":{\"e\":2},\"new\":{\"n\":1}}",
			"PP-PPAP");
	ruleset_free(set);
}

static void a_selector_needs_both_where_and_pattern(void **state)
{
	const struct selector s[] = {
		{.where = "data.a == 1", .pattern = "{\"type\":[\"t.u\"],\"data\":{\"b\":[2]}}"},
		{.pattern = "{\"b\":[2]}", .pattern_data = true},
	};
	static const struct {
		const char *type, *data;
		size_t hits;
	} rows[] = {
		{"t.u", "{\"a\":1,\"b\":2}", 2},
		{"t.u", "{\"a\":1}", 0},
		{"t.u", "{\"b\":2}", 1},
		{"t.v", "{\"a\":1,\"b\":2}", 1},
	};
	struct ruleset *set = compiled(s, COUNT(s));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct event *ev = event_of(rows[i].type, "i", rows[i].data);
		struct match m = {0};

		ruleset_match(set, ev, false, &m);
		assert_int_equal(m.nhits, rows[i].hits);
		match_free(&m);
		event_unref(ev);
	}
	ruleset_free(set);
}

static void matches_and_other_types_are_counted_for_each_selector(void **state)
{
	const struct selector s[] = {
		{.where = "data.n == 1"},
		{.where = "data.n > 1 or data.n like \"x*\" or data.n in [1, true]"},
		{.where = "data.n != 1"},
		{.where = "data.n == null or data.n exists"},
	};
	struct ruleset *set = compiled(s, COUNT(s));

	(void)state;
	expect_hits(set, "t", "i", "{\"n\":\"y\"}", "2 3 ");
	expect_hits(set, "t", "i", "{\"n\":null}", "2 3 ");
	expect_hits(set, "t", "i", "{\"n\":[\"a\",1]}", "0 1 3 ");
	expect_hits(set, "t", "i", "{}", "");
	/* Other types are counted where verdicts are asked for, which is every second time. */
	assert_int_equal(ruleset_type_mismatches(set, 0), 1);
	assert_int_equal(ruleset_type_mismatches(set, 1), 2);
	assert_int_equal(ruleset_type_mismatches(set, 2), 1);
	assert_int_equal(ruleset_type_mismatches(set, 3), 0);
	assert_int_equal(ruleset_matches(set, 0), 2);
	assert_int_equal(ruleset_matches(set, 1), 2);
	assert_int_equal(ruleset_matches(set, 2), 4);
	assert_int_equal(ruleset_matches(set, 3), 6);
	ruleset_free(set);
}

static void a_match_serves_sets_of_any_size(void **state)
{
	enum { MANY = 300 };
	struct selector s[MANY];
	char where[MANY][40];
	struct ruleset *large, *small;
	struct event *ev = event_of("a.b", "i", "{\"n\":299}");
	struct match m = {0};

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(where[i], sizeof where[i], "data.n >= %d", i);
		s[i] = (struct selector){.where = where[i]};
	}
	large = compiled(s, MANY);
	small = compiled(s, 1);
	for (int round = 0; round < 2; round++) {
		ruleset_match(small, ev, round, &m);
		assert_int_equal(m.nhits, 1);
		ruleset_match(large, ev, round, &m);
		assert_int_equal(m.nhits, MANY);
		assert_int_equal(m.hits[MANY - 1], MANY - 1);
	}
	ruleset_free(small);
	ruleset_free(large);
	event_unref(ev);
	match_free(&m);
	match_free(&m);
}

static void an_empty_set_matches_nothing(void **state)
{
	struct ruleset *set = ruleset_compile(NULL, 0, NULL, NULL, NULL);

	(void)state;
	expect_hits(set, "a", "i", "{}", "");
	ruleset_free(set);
	ruleset_free(NULL);
}

/* As "index:verdict verdict .. ", each verdict a letter. */
static void expect_near(const struct ruleset *set, const char *type, const char *data,
			const char *expected)
{
	static const char letters[] = "-PFAT";
	struct event *ev = event_of(type, "i", data);
	struct match m = {0};
	struct buf out = {0};

	ruleset_match(set, ev, false, &m);
	ruleset_near(set, ev, &m);
	for (size_t k = 0; k < m.nnear; k++) {
		buf_printf(&out, "%u:", m.near[k]);
		for (size_t c = 0; c < ruleset_conditions(set, m.near[k]); c++)
			buf_char(&out, letters[m.near_verdicts[m.near_first[k] + c]]);
		buf_char(&out, ' ');
	}
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
	match_free(&m);
	event_unref(ev);
}

static void near_misses_fit_by_type_and_instance_alone(void **state)
{
	static const char *const ab[] = {"a.b", NULL}, *const ax[] = {"a.*", "c", NULL},
				 *const here[] = {"i", NULL}, *const there[] = {"j", NULL};
	const struct selector s[] = {
		{.on = ab, .where = "data.n == 1 and data.m == 2"},
		{.on = ax, .where = "data.n == 2"},
		{.on = ab, .from = here, .where = "data.n == 3"},
		{.on = ab, .from = there, .where = "data.n == 4"},
		{.where = "data.x exists"},
	};
	struct ruleset *set = compiled(s, COUNT(s));

	(void)state;
	expect_near(set, "a.b", "{\"n\":1}", "0:PPA 1:PF 2:PPF 4:PA ");
	expect_near(set, "a.b", "{\"n\":1,\"m\":2,\"x\":1}", "1:PF 2:PPF ");
	expect_near(set, "a.c", "{\"n\":\"2\"}", "1:PT 4:PA ");
	expect_near(set, "c", "{\"n\":2}", "4:PA ");
	ruleset_free(set);
}

static void many_near_misses_are_none(void **state)
{
	static const char *const ab[] = {"a.b", NULL}, *const other[] = {"c", NULL};
	struct selector s[RULESET_NEAR + 400];

	(void)state;
	for (size_t n = RULESET_NEAR; n <= RULESET_NEAR + 1; n++) {
		struct ruleset *set;
		struct buf all = {0};

		for (size_t i = 0; i < COUNT(s); i++)
			s[i] = (struct selector){.on = i < n ? ab : other, .where = "data.n == 1"};
		set = compiled(s, COUNT(s));
		for (size_t i = 0; i < n && n == RULESET_NEAR; i++)
			buf_printf(&all, "%zu:PA ", i);
		expect_near(set, "a.b", "{}", buf_text(&all));
		expect_near(set, "c", "{}", "");
		buf_free(&all);
		ruleset_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_misses_fit_by_type_and_instance_alone),
		cmocka_unit_test(many_near_misses_are_none),
		cmocka_unit_test(types_and_instances_select),
		cmocka_unit_test(changed_compares_new_with_old),
		cmocka_unit_test(a_selector_that_does_not_compile_is_named),
		cmocka_unit_test(each_condition_has_its_verdict),
		cmocka_unit_test(conditions_of_a_pattern_follow_those_of_where),
		cmocka_unit_test(a_selector_needs_both_where_and_pattern),
		cmocka_unit_test(matches_and_other_types_are_counted_for_each_selector),
		cmocka_unit_test(a_match_serves_sets_of_any_size),
		cmocka_unit_test(an_empty_set_matches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
