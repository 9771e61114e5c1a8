#include "journal/snapshot.h"

#include "base/mem.h"
#include "base/testplace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct world world;
	char directory[64];
	struct journal *j;
	struct err err;
};

static void ok(const struct fixture *f, enum journal_status status)
{
	if (status != JOURNAL_OK)
		fail_msg("%d: %s", (int)status, f->err.text);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	struct journal_opened found;

	*state = f;
	f->world = *world_real();
	testplace_make(f->directory, "snapshot");
	f->j = journal_open(&f->world, f->directory, &found, &f->err);
	assert_non_null(f->j);
	ok(f, journal_begin(f->j, &f->err));
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	journal_rollback(f->j);
	journal_close(f->j);
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static void put(struct fixture *f, uint64_t seq, size_t lines, size_t length)
{
	struct snapshot s = {.seq = seq, .at = (int64_t)seq * 1000, .generation = 7};
	struct buf text = {0};

	for (size_t i = 0; i < lines; i++)
		buf_printf(&text, "%*zu\n", (int)length - 1, i);
	ok(f, snapshot_put(f->j, &s, &text, &f->err));
	assert_int_equal(s.bytes, lines * length);
	buf_free(&text);
}

static uint64_t found(struct fixture *f, uint64_t seq)
{
	struct snapshot s;

	return snapshot_find(f->j, seq, &s, &f->err) == JOURNAL_OK ? s.seq : 0;
}

static void the_newest_behind_no_later_event_is_found(void **state)
{
	struct fixture *f = *state;
	struct snapshot s;

	assert_int_equal(snapshot_find(f->j, 99, &s, &f->err), JOURNAL_ABSENT);
	put(f, 5, 1, 10);
	put(f, 20, 1, 10);
	assert_int_equal(found(f, 4), 0);
	assert_int_equal(found(f, 5), 5);
	assert_int_equal(found(f, 19), 5);
	assert_int_equal(found(f, UINT64_MAX), 20);
	ok(f, snapshot_find(f->j, 19, &s, &f->err));
	assert_true(s.at == 5000 && s.generation == 7 && s.pieces == 1 && s.bytes == 10);
}

static void a_long_text_comes_back_in_pieces_of_whole_lines(void **state)
{
	struct fixture *f = *state;
	struct buf whole = {0};
	struct snapshot s;

	put(f, 5, 1000, 1001);
	ok(f, snapshot_find(f->j, 5, &s, &f->err));
	assert_int_equal(s.pieces, 4);
	for (uint32_t n = 0; n < s.pieces; n++) {
		ok(f, snapshot_piece(f->j, 5, n, &whole, &f->err));
		assert_int_equal(whole.len % 1001, 0);
	}
	assert_int_equal(whole.len, 1001000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(strtoul(whole.data + i * 1001, NULL, 10), i);
	assert_int_equal(snapshot_piece(f->j, 5, 4, &whole, &f->err), JOURNAL_ABSENT);
	buf_free(&whole);
}

static void an_empty_one_is_one(void **state)
{
	struct fixture *f = *state;
	struct snapshot s;

	put(f, 3, 0, 1);
	ok(f, snapshot_find(f->j, 3, &s, &f->err));
	assert_int_equal(s.pieces, 0);
}

static void another_for_the_same_event_takes_its_place(void **state)
{
	struct fixture *f = *state;
	struct buf text = {0};
	struct snapshot s;

	put(f, 5, 1000, 1001);
	put(f, 5, 1, 10);
	ok(f, snapshot_find(f->j, 5, &s, &f->err));
	assert_int_equal(s.pieces, 1);
	assert_int_equal(snapshot_piece(f->j, 5, 1, &text, &f->err), JOURNAL_ABSENT);
	buf_free(&text);
}

static void those_that_no_kept_event_follows_are_pruned(void **state)
{
	struct fixture *f = *state;
	struct buf text = {0};
	int64_t bytes;

	put(f, 5, 1, 10);
	put(f, 10, 1, 10);
	put(f, 20, 1, 10);
	ok(f, snapshot_prune(f->j, 10, &bytes, &f->err));
	assert_int_equal(found(f, 5), 5); /* event 10 comes between 5 and 10 */
	ok(f, snapshot_prune(f->j, 11, &bytes, &f->err));
	assert_int_equal(found(f, 9), 0);
	assert_int_equal(found(f, 15), 10);
	assert_int_equal(bytes, 20);
	assert_int_equal(snapshot_piece(f->j, 5, 0, &text, &f->err), JOURNAL_ABSENT);
	ok(f, snapshot_prune(f->j, 1000, &bytes, &f->err));
	assert_int_equal(found(f, 1000), 20);
	assert_int_equal(bytes, 10);
	buf_free(&text);
}

static void there_are_never_too_many_nor_too_large_ones(void **state)
{
	struct fixture *f = *state;
	int64_t bytes;

	for (uint64_t n = 1; n <= SNAPSHOTS_MOST + 3; n++)
		put(f, n, 1, 10);
	ok(f, snapshot_prune(f->j, 1, &bytes, &f->err));
	assert_int_equal(found(f, 3), 0);
	assert_int_equal(found(f, 4), 4);
	assert_int_equal(bytes, SNAPSHOTS_MOST * 10);
	for (uint64_t n = 100; n < 109; n++)
		put(f, n, 8 * 1024, 1024);
	ok(f, snapshot_prune(f->j, 1, &bytes, &f->err));
	assert_int_equal(bytes, SNAPSHOTS_BYTES);
	assert_int_equal(found(f, 100), 0);
	assert_int_equal(found(f, 101), 101);
}

/* Of four thousand million pieces, say, which somebody would have to drop. */
static void one_that_cannot_be_is_none(void **state)
{
	static const char *const heads[] = {"1 1 4294967295 1", "1 1 1 9223372036854775807",
					    "1 1 1 -1", "1 1", ""};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		ok(f, journal_put(f->j, "snapshot", "00000000000000000009", heads[i],
				  strlen(heads[i]), &f->err));
		assert_int_equal(found(f, 99), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_newest_behind_no_later_event_is_found),
		TEST(a_long_text_comes_back_in_pieces_of_whole_lines),
		TEST(an_empty_one_is_one),
		TEST(another_for_the_same_event_takes_its_place),
		TEST(those_that_no_kept_event_follows_are_pruned),
		TEST(there_are_never_too_many_nor_too_large_ones),
		TEST(one_that_cannot_be_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
