#include "json/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct path parsed(const char *text, size_t used)
{
	struct err err = {{0}};
	struct path p;
	size_t took;

	if (!path_parse(text, strlen(text), &p, &took, &err))
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(took, used);
	assert_int_equal(strlen(p.text), used);
	return p;
}

static void names_are_joined_by_dots(void **state)
{
	struct path p = parsed("data.new.phase == 1", 14);

	(void)state;
	assert_int_equal(p.n, 3);
	assert_string_equal(p.steps[0].name, "data");
	assert_string_equal(p.steps[2].name, "phase");
	assert_string_equal(p.text, "data.new.phase");
	assert_int_equal(p.steps[2].index, -1);
	path_free(&p);
	path_free(&p);
	path_free(NULL);
}

static void numbers_and_count_have_a_second_meaning(void **state)
{
	struct path p = parsed("data.items.10.007.count.\"0\".\"count\"", 35);

	(void)state;
	assert_int_equal(p.steps[2].index, 10);
	assert_string_equal(p.steps[2].name, "10");
	assert_int_equal(p.steps[3].index, -1);
	assert_int_equal(p.steps[4].index, PATH_COUNT);
	assert_int_equal(p.steps[5].index, -1);
	assert_int_equal(p.steps[6].index, -1);
	path_free(&p);
}

static void quoted_names_have_the_escapes_of_json(void **state)
{
	struct path p = parsed("data.\"a.b\".\"\\u00e9\\n\\\"\"|x", 23);

	(void)state;
	assert_int_equal(p.n, 3);
	assert_string_equal(p.steps[1].name, "a.b");
	assert_string_equal(p.steps[2].name, "\xc3\xa9\n\"");
	path_free(&p);
	p = parsed("data.\"a\\u0000b\"", 15);
	assert_int_equal(p.steps[1].len, 3);
	path_free(&p);
}

static void a_mistake_is_located(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *why;
	} rows[] = {
		{"", 0, "a path is missing"},           {" data", 0, "a path is missing"},
		{"data.", 5, "after the dot"},          {"data..x", 5, "after the dot"},
		{"data.\"x", 5, "no JSON string"},      {"data.\"\\q\"", 5, "no JSON string"},
		{"data.\"\xff\"", 5, "no JSON string"}, {"data.\"", 5, "no JSON string"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {{0}};
		struct path p;
		size_t at;

		assert_false(path_parse(rows[i].text, strlen(rows[i].text), &p, &at, &err));
		assert_int_equal(at, rows[i].at);
		assert_null(p.text);
		assert_int_equal(p.n, 0);
		if (!strstr(err.text, rows[i].why))
			fail_msg("%s: said \"%s\"", rows[i].text, err.text);
	}
}

static void a_path_has_at_most_64_names(void **state)
{
	char text[260] = "a";
	struct path p;
	size_t at;

	(void)state;
	for (int i = 1; i < 64; i++)
		strcat(text, ".a");
	assert_true(path_parse(text, strlen(text), &p, &at, NULL));
	assert_int_equal(p.n, 64);
	path_free(&p);
	strcat(text, ".a");
	assert_false(path_parse(text, strlen(text), &p, &at, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_joined_by_dots),
		cmocka_unit_test(numbers_and_count_have_a_second_meaning),
		cmocka_unit_test(quoted_names_have_the_escapes_of_json),
		cmocka_unit_test(a_mistake_is_located),
		cmocka_unit_test(a_path_has_at_most_64_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
