#include "json/find.h"

#include "base/utf8.h"
#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
	"{ \"a\" : {\"b\": [ {\"c\":1,\"n\":\"x\"} , {\"d\":2}, {\"c\":[3,[4,5]]} ], \"e\":null},\n"
	"  \"s\":\"q\\\"}]\\\\\", \"\\u00e9\":\"\\uD83D\\uDE00\", \"list\":[[1,2],[],[\"y\"]], "
	"\"none\":[],"
	" \"obj\":{\"count\":7,\"0\":\"zero\"}, \"big\":123456789012345678901234567890, \"t\":true "
	"}";

static struct path path_of(const char *text)
{
	struct path p;
	size_t used;

	assert_true(path_parse(text, strlen(text), &p, &used, NULL));
	assert_int_equal(used, strlen(text));
	return p;
}

static void find_gives(const char *text, enum json_kind kind, const char *expected)
{
	struct path p = path_of(text);
	struct json_value v = json_find(doc, sizeof doc - 1, &p, 0);
	struct buf out = {0};

	json_text(&v, &out);
	if (v.kind != kind || strcmp(buf_text(&out), expected) != 0)
		fail_msg("%s: kind %d, %s", text, (int)v.kind, buf_text(&out));
	buf_free(&out);
	path_free(&p);
}

static void a_path_names_one_value(void **state)
{
	(void)state;
	find_gives("a.b.0.c", KIND_NUMBER, "1");
	find_gives("a.b.0", KIND_OBJECT, "{\"c\":1,\"n\":\"x\"}");
	find_gives("a.e", KIND_NULL, "");
	find_gives("s", KIND_STRING, "q\"}]\\");
	find_gives("\"\xc3\xa9\"", KIND_STRING, "\xf0\x9f\x98\x80");
	find_gives("\"\\u00e9\"", KIND_STRING, "\xf0\x9f\x98\x80");
	find_gives("big", KIND_NUMBER, "123456789012345678901234567890");
	find_gives("t", KIND_TRUE, "true");
	find_gives("none", KIND_ARRAY, "[]");
}

static void what_is_not_there_is_absent(void **state)
{
	static const char *const rows[] = {"x",   "a.x",    "a.b.7",  "a.b.0.x",   "s.x", "a.e.x",
					   "t.0", "none.0", "none.x", "big.count", "A"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		find_gives(rows[i], KIND_ABSENT, "");
}

static void a_path_goes_through_arrays(void **state)
{
	(void)state;
	find_gives("a.b.d", KIND_NUMBER, "2");
	find_gives("a.b.c", KIND_NUMBER, "1");
	find_gives("list.0.1", KIND_NUMBER, "2");
	find_gives("list.2", KIND_ARRAY, "[\"y\"]");
}

static void count_and_numbers_are_members_of_objects(void **state)
{
	(void)state;
	find_gives("a.b.count", KIND_COUNT, "3");
	find_gives("none.count", KIND_COUNT, "0");
	find_gives("list.count", KIND_COUNT, "3");
	find_gives("list.0.count", KIND_COUNT, "2");
	find_gives("obj.count", KIND_NUMBER, "7");
	find_gives("obj.0", KIND_STRING, "zero");
	find_gives("list.\"count\"", KIND_ABSENT, "");
	find_gives("list.\"0\"", KIND_ABSENT, "");
}

struct collected {
	struct buf text;
	int most;
};

static bool collect(const struct json_value *v, void *arg)
{
	struct collected *c = arg;

	json_text(v, &c->text);
	buf_char(&c->text, ' ');
	return --c->most != 0;
}

static void each_gives(const char *text, int most, const char *expected)
{
	struct path p = path_of(text);
	struct collected c = {.most = most};
	bool whole = json_each(doc, sizeof doc - 1, &p, 0, collect, &c);

	if (strcmp(buf_text(&c.text), expected) != 0)
		fail_msg("%s: %s", text, buf_text(&c.text));
	assert_int_equal(whole, c.most != 0);
	buf_free(&c.text);
	path_free(&p);
}

static void each_counts_elements_one_by_one(void **state)
{
	(void)state;
	each_gives("a.b.c", -1, "1 3 4 5 ");
	each_gives("list", -1, "1 2 y ");
	each_gives("none", -1, "");
	each_gives("list.0", -1, "1 2 ");
	each_gives("a.b.count", -1, "3 ");
	each_gives("a.e", -1, " ");
	each_gives("nowhere", -1, "");
	each_gives("obj", -1, "{\"count\":7,\"0\":\"zero\"} ");
}

static void each_stops_when_told(void **state)
{
	(void)state;
	each_gives("a.b.c", 1, "1 ");
	each_gives("a.b.c", 3, "1 3 4 ");
}

static void next_walks_members_and_elements(void **state)
{
	static const char object[] = " {\"a\" : 1 , \"b\":[2, 3 ],\"c\":\"d\"} ";
	struct json_value root = json_root(object, sizeof object - 1), name, v, inner, none;
	struct buf seen = {0};

	(void)state;
	for (size_t at = 0; json_next(&root, &at, &name, &v);) {
		json_text(&name, &seen);
		buf_char(&seen, '=');
		json_text(&v, &seen);
		for (size_t i = 0; json_next(&v, &i, &none, &inner);) {
			assert_int_equal(none.kind, KIND_ABSENT);
			buf_char(&seen, '/');
			json_text(&inner, &seen);
		}
	}
	assert_string_equal(buf_text(&seen), "a=1b=[2, 3 ]/2/3c=d");
	buf_free(&seen);
}

static void root_skips_blanks(void **state)
{
	(void)state;
	assert_int_equal(json_root("  7 ", 4).len, 1);
	assert_int_equal(json_root("", 0).kind, KIND_ABSENT);
	assert_int_equal(json_root(" x", 2).kind, KIND_ABSENT);
	assert_int_equal(json_root("\"", 1).kind, KIND_ABSENT);
}

static bool inside(const struct json_value *v, void *arg)
{
	const char *const *bounds = arg;

	if (v->kind != KIND_COUNT)
		assert_true(v->text >= bounds[0] && v->text + v->len <= bounds[1]);
	return true;
}

/* Not JSON any more, but nothing is read or reported outside, and it ends. */
static void broken_text_stays_inside(void **state)
{
	static const char *const paths[] = {"a.b.c", "a.b.count", "list.1", "s", "obj.count", "zz"};
	const size_t len = sizeof doc - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
			char *copy = malloc(len - cut + 1);
			const char *bounds[2] = {copy, copy + len - cut};
			struct path p = path_of(paths[k]);

			memcpy(copy, doc + (k % 2 ? cut : 0), len - cut);
			json_each(copy, len - cut, &p, 0, inside, bounds);
			path_free(&p);
			free(copy);
		}
	}
}

static void a_million_brackets_do_not_overflow_the_stack(void **state)
{
	size_t n = 1000000;
	char *text = malloc(n);
	struct path p = path_of("a");

	(void)state;
	memset(text, '[', n);
	assert_int_equal(json_find(text, n, &p, 0).kind, KIND_ABSENT);
	path_free(&p);
	free(text);
}

static void utf8_goes_there_and_back(void **state)
{
	(void)state;
	for (uint32_t cp = 0; cp <= 0x10ffff; cp += cp == 0xd7ff ? 0x801 : 1) {
		struct buf b = {0};
		uint32_t back = 0;

		utf8_add(&b, cp);
		if (utf8_read(b.data, b.len, &back) != b.len || back != cp)
			fail_msg("U+%X came back as U+%X", cp, back);
		assert_int_equal(utf8_read(b.data, b.len - 1, &back), 0);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_names_one_value),
		cmocka_unit_test(what_is_not_there_is_absent),
		cmocka_unit_test(a_path_goes_through_arrays),
		cmocka_unit_test(count_and_numbers_are_members_of_objects),
		cmocka_unit_test(each_counts_elements_one_by_one),
		cmocka_unit_test(each_stops_when_told),
		cmocka_unit_test(next_walks_members_and_elements),
		cmocka_unit_test(root_skips_blanks),
		cmocka_unit_test(broken_text_stays_inside),
		cmocka_unit_test(a_million_brackets_do_not_overflow_the_stack),
		cmocka_unit_test(utf8_goes_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
