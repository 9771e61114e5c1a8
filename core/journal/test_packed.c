#include "journal/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t numbers[] = {
	0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct packed reading(const struct buf *b, size_t len)
{
	return (struct packed){b->data, b->data + len, false};
}

static void fill(struct buf *b)
{
	for (size_t i = 0; i < COUNT(numbers); i++) {
		packed_add(b, numbers[i]);
		packed_add_hash(b, numbers[i]);
	}
	packed_add_text(b, "a text");
	packed_add_text(b, NULL);
	packed_add_text(b, "");
}

static void what_was_packed_comes_out(void **state)
{
	struct buf b = {0};
	struct packed p;

	(void)state;
	fill(&b);
	p = reading(&b, b.len);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		assert_true(packed_number(&p) == numbers[i]);
		assert_true(packed_hash(&p) == numbers[i]);
	}
	assert_string_equal(packed_text(&p), "a text");
	assert_null(packed_text(&p));
	assert_string_equal(packed_text(&p), "");
	assert_false(p.bad);
	assert_ptr_equal(p.at, p.end);
	buf_free(&b);
}

static void every_end_that_comes_too_early_is_noticed(void **state)
{
	struct buf b = {0};

	(void)state;
	fill(&b);
	for (size_t len = 0; len < b.len; len++) {
		struct buf cut = {0};
		struct packed p;

		buf_add(&cut, b.data, len);
		p = reading(&cut, len);
		for (size_t i = 0; i < COUNT(numbers); i++) {
			packed_number(&p);
			packed_hash(&p);
		}
		for (int i = 0; i < 3; i++)
			packed_text(&p);
		assert_true(p.bad);
		buf_free(&cut);
	}
	buf_free(&b);
}

static void nonsense_is_bad_and_stays_so(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} texts[] = {
		{"\x05"
		 "ab\0d\0",
		 6}, /* a NUL inside */
		{"\x03"
		 "abc",
		 4}, /* none at the end */
		{"\x09"
		 "ab\0",
		 4}, /* longer than there is */
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
	};
	static const char too_large[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01";
	struct packed p = {too_large, too_large + sizeof too_large - 1, false};

	(void)state;
	assert_int_equal(packed_number(&p), 0);
	assert_true(p.bad);
	assert_int_equal(packed_number(&p), 0);
	assert_null(packed_text(&p));
	assert_int_equal(packed_hash(&p), 0);
	for (size_t i = 0; i < COUNT(texts); i++) {
		p = (struct packed){texts[i].bytes, texts[i].bytes + texts[i].len, false};
		assert_null(packed_text(&p));
		assert_true(p.bad);
	}
	p = (struct packed){"\xff\xff\xff\xff\x7f", NULL, false};
	p.end = p.at + 5;
	assert_int_equal(packed_number32(&p), 0);
	assert_true(p.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_comes_out),
		cmocka_unit_test(every_end_that_comes_too_early_is_noticed),
		cmocka_unit_test(nonsense_is_bad_and_stays_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
