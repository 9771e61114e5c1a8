#include "json/same.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
	struct json_value x = json_root(a, strlen(a)), y = json_root(b, strlen(b));

	assert_int_equal(json_same(&x, &y), json_same(&y, &x));
	return json_same(&x, &y);
}

static void spelling_and_order_do_not_matter(void **state)
{
	(void)state;
	assert_true(same("1", "1.0"));
	assert_true(same("\"\\u0061\\/\"", "\"a/\""));
	assert_true(same("\"a\\n\"", "\"\\u0061\\u000a\""));
	assert_true(same("{}", "{ }"));
	assert_true(same("{\"a\":1,\"b\":[1,{\"c\":null}]}",
			 "{\"b\":[1e0,{\"c\":null} ], \"\\u0061\":1}"));
	assert_true(same("[]", "[ ]"));
	assert_true(same("null", "null"));
}

static void another_value_is_another(void **state)
{
	(void)state;
	assert_false(same("1", "\"1\""));
	assert_false(same("true", "false"));
	assert_false(same("null", "{}"));
	assert_false(same("[1,2]", "[2,1]"));
	assert_false(same("[1]", "[1,1]"));
	assert_false(same("[]", "{}"));
	assert_false(same("{\"a\":1}", "{\"a\":2}"));
	assert_false(same("{\"a\":1}", "{\"b\":1}"));
	assert_false(same("{\"a\":1}", "{\"a\":1,\"b\":1}"));
	assert_false(same("{\"a\":1}", "{\"aa\":1}"));
	assert_false(same("\"a\\n\"", "\"an\""));
	assert_false(same("\"\\\\n\"", "\"\\n\""));
	assert_false(same("9007199254740993", "9007199254740992"));
}

static void counts_are_numbers(void **state)
{
	struct json_value count = {.kind = KIND_COUNT, .number = 3}, three = json_root("3.0", 3),
			  four = json_root("4", 1);

	(void)state;
	assert_true(json_same(&count, &three));
	assert_true(json_same(&count, &count));
	assert_false(json_same(&four, &count));
}

static void a_large_object_in_another_order_is_the_same(void **state)
{
	struct buf up = {0}, down = {0};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		buf_printf(&up, "%c\"m%d\":%d", i ? ',' : '{', i, i);
		buf_printf(&down, "%c\"m%d\":%d", i ? ',' : '{', 19999 - i, 19999 - i);
	}
	buf_char(&up, '}');
	buf_char(&down, '}');
	assert_true(same(buf_text(&up), buf_text(&down)));
	buf_free(&up);
	buf_free(&down);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spelling_and_order_do_not_matter),
		cmocka_unit_test(another_value_is_another),
		cmocka_unit_test(counts_are_numbers),
		cmocka_unit_test(a_large_object_in_another_order_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
