#include "json/check.h"
#include "json/unique.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void the_last_of_members_with_one_name_stays_where_it_stands(void **state)
{
	static const char *const rows[][2] = {
		{"{}", "{}"},
		{" [ ] ", "[]"},
		{"\"a\"", "\"a\""},
		{"{\"a\":1}", "{\"a\":1}"},
		{"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}"},
		{"{\"a\":1,\"a\":2,\"b\":3,\"a\":4}", "{\"b\":3,\"a\":4}"},
		{"{\"a\":{\"x\":1},\"a\":{\"y\":2}}", "{\"a\":{\"y\":2}}"},
		{"[{\"a\":1,\"a\":2},{\"a\":3}]", "[{\"a\":2},{\"a\":3}]"},
		{"{\"k\":[{\"l\":{\"a\":1,\"a\":2}}]}", "{\"k\":[{\"l\":{\"a\":2}}]}"},
		{"{\"\\u0061\":1,\"a\":2}", "{\"a\":2}"},
		{"{\"a\":1,\"\\u0061\":2}", "{\"\\u0061\":2}"},
		{"{\"\":1,\"\":2}", "{\"\":2}"},
		{"{\"a\":1,\"A\":2,\"aa\":3}", "{\"a\":1,\"A\":2,\"aa\":3}"},
		{"{ \"a\" : [ 1 , \"x y\" ] , \"a\" : null }", "{\"a\":null}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = {0};

		assert_true(json_check_repeats(rows[i][0], strlen(rows[i][0]), 8, NULL));
		json_unique(rows[i][0], strlen(rows[i][0]), &out);
		assert_string_equal(buf_text(&out), rows[i][1]);
		buf_free(&out);
	}
}

static void of_ten_thousand_members_with_a_hundred_names_a_hundred_stay(void **state)
{
	struct buf text = {0}, out = {0};

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "%c\"%d\":%d", i ? ',' : '{', i % 100, i);
	buf_char(&text, '}');
	json_unique(text.data, text.len, &out);
	assert_true(json_check(out.data, out.len, 2, NULL));
	assert_memory_equal(out.data, "{\"0\":9900,\"1\":9901,", 19);
	assert_non_null(strstr(out.data, "\"99\":9999}"));
	buf_free(&text);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_of_members_with_one_name_stays_where_it_stands),
		cmocka_unit_test(of_ten_thousand_members_with_a_hundred_names_a_hundred_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
