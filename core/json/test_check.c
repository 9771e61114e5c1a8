#include "base/buf.h"
#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static bool good(const char *text)
{
	return json_check(text, strlen(text), JSON_MAX_DEPTH, NULL);
}

static void json_of_every_kind_is_accepted(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"null",
		" true\r\n",
		"false\t",
		"0",
		"-0",
		"-0.0",
		"1e400",
		"1E+2",
		"10.5e-3",
		"\"\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83D\\uDE00\"",
		"\"\x7f\"",
		"\"\xc2\x80\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
		"{\"a\":1,\"A\":2,\"\":3,\"a \":4}",
		"[[],{},[[]],\"x\"]",
		"{\"a\":{\"a\":{\"a\":[]}}}",
		"{ \"a\" : [ 1 , 2 ] , \"b\" : { } }",
		"\"0123456789abcdefghijklmnopqrstuvwxyz\"",
		"[{\"a\":1},{\"a\":2}]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!good(rows[i]))
			fail_msg("refused: %s", rows[i]);
	}
}

struct refused {
	const char *text;
	size_t at;
	const char *what;
};

static void expect_refused(const struct refused *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(rows[i].text);
		struct json_fault fault = {0};
		char *copy = malloc(len ? len : 1); /* exact, so that a sanitizer sees overruns */

		memcpy(copy, rows[i].text, len);
		if (json_check(copy, len, JSON_MAX_DEPTH, &fault))
			fail_msg("accepted: %s", rows[i].text);
		if (fault.offset != rows[i].at || !strstr(fault.what, rows[i].what))
			fail_msg("%s: \"%s\" at %zu", rows[i].text, fault.what, fault.offset);
		free(copy);
	}
}

#define EXPECT_REFUSED(rows) expect_refused(rows, sizeof(rows) / sizeof *(rows))

static void structure_is_strict(void **state)
{
	static const struct refused rows[] = {
		{"", 0, "ends where a value"},
		{"  ", 2, "ends where a value"},
		{"{", 1, "member name"},
		{"{\"a\"", 4, "colon"},
		{"{\"a\":", 5, "ends where a value"},
		{"{\"a\":1", 6, "comma or }"},
		{"{\"a\":1,}", 7, "member name"},
		{"{\"a\" 1}", 5, "colon"},
		{"{a:1}", 1, "member name"},
		{"{1:1}", 1, "member name"},
		{"[1,]", 3, "not a JSON value"},
		{"[,1]", 1, "not a JSON value"},
		{"[1 2]", 3, "comma or ]"},
		{"[1}", 2, "comma or ]"},
		{"{} {}", 3, "text after"},
		{"nul", 0, "not a JSON value"},
		{"nulll", 4, "text after"},
		{"True", 0, "not a JSON value"},
		{"'a'", 0, "not a JSON value"},
		{"\xef\xbb\xbf{}", 0, "not a JSON value"},
		{"[1] // x", 4, "text after"},
		{"NaN", 0, "not a JSON value"},
		{"[\f1]", 1, "not a JSON value"},
	};

	(void)state;
	EXPECT_REFUSED(rows);
}

static void numbers_are_strict(void **state)
{
	static const struct refused rows[] = {
		{"05", 0, "begin with 0"},
		{"-05", 1, "begin with 0"},
		{"-", 1, "digit"},
		{"+1", 0, "not a JSON value"},
		{".5", 0, "not a JSON value"},
		{"5.", 2, "digit"},
		{"1e", 2, "digit"},
		{"1e+", 3, "digit"},
		{"0x10", 1, "text after"},
		{"[1.5.2]", 4, "comma"},
		{"-Infinity", 1, "digit"},
	};

	(void)state;
	EXPECT_REFUSED(rows);
}

static void strings_are_strict(void **state)
{
	static const struct refused rows[] = {
		{"\"", 1, "ends inside"},
		{"\"abc", 4, "ends inside"},
		{"\"abc\\\"", 6, "ends inside"},
		{"\"a\nb\"", 2, "control"},
		{"\"01234567890123456789\x01\"", 21, "control"},
		{"\"\\x41\"", 1, "escape"},
		{"\"\\u12\"", 1, "escape"},
		{"\"\\u12G4\"", 1, "escape"},
		{"\"\\", 1, "escape"},
		{"\"\\uD800\"", 1, "surrogates"},
		{"\"\\uDC00\"", 1, "surrogates"},
		{"\"\\uD800\\uD800\"", 1, "surrogates"},
		{"\"\\uD800x\"", 1, "surrogates"},
		{"\"\\uD83D\\u0041\"", 1, "surrogates"},
		{"\"\xff\"", 1, "UTF-8"},
		{"\"\x80\"", 1, "UTF-8"},
		{"\"\xc0\xaf\"", 1, "UTF-8"},
		{"\"\xc1\xbf\"", 1, "UTF-8"},
		{"\"\xe0\x80\xaf\"", 1, "UTF-8"},
		{"\"\xed\xa0\x80\"", 1, "UTF-8"},
		{"\"\xf0\x80\x80\xaf\"", 1, "UTF-8"},
		{"\"\xf4\x90\x80\x80\"", 1, "UTF-8"},
		{"\"\xf8\x88\x80\x80\x80\"", 1, "UTF-8"},
		{"\"\xc3\"", 1, "UTF-8"},
		{"\"a\xe2\x82", 2, "UTF-8"},
		{"{\"\xff\":1}", 2, "UTF-8"},
	};

	(void)state;
	EXPECT_REFUSED(rows);
}

/* Runs of plain bytes are skipped several at a time; the first other one must be found
 * wherever it stands, and whatever follows it. */
static void a_bad_byte_is_found_at_any_place(void **state)
{
	static const char bad[] = "\x01\x1f\n\x80\xff\xc0";

	(void)state;
	for (size_t len = 1; len < 40; len++) {
		for (size_t at = 0; at < len; at++) {
			char text[64];
			struct json_fault fault;

			memset(text, at % 2 ? 0x21 : 0x7f, sizeof text);
			text[0] = '"';
			text[len + 1] = '"';
			assert_true(json_check(text, len + 2, 0, NULL));
			memset(text + 1 + at, bad[(at + len) % (sizeof bad - 1)], len - at);
			assert_false(json_check(text, len + 2, 0, &fault));
			assert_int_equal(fault.offset, at + 1);
		}
	}
}

static void duplicate_names_are_found_after_unescaping(void **state)
{
	static const struct refused rows[] = {
		{"{\"a\":1,\"a\":2}", 7, "duplicate"},
		{"{\"\":1,\"\":2}", 6, "duplicate"},
		{"{\"a\":1,\"\\u0061\":2}", 7, "duplicate"},
		{"{\"\\u0061\":1,\"a\":2}", 12, "duplicate"},
		{"{\"\\u00e9\":1,\"\xc3\xa9\":2}", 12, "duplicate"},
		{"{\"\\/\":1,\"/\":2}", 8, "duplicate"},
		{"{\"a\":{\"b\":1,\"b\":2}}", 12, "duplicate"},
		{"{\"a\":{\"b\":1},\"a\":2}", 13, "duplicate"},
		{"[{\"a\":1,\"b\":[{\"c\":1}],\"a\":2}]", 22, "duplicate"},
	};

	(void)state;
	EXPECT_REFUSED(rows);
}

static void add_members(struct buf *b, int from, int to)
{
	for (int i = from; i < to; i++)
		buf_printf(b, "%s\"member %d\":{\"x\":%d}", i ? "," : "", i, i);
}

static void a_large_object_is_searched_too(void **state)
{
	(void)state;
	for (int twin = 0; twin < 10000; twin = twin * 3 + 1) {
		struct buf b = {0};
		struct json_fault fault;
		size_t at;

		buf_char(&b, '{');
		add_members(&b, 0, 10000);
		at = b.len + 1;
		buf_printf(&b, ",\"member %d\":1}", twin);
		assert_false(json_check(b.data, b.len, JSON_MAX_DEPTH, &fault));
		assert_int_equal(fault.offset, at);
		assert_string_equal(fault.what, "duplicate member name");
		buf_cut(&b, at - 1);
		buf_char(&b, '}');
		assert_true(json_check(b.data, b.len, JSON_MAX_DEPTH, &fault));
		buf_free(&b);
	}
}

static void depth_is_bounded(void **state)
{
	char text[2 * JSON_MAX_DEPTH + 3];
	struct json_fault fault;

	(void)state;
	for (int i = 0; i <= JSON_MAX_DEPTH; i++) {
		text[i] = '[';
		text[2 * JSON_MAX_DEPTH + 1 - i] = ']';
	}
	assert_false(json_check(text, 2 * JSON_MAX_DEPTH + 2, JSON_MAX_DEPTH, &fault));
	assert_int_equal(fault.offset, JSON_MAX_DEPTH);
	assert_true(json_check(text + 1, 2 * JSON_MAX_DEPTH, JSON_MAX_DEPTH, NULL));
	assert_true(json_check("1", 1, 0, NULL));
	assert_false(json_check("[]", 2, 0, NULL));
}

static void a_fault_has_line_and_column(void **state)
{
	static const char text[] = "{\n  \"a\": 1,\n  \"b\": x\n}";
	struct json_fault fault;

	(void)state;
	assert_false(json_check(text, sizeof text - 1, JSON_MAX_DEPTH, &fault));
	assert_int_equal(fault.line, 3);
	assert_int_equal(fault.column, 8);
}

static void a_nul_byte_is_no_blank(void **state)
{
	(void)state;
	assert_false(json_check("1\0", 2, JSON_MAX_DEPTH, NULL));
	assert_false(json_check("\"\0\"", 3, JSON_MAX_DEPTH, NULL));
}

/* Whatever is cut off or changed in one byte: no read outside (a sanitizer watches), and
 * a document cut short is never accepted. */
static void every_prefix_is_refused(void **state)
{
	static const char text[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\uD83D\\uDE00\xe2\x82\xac\",null,"
				   "true],\"b\":{\"c\":false}}";

	(void)state;
	assert_true(good(text));
	for (size_t len = 0; len + 1 < sizeof text; len++) {
		char *copy = malloc(len ? len : 1);

		memcpy(copy, text, len);
		assert_false(json_check(copy, len, JSON_MAX_DEPTH, NULL));
		free(copy);
	}
}

static void a_name_may_stand_twice_where_that_is_asked_for(void **state)
{
	static const char *const rows[] = {"{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":{}}}"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_false(good(rows[i]));
		assert_true(json_check_repeats(rows[i], strlen(rows[i]), JSON_MAX_DEPTH, NULL));
	}
	assert_false(json_check_repeats("{\"a\":1,\"a\"}", 11, JSON_MAX_DEPTH, NULL));
	assert_false(json_check_repeats("{\"\\x\":1}", 8, JSON_MAX_DEPTH, NULL));
	assert_false(json_check_repeats("[[]]", 4, 1, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_may_stand_twice_where_that_is_asked_for),
		cmocka_unit_test(json_of_every_kind_is_accepted),
		cmocka_unit_test(structure_is_strict),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(strings_are_strict),
		cmocka_unit_test(a_bad_byte_is_found_at_any_place),
		cmocka_unit_test(duplicate_names_are_found_after_unescaping),
		cmocka_unit_test(a_large_object_is_searched_too),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(a_fault_has_line_and_column),
		cmocka_unit_test(a_nul_byte_is_no_blank),
		cmocka_unit_test(every_prefix_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
