#include "base/buf.h"
#include "rules/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct arena arena; /* of the tree a test looks at */

static const char *const names[] = {"exists", "==",   "!=",      "<",        "<=",      ">",
				    ">=",     "ieq",  "within",  "in",       "like",    "contains",
				    "starts", "ends", "matches", "value-in", "istarts", "iends"};

static void show_value(const struct expr_value *v, struct buf *out)
{
	switch (v->kind) {
	case VALUE_NONE: buf_text_add(out, "-"); break;
	case VALUE_STRING: buf_json_string(out, v->text, v->len); break;
	case VALUE_NUMBER: buf_text_add(out, v->text); break;
	case VALUE_TRUE: buf_text_add(out, "true"); break;
	case VALUE_FALSE: buf_text_add(out, "false"); break;
	case VALUE_NULL: buf_text_add(out, "null"); break;
	case VALUE_PATH: buf_printf(out, "<%s>", v->path.text); break;
	case VALUE_LIST:
		for (size_t i = 0; i < v->n; i++) {
			buf_char(out, i ? ',' : '[');
			show_value(&v->items[i], out);
		}
		buf_char(out, ']');
		break;
	}
}

/* The tree in brackets, operator first. */
static void show(const struct expr *e, struct buf *out)
{
	static const char *const kinds[] = {"or", "and", "not", "any", ""};

	buf_char(out, '(');
	if (e->kind == EXPR_TEST) {
		buf_printf(out, "%s%s <%s> ", e->negated ? "not-" : "", names[e->op], e->path.text);
		show_value(&e->value, out);
	} else {
		buf_text_add(out, kinds[e->kind]);
		if (e->kind == EXPR_ANY)
			buf_printf(out, " <%s>", e->path.text);
	}
	for (size_t i = 0; i < e->nparts; i++) {
		buf_char(out, ' ');
		show(e->parts[i], out);
	}
	buf_char(out, ')');
}

static void an_expression_becomes_a_tree(void **state)
{
	static const struct {
		const char *text, *tree;
	} rows[] = {
		{"data.a == 1", "(== <data.a> 1)"},
		{"data.a==\"x\"", "(== <data.a> \"x\")"},
		{" data.a\n!= -1.5e3 ", "(!= <data.a> -1.5e3)"},
		{"data.a exists", "(exists <data.a> -)"},
		{"data.a == data.b", "(== <data.a> <data.b>)"},
		{"data.a in [\"x\", 1,true , null]", "(in <data.a> [\"x\",1,true,null])"},
		{"data.a not in [false]", "(not-in <data.a> [false])"},
		{"data.a in data.list", "(in <data.a> <data.list>)"},
		{"\"x\" in data.list", "(value-in <data.list> \"x\")"},
		{"5 in data.list", "(value-in <data.list> 5)"},
		{"null in data.list", "(value-in <data.list> null)"},
		{"type like \"a*\\\\*\"", "(like <type> \"a*\\\\*\")"},
		{"subject not matches \"[a-z]+\"", "(not-matches <subject> \"[a-z]+\")"},
		{"data.ip within [\"10.0.0.0/8\", \"::1\"]",
		 "(within <data.ip> [\"10.0.0.0/8\",\"::1\"])"},
		{"data.a ieq \"X\"", "(ieq <data.a> \"X\")"},
		{"data.n >= 1 and data.n <= 9 and data.n < data.m",
		 "(and (>= <data.n> 1) (<= <data.n> 9) (< <data.n> <data.m>))"},
		{"id == \"1\" or id == \"2\" and id == \"3\"",
		 "(or (== <id> \"1\") (and (== <id> \"2\") (== <id> \"3\")))"},
		{"(id == \"1\" or id == \"2\") and id == \"3\"",
		 "(and (or (== <id> \"1\") (== <id> \"2\")) (== <id> \"3\"))"},
		{"not id exists and time exists", "(and (not (exists <id> -)) (exists <time> -))"},
		{"not (id exists and time exists)",
		 "(not (and (exists <id> -) (exists <time> -)))"},
		{"not not id exists", "(not (not (exists <id> -)))"},
		{"((id exists))", "(exists <id> -)"},
		{"any data.commits ( author.name == \"bot\" and modified like \"docs/*\" )",
		 "(any <data.commits> (and (== <author.name> \"bot\") (like <modified> "
		 "\"docs/*\")))"},
		{"any data.a ( any b ( c == d ) )", "(any <data.a> (any <b> (== <c> <d>)))"},
		{"any data.a ( \"odd name\" == 1 )", "(any <data.a> (== <\"odd name\"> 1))"},
		{"any data.a ( \"odd\".x in [1] and \"y\" in [2] and \"z\" in tags )",
		 "(any <data.a> (and (in <\"odd\".x> [1]) (in <\"y\"> [2]) (value-in <tags> "
		 "\"z\")))"},
		{"data.\"a b\".0 == \"\\u00e9\\n\"", "(== <data.\"a b\".0> \"\xc3\xa9\\n\")"},
		{"data.any == 1 and data.not == 2 and data.in in [3]",
		 "(and (== <data.any> 1) (== <data.not> 2) (in <data.in> [3]))"},
		{"data.a == true", "(== <data.a> true)"},
		{"data.items.count > 2", "(> <data.items.count> 2)"},
		{"data.a == null or data.a == false",
		 "(or (== <data.a> null) (== <data.a> false))"},
		{"time >= \"2026\"", "(>= <time> \"2026\")"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};
		size_t at = 0;
		struct expr *e = expr_parse(&arena, rows[i].text, &at, &err);
		struct buf out = {0};

		if (!e)
			fail_msg("%s: at %zu: %s", rows[i].text, at, err.text);
		show(e, &out);
		if (strcmp(buf_text(&out), rows[i].tree) != 0)
			fail_msg("%s: %s", rows[i].text, buf_text(&out));
		buf_free(&out);
		arena_reset(&arena);
	}
}

static void a_mistake_says_what_would_be_right(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *why;
	} rows[] = {
		{"", 0, "a path was expected, but the expression ends"},
		{"   ", 3, "a path was expected"},
		{"data.a", 6, "an operator like ==, in or exists was expected"},
		{"data.a ==", 9, "a value was expected, but the expression ends"},
		{"data.a = 1", 7, "= is written =="},
		{"data.a === 1", 7, "=== is written =="},
		{"data.a is 1", 7, "is is written =="},
		{"data.a <> 1", 7, "<> is written !="},
		{"data.a =~ \"x\"", 7, "=~ is written matches"},
		{"data.a startswith \"x\"", 7, "startswith is written starts"},
		{"data.a LIKE \"x\"", 7, "LIKE is written like"},
		{"data.a + 1", 7, "an operator like ==, in or exists was expected, not +"},
		{"data.a == 1 && data.b == 2", 12, "&& is written and"},
		{"data.a == 1 || data.b == 2", 12, "|| is written or"},
		{"data.a == 1 AND data.b == 2", 12, "AND is written and"},
		{"data.a == 1 data.b == 2", 12, "and, or or the end was expected, not data.b"},
		{"data.a == 1 and", 15, "a path was expected, but the expression ends"},
		{"!data.a exists", 0, "! is written not"},
		{"NOT data.a exists", 0, "NOT is no field"},
		{"data.a == foo", 10, "text is written in quotes: \"foo\""},
		{"data.a == main.x", 10, "text is written in quotes: \"main.x\""},
		{"data.a == 'foo'", 10, "double quotes"},
		{"foo == 1", 0, "foo is no field: paths begin with type source"},
		{"inputs.a.id == 1", 0, "inputs.a.id is no field"},
		{"phase == \"x\"", 0, "phase is no field"},
		{"type.x == \"x\"", 0, "type is text and has nothing below it"},
		{"data. == 1", 5, "a name is missing after the dot"},
		{"data.a == 05", 10, "05 is no number"},
		{"data.a == 5m", 10, "5m is no number; text is written in quotes: \"5m\""},
		{"data.a == -x", 10, "-x is no number"},
		{"data.a == \"x", 10, "closing quote"},
		{"data.a like \"a\\*b\"", 14, "a backslash is written \\\\"},
		{"data.a == \"a\nb\"", 12, "control character"},
		{"data.a in \"x\"", 10, "in takes a list"},
		{"data.a in 5", 10, "in takes a list"},
		{"data.a in []", 10, "empty"},
		{"data.a in [\"x\"", 14, "a comma or ] was expected"},
		{"data.a in [\"x\",]", 15, "a value was expected, not ]"},
		{"data.a in [[1]]", 11, "a list inside a list"},
		{"data.a in [x.y]", 11, "is no field"},
		{"data.a in [data.b]", 11, "a list has values, not paths"},
		{"data.a == [1]", 10, "with a list it is written in"},
		{"data.a != [1]", 10, "with a list it is written not in"},
		{"data.a < true", 9, "compares numbers, or text with text"},
		{"data.a like 5", 12, "like takes text in quotes"},
		{"data.a like data.b", 12, "like takes text in quotes, no path"},
		{"data.a like \"a**\"", 12, "two stars"},
		{"data.a like [\"a\", 5]", 12, "like takes text"},
		{"data.a matches \"(\"", 15, "( is not closed"},
		{"data.a matches \"\\\\d\"", 15, "no \\d"},
		{"data.a within \"10.0.0.0/40\"", 14, "0 to 32"},
		{"data.a not == 1", 11, "there is no \"not ==\"; write not (data.a == ..)"},
		{"data.a not exists", 11, "write not (data.a exists)"},
		{"data.a not within \"::1\"", 11, "write not (data.a within ..)"},
		{"data.a not 5", 11, "in, like, contains"},
		{"\"x\" == data.a", 0, "a test begins with a path"},
		{"\"x\" not in data.a", 4, "not (\"x\" in ..)"},
		{"[1] in data.a", 0, "a list stands to the right"},
		{"\"x\" in foo", 7, "foo is no field"},
		{"\"x\" in [\"x\"]", 7, "a path like data.new.phase was expected, not ["},
		{"(data.a == 1", 0, "( is not closed"},
		{"data.a == 1)", 11, ") without ("},
		{"(data.a == 1 data.b == 2)", 13, "and, or or ) was expected"},
		{"()", 1, "a path like data.new.phase was expected, not )"},
		{"any data.a", 10, "( was expected, but the expression ends"},
		{"any data.a (", 12, "a path was expected"},
		{"any ( a == 1 )", 4, "a path like data.new.phase was expected, not ("},
		{"any foo ( a == 1 )", 4, "foo is no field"},
		{"data.a == 1 and and data.b == 2", 16, "and is no field"},
		{"data.a == \xc3\xa9", 10, "a value was expected, not \xc3\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};
		size_t at = 999;
		struct expr *e = expr_parse(&arena, rows[i].text, &at, &err);

		if (e || at != rows[i].at || !strstr(err.text, rows[i].why))
			fail_msg("%s: at %zu: %s", rows[i].text, at, err.text);
	}
}

static void tests_are_numbered_in_reading_order(void **state)
{
	static const char text[] = "id exists and ( any data.a ( b == 1 ) or  not data.c == 2  )";
	struct expr *e = expr_parse(&arena, text, NULL, NULL), *or_part, *third;

	(void)state;
	assert_non_null(e);
	assert_int_equal(e->parts[0]->number, 0);
	or_part = e->parts[1];
	assert_int_equal(or_part->parts[0]->parts[0]->number, 1);
	third = or_part->parts[1]->parts[0];
	assert_int_equal(third->number, 2);
	assert_int_equal(third->end - third->at, strlen("data.c == 2"));
	assert_memory_equal(text + third->at, "data.c == 2", third->end - third->at);
	assert_memory_equal(text + e->parts[0]->at, "id exists",
			    e->parts[0]->end - e->parts[0]->at);
	arena_reset(&arena);
}

static void paths_are_listed_with_their_any(void **state)
{
	static const struct {
		const char *prefix, *path;
		enum expr_op op;
		bool literal;
	} expected[] = {
		{"", "data.n", EXPR_GT, true},         {"", "data.a", EXPR_EXISTS, false},
		{"data.a", "b", EXPR_EXISTS, false},   {"data.a.b", "c", EXPR_EQ, false},
		{"data.a.b", "d", EXPR_EXISTS, false}, {"", "data.t", EXPR_VALUE_IN, true},
	};
	struct expr *e = expr_parse(
		&arena, "data.n > 1 and any data.a ( any b ( c == d ) ) and \"x\" in data.t", NULL,
		NULL);
	struct expr_use use;

	(void)state;
	assert_int_equal(expr_uses(e, SIZE_MAX, NULL), COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_int_equal(expr_uses(e, i, &use), COUNT(expected));
		assert_string_equal(use.prefix ? use.prefix->text : "", expected[i].prefix);
		assert_string_equal(use.path->text, expected[i].path);
		assert_int_equal(use.op, expected[i].op);
		assert_int_equal(use.value != NULL, expected[i].literal);
	}
	arena_reset(&arena);
}

static struct expr *repeated(const char *front, int n, const char *middle, const char *back,
			     struct err *err)
{
	struct buf b = {0};
	struct expr *e;

	for (int i = 0; i < n; i++)
		buf_text_add(&b, front);
	buf_text_add(&b, middle);
	for (int i = 0; i < n; i++)
		buf_text_add(&b, back);
	e = expr_parse(&arena, buf_text(&b), NULL, err);
	buf_free(&b);
	return e;
}

static void depth_and_number_are_bounded(void **state)
{
	static const char *const fronts[][2] = {
		{"(", ")"}, {"not ", ""}, {"any data.a (", ")"}, {"not (", ")"}};
	struct err err;
	struct expr *e;

	(void)state;
	for (size_t i = 0; i < COUNT(fronts); i++) {
		int most = i == 3 ? 31 : 63;

		e = repeated(fronts[i][0], most, "data.x exists", fronts[i][1], &err);
		if (i != 2 && !e)
			fail_msg("%s: %s", fronts[i][0], err.text);
		arena_reset(&arena);
		assert_null(repeated(fronts[i][0], 100000, "data.x exists", fronts[i][1], &err));
	}
	e = repeated("id exists or ", 1023, "id exists", "", &err);
	assert_non_null(e);
	assert_int_equal(e->nparts, 1024);
	arena_reset(&arena);
	assert_null(repeated("id exists or ", 1024, "id exists", "", &err));
	assert_non_null(strstr(err.text, "more than 1024 tests"));
}

/* Whatever is cut off, it is a tree or a message, and nothing is lost. */
static void every_prefix_ends_well(void **state)
{
	static const char text[] =
		"any data.a ( \"x y\".b not in [\"p\", 1.5, null] ) and (not type like \"a*\" or "
		"data.ip within \"10.0.0.0/8\" or data.v matches \"v[0-9]+\" or \"t\" in data.l)";

	(void)state;
	for (size_t len = 0; len < sizeof text; len++) {
		char *copy = strndup(text, len);
		struct err err = {{0}};
		struct expr *e = expr_parse(&arena, copy, NULL, &err);

		if (!e && !*err.text)
			fail_msg("no message for %s", copy);
		arena_reset(&arena);
		free(copy);
	}
}

static int give_back(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expression_becomes_a_tree),
		cmocka_unit_test(a_mistake_says_what_would_be_right),
		cmocka_unit_test(tests_are_numbered_in_reading_order),
		cmocka_unit_test(paths_are_listed_with_their_any),
		cmocka_unit_test(depth_and_number_are_bounded),
		cmocka_unit_test(every_prefix_ends_well),
	};

	return cmocka_run_group_tests(tests, NULL, give_back);
}
