/* What the journal promises when the disk does not: every failure, at every write. */
#include "base/mem.h"
#include "base/testplace.h"
#include "journal/journal.h"
#include "journal/testdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BATCHES 4

struct fixture {
	struct world world;
	char directory[64];
	struct journal *j;
	struct journal_opened found;
	struct err err;
	uint64_t promised; /* events whose commit returned OK */
	size_t payload;
};

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->world = *world_real();
	f->world.vfs = DISK_NAME;
	f->payload = 20;
	testplace_make(f->directory, "disk");
	disk_insert();
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	free(f->found.damaged);
	disk_remove();
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static bool open_journal(struct fixture *f)
{
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	return f->j != NULL;
}

static void reopen_after_cut(struct fixture *f, uint32_t seed)
{
	journal_close(f->j);
	f->j = NULL;
	disk_power_cut(seed);
	if (!open_journal(f))
		fail_msg("after the cut: %s", f->err.text);
	if (f->found.damaged)
		fail_msg("a power cut left damage: %s", f->found.damaged);
}

static enum journal_status put_event(struct fixture *f, uint64_t seq)
{
	char *data = mem_zero(f->payload + 1);
	struct duty duty = {.target = 7};
	struct journal_event row = {.duties = &duty, .nduties = 1};
	enum journal_status status;

	memset(data, ' ', f->payload);
	data[0] = '{';
	data[f->payload - 1] = '}';
	row.event = event_create(&(struct event){.seq = seq,
						 .at = (int64_t)seq,
						 .id = "id",
						 .source = "s",
						 .type = "t",
						 .instance = "i",
						 .data = data,
						 .data_len = f->payload});
	status = journal_add(f->j, &row, &f->err);
	event_unref(row.event);
	free(data);
	return status;
}

/* Two events, a delivery of the first and a value, all or nothing. */
static enum journal_status put_batch(struct fixture *f)
{
	uint64_t seq = journal_last_seq(f->j) + 1;
	enum journal_status status = journal_begin(f->j, &f->err);
	struct delivery d = {.seq = seq, .duty = {.target = 7}, .state = DELIVERY_RETRY};

	if (status == JOURNAL_OK)
		status = put_event(f, seq);
	if (status == JOURNAL_OK)
		status = put_event(f, seq + 1);
	if (status == JOURNAL_OK)
		status = journal_put_delivery(f->j, &d, &f->err);
	if (status == JOURNAL_OK)
		status = journal_put(f->j, "s", "last", &(uint64_t){seq + 1}, 8, &f->err);
	if (status == JOURNAL_OK)
		status = journal_commit(f->j, &f->err);
	if (status == JOURNAL_OK)
		f->promised = seq + 1;
	else
		journal_rollback(f->j);
	return status;
}

/* As the daemon does it: a full disk is tried again, anything else is the end. */
static enum journal_status run(struct fixture *f)
{
	enum journal_status status = JOURNAL_OK;

	if (!open_journal(f))
		return JOURNAL_FAILED;
	for (int i = 0; i < BATCHES && status != JOURNAL_FAILED; i++) {
		status = put_batch(f);
		if (status == JOURNAL_FULL)
			status = put_batch(f);
	}
	return status;
}

static uint64_t count_events(struct fixture *f)
{
	struct journal_event row;
	uint64_t n = 0;

	while (journal_event(f->j, n + 1, &row, &f->err) == JOURNAL_OK) {
		journal_event_clear(&row);
		n++;
	}
	return n;
}

static bool count_one(const struct delivery *d, void *arg)
{
	(void)d;
	++*(uint64_t *)arg;
	return true;
}

static void check_all_or_nothing(struct fixture *f, const char *what, uint32_t at)
{
	uint64_t events = count_events(f), rows = 0, last = 0;
	struct buf value = {0};

	assert_int_equal(journal_live(f->j, 7, count_one, &rows, &f->err), JOURNAL_OK);
	if (journal_get(f->j, "s", "last", &value, &f->err) == JOURNAL_OK)
		memcpy(&last, value.data, 8);
	buf_free(&value);
	if (events < f->promised || events > f->promised + 2)
		fail_msg("%s at write %u: %llu events promised, %llu there", what, at,
			 (unsigned long long)f->promised, (unsigned long long)events);
	if (events % 2 || rows != events / 2 || last != events || journal_last_seq(f->j) != events)
		fail_msg("%s at write %u: half a batch: %llu events, %llu rows, value %llu, last "
			 "%llu",
			 what, at, (unsigned long long)events, (unsigned long long)rows,
			 (unsigned long long)last, (unsigned long long)journal_last_seq(f->j));
}

static void start_over(struct fixture *f)
{
	journal_close(f->j);
	f->j = NULL;
	f->promised = 0;
	disk_insert();
}

/* docs/behaviour.md, acceptance: accepted means durable. */
static void a_power_cut_at_any_write_leaves_whole_batches(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 0;

	do {
		for (uint32_t seed = 0; seed < 2; seed++) {
			start_over(f);
			disk_fail(DISK_CUT, at + 1);
			run(f);
			reopen_after_cut(f, seed ? at + 1 : 0);
			check_all_or_nothing(f, "power cut", at + 1);
		}
		at++;
	} while (f->promised < BATCHES * 2);
	assert_true(at > 30);
}

static void a_power_cut_during_close_loses_nothing(void **state)
{
	struct fixture *f = *state;
	bool cut = true;

	for (uint32_t at = 1; cut; at++) {
		start_over(f);
		assert_int_equal(run(f), JOURNAL_OK);
		disk_fail(DISK_CUT, at);
		journal_close(f->j);
		f->j = NULL;
		cut = disk_failed();
		reopen_after_cut(f, at);
		check_all_or_nothing(f, "power cut in close", at);
	}
}

static void check_nothing_is_written(struct fixture *f, uint32_t at)
{
	uint32_t writes = disk_writes();

	if (put_batch(f) != JOURNAL_FAILED)
		fail_msg("error at write %u, then went on", at);
	journal_close(f->j);
	f->j = NULL;
	if (disk_writes() != writes)
		fail_msg("error at write %u, then wrote again", at);
}

/* docs/behaviour.md, I/O error on write or sync: write nothing more. */
static void after_an_io_error_nothing_more_is_written(void **state)
{
	struct fixture *f = *state;
	bool failed = true;

	for (uint32_t at = 1; failed; at++) {
		start_over(f);
		disk_fail(DISK_BROKEN, at);
		run(f);
		failed = disk_failed();
		if (failed && f->j)
			check_nothing_is_written(f, at);
		reopen_after_cut(f, at);
		check_all_or_nothing(f, "I/O error", at);
	}
}

/* docs/behaviour.md, disk full: the same batch is tried again. */
static void a_batch_that_found_no_room_is_done_when_there_is_some(void **state)
{
	struct fixture *f = *state;
	bool failed = true;

	for (uint32_t at = 1; failed; at++) {
		start_over(f);
		disk_fail(DISK_FULL, at);
		if (run(f) == JOURNAL_OK)
			assert_int_equal(f->promised, BATCHES * 2);
		else
			assert_null(f->j); /* no room to open it: refused, with the reason */
		failed = disk_failed();
		reopen_after_cut(f, at);
		check_all_or_nothing(f, "full disk", at);
	}
}

static void a_full_disk_answers_full_until_there_is_room(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f), JOURNAL_OK);
	disk_stay_full(true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(put_batch(f), JOURNAL_FULL);
	assert_non_null(strstr(f->err.text, "no room"));
	assert_int_equal(count_events(f), BATCHES * 2);
	disk_stay_full(false);
	assert_int_equal(put_batch(f), JOURNAL_OK);
	reopen_after_cut(f, 0);
	check_all_or_nothing(f, "full disk", 0);
}

/* With this much a batch the log is moved into the file while batches go on. */
static void checkpoints_keep_what_was_promised(void **state)
{
	struct fixture *f = *state;
	uint32_t writes;

	f->payload = 700 * 1024;
	assert_int_equal(run(f), JOURNAL_OK);
	writes = disk_writes();
	assert_true(journal_bytes(f->j) > 5 * 1024 * 1024);
	for (uint32_t at = 1000; at < writes; at += 397) {
		static const enum disk_trouble troubles[] = {DISK_CUT, DISK_BROKEN, DISK_FULL};

		start_over(f);
		disk_fail(troubles[at % 3], at);
		run(f);
		if (troubles[at % 3] == DISK_BROKEN)
			check_nothing_is_written(f, at);
		reopen_after_cut(f, at);
		check_all_or_nothing(f, "checkpoint", at);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_power_cut_at_any_write_leaves_whole_batches),
		TEST(a_power_cut_during_close_loses_nothing),
		TEST(after_an_io_error_nothing_more_is_written),
		TEST(a_batch_that_found_no_room_is_done_when_there_is_some),
		TEST(a_full_disk_answers_full_until_there_is_room),
		TEST(checkpoints_keep_what_was_promised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
