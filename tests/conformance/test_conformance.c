/* Does a pattern say of an event what EventBridge's own engine says?  See README.md. */
#include "base/mem.h"
#include "matcher/matcher.h"
#include "rules/judge.h"
#include "rules/pattern.h"
#include "json/check.h"
#include "json/unique.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *ours, *theirs; /* folders */

enum answer { NO, YES, BAD_PATTERN, BAD_EVENT };

static const char *const answers[] = {
	[NO] = "no match",
	[YES] = "match",
	[BAD_PATTERN] = "bad pattern",
	[BAD_EVENT] = "bad event",
};

/* Where our answer is another one, and why: docs/rules.md. */
static const struct difference {
	size_t line;
	enum answer ours;
	const char *why;
} differences[] = {
	{96, YES, "numbers that are no integers are compared as doubles"},
	{108, YES, "numbers that are no integers are compared as doubles"},
	{185, YES, "an address alone is a network of one"},
	{190, NO, "IPv4 is not within an IPv6 network"},
	{191, NO, "a network of mapped addresses is an IPv6 network like any other"},
	{192, NO, "10.0.0.033 is no address"},
	{198, NO, "a number is no address"},
	{200, NO, "of repeated members of an event the last one counts"},
	{201, NO, "of repeated members of an event the last one counts"},
	{204, NO, "a name with a dot is one name"},
	{228, YES, "a range may be one number"},
	{244, BAD_PATTERN, "text after the pattern"},
	{247, BAD_EVENT, "text after the event"},
	{252, BAD_EVENT, "half a pair of surrogates is no character"},
};

/* One that judges a tree. */
struct engine {
	const char *name;
	bool (*matches)(const struct expr *tree, const struct event *ev);
};

static bool judge_matches(const struct expr *tree, const struct event *ev)
{
	struct judge *j = judge_new(tree);
	struct judge_memory m = {0};
	uint64_t mismatches = 0;
	bool result = judge_event(j, ev, &m, NULL, &mismatches);

	judge_memory_free(&m);
	judge_free(j);
	return result;
}

static bool matcher_matches(const struct expr *tree, const struct event *ev)
{
	struct matcher_draft *draft = matcher_draft();
	struct matching m = {0};
	struct matcher *matcher;
	bool result;

	matcher_add(draft, tree);
	matcher = matcher_compile(draft);
	matcher_match(matcher, ev, &m);
	result = m.nhits == 1;
	matching_free(&m);
	matcher_free(matcher);
	return result;
}

static const struct engine engines[] = {
	{"judge", judge_matches},
	{"matcher", matcher_matches},
};

static bool take_event(const char *text, struct buf *out)
{
	if (!json_check_repeats(text, strlen(text), JSON_MAX_DEPTH, NULL) ||
	    json_root(text, strlen(text)).kind != KIND_OBJECT)
		return false;
	json_unique(text, strlen(text), out);
	return true;
}

static enum answer ask(const struct engine *engine, const char *pattern, const char *event,
		       struct err *err)
{
	struct event ev = {.id = "1", .source = "/a", .type = "t", .time = "2020-01-01T00:00:00Z"};
	struct arena arena = {0};
	struct buf data = {0};
	size_t at;
	struct expr *tree = pattern_parse(&arena, PATTERN_DATA, pattern, strlen(pattern), &at, err);
	enum answer a = BAD_PATTERN;

	if (tree && !take_event(event, &data)) {
		a = BAD_EVENT;
	} else if (tree) {
		ev.data = buf_text(&data);
		ev.data_len = data.len;
		a = engine->matches(tree, &ev) ? YES : NO;
	}
	buf_free(&data);
	arena_free(&arena);
	return a;
}

/* The text of "name_raw", or that of "name"; the caller's. */
static char *text_of(const json_t *c, const char *name, const char *raw)
{
	const json_t *text = json_object_get(c, raw);

	return text ? mem_text(json_string_value(text))
		    : json_dumps(json_object_get(c, name), JSON_ENCODE_ANY | JSON_COMPACT);
}

static enum answer expected(const json_t *c, size_t line)
{
	for (size_t i = 0; i < COUNT(differences); i++) {
		if (differences[i].line == line)
			return differences[i].ours;
	}
	if (json_is_false(json_object_get(c, "pattern_valid")))
		return BAD_PATTERN;
	if (json_is_false(json_object_get(c, "event_valid")))
		return BAD_EVENT;
	return json_is_true(json_object_get(c, "match")) ? YES : NO;
}

/* True if each engine answers so. */
static bool all_say(const char *pattern, const char *event, enum answer should, const char *where)
{
	bool all = true;

	for (size_t i = 0; i < COUNT(engines); i++) {
		struct err err = {0};
		enum answer is = ask(&engines[i], pattern, event, &err);

		if (is != should)
			print_error("%s: %s says %s, not %s: %s, of %s %s\n", where,
				    engines[i].name, answers[is], answers[should], pattern, event,
				    err.text);
		all = all && is == should;
	}
	return all;
}

typedef enum answer expected_fn(const json_t *c, size_t line);

static void expect_cases(const char *name, size_t lines, expected_fn *should)
{
	char *path = mem_format("%s/%s", ours, name), *text = NULL;
	FILE *f = fopen(path, "r");
	size_t cap = 0, line = 0, bad = 0;

	assert_non_null(f);
	while (getline(&text, &cap, f) > 0) {
		json_t *c = json_loads(text, JSON_ALLOW_NUL, NULL);
		char *pattern = text_of(c, "pattern", "pattern_raw");
		char *event = text_of(c, "event", "event_raw");
		char *where = mem_format("%s:%zu", name, ++line);

		bad += !all_say(pattern, event, should(c, line), where);
		free(pattern);
		free(event);
		free(where);
		json_decref(c);
	}
	free(text);
	free(path);
	fclose(f);
	assert_int_equal(line, lines);
	assert_int_equal(bad, 0);
}

static void every_case_has_the_expected_answer(void **state)
{
	(void)state;
	expect_cases("cases.jsonl", 294, expected);
}

static enum answer of_the_model(const json_t *c, size_t line)
{
	(void)line;
	return json_is_true(json_object_get(c, "match")) ? YES : NO;
}

static void patterns_over_arrays_follow_the_model(void **state)
{
	(void)state;
	expect_cases("arrays.jsonl", 500, of_the_model);
}

/* A file of event-ruler's tests; the test is skipped where they are not at hand. */
static json_t *their_file(const char *name)
{
	char *path = mem_format("%s/%s", theirs, name);
	json_t *j = access(path, R_OK) == 0 ? json_load_file(path, 0, NULL) : NULL;

	free(path);
	if (!j)
		skip();
	return j;
}

static void expect_files(const char *rule, const char *event, enum answer should)
{
	json_t *r = their_file(rule), *e = their_file(event);
	char *pattern = json_dumps(r, JSON_COMPACT), *text = json_dumps(e, JSON_COMPACT);

	assert_true(all_say(pattern, text, should, rule));
	free(pattern);
	free(text);
	json_decref(r);
	json_decref(e);
}

static void rules_and_events_in_files_meet_as_there(void **state)
{
	static const enum answer arrays[3][4] = {
		{YES, NO, NO, NO}, {YES, NO, NO, NO}, {NO, NO, NO, YES}};

	(void)state;
	for (int r = 0; r < 3; r++) {
		for (int e = 0; e < 4; e++) {
			char rule[32], event[32];

			snprintf(rule, sizeof rule, "arrayRule%d.json", r + 1);
			snprintf(event, sizeof event, "arrayEvent%d.json", e + 1);
			expect_files(rule, event, arrays[r][e]);
		}
	}
	expect_files("bigEventRule.json", "bigEvent.json", YES);
}

/* Is each of the patterns in the file one, or none? */
static void expect_patterns(const char *name, bool good)
{
	json_t *list = their_file(name), *rule;
	size_t i;

	json_array_foreach(list, i, rule)
	{
		char *text = json_dumps(rule, JSON_COMPACT);

		assert_true(all_say(text, "{}", good ? NO : BAD_PATTERN, name));
		free(text);
	}
	json_decref(list);
}

static void or_is_taken_and_refused_as_there(void **state)
{
	(void)state;
	expect_patterns("orRelationshipRules.json", true);
	expect_patterns("normalRulesWithOrWording.json", true);
	expect_patterns("wrongOrRelationshipRules.json", false);
}

/* Those that there are compared with an older engine of theirs: what is said is in
 * cases.jsonl for some; for all, our engines agree. */
static void our_engines_agree_about_their_cases(void **state)
{
	json_t *list = their_file("correctness-cases.json"), *c;
	size_t i;

	(void)state;
	json_array_foreach(list, i, c)
	{
		char *rule = text_of(c, "rule", "-"), *event = text_of(c, "event", "-");
		struct err err = {0};
		enum answer first = ask(&engines[0], rule, event, &err);

		assert_true(first == YES || first == NO);
		assert_true(
			all_say(rule, event, first, json_string_value(json_object_get(c, "name"))));
		free(rule);
		free(event);
	}
	json_decref(list);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_has_the_expected_answer),
		cmocka_unit_test(patterns_over_arrays_follow_the_model),
		cmocka_unit_test(rules_and_events_in_files_meet_as_there),
		cmocka_unit_test(or_is_taken_and_refused_as_there),
		cmocka_unit_test(our_engines_agree_about_their_cases),
	};

	ours = argc > 1 ? argv[1] : ".";
	theirs = argc > 2 ? argv[2] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
