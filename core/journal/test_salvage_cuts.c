/* docs/behaviour.md, damaged journal: what can be read is saved, and a power cut while that is
 * done, at whatever write, rename or sync, takes nothing of it. */
#include "base/mem.h"
#include "base/testplace.h"
#include "journal/journal_file.h"
#include "journal/testcuts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IN_FILE   120 /* events */
#define IN_LOG    10  /* further ones, only in the log */
#define IN_A_PAGE 16  /* at most */
#define TARGET    7

struct fixture {
	struct world world;
	char directory[64];
	char *path;
	struct journal *j;
	struct journal_opened found;
	struct err err;
	bool expected[IN_FILE + IN_LOG + 1]; /* events that a salvage saves */
	struct cuts *again;                  /* cut the recovery, too, at one disk in so many */
	size_t every, looks;
};

static void ok(const struct fixture *f, enum journal_status status)
{
	if (status != JOURNAL_OK)
		fail_msg("%s: %d: %s", cuts_place(), (int)status, f->err.text);
}

static bool try_open(struct fixture *f)
{
	free(f->found.damaged);
	f->found.damaged = NULL;
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	return f->j != NULL;
}

static void open_it(struct fixture *f)
{
	if (!try_open(f))
		fail_msg("%s: %s", cuts_place(), f->err.text);
}

static void close_it(struct fixture *f)
{
	journal_close(f->j);
	f->j = NULL;
}

/* Without moving the log into the file, as if killed. */
static void die(struct fixture *f)
{
	f->j->failed = true;
	close_it(f);
}

static void add_event(struct fixture *f)
{
	uint64_t seq = journal_last_seq(f->j) + 1;
	char *data = mem_format("{\"text\":\"%0600llu\"}", (unsigned long long)seq);
	struct duty duty = {.target = TARGET};
	struct journal_event row = {.duties = &duty, .nduties = 1};

	row.event = event_create(&(struct event){.seq = seq,
						 .at = (int64_t)seq,
						 .id = "id",
						 .source = "s",
						 .type = "t",
						 .instance = "i",
						 .data = data,
						 .data_len = strlen(data)});
	ok(f, journal_begin(f->j, &f->err));
	ok(f, journal_add(f->j, &row, &f->err));
	ok(f, journal_put(f->j, "save/1", "cursor", &seq, sizeof seq, &f->err));
	ok(f, journal_commit(f->j, &f->err));
	event_unref(row.event);
	free(data);
}

static bool has_event(struct fixture *f, uint64_t seq)
{
	struct journal_event row;
	bool there = journal_event(f->j, seq, &row, &f->err) == JOURNAL_OK;

	if (there)
		journal_event_clear(&row);
	return there;
}

static void spoil(const struct fixture *f, size_t page)
{
	char bad[JOURNAL_PAGE];

	memset(bad, 0xa5, sizeof bad);
	assert_true(disk_damage(f->path, page * JOURNAL_PAGE, bad, sizeof bad));
}

/* A page in the middle of the events is damaged; the youngest are in the log alone. */
static void make_damaged(struct fixture *f)
{
	open_it(f);
	for (int i = 0; i < IN_FILE; i++)
		add_event(f);
	close_it(f);
	open_it(f);
	for (int i = 0; i < IN_LOG; i++)
		add_event(f);
	die(f);
	spoil(f, 14);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->world = *world_real();
	f->world.vfs = DISK_NAME;
	testplace_make(f->directory, "salvage-cuts");
	f->path = mem_format("%s/journal.db", f->directory);
	disk_insert();
	make_damaged(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	free(f->found.damaged);
	free(f->path);
	disk_remove();
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static uint64_t saved_cursor(struct fixture *f)
{
	struct buf value = {0};
	uint64_t cursor = 0;

	ok(f, journal_get(f->j, "save/1", "cursor", &value, &f->err));
	memcpy(&cursor, value.data, sizeof cursor);
	buf_free(&value);
	return cursor;
}

static void check_saved(struct fixture *f)
{
	if (!f->found.damaged)
		fail_msg("%s: nobody is told of the damage", cuts_place());
	for (uint64_t seq = 1; seq <= IN_FILE + IN_LOG; seq++) {
		if (has_event(f, seq) != f->expected[seq])
			fail_msg("%s: event %llu is %sthere; %s", cuts_place(),
				 (unsigned long long)seq, f->expected[seq] ? "not " : "",
				 f->found.damaged);
	}
	assert_int_equal(saved_cursor(f), IN_FILE + IN_LOG);
	if (disk_count(".damaged-") < 1)
		fail_msg("%s: the damaged file is not kept", cuts_place());
}

static void look(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct fixture *f = arg;

	(void)acknowledged;
	(void)n;
	open_it(f);
	check_saved(f);
	add_event(f);
	close_it(f);
}

/* What a run without a cut saves. */
static void expect_what_is_saved(struct fixture *f)
{
	size_t n = 0;

	for (uint64_t seq = 1; seq <= IN_FILE + IN_LOG; seq++)
		n += f->expected[seq] = has_event(f, seq);
	assert_in_range(n, IN_FILE + IN_LOG - IN_A_PAGE, IN_FILE + IN_LOG - 1);
	assert_true(f->expected[IN_FILE + IN_LOG]);
}

static struct disk_tape *record_salvage(struct fixture *f)
{
	disk_record();
	open_it(f);
	expect_what_is_saved(f);
	check_saved(f);
	close_it(f);
	return disk_stop();
}

static void a_salvage_cut_anywhere_saves_the_same(void **state)
{
	struct fixture *f = *state;
	struct cuts c = {.what = "salvage", .look = look, .arg = f};
	struct disk_tape *tape = record_salvage(f);

	cuts_run(&c, tape);
	cuts_tell(&c, 100);
	disk_tape_free(tape);
}

static void look_twice(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct fixture *f = arg;
	struct disk_tape *tape;

	if (++f->looks % f->every) {
		look(acknowledged, n, f);
		return;
	}
	disk_record();
	open_it(f);
	close_it(f);
	tape = disk_stop();
	cuts_run(f->again, tape);
	disk_tape_free(tape);
}

static void a_salvage_after_a_salvage_that_was_cut_too(void **state)
{
	struct fixture *f = *state;
	struct cuts again = {.what = "start after it", .look = look, .arg = f, .step = 20};
	struct cuts c = {.what = "salvage", .look = look_twice, .arg = f, .step = 5};
	struct disk_tape *tape = record_salvage(f);

	f->again = &again;
	f->every = cuts_every(cuts_long() ? 40 : 300);
	cuts_run(&c, tape);
	cuts_tell(&again, 10);
	disk_tape_free(tape);
}

/* Each write finds no room, or fails, once: then it is refused and says why, or it saved all. */
static void a_salvage_without_room_saves_all_or_says_so(void **state)
{
	struct fixture *f = *state;
	struct disk_tape *tape;
	bool failed = true;
	size_t refused = 0;
	uint32_t at;

	disk_record();
	tape = disk_stop();
	open_it(f);
	expect_what_is_saved(f);
	close_it(f);
	for (at = 1; failed; at++) {
		disk_play(tape, 0, DISK_LOSE_ALL, 0);
		disk_fail(at % 2 ? DISK_FULL : DISK_BROKEN, at);
		if (!try_open(f)) {
			assert_true(strlen(f->err.text) > 20);
			refused++;
			failed = disk_failed();
			disk_fail(DISK_GOOD, 0);
			open_it(f);
		} else {
			failed = disk_failed();
		}
		check_saved(f);
		close_it(f);
	}
	assert_true(refused > 10);
	disk_tape_free(tape);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_salvage_cut_anywhere_saves_the_same),
		TEST(a_salvage_after_a_salvage_that_was_cut_too),
		TEST(a_salvage_without_room_saves_all_or_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
