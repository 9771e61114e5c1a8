#include "journal/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const enum delivery_state ended[] = {DELIVERY_DONE, DELIVERY_DEAD, DELIVERY_SUPERSEDED,
					    DELIVERY_DROPPED};

static void a_duty_ends_in_exactly_one_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(delivery_ended(ended[i]));
		for (int to = 0; to < DELIVERY_STATES; to++) {
			bool redriven = ended[i] == DELIVERY_DEAD &&
					(to == DELIVERY_WAITING || to == DELIVERY_DROPPED);

			assert_int_equal(delivery_may_move(ended[i], (enum delivery_state)to),
					 redriven);
		}
	}
}

static void only_what_has_not_started_can_be_superseded(void **state)
{
	(void)state;
	assert_true(delivery_may_move(DELIVERY_WAITING, DELIVERY_SUPERSEDED));
	assert_true(delivery_may_move(DELIVERY_RETRY, DELIVERY_SUPERSEDED));
	assert_false(delivery_may_move(DELIVERY_CALLED, DELIVERY_SUPERSEDED));
	assert_false(delivery_may_move(DELIVERY_HELD, DELIVERY_SUPERSEDED));
}

static void a_delivery_is_done_only_after_a_call(void **state)
{
	(void)state;
	assert_false(delivery_may_move(DELIVERY_WAITING, DELIVERY_DONE));
	assert_false(delivery_may_move(DELIVERY_RETRY, DELIVERY_DONE));
	assert_true(delivery_may_move(DELIVERY_CALLED, DELIVERY_DONE));
	assert_true(delivery_may_move(DELIVERY_HELD, DELIVERY_DONE));
}

static void every_state_has_a_name(void **state)
{
	(void)state;
	for (int s = 0; s < DELIVERY_STATES; s++) {
		assert_non_null(delivery_state_name((enum delivery_state)s));
		for (int t = 0; t < s; t++)
			assert_string_not_equal(delivery_state_name((enum delivery_state)s),
						delivery_state_name((enum delivery_state)t));
	}
}

static const struct duty samples[] = {
	{.target = 1},
	{.target = 127, .rule = 128, .then = 65535},
	{.target = 300, .rule = UINT32_MAX, .group = UINT64_MAX, .overlap = 2, .members = true},
	{.target = 65535, .group = 1, .overlap = 1},
};
#define NSAMPLES (sizeof samples / sizeof *samples)

static void duties_come_back_as_they_were_stored(void **state)
{
	struct buf b = {0};
	struct duty *duties;
	size_t n;

	(void)state;
	duties_encode(samples, NSAMPLES, &b);
	assert_true(duties_decode(b.data, b.len, &duties, &n));
	assert_int_equal(n, NSAMPLES);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(duties[i].target, samples[i].target);
		assert_int_equal(duties[i].rule, samples[i].rule);
		assert_int_equal(duties[i].then, samples[i].then);
		assert_true(duties[i].group == samples[i].group);
		assert_int_equal(duties[i].overlap, samples[i].overlap);
		assert_int_equal(duties[i].members, samples[i].members);
	}
	free(duties);
	buf_free(&b);
	assert_true(duties_decode(NULL, 0, &duties, &n));
	assert_int_equal(n, 0);
}

static void duties_cut_short_are_refused_at_every_byte(void **state)
{
	struct buf b = {0};
	struct duty *duties;
	size_t n;

	(void)state;
	duties_encode(&samples[2], 1, &b);
	for (size_t len = 1; len < b.len; len++) {
		assert_false(duties_decode(b.data, len, &duties, &n));
		assert_null(duties);
	}
	b.data[0] = (char)0xff;
	assert_false(duties_decode(b.data, b.len, &duties, &n));
	buf_free(&b);
}

/* docs/behaviour.md, idempotency key: hash(instance, source, event id, target, round). */
static void a_key_differs_when_any_of_its_parts_does(void **state)
{
	static const struct {
		const char *instance, *source, *id, *target;
		uint32_t round;
	} parts[] = {
		{"a", "b", "c", "d", 0}, {"x", "b", "c", "d", 0}, {"a", "x", "c", "d", 0},
		{"a", "b", "x", "d", 0}, {"a", "b", "c", "x", 0}, {"a", "b", "c", "d", 1},
		{"ab", "", "c", "d", 0}, {"", "ab", "c", "d", 0},
	};
	char keys[8][33];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		delivery_key(parts[i].instance, parts[i].source, parts[i].id, parts[i].target,
			     parts[i].round, keys[i]);
		assert_int_equal(strspn(keys[i], "0123456789abcdef"), 32);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(keys[i], keys[k]);
	}
}

/* It reaches other people's systems: a release must not change it. */
static void a_long_id_counts_to_its_end(void **state)
{
	char id[2000], one[33], other[33];

	(void)state;
	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	delivery_key("a", "b", id, "c", 0, one);
	id[sizeof id - 2] = 'y';
	delivery_key("a", "b", id, "c", 0, other);
	assert_string_not_equal(one, other);
}

static void a_key_is_the_same_in_every_release(void **state)
{
	char key[33];

	(void)state;
	delivery_key("algorithms", "arn:aws:dynamodb:eu-west-1:1:table/a", "1-2", "write-metadata",
		     3, key);
	assert_string_equal(key, "e0734d29eca003e2ce0e7ae2791f760a");
}

static void a_copy_owns_its_texts(void **state)
{
	struct delivery a = {.seq = 7, .held = strdup("h"), .why = strdup("w")}, b;

	(void)state;
	delivery_copy(&b, &a);
	delivery_clear(&a);
	assert_null(a.held);
	assert_string_equal(b.held, "h");
	assert_string_equal(b.why, "w");
	assert_null(b.trail);
	assert_int_equal(b.seq, 7);
	delivery_clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duty_ends_in_exactly_one_way),
		cmocka_unit_test(only_what_has_not_started_can_be_superseded),
		cmocka_unit_test(a_delivery_is_done_only_after_a_call),
		cmocka_unit_test(every_state_has_a_name),
		cmocka_unit_test(duties_come_back_as_they_were_stored),
		cmocka_unit_test(duties_cut_short_are_refused_at_every_byte),
		cmocka_unit_test(a_key_differs_when_any_of_its_parts_does),
		cmocka_unit_test(a_long_id_counts_to_its_end),
		cmocka_unit_test(a_key_is_the_same_in_every_release),
		cmocka_unit_test(a_copy_owns_its_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
