#include "matcher/ruleset.h"

#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct row {
	const char *where, *data;
	bool expected;
};

static struct event event_with(const char *data)
{
	return (struct event){.id = "e-1",
			      .source = "/src",
			      .type = "a.b",
			      .subject = "caf\xc3\xa9 \"x\"",
			      .time = "2026-11-24T01:02:03Z",
			      .instance = "inst",
			      .data = data,
			      .data_len = strlen(data)};
}

static bool explained(const struct ruleset *set, const struct event *ev)
{
	size_t n = ruleset_conditions(set, 0);
	struct seen *seen = calloc(n, sizeof *seen);
	bool hit = ruleset_explain(set, 0, ev, seen);

	for (size_t i = 0; i < n; i++)
		seen_clear(&seen[i]);
	free(seen);
	return hit;
}

/* As event_create() makes it and filled in by hand, explained and not: one answer. */
static bool holds(const char *where, const char *data)
{
	struct selector s = {.where = where};
	struct err err = {{0}};
	struct ruleset *set = ruleset_compile(&s, 1, NULL, NULL, &err);
	struct event by_hand = event_with(data), *made = event_create(&by_hand);
	struct match m = {0};
	bool first;

	if (!set)
		fail_msg("%s: %s", where, err.text);
	if (!json_check(data, strlen(data), JSON_MAX_DEPTH, NULL))
		fail_msg("bad JSON: %s", data);
	ruleset_match(set, made, false, &m);
	first = m.nhits == 1;
	ruleset_match(set, made, true, &m);
	assert_int_equal(m.nhits == 1, first);
	ruleset_match(set, &by_hand, false, &m);
	assert_int_equal(m.nhits == 1, first);
	assert_int_equal(explained(set, made), first);
	assert_int_equal(explained(set, &by_hand), first);
	match_free(&m);
	event_unref(made);
	ruleset_free(set);
	return first;
}

static void expect(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (holds(rows[i].where, rows[i].data) != rows[i].expected)
			fail_msg("%s is %s of %s", rows[i].where,
				 rows[i].expected ? "not true" : "true", rows[i].data);
	}
}

#define EXPECT(rows) expect(rows, COUNT(rows))

static void values_are_equal_by_type_and_value(void **state)
{
	static const struct row rows[] = {
		{"data.a == \"x\"", "{\"a\":\"x\"}", true},
		{"data.a == \"x\"", "{\"a\":\"X\"}", false},
		{"data.a == \"x\"", "{\"a\":\"xx\"}", false},
		{"data.a == \"x\"", "{\"b\":\"x\"}", false},
		{"data.a == \"x\"", "{\"a\":{\"a\":\"x\"}}", false},
		{"data.a == \"5\"", "{\"a\":5}", false},
		{"data.a == 5", "{\"a\":\"5\"}", false},
		{"data.a == \"null\"", "{\"a\":null}", false},
		{"data.a == null", "{\"a\":null}", true},
		{"data.a == null", "{\"a\":\"null\"}", false},
		{"data.a == null", "{\"a\":0}", false},
		{"data.a == null", "{}", false},
		{"data.a == true", "{\"a\":true}", true},
		{"data.a == true", "{\"a\":\"true\"}", false},
		{"data.a == true", "{\"a\":false}", false},
		{"data.a == false", "{\"a\":false}", true},
		{"data.a == \"\"", "{\"a\":\"\"}", true},
		{"data.a == \"\\u00e9\\n\"", "{\"a\":\"\xc3\xa9\\n\"}", true},
		{"data.a == \"\xc3\xa9\"", "{\"a\":\"\\u00e9\"}", true},
		{"data.a == \"\\ud83d\\ude00\"", "{\"a\":\"\xf0\x9f\x98\x80\"}", true},
		{"data.a == \"a\\u0000b\"", "{\"a\":\"a\\u0000b\"}", true},
		{"data.a == \"a\\u0000b\"", "{\"a\":\"a\\u0000c\"}", false},
		{"data.\"\\u00e9\" == 1", "{\"\\u00e9\":1}", true},
		{"data.\"a.b\" == 1", "{\"a.b\":1,\"a\":{\"b\":2}}", true},
		{"data.a.b == 2", "{\"a.b\":1,\"a\":{\"b\":2}}", true},
	};

	(void)state;
	EXPECT(rows);
}

static void numbers_compare_by_value(void **state)
{
	static const struct row rows[] = {
		{"data.a == 1", "{\"a\":1.0}", true},
		{"data.a == 1", "{\"a\":1e0}", true},
		{"data.a == 1", "{\"a\":100e-2}", true},
		{"data.a == 100", "{\"a\":1e2}", true},
		{"data.a == 9007199254740993", "{\"a\":9007199254740992}", false},
		{"data.a == 9007199254740993", "{\"a\":9007199254740993}", true},
		{"data.a == 18446744073709551615", "{\"a\":18446744073709551616}", false},
		{"data.a == 0", "{\"a\":-0}", true},
		{"data.a == 0", "{\"a\":-0.0}", true},
		{"data.a == 1e400", "{\"a\":1e400}", true},
		{"data.a == 1e400", "{\"a\":1e401}", false},
		{"data.a == 1.1", "{\"a\":1.1000000000000001}", true},
		{"data.a < 10", "{\"a\":9}", true},
		{"data.a < 10", "{\"a\":10}", false},
		{"data.a <= 10", "{\"a\":1e1}", true},
		{"data.a > 10", "{\"a\":10.5}", true},
		{"data.a >= 10", "{\"a\":9.99}", false},
		{"data.a < 0", "{\"a\":-1e-300}", true},
		{"data.a > 5", "{\"a\":\"9\"}", false},
		{"data.a < 5", "{\"a\":null}", false},
		{"data.a < 5", "{}", false},
		{"data.a > 9007199254740992", "{\"a\":9007199254740993}", true},
		{"data.a >= 5 and data.a <= 5", "{\"a\":5}", true},
		{"data.a < \"b\"", "{\"a\":\"a\"}", true},
		{"data.a < \"b\"", "{\"a\":\"b\"}", false},
		{"data.a <= \"b\"", "{\"a\":\"b\"}", true},
		{"data.a > \"ab\"", "{\"a\":\"abc\"}", true},
		{"data.a > \"z\"", "{\"a\":\"\\u00e9\"}", true},
	};

	(void)state;
	EXPECT(rows);
}

static void text_is_compared_as_the_operator_says(void **state)
{
	static const struct row rows[] = {
		{"data.a like \"rel*-?\"", "{\"a\":\"release-?\"}", true},
		{"data.a like \"rel*\"", "{\"a\":\"release/1/2\"}", true},
		{"data.a like \"*\"", "{\"a\":\"\"}", true},
		{"data.a like \"*\"", "{\"a\":5}", false},
		{"data.a like \"*\"", "{\"a\":null}", false},
		{"data.a like \"a\\\\*b\"", "{\"a\":\"a*b\"}", true},
		{"data.a like \"a\\\\*b\"", "{\"a\":\"axb\"}", false},
		{"data.a like [\"x*\", \"*y\"]", "{\"a\":\"ay\"}", true},
		{"data.a contains \"b\"", "{\"a\":\"abc\"}", true},
		{"data.a contains \"\"", "{\"a\":\"\"}", true},
		{"data.a contains \"d\"", "{\"a\":\"abc\"}", false},
		{"data.a contains \"\\\"\"", "{\"a\":\"a\\\"c\"}", true},
		{"data.a starts \"ab\"", "{\"a\":\"abc\"}", true},
		{"data.a starts \"abcd\"", "{\"a\":\"abc\"}", false},
		{"data.a starts [\"x\", \"a\"]", "{\"a\":\"abc\"}", true},
		{"data.a ends \"bc\"", "{\"a\":\"abc\"}", true},
		{"data.a ends \"ab\"", "{\"a\":\"abc\"}", false},
		{"data.a ends \"\xc3\xa9\"", "{\"a\":\"caf\\u00e9\"}", true},
		{"data.a ieq \"HeLLo\"", "{\"a\":\"hEllO\"}", true},
		{"data.a ieq \"hello\"", "{\"a\":\"hello!\"}", false},
		{"data.a ieq \"STRA\xc3\x9f"
		 "E\"",
		 "{\"a\":\"strasse\"}", false},
		{"data.a within \"10.0.0.0/8\"", "{\"a\":\"10.1.2.3\"}", true},
		{"data.a within \"10.0.0.0/8\"", "{\"a\":\"11.1.2.3\"}", false},
		{"data.a within \"0.0.0.0/0\"", "{\"a\":10}", false},
		{"data.a within \"0.0.0.0/0\"", "{\"a\":\"::1\"}", false},
		{"data.a within [\"::1\", \"127.0.0.1/32\"]", "{\"a\":\"127.0.0.1\"}", true},
		{"data.a matches \"v[0-9]+(\\\\.[0-9]+)*\"", "{\"a\":\"v1.22.3\"}", true},
		{"data.a matches \"v[0-9]+\"", "{\"a\":\"v1.22.3\"}", false},
		{"data.a not matches \"v[0-9]+\"", "{\"a\":\"v1.22.3\"}", true},
		{"data.a starts data.b", "{\"a\":\"abc\",\"b\":\"ab\"}", true},
		{"data.a ieq data.b", "{\"a\":\"abc\",\"b\":\"ABC\"}", true},
	};

	(void)state;
	EXPECT(rows);
}

static void lists_hold_what_is_equal_to_a_member(void **state)
{
	static const struct row rows[] = {
		{"data.a in [\"in\", \"opt\"]", "{\"a\":\"opt\"}", true},
		{"data.a in [\"in\", \"opt\"]", "{\"a\":\"out\"}", false},
		{"data.a in [1, \"x\", null, true]", "{\"a\":1.0}", true},
		{"data.a in [1, \"x\", null, true]", "{\"a\":null}", true},
		{"data.a in [1, \"x\", null, true]", "{\"a\":true}", true},
		{"data.a in [1, \"x\", null, true]", "{\"a\":false}", false},
		{"data.a in [1]", "{}", false},
		{"data.a not in [1]", "{\"a\":2}", true},
		{"data.a not in [1]", "{\"a\":\"1\"}", true},
		{"data.a not in [1]", "{}", false},
		{"\"x\" in data.tags", "{\"tags\":[\"y\",\"x\"]}", true},
		{"\"x\" in data.tags", "{\"tags\":[]}", false},
		{"\"x\" in data.tags", "{\"tags\":\"x\"}", true},
		{"5 in data.tags", "{\"tags\":[1,5.0]}", true},
		{"null in data.tags", "{\"tags\":[null]}", true},
		{"data.a in data.tags", "{\"a\":\"x\",\"tags\":[\"y\",\"x\"]}", true},
		{"data.a not in data.tags", "{\"a\":\"z\",\"tags\":[\"y\",\"x\"]}", true},
		{"data.a not in data.tags", "{\"a\":\"x\",\"tags\":[\"y\",\"x\"]}", false},
	};

	(void)state;
	EXPECT(rows);
}

static void absent_is_neither_equal_nor_different(void **state)
{
	static const struct row rows[] = {
		{"data.a != 1", "{\"a\":2}", true},
		{"data.a != 1", "{\"a\":1}", false},
		{"data.a != 1", "{\"a\":\"1\"}", true},
		{"data.a != 1", "{\"a\":null}", true},
		{"data.a != 1", "{}", false},
		{"not (data.a == 1)", "{}", true},
		{"not data.a == 1", "{\"a\":1}", false},
		{"not (data.a != 1)", "{}", true},
		{"data.a not like \"x*\"", "{}", false},
		{"data.a not like \"x*\"", "{\"a\":5}", true},
		{"data.a exists", "{\"a\":null}", true},
		{"data.a exists", "{\"a\":[]}", true},
		{"data.a exists", "{\"a\":\"\"}", true},
		{"data.a exists", "{}", false},
		{"not data.a exists", "{}", true},
		{"data.a.b exists", "{\"a\":{\"b\":{}}}", true},
		{"data.a.b exists", "{\"a\":[{\"c\":1},{\"b\":2}]}", true},
		{"data.a.b exists", "{\"a\":[{\"c\":1}]}", false},
		{"subject exists", "{}", true},
		{"data.a != data.b", "{\"a\":1}", true},
		{"data.a == data.b", "{\"a\":1}", false},
		{"data.b != data.a", "{\"a\":1}", false},
	};

	(void)state;
	EXPECT(rows);
}

static void an_array_does_if_an_element_does(void **state)
{
	static const struct row rows[] = {
		{"data.a == 2", "{\"a\":[1,2]}", true},
		{"data.a == 3", "{\"a\":[1,2]}", false},
		{"data.a == 3", "{\"a\":[[1],[2,[3]]]}", true},
		{"data.a != 2", "{\"a\":[1,2]}", false},
		{"data.a != 3", "{\"a\":[1,2]}", true},
		{"data.a != 3", "{\"a\":[]}", true},
		{"data.a == 3", "{\"a\":[]}", false},
		{"data.a == 2", "{\"a\":[\"x\",2]}", true},
		{"data.a not like \"x*\"", "{\"a\":[\"y\",\"xx\"]}", false},
		{"data.a not like \"x*\"", "{\"a\":[\"y\",\"z\"]}", true},
		{"data.a.b == 1", "{\"a\":[{\"b\":0},{\"b\":1}]}", true},
		{"data.a.1.b == 1", "{\"a\":[{\"b\":0},{\"b\":1}]}", true},
		{"data.a.0.b == 1", "{\"a\":[{\"b\":0},{\"b\":1}]}", false},
		{"data.a.count == 2", "{\"a\":[{\"b\":0},{\"b\":1}]}", true},
		{"data.a.count > 2", "{\"a\":[{\"b\":0},{\"b\":1}]}", false},
		{"data.a.count in [1, 2]", "{\"a\":[{\"b\":0},{\"b\":1}]}", true},
		{"data.a.count == data.n", "{\"a\":[1,2],\"n\":2.0}", true},
		{"data.n == data.a.count", "{\"a\":[1,2],\"n\":3}", false},
		{"data.a.count == 0", "{\"a\":[]}", true},
		{"data.a.count == 1", "{\"a\":{\"count\":1}}", true},
		{"data.a == data.b", "{\"a\":[1,2],\"b\":[3,2]}", true},
		{"data.a == data.b", "{\"a\":[1,2],\"b\":[3,4]}", false},
		{"data.a contains \"b\"", "{\"a\":[\"x\",\"abc\"]}", true},
	};

	(void)state;
	EXPECT(rows);
}

static void any_is_about_one_element(void **state)
{
#define COMMITS                                                                                    \
	"{\"commits\":[{\"author\":{\"name\":\"bot\"},\"modified\":[\"src/a\",\"docs/"             \
	"b\"],\"n\":1,"                                                                            \
	"\"m\":2},{\"author\":{\"name\":\"ann\"},\"modified\":[\"src/c\"],\"n\":3,\"m\":3}]}"
	static const struct row rows[] = {
		{"any data.commits ( author.name == \"bot\" and modified like \"docs/*\" )",
		 COMMITS, true},
		{"any data.commits ( author.name == \"ann\" and modified like \"docs/*\" )",
		 COMMITS, false},
		{"data.commits.author.name == \"ann\" and data.commits.modified like \"docs/*\"",
		 COMMITS, true},
		{"any data.commits ( n == m )", COMMITS, true},
		{"any data.commits ( n == m and author.name == \"bot\" )", COMMITS, false},
		{"any data.commits ( not author.name == \"bot\" )", COMMITS, true},
		{"not any data.commits ( author.name == \"eve\" )", COMMITS, true},
		{"any data.commits ( x exists )", COMMITS, false},
		{"any data.commits ( not (x exists) )", COMMITS, true},
		{"any data.none ( not (x exists) )", COMMITS, false},
		{"any data.commits ( modified.count == 2 )", COMMITS, true},
		{"any data.commits ( \"src/c\" in modified )", COMMITS, true},
		{"any data.commits ( \"author\".name == \"ann\" )", COMMITS, true},
		{"any data.x ( any y ( z == 1 and w == 2 ) )",
		 "{\"x\":[{\"y\":[{\"z\":1},{\"w\":2}]},{\"y\":[{\"z\":1,\"w\":2}]}]}", true},
		{"any data.x ( any y ( z == 1 and w == 2 ) )",
		 "{\"x\":[{\"y\":[{\"z\":1},{\"w\":2}]},{\"y\":[{\"w\":2}]}]}", false},
		{"any data.x ( y == 1 )", "{\"x\":{\"y\":1}}", true},
		{"any data.x ( y == 1 )", "{\"x\":[5,\"a\",null,[{\"y\":1}]]}", true},
		{"any data.x ( y == 1 )", "{\"x\":5}", false},
		{"any data.x.count ( y exists )", "{\"x\":[]}", false},
		{"any data.x ( y != 1 )", "{\"x\":[{},{\"z\":1}]}", false},
	};

	(void)state;
	EXPECT(rows);
}

static void attributes_are_fields(void **state)
{
	static const struct row rows[] = {
		{"type == \"a.b\"", "{}", true},
		{"type != \"a.b\"", "{}", false},
		{"source starts \"/s\"", "{}", true},
		{"subject == \"caf\xc3\xa9 \\\"x\\\"\"", "{}", true},
		{"subject contains \"\\\"x\"", "{}", true},
		{"time >= \"2026-11-24\" and time < \"2026-11-25\"", "{}", true},
		{"id == \"e-1\" and instance == \"inst\"", "{}", true},
		{"id == type", "{}", false},
		{"instance == data.i", "{\"i\":\"inst\"}", true},
		{"data.i == instance", "{\"i\":\"inst\"}", true},
		{"id != type", "{}", true},
		{"data exists", "{}", true},
		{"data == data.x", "{\"x\":{}}", false},
		{"data.x == data.y", "{\"x\":{\"p\":1,\"q\":2},\"y\":{\"q\":2.0,\"p\":1}}", true},
	};

	(void)state;
	EXPECT(rows);
}

static void and_or_and_not_combine(void **state)
{
	static const struct row rows[] = {
		{"data.a == 1 or data.a == 2 and data.b == 3", "{\"a\":1}", true},
		{"(data.a == 1 or data.a == 2) and data.b == 3", "{\"a\":1}", false},
		{"(data.a == 1 or data.a == 2) and data.b == 3", "{\"a\":2,\"b\":3}", true},
		{"not (data.a == 1 and data.b == 2)", "{\"a\":1,\"b\":3}", true},
		{"not (data.a == 1 or data.b == 2)", "{\"a\":1,\"b\":3}", false},
		{"not not data.a == 1", "{\"a\":1}", true},
	};

	(void)state;
	EXPECT(rows);
}

/* Two arrays of many values: the pairs are counted, so that time stays bounded. */
static void too_many_pairs_are_false_and_counted(void **state)
{
	struct selector s = {.where = "data.a == data.b"};
	struct ruleset *set = ruleset_compile(&s, 1, NULL, NULL, NULL);
	struct buf b = {0};
	struct event from, *ev;
	struct match m = {0};

	(void)state;
	buf_text_add(&b, "{\"a\":[");
	for (int i = 0; i < 350; i++)
		buf_text_add(&b, i ? ",1" : "1");
	buf_text_add(&b, "],\"b\":[");
	for (int i = 0; i < 350; i++)
		buf_text_add(&b, i ? ",2" : "2");
	buf_text_add(&b, "]}");
	from = event_with(buf_text(&b));
	ev = event_create(&from);
	ruleset_match(set, ev, true, &m);
	assert_int_equal(m.nhits, 0);
	assert_int_equal(ruleset_type_mismatches(set, 0), 1);
	match_free(&m);
	event_unref(ev);
	buf_free(&b);
	ruleset_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_equal_by_type_and_value),
		cmocka_unit_test(numbers_compare_by_value),
		cmocka_unit_test(text_is_compared_as_the_operator_says),
		cmocka_unit_test(lists_hold_what_is_equal_to_a_member),
		cmocka_unit_test(absent_is_neither_equal_nor_different),
		cmocka_unit_test(an_array_does_if_an_element_does),
		cmocka_unit_test(any_is_about_one_element),
		cmocka_unit_test(attributes_are_fields),
		cmocka_unit_test(and_or_and_not_combine),
		cmocka_unit_test(too_many_pairs_are_false_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
