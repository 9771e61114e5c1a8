#include "json/skip.h"

#include "base/buf.h"
#include "base/mem.h"
#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static uint32_t dice = 1;

static unsigned roll(unsigned sides)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % sides;
}

/* Text with all that could be taken for a bracket or a quote. */
static void add_string(struct buf *b)
{
	static const char *const pieces[] = {"{",    "}",        "[",       "]",   "\\\"",
					     "\\\\", "\\\\\\\"", "\\u0022", "abc", " ",
					     ",",    ":",        "\xc3\xa9"};

	buf_char(b, '"');
	for (unsigned n = roll(12); n > 0; n--)
		buf_text_add(b, pieces[roll(13)]);
	buf_char(b, '"');
}

static void add_value(struct buf *b, unsigned depth)
{
	bool object = roll(2);
	unsigned n = roll(5);

	if (depth == 0 || roll(4) == 0) {
		if (roll(3))
			add_string(b);
		else
			buf_text_add(b, roll(2) ? "-1.5e3" : "null");
		return;
	}
	buf_char(b, object ? '{' : '[');
	for (unsigned i = 0; i < n; i++) {
		buf_text_add(b, i ? ", " : "");
		if (object) {
			buf_printf(b, "\"%u", i);
			buf_text_add(b, roll(2) ? "}\":" : "\\\\\":");
		}
		add_value(b, depth - 1);
	}
	buf_char(b, object ? '}' : ']');
}

/* What is skipped ends where the value does, whatever stands in it, and whatever follows. */
static void a_value_is_skipped_to_its_end(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct buf b = {0};
		size_t len;
		char *copy;

		add_value(&b, 1 + roll(6));
		assert_true(json_check(buf_text(&b), b.len, JSON_MAX_DEPTH, NULL));
		len = b.len;
		for (unsigned n = roll(3); n > 0; n--)
			buf_text_add(&b, n % 2 ? ",\"}\"" : ", [1, {\"a\": \"]\"}], 5555555555");
		copy = mem_slice(buf_text(&b), b.len);
		if (skip_value(copy, copy + b.len) != copy + len)
			fail_msg("%s: skipped %zu of %zu", copy,
				 (size_t)(skip_value(copy, copy + b.len) - copy), len);
		free(copy);
		buf_free(&b);
	}
}

static void a_text_that_ends_early_is_skipped_to_its_end(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct buf b = {0};
		char *copy;

		add_value(&b, 5);
		for (size_t len = 0; len < b.len; len++) {
			copy = mem_grow(NULL, len, 1); /* to the byte, for sanitizers */
			memcpy(copy, b.data, len);
			assert_true(skip_value(copy, copy + len) <= copy + len);
			free(copy);
		}
		buf_free(&b);
	}
}

static void leaving_several_brackets_ends_behind_the_last(void **state)
{
	static const char text[] = "[{\"a\":[1,{\"b\":2,\"c\":\"]}\"},3]}, 4]";
	const char *end = text + sizeof text - 1, *inside = strstr(text, ",\"c\"");

	(void)state;
	assert_ptr_equal(skip_out(inside, end, 1), strstr(text, ",3]"));
	assert_ptr_equal(skip_out(inside, end, 2), strstr(text, "}, 4"));
	assert_ptr_equal(skip_out(inside, end, 4), end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_skipped_to_its_end),
		cmocka_unit_test(a_text_that_ends_early_is_skipped_to_its_end),
		cmocka_unit_test(leaving_several_brackets_ends_behind_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
