/* Does a pattern say of an event what EventBridge's own engine says?  See README.md. */
#include "base/mem.h"
#include "rules/judge.h"
#include "rules/matcher.h"
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

static const char *cases_file, *data_dir;

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

static size_t wrong(const struct engine *engine, const json_t *c, size_t line)
{
	char *pattern = text_of(c, "pattern", "pattern_raw");
	char *event = text_of(c, "event", "event_raw");
	struct err err = {0};
	enum answer should = expected(c, line), is = ask(engine, pattern, event, &err);

	if (is != should)
		print_error("%s, line %zu: %s, not %s: %s, of %s %s\n", engine->name, line,
			    answers[is], answers[should], pattern, event, err.text);
	free(pattern);
	free(event);
	return is != should;
}

static void every_case_has_the_expected_answer(void **state)
{
	const struct engine *engine = *state;
	FILE *f = fopen(cases_file, "r");
	char *text = NULL;
	size_t cap = 0, line = 0, bad = 0;

	assert_non_null(f);
	while (getline(&text, &cap, f) > 0) {
		json_t *c = json_loads(text, JSON_ALLOW_NUL, NULL);

		assert_non_null(c);
		bad += wrong(engine, c, ++line);
		json_decref(c);
	}
	free(text);
	fclose(f);
	assert_int_equal(line, 294);
	assert_int_equal(bad, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(every_case_has_the_expected_answer, (void *)&engines[0]),
		cmocka_unit_test_prestate(every_case_has_the_expected_answer, (void *)&engines[1]),
	};

	cases_file = argc > 1 ? argv[1] : "";
	data_dir = argc > 2 ? argv[2] : "";
	(void)data_dir;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
