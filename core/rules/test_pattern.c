#include "base/buf.h"
#include "rules/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct arena arena; /* of the tree a test looks at */

static const char *op_name(const struct expr *e)
{
	static const char *const names[] = {
		[EXPR_EQ] = "==",           [EXPR_LT] = "<",
		[EXPR_LE] = "<=",           [EXPR_GT] = ">",
		[EXPR_GE] = ">=",           [EXPR_IEQ] = "ieq",
		[EXPR_WITHIN] = "within",   [EXPR_IN] = "in",
		[EXPR_LIKE] = "like",       [EXPR_STARTS] = "starts",
		[EXPR_ENDS] = "ends",       [EXPR_MATCHES] = "matches",
		[EXPR_ISTARTS] = "istarts", [EXPR_IENDS] = "iends",
		[EXPR_LEAF] = "leaf",       [EXPR_RANGE] = "range",
	};

	return names[e->op];
}

static void show_value(const struct expr_value *v, struct buf *out)
{
	switch (v->kind) {
	case VALUE_STRING: buf_json_string(out, v->text, v->len); break;
	case VALUE_NUMBER: buf_text_add(out, v->text); break;
	case VALUE_TRUE: buf_text_add(out, "true"); break;
	case VALUE_FALSE: buf_text_add(out, "false"); break;
	case VALUE_NULL: buf_text_add(out, "null"); break;
	case VALUE_LIST:
		for (size_t i = 0; i < v->n; i++) {
			buf_char(out, i ? ',' : '[');
			show_value(&v->items[i], out);
		}
		buf_char(out, ']');
		break;
	case VALUE_NONE:
	case VALUE_PATH: break;
	}
}

static void show_test(const struct expr *e, struct buf *out)
{
	buf_printf(out, "%s %s%s", e->path.text, e->but ? "but " : "", op_name(e));
	if (e->op == EXPR_RANGE)
		buf_printf(out, "%s%s", e->above ? "(" : "[", e->below ? ")" : "]");
	if (e->value.kind != VALUE_NONE)
		buf_char(out, ' ');
	show_value(&e->value, out);
}

/* `and(a == 1, any data.b(..))` */
static void show(const struct expr *e, struct buf *out)
{
	static const char *const kinds[] = {"or", "and", "not", "any"};

	if (e->kind == EXPR_TEST) {
		show_test(e, out);
		return;
	}
	buf_text_add(out, kinds[e->kind]);
	if (e->kind == EXPR_ANY)
		buf_printf(out, " %s", e->path.text);
	for (size_t i = 0; i < e->nparts; i++) {
		buf_text_add(out, i ? ", " : "(");
		show(e->parts[i], out);
	}
	buf_char(out, ')');
}

static const struct expr *parse(enum pattern_root root, const char *text)
{
	struct err err;
	size_t at = 0, len = strlen(text);
	char *exact = malloc(len ? len : 1); /* so that a sanitizer sees overruns */
	const struct expr *e;

	memcpy(exact, text, len);
	arena_reset(&arena);
	e = pattern_parse(&arena, root, exact, len, &at, &err);
	free(exact);
	if (!e)
		fail_msg("%s: %zu: %s", text, at, err.text);
	return e;
}

struct row {
	const char *text, *tree;
};

static void expect_trees(enum pattern_root root, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf shown = {0};

		show(parse(root, rows[i].text), &shown);
		if (strcmp(buf_text(&shown), rows[i].tree) != 0)
			fail_msg("%s:\n%s, not\n%s", rows[i].text, buf_text(&shown), rows[i].tree);
		buf_free(&shown);
	}
}

#define EXPECT_TREES(root, rows) expect_trees(root, rows, COUNT(rows))

static void every_operator_has_its_test(void **state)
{
	static const struct row rows[] = {
		{"{\"a\":[\"x\"]}", "data.a == \"x\""},
		{" { \"a\" : [ \"x\" , 1 , true , false , null ] } ",
		 "data.a in [\"x\",1,true,false,null]"},
		{"{\"a\":[\"\\u0041\\n\"]}", "data.a == \"A\\n\""},
		{"{\"a\":[-1.50e3]}", "data.a == -1.50e3"},
		{"{\"a\":[{\"exactly\":\"x\"}]}", "data.a == \"x\""},
		{"{\"a\":[{\"prefix\":\"x\"}]}", "data.a starts \"x\""},
		{"{\"a\":[{\"suffix\":\"\"}]}", "data.a ends \"\""},
		{"{\"a\":[{\"prefix\":{\"equals-ignore-case\":\"x\"}}]}", "data.a istarts \"x\""},
		{"{\"a\":[{\"suffix\":{\"equals-ignore-case\":\"x\"}}]}", "data.a iends \"x\""},
		{"{\"a\":[{\"equals-ignore-case\":\"x\"}]}", "data.a ieq \"x\""},
		{"{\"a\":[{\"wildcard\":\"a*\\\\*\"}]}", "data.a like \"a*\\\\*\""},
		{"{\"a\":[{\"cidr\":\"10.0.0.0/32\"}]}", "data.a within \"10.0.0.0/32\""},
		{"{\"a\":[{\"regexp\":\"[a-z]+\"}]}", "data.a matches \"[a-z]+\""},
		{"{\"a\":[{\"exists\":true}]}", "data.a leaf"},
		{"{\"a\":[{\"exists\":false}]}", "not(data.a leaf)"},
		{"{\"a\":[{\"numeric\":[\"=\",5]}]}", "data.a == 5"},
		{"{\"a\":[{\"numeric\":[\"<\",5]}]}", "data.a < 5"},
		{"{\"a\":[{\"numeric\":[\">=\",-5.0]}]}", "data.a >= -5.0"},
		{"{\"a\":[{\"numeric\":[\">\",1,\"<=\",5]}]}", "data.a range(] [1,5]"},
		{"{\"a\":[{\"numeric\":[\">=\",5,\"<=\",5.0]}]}", "data.a range[] [5,5.0]"},
		{"{\"a\":[{\"anything-but\":\"x\"}]}", "data.a but == \"x\""},
		{"{\"a\":[{\"anything-but\":[1]}]}", "data.a but == 1"},
		{"{\"a\":[{\"anything-but\":[1,2]}]}", "data.a but in [1,2]"},
		{"{\"a\":[{\"anything-but\":{\"prefix\":\"x\"}}]}", "data.a but starts \"x\""},
		{"{\"a\":[{\"anything-but\":{\"suffix\":[\"x\",\"y\"]}}]}",
		 "data.a but ends [\"x\",\"y\"]"},
		{"{\"a\":[{\"anything-but\":{\"equals-ignore-case\":\"x\"}}]}",
		 "data.a but ieq \"x\""},
		{"{\"a\":[{\"anything-but\":{\"wildcard\":\"x*\"}}]}", "data.a but like \"x*\""},
		{"{\"a\":[1,{\"prefix\":\"x\"},2,{\"exists\":false}]}",
		 "or(data.a starts \"x\", data.a in [1,2], not(data.a leaf))"},
	};

	(void)state;
	EXPECT_TREES(PATTERN_DATA, rows);
}

static void a_name_is_one_step_whatever_it_looks_like(void **state)
{
	static const struct row rows[] = {
		{"{\"a.b\":[1]}", "data.\"a.b\" == 1"},
		{"{\"\":[1]}", "data.\"\" == 1"},
		{"{\"count\":[1]}", "data.\"count\" == 1"},
		{"{\"0\":{\"x y\":[1]}}", "data.\"0\".\"x y\" == 1"},
		{"{\"a\\u002eb\":[1]}", "data.\"a.b\" == 1"},
		{"{\"\xc3\xa9\":[1]}", "data.\"\xc3\xa9\" == 1"},
	};
	const struct expr *e;

	(void)state;
	EXPECT_TREES(PATTERN_DATA, rows);
	e = parse(PATTERN_DATA, "{\"0\":{\"count\":[1]}}");
	assert_int_equal(e->path.n, 3);
	assert_int_equal(e->path.steps[1].index, -1);
	assert_int_equal(e->path.steps[2].index, -1);
	assert_string_equal(e->path.steps[2].name, "count");
}

static void fields_of_one_object_are_about_one_element(void **state)
{
	static const struct row rows[] = {
		{"{\"a\":{\"b\":{\"c\":[1]}}}", "data.a.b.c == 1"},
		{"{\"b\":[1],\"a\":[2]}", "and(data.a == 2, data.b == 1)"},
		{"{\"a\":{\"c\":[1],\"b\":[2]}}", "any data.a(and(b == 2, c == 1))"},
		{"{\"a\":{\"b\":{\"c\":[1],\"d\":[2]}}}", "any data.a.b(and(c == 1, d == 2))"},
		{"{\"a\":{\"x\":[0],\"b\":{\"c\":[1],\"d\":[2]}},\"e\":[3]}",
		 "and(any data.a(and(any b(and(c == 1, d == 2)), x == 0)), data.e == 3)"},
		{"{\"a\":{\"b\":[1,{\"prefix\":\"x\"}]}}",
		 "or(data.a.b starts \"x\", data.a.b == 1)"},
	};
	const struct expr *e;

	(void)state;
	EXPECT_TREES(PATTERN_DATA, rows);
	e = parse(PATTERN_DATA, "{\"x\":[0],\"a\":{\"k\":[1],\"b\":{\"c\":[1],\"d\":[2]}}}");
	assert_string_equal(e->parts[0]->whole.text, "data.a");
	assert_string_equal(e->parts[0]->parts[0]->parts[0]->path.text, "b");
	assert_string_equal(e->parts[0]->parts[0]->parts[0]->whole.text, "data.a.b");
}

static void an_absence_is_asked_of_what_the_fields_before_it_are_about(void **state)
{
	static const struct row rows[] = {
		{"{\"a\":{\"b\":[{\"exists\":false}]}}", "not(data.a.b leaf)"},
		{"{\"a\":{\"b\":[{\"exists\":false}],\"c\":[{\"exists\":false}]}}",
		 "and(not(data.a.b leaf), not(data.a.c leaf))"},
		{"{\"a\":{\"b\":[1],\"c\":[{\"exists\":false}]}}",
		 "any data.a(and(b == 1, not(c leaf)))"},
		{"{\"a\":{\"b\":[{\"exists\":false}],\"c\":[1]}}",
		 "and(not(data.a.b leaf), data.a.c == 1)"},
		{"{\"a\":{\"b\":[1],\"c\":{\"d\":[{\"exists\":false}],\"e\":[2]}}}",
		 "any data.a(and(b == 1, and(not(c.d leaf), c.e == 2)))"},
		{"{\"a\":{\"b\":[1,{\"exists\":false}],\"c\":[2]}}",
		 "or(any data.a(and(b == 1, c == 2)), and(not(data.a.b leaf), data.a.c == 2))"},
		{"{\"a\":{\"b\":[1,{\"exists\":false}],\"c\":[2,{\"exists\":false}]}}",
		 "or(any data.a(and(b == 1, or(c == 2, not(c leaf)))), "
		 "and(not(data.a.b leaf), data.a.c == 2), "
		 "and(not(data.a.b leaf), not(data.a.c leaf)))"},
	};

	(void)state;
	EXPECT_TREES(PATTERN_DATA, rows);
}

static void or_is_multiplied_out_only_where_it_must_be(void **state)
{
	static const struct row rows[] = {
		{"{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "or(data.a == 1, data.b == 2)"},
		{"{\"c\":[3],\"$or\":[{\"a\":[1]},{\"b\":[2],\"$or\":[{\"d\":[4]},{\"e\":[5]}]}]}",
		 "and(data.c == 3, or(data.a == 1, and(data.b == 2, or(data.d == 4, data.e == "
		 "5))))"},
		{"{\"a\":{\"$or\":[{\"b\":[1]},{\"c\":[2]}],\"d\":[3]}}",
		 "any data.a(and(or(b == 1, c == 2), d == 3))"},
		{"{\"a\":{\"$or\":[{\"b\":[1]},{\"c\":[2]}]}}", "or(data.a.b == 1, data.a.c == 2)"},
		{"{\"a\":{\"b\":[1]},\"$or\":[{\"a\":{\"c\":[2]}},{\"d\":[3]}]}",
		 "or(any data.a(and(b == 1, c == 2)), and(data.a.b == 1, data.d == 3))"},
		{"{\"a\":{\"$or\":[{\"b\":[1]},{\"d\":[2]}],\"c\":[{\"exists\":false}]}}",
		 "or(any data.a(and(b == 1, not(c leaf))), "
		 "and(not(data.a.c leaf), data.a.d == 2))"},
		{"{\"$or\":[{\"a\":[1]},{\"b\":[2]}],\"$or\":[{\"c\":[3]},{\"d\":[4]}]}",
		 "and(or(data.a == 1, data.b == 2), or(data.c == 3, data.d == 4))"},
		/* A field like any other. */
		{"{\"$or\":{\"a\":[1]}}", "data.\"$or\".a == 1"},
		{"{\"$or\":[{\"prefix\":\"a\"},{\"prefix\":\"b\"}]}",
		 "or(data.\"$or\" starts \"a\", data.\"$or\" starts \"b\")"},
		{"{\"$or\":[\"a\"]}", "data.\"$or\" == \"a\""},
	};

	(void)state;
	EXPECT_TREES(PATTERN_DATA, rows);
}

static void the_last_of_two_fields_with_one_path_counts(void **state)
{
	static const struct row rows[] = {
		{"{\"a\":[1],\"b\":[2],\"a\":[3]}", "and(data.a == 3, data.b == 2)"},
		{"{\"a\":{\"b\":[1]},\"a\":{\"c\":[2]}}", "any data.a(and(b == 1, c == 2))"},
		{"{\"a\":[1],\"$or\":[{\"a\":[2]},{\"b\":[3]}]}",
		 "or(data.a == 2, and(data.a == 1, data.b == 3))"},
		{"{\"$or\":[{\"a\":[2]},{\"b\":[3]}],\"a\":[1]}",
		 "or(data.a == 1, and(data.a == 1, data.b == 3))"},
	};

	(void)state;
	EXPECT_TREES(PATTERN_DATA, rows);
}

static void a_pattern_of_the_event_begins_with_its_attributes(void **state)
{
	static const struct row rows[] = {
		{"{\"type\":[\"t\"],\"data\":{\"a\":[1],\"b\":{\"c\":[2],\"d\":[3]}}}",
		 "and(data.a == 1, any data.b(and(c == 2, d == 3)), type == \"t\")"},
		{"{\"source\":[{\"prefix\":\"s\"}],\"subject\":[\"x\"],\"time\":[\"y\"],\"id\":[1]"
		 "}",
		 "and(id == 1, source starts \"s\", subject == \"x\", time == \"y\")"},
		{"{\"$or\":[{\"type\":[\"t\"]},{\"data\":{\"type\":[\"u\"]}}]}",
		 "or(type == \"t\", data.type == \"u\")"},
		{"{\"data\":[{\"exists\":false}]}", "not(data leaf)"},
	};

	(void)state;
	EXPECT_TREES(PATTERN_EVENT, rows);
}

static void collect(const struct expr *e, const struct expr **tests, size_t *n)
{
	if (e->kind == EXPR_TEST)
		tests[(*n)++] = e;
	for (size_t i = 0; i < e->nparts; i++)
		collect(e->parts[i], tests, n);
}

static void tests_are_numbered_and_say_where_they_stand(void **state)
{
	static const char text[] = "{\"b\": [1, {\"prefix\": \"x\"}, 2], \"a\": {\"k\": [3], "
				   "\"l\": [ {\"exists\": false} ]}}";
	static const char *const slices[] = {
		"\"k\": [3]",
		"\"l\": [ {\"exists\": false} ]",
		"{\"prefix\": \"x\"}",
		"1, {\"prefix\": \"x\"}, 2",
	};
	const struct expr *tests[8];
	size_t n = 0;

	(void)state;
	collect(parse(PATTERN_DATA, text), tests, &n);
	assert_int_equal(n, COUNT(slices));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(tests[i]->number, i);
		assert_int_equal(tests[i]->end - tests[i]->at, strlen(slices[i]));
		assert_memory_equal(text + tests[i]->at, slices[i], strlen(slices[i]));
	}
}

struct refused {
	const char *text;
	size_t at;
	const char *says;
};

static void expect_refused(enum pattern_root root, const struct refused *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err err = {{0}};
		size_t at = 0;

		arena_reset(&arena);
		if (pattern_parse(&arena, root, rows[i].text, strlen(rows[i].text), &at, &err))
			fail_msg("accepted: %s", rows[i].text);
		if (at != rows[i].at || !strstr(err.text, rows[i].says))
			fail_msg("%s: \"%s\" at %zu", rows[i].text, err.text, at);
	}
}

#define EXPECT_REFUSED(root, rows) expect_refused(root, rows, COUNT(rows))

static void a_mistake_is_told_with_its_place_and_what_mends_it(void **state)
{
	static const struct refused rows[] = {
		{"", 0, "no JSON"},
		{"{\"a\":[1]", 8, "comma or }"},
		{"{\"a\":[1]} x", 10, "text after"},
		{"[1]", 0, "a pattern is an object"},
		{"{}", 0, "a field is written \"name\": [\"value\"]"},
		{"{\"a\":{}}", 5, "a field is written"},
		{"{\"a\":\"x\"}", 5, "values stand in an array: \"a\": [\"x\"]"},
		{"{\"a\": 5 }", 6, "\"a\": [5]"},
		{"{\"a\":[]}", 5, "any value is [{\"exists\": true}]"},
		{"{\"a\":[[\"x\"]]}", 6, "side by side"},
		{"{\"a\":[{}]}", 6, "{\"prefix\": \"x\"}"},
		{"{\"a\":[{\"prefx\":\"x\"}]}", 7, "did you mean \"prefix\"?"},
		{"{\"a\":[{\"regex\":\"x\"}]}", 7, "did you mean \"regexp\"?"},
		{"{\"a\":[{\"shellstyle\":\"x*\"}]}", 7, "did you mean \"wildcard\"?"},
		{"{\"a\":[{\"something\":[1]}]}", 7, "without the array around it"},
		{"{\"a\":[{\"something\":1}]}", 7, "there are prefix, suffix"},
		{"{\"a\":[{\"prefix\":\"x\",\"suffix\":\"y\"}]}", 20, "either will do"},
		{"{\"a\":[{\"prefix\":[\"x\"]}]}", 16,
		 "[{\"prefix\": \"a\"}, {\"prefix\": \"b\"}]"},
		{"{\"a\":[{\"suffix\":null}]}", 16, "suffix takes a string"},
		{"{\"a\":[{\"prefix\":{\"wildcard\":\"x\"}}]}", 17, "equals-ignore-case"},
		{"{\"a\":[{\"wildcard\":\"a**\"}]}", 18, "two stars"},
		{"{\"a\":[{\"cidr\":\"10.0.0.0/33\"}]}", 14, "0 to 32"},
		{"{\"a\":[{\"regexp\":\"(\"}]}", 16, "regexp: "},
		{"{\"a\":[{\"exists\":\"yes\"}]}", 16, "true or false"},
		{"{\"a\":[{\"numeric\":\"<5\"}]}", 17, "numeric takes an array"},
		{"{\"a\":[{\"numeric\":[]}]}", 17, "numeric takes an array"},
		{"{\"a\":[{\"numeric\":[\"==\",5]}]}", 18, "\"=\", \"<\""},
		{"{\"a\":[{\"numeric\":[\"<\"]}]}", 18, "[\"<\", 5]"},
		{"{\"a\":[{\"numeric\":[\"<\",\"5\"]}]}", 18, "[\"<\", 5]"},
		{"{\"a\":[{\"numeric\":[\"<\",5,\">\",1]}]}", 17, "lower end first"},
		{"{\"a\":[{\"numeric\":[\"=\",5,\"=\",6]}]}", 17, "lower end first"},
		{"{\"a\":[{\"numeric\":[\">\",5,\"<=\",5]}]}", 17, "no number is > 5 and <= 5"},
		{"{\"a\":[{\"numeric\":[\">\",1,\"<\",5,\"<\",6]}]}", 30, "two for a range"},
		{"{\"a\":[{\"anything-but\":[]}]}", 22, "{\"exists\": true}"},
		{"{\"a\":[{\"anything-but\":[\"x\",1]}]}", 27, "not both"},
		{"{\"a\":[{\"anything-but\":null}]}", 22, "strings, or numbers"},
		{"{\"a\":[{\"anything-but\":{\"cidr\":\"::1\"}}]}", 23, "prefix, suffix"},
		{"{\"a\":[{\"anything-but\":{\"prefix\":\"\"}}]}", 32, "every string"},
		{"{\"a\":[{\"anything-but\":{\"prefix\":{\"equals-ignore-case\":\"x\"}}}]}", 32,
		 "prefix takes strings"},
		{"{\"$or\":[{\"a\":[1]}]}", 9, "\"$or\" takes two or more objects"},
		{"{\"a\":[1],\"a\":{\"b\":[2]}}", 1, "alternatives go into $or"},
		{"{\"a\":[1],\"a-\":[1],\"a\":{\"b\":[2]}}", 1, "alternatives go into $or"},
	};

	(void)state;
	EXPECT_REFUSED(PATTERN_DATA, rows);
}

static void a_field_no_event_has_is_refused_at_the_top(void **state)
{
	static const struct refused rows[] = {
		{"{\"detail-type\":[\"x\"]}", 1, "pattern-at = data"},
		{"{\"type\":[\"x\"],\"detail\":{\"a\":[1]}}", 14, "pattern-at = data"},
		{"{\"name\":[\"x\"]}", 1, "type, source, subject, time, id and data"},
		{"{\"$or\":[{\"type\":[\"x\"]},{\"region\":[\"y\"]}]}", 24, "pattern-at = data"},
		{"{\"source\":{\"a\":[\"x\"]}}", 10, "{\"source\": [\"..\"]}"},
	};

	(void)state;
	EXPECT_REFUSED(PATTERN_EVENT, rows);
}

static void add_repeated(struct buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_text_add(b, text);
}

static void expect_capped(struct buf *text, const char *says)
{
	const struct refused row = {buf_text(text), 0, says};
	struct err err = {{0}};

	arena_reset(&arena);
	assert_null(pattern_parse(&arena, PATTERN_DATA, row.text, text->len, NULL, &err));
	if (!strstr(err.text, says))
		fail_msg("\"%s\", not \"%s\"", err.text, says);
	buf_free(text);
}

static void what_a_pattern_may_cost_is_capped(void **state)
{
	struct buf b = {0};

	(void)state;
	add_repeated(&b, "{\"a\":", 65);
	buf_text_add(&b, "[1]");
	add_repeated(&b, "}", 65);
	expect_capped(&b, "nested too deep");

	buf_text_add(&b, "{\"a\":[");
	add_repeated(&b, "1,", 40000);
	buf_text_add(&b, "1]}");
	expect_capped(&b, "at most 65536 bytes");

	buf_text_add(&b, "{\"a\":[");
	add_repeated(&b, "{\"cidr\":\"::\"},", 4096);
	buf_text_add(&b, "{\"cidr\":\"::\"}]}");
	expect_capped(&b, "more than 4096 tests");

	/* 2 ^ 20 branches */
	buf_text_add(&b, "{\"x\":{\"y\":[{\"exists\":false}]}");
	add_repeated(&b, ",\"$or\":[{\"x\":{\"a\":[1]}},{\"x\":{\"b\":[2]}}]", 20);
	buf_text_add(&b, "}");
	expect_capped(&b, "use several rules");

	/* deep before it is broad */
	buf_text_add(&b, "{\"x\":{\"y\":[{\"exists\":false}]}");
	add_repeated(&b, ",\"$or\":[{\"x\":{\"a\":[1]}},{\"x\":{\"b\":[2]}}]", 1500);
	buf_text_add(&b, "}");
	expect_capped(&b, "too many branches");
	assert_true(arena.bytes < (size_t)64 * 1024 * 1024);

	/* 500 * 500 / 2 tests */
	buf_text_add(&b, "{\"x\":{\"a\":[1,{\"exists\":false}]");
	for (int i = 0; i < 500; i++)
		buf_printf(&b, ",\"a%d\":[1,{\"exists\":false}]", i);
	buf_text_add(&b, "}}");
	expect_capped(&b, "use several rules");
}

static void a_pattern_as_large_as_may_be_is_read(void **state)
{
	struct buf b = {0};
	const struct expr *e;

	(void)state;
	buf_char(&b, '{');
	for (int i = 0; i < 4096; i++)
		buf_printf(&b, "%s\"%d\":[0]", i ? "," : "", i);
	buf_char(&b, '}');
	e = parse(PATTERN_DATA, buf_text(&b));
	assert_int_equal(e->kind, EXPR_AND);
	assert_int_equal(e->nparts, 4096);
	buf_free(&b);

	add_repeated(&b, "{\"a\":", 63);
	buf_text_add(&b, "[1]");
	add_repeated(&b, "}", 63);
	assert_int_equal(parse(PATTERN_DATA, buf_text(&b))->path.n, 64);
	buf_free(&b);
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
		cmocka_unit_test(every_operator_has_its_test),
		cmocka_unit_test(a_name_is_one_step_whatever_it_looks_like),
		cmocka_unit_test(fields_of_one_object_are_about_one_element),
		cmocka_unit_test(an_absence_is_asked_of_what_the_fields_before_it_are_about),
		cmocka_unit_test(or_is_multiplied_out_only_where_it_must_be),
		cmocka_unit_test(the_last_of_two_fields_with_one_path_counts),
		cmocka_unit_test(a_pattern_of_the_event_begins_with_its_attributes),
		cmocka_unit_test(tests_are_numbered_and_say_where_they_stand),
		cmocka_unit_test(a_mistake_is_told_with_its_place_and_what_mends_it),
		cmocka_unit_test(a_field_no_event_has_is_refused_at_the_top),
		cmocka_unit_test(what_a_pattern_may_cost_is_capped),
		cmocka_unit_test(a_pattern_as_large_as_may_be_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, give_back);
}
