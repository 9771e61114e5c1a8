#include "event/eventfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVENT(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"s\",\"type\":\"a.b\"}"

/* The ids with their lines, "a:1 b:2 ", or "line:column: why". */
static const char *read_text(const char *text)
{
	static char said[1000];
	struct eventfile_fault fault = {0};
	struct eventfile f;
	size_t used = 0;

	*said = '\0';
	if (!eventfile_parse(text, strlen(text), "send", &f, &fault)) {
		assert_int_equal(f.n, 0);
		snprintf(said, sizeof said, "%u:%u: %s", fault.line, fault.column, fault.why.text);
		return said;
	}
	for (size_t i = 0; i < f.n; i++)
		used += (size_t)snprintf(said + used, sizeof said - used, "%s:%u ",
					 f.list[i].event->id, f.list[i].line);
	eventfile_clear(&f);
	return said;
}

static void one_object_is_one_event_over_as_many_lines_as_it_likes(void **state)
{
	(void)state;
	assert_string_equal(read_text(EVENT("a")), "a:1 ");
	assert_string_equal(read_text("\n\n{\"specversion\":\"1.0\",\n\"id\":\"a\",\n"
				      "\"source\":\"s\",\"type\":\"a.b\"}\n\n"),
			    "a:3 ");
}

static void an_array_is_as_many_as_it_has(void **state)
{
	(void)state;
	assert_string_equal(read_text("[" EVENT("a") "," EVENT("b") ",\n\n" EVENT("c") "]"),
			    "a:1 b:1 c:3 ");
}

static void lines_are_events_and_blank_ones_are_none(void **state)
{
	(void)state;
	assert_string_equal(read_text("\n" EVENT("a") "\r\n \n" EVENT("b")), "a:2 b:4 ");
}

static void a_mistake_is_told_where_it_stands(void **state)
{
	static const char *const cases[][2] = {
		{"", "1:1: there is no event in it"},
		{" \n\n", "1:1: there is no event in it"},
		{"[]", "1:1: there is no event in it"},
		{"{\n \"id\": x}", "2:8: "},
		{"[" EVENT("a") ",\n {\"id\": x}]", "2:9: "},
		{EVENT("a") "\n{\"id\": x}\n", "2:8: "},
		{EVENT("a") "\n\n{\"id\": \"x\"}\n", "3:1: specversion is missing"},
		{"[\n7]", "2:1: a CloudEvents 1.0 object was expected"},
		{"7", "1:1: a CloudEvents 1.0 object was expected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *said = read_text(cases[i][0]);

		if (strncmp(said, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: said `%s`, not `%s`", cases[i][0], said, cases[i][1]);
	}
}

static void who_names_no_instance_came_through_the_default_one(void **state)
{
	struct eventfile_fault fault;
	struct eventfile f;
	static const char text[] =
		"[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"a\"},"
		"{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"s\",\"type\":\"a\","
		"\"instance\":\"hook\"}]";

	(void)state;
	assert_true(eventfile_parse(text, strlen(text), "send", &f, &fault));
	assert_string_equal(f.list[0].event->instance, "send");
	assert_string_equal(f.list[1].event->instance, "hook");
	eventfile_clear(&f);
}

static void a_nul_byte_is_no_blank(void **state)
{
	static const char text[] = EVENT("1") "\n\0\n" EVENT("2");
	struct eventfile_fault fault;
	struct eventfile f;

	(void)state;
	assert_false(eventfile_parse(text, sizeof text - 1, "send", &f, &fault));
	assert_int_equal(fault.line, 2);
}

static void a_file_that_is_not_there_has_no_line(void **state)
{
	struct eventfile_fault fault;
	struct eventfile f;

	(void)state;
	assert_false(eventfile_read("/nowhere/at/all.json", "send", &f, &fault));
	assert_int_equal(fault.line, 0);
	assert_string_equal(fault.why.text, "No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_object_is_one_event_over_as_many_lines_as_it_likes),
		cmocka_unit_test(an_array_is_as_many_as_it_has),
		cmocka_unit_test(lines_are_events_and_blank_ones_are_none),
		cmocka_unit_test(a_mistake_is_told_where_it_stands),
		cmocka_unit_test(who_names_no_instance_came_through_the_default_one),
		cmocka_unit_test(a_nul_byte_is_no_blank),
		cmocka_unit_test(a_file_that_is_not_there_has_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
