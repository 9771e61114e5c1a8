#include "json/pretty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void becomes(const char *text, const char *expected)
{
	struct buf out = {0};

	json_pretty(text, strlen(text), &out);
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void each_member_and_element_has_a_line(void **state)
{
	(void)state;
	becomes("{\"a\":1,\"b\":[true,null]}",
		"{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null\n  ]\n}");
	becomes(" { \"a\" :\n{\"b\" : 1 } } ", "{\n  \"a\": {\n    \"b\": 1\n  }\n}");
}

static void what_is_empty_stays_on_its_line(void **state)
{
	(void)state;
	becomes("{}", "{}");
	becomes("[{ },[\n]]", "[\n  {},\n  []\n]");
}

static void numbers_and_strings_stay_as_they_were_written(void **state)
{
	(void)state;
	becomes("[1.00,12345678901234567890,-0e+1]",
		"[\n  1.00,\n  12345678901234567890,\n  -0e+1\n]");
	becomes("[\"a, [{: b\",\"\\\"}\\\\\",\"\\u00e9\"]",
		"[\n  \"a, [{: b\",\n  \"\\\"}\\\\\",\n  \"\\u00e9\"\n]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_member_and_element_has_a_line),
		cmocka_unit_test(what_is_empty_stays_on_its_line),
		cmocka_unit_test(numbers_and_strings_stay_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
