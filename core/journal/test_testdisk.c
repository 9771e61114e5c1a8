/* The disk that loses power does so in every way, or tests that rest on it prove little. */
#include "base/mem.h"
#include "journal/testdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#define SEEDS 400

static sqlite3_vfs *vfs;

static int set_up(void **state)
{
	(void)state;
	disk_insert();
	vfs = sqlite3_vfs_find(DISK_NAME);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	disk_remove();
	return 0;
}

static sqlite3_file *open_file(const char *name, int flags)
{
	sqlite3_file *f = mem_zero((size_t)vfs->szOsFile);

	if (vfs->xOpen(vfs, name, f, flags, NULL) == SQLITE_OK)
		return f;
	free(f);
	return NULL;
}

static sqlite3_file *make(const char *name)
{
	sqlite3_file *f = open_file(name, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_CREATE);

	assert_non_null(f);
	return f;
}

static int put(sqlite3_file *f, char c, int len, int at)
{
	char *bytes = mem_zero((size_t)len);
	int rc;

	memset(bytes, c, (size_t)len);
	rc = f->pMethods->xWrite(f, bytes, len, at);
	free(bytes);
	return rc;
}

static int sync_file(sqlite3_file *f)
{
	return f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
}

static char byte_at(const char *name, int at)
{
	sqlite3_file *f = open_file(name, SQLITE_OPEN_MAIN_DB);
	char c = 0;

	if (f && f->pMethods->xRead(f, &c, 1, at) != SQLITE_OK)
		c = 0;
	free(f);
	return c;
}

static bool is_there(const char *name)
{
	int there;

	vfs->xAccess(vfs, name, SQLITE_ACCESS_EXISTS, &there);
	return there;
}

/* What was synced is 'a', what was not is 'b': 1,024 bytes of file "x" and as many of "y". */
static struct disk_tape *two_files(void)
{
	sqlite3_file *x = make("x"), *y = make("y");

	put(x, 'a', 1024, 0);
	put(y, 'a', 1024, 0);
	disk_record();
	put(x, 'b', 1024, 0);
	put(y, 'b', 1024, 0);
	free(x);
	free(y);
	return disk_stop();
}

static void what_was_synced_stays(void **state)
{
	sqlite3_file *x = make("x");
	struct disk_tape *tape;

	(void)state;
	disk_record();
	put(x, 'a', 1000, 0);
	sync_file(x);
	free(x);
	tape = disk_stop();
	for (uint32_t n = 0; n < DISK_LOSSES * SEEDS; n++) {
		disk_play(tape, disk_tape_length(tape), n % DISK_LOSSES, n);
		assert_int_equal(byte_at("x", 0), 'a');
		assert_int_equal(byte_at("x", 999), 'a');
		assert_int_equal(byte_at("x", 1000), 0);
	}
	disk_tape_free(tape);
}

/* Which of four sectors, of two files, are there: all sixteen combinations. */
static void any_sectors_of_any_file_may_be_lost(void **state)
{
	struct disk_tape *tape = two_files();
	bool seen[16] = {0};

	(void)state;
	for (uint32_t seed = 1; seed < SEEDS; seed++) {
		int which = 0;

		disk_play(tape, disk_tape_length(tape), DISK_LOSE_ANY, seed);
		for (int i = 0; i < 4; i++) {
			char first = byte_at(i < 2 ? "x" : "y", i % 2 * 512),
			     last = byte_at(i < 2 ? "x" : "y", i % 2 * 512 + 511);

			assert_int_equal(first, last);
			assert_true(first == 'a' || first == 'b');
			which |= (first == 'b') << i;
		}
		seen[which] = true;
	}
	for (int i = 0; i < 16; i++)
		assert_true(seen[i]);
	disk_tape_free(tape);
}

static void the_latest_are_lost_before_the_first(void **state)
{
	struct disk_tape *tape = two_files();
	bool some = false;

	(void)state;
	for (uint32_t seed = 1; seed < SEEDS; seed++) {
		disk_play(tape, disk_tape_length(tape), DISK_LOSE_LATEST, seed);
		if (byte_at("y", 0) == 'b' || byte_at("y", 600) == 'b') {
			assert_int_equal(byte_at("x", 0), 'b');
			assert_int_equal(byte_at("x", 600), 'b');
			some = true;
		}
	}
	assert_true(some);
	disk_tape_free(tape);
}

static void a_write_is_torn_at_any_byte(void **state)
{
	struct disk_tape *tape = two_files();
	bool inside = false, foreign = false;

	(void)state;
	for (uint32_t seed = 1; seed < SEEDS; seed++) {
		disk_play(tape, disk_tape_length(tape), DISK_LOSE_BYTES, seed);
		for (int at = 1; at < 512; at++) {
			char c = byte_at("x", at);

			inside |= c != byte_at("x", at - 1);
			foreign |= c != 'a' && c != 'b';
		}
	}
	assert_true(inside && foreign);
	disk_tape_free(tape);
}

static void a_size_may_be_lost_and_may_be_there_without_its_bytes(void **state)
{
	sqlite3_file *x = make("x");
	bool longer = false, empty = false, shorter = false;
	struct disk_tape *tape;

	(void)state;
	put(x, 'a', 1024, 0);
	disk_record();
	x->pMethods->xTruncate(x, 512);
	put(x, 'b', 512, 2048);
	free(x);
	tape = disk_stop();
	for (uint32_t seed = 1; seed < SEEDS; seed++) {
		sqlite3_int64 size = 0;

		disk_play(tape, disk_tape_length(tape), DISK_LOSE_ANY, seed);
		x = open_file("x", SQLITE_OPEN_MAIN_DB);
		x->pMethods->xFileSize(x, &size);
		free(x);
		longer |= size == 2560 && byte_at("x", 2048) == 'b';
		empty |= size == 2560 && byte_at("x", 2048) == 0;
		shorter |= size == 512;
		assert_true(size == 512 || size == 1024 || size == 2560);
	}
	assert_true(longer && empty && shorter);
	disk_tape_free(tape);
}

static void a_name_is_durable_with_its_directory(void **state)
{
	bool made = false, lost = false, deleted = false, kept = false;
	struct disk_tape *tape;

	(void)state;
	free(make("old"));
	disk_record();
	free(make("new"));
	vfs->xDelete(vfs, "old", 0);
	tape = disk_stop();
	for (uint32_t seed = 1; seed < SEEDS; seed++) {
		disk_play(tape, disk_tape_length(tape), DISK_LOSE_ANY, seed);
		*(is_there("new") ? &made : &lost) = true;
		*(is_there("old") ? &kept : &deleted) = true;
	}
	assert_true(made && lost && deleted && kept);
	disk_tape_free(tape);
}

static void the_first_sync_of_a_log_keeps_its_name(void **state)
{
	sqlite3_file *log;

	(void)state;
	log = open_file("log", SQLITE_OPEN_WAL | SQLITE_OPEN_CREATE);
	put(log, 'a', 10, 0);
	sync_file(log);
	free(log);
	disk_lose_power(DISK_LOSE_ALL, 0);
	assert_int_equal(byte_at("log", 0), 'a');
}

/* "fsyncgate": the second sync has nothing to write, and says so with success. */
static void what_a_failed_sync_lost_no_later_one_brings(void **state)
{
	bool lost = false;

	(void)state;
	for (uint32_t n = 1; n < 50 && !lost; n++) {
		sqlite3_file *x;

		disk_insert();
		free(make("x"));
		disk_record();
		disk_tape_free(disk_stop());
		x = make("x");
		put(x, 'a', 512, 0);
		sync_file(x);
		for (uint32_t i = 0; i < n; i++)
			put(x, 'b', 512, 0);
		disk_fail(DISK_BROKEN, 1);
		assert_int_equal(sync_file(x), SQLITE_IOERR_FSYNC);
		assert_int_equal(byte_at("x", 0), 'b');
		assert_int_equal(sync_file(x), SQLITE_OK);
		free(x);
		disk_lose_power(DISK_LOSE_ALL, 0);
		lost = byte_at("x", 0) != 'b';
	}
	assert_true(lost);
}

static void count_mark(uint64_t remark, void *arg)
{
	assert_int_equal(remark, 7);
	++*(int *)arg;
}

static void a_remark_stands_where_it_was_made(void **state)
{
	int before = 0, behind = 0;
	sqlite3_file *x = make("x");
	struct disk_tape *tape;

	(void)state;
	disk_record();
	put(x, 'a', 10, 0);
	sync_file(x);
	disk_mark(7);
	put(x, 'b', 10, 0);
	free(x);
	tape = disk_stop();
	assert_int_equal(disk_tape_length(tape), 4);
	assert_false(disk_tape_syncs(tape, 0));
	assert_true(disk_tape_syncs(tape, 1));
	disk_tape_marks(tape, 2, count_mark, &before);
	disk_tape_marks(tape, 3, count_mark, &behind);
	assert_int_equal(before, 0);
	assert_int_equal(behind, 1);
	disk_tape_free(tape);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(what_was_synced_stays),
		FACT(any_sectors_of_any_file_may_be_lost),
		FACT(the_latest_are_lost_before_the_first),
		FACT(a_write_is_torn_at_any_byte),
		FACT(a_size_may_be_lost_and_may_be_there_without_its_bytes),
		FACT(a_name_is_durable_with_its_directory),
		FACT(the_first_sync_of_a_log_keeps_its_name),
		FACT(what_a_failed_sync_lost_no_later_one_brings),
		FACT(a_remark_stands_where_it_was_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
