/* docs/behaviour.md, acceptance: accepted means durable, wherever the power is cut. */
#include "base/mem.h"
#include "base/testplace.h"
#include "journal/dedupe.h"
#include "journal/journal_file.h"
#include "journal/snapshot.h"
#include "journal/testcuts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET 7
#define NEVER  INT64_C(1000000000000)

struct fixture {
	struct world world;
	char directory[64];
	struct journal *j;
	struct names *names;
	struct dedupe *dedupe;
	struct journal_opened found;
	struct err err;
	size_t payload;
};

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->world = *world_real();
	f->world.vfs = DISK_NAME;
	f->payload = 200;
	testplace_make(f->directory, "cuts");
	disk_insert();
	return 0;
}

static void ok(const struct fixture *f, enum journal_status status)
{
	if (status != JOURNAL_OK)
		fail_msg("%s: %d: %s", cuts_place(), (int)status, f->err.text);
}

static void open_it(struct fixture *f)
{
	free(f->found.damaged);
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	if (!f->j)
		fail_msg("%s: %s", cuts_place(), f->err.text);
	f->names = names_load(f->j, &f->err);
	assert_non_null(f->names);
	f->dedupe = dedupe_load(f->j, f->names, NEVER, 32, &f->err); /* five ids are a run */
	assert_non_null(f->dedupe);
}

static void close_it(struct fixture *f)
{
	dedupe_free(f->dedupe);
	names_free(f->names);
	journal_close(f->j);
	f->dedupe = NULL;
	f->names = NULL;
	f->j = NULL;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close_it(f);
	free(f->found.damaged);
	disk_remove();
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static struct event *make_event(const struct fixture *f, uint64_t seq)
{
	char id[32], *data = mem_zero(f->payload + 1);
	struct event *ev;

	memset(data, ' ', f->payload);
	data[0] = '{';
	data[f->payload - 1] = '}';
	snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
	ev = event_create(&(struct event){.seq = seq,
					  .at = (int64_t)seq,
					  .id = id,
					  .source = "s",
					  .type = "t",
					  .instance = "i",
					  .data = data,
					  .data_len = f->payload});
	free(data);
	return ev;
}

/* An event, its duty, its id and the cursor behind it: all of one transaction. */
static void add_event(struct fixture *f, bool open_duty)
{
	uint64_t seq = journal_last_seq(f->j) + 1;
	struct duty duty = {.target = TARGET};
	struct journal_event row = {.duties = &duty, .nduties = 1, .event = make_event(f, seq)};
	struct delivery d = {
		.seq = seq, .duty = duty, .state = open_duty ? DELIVERY_RETRY : DELIVERY_DONE};
	struct dedupe_mark mark;

	ok(f, journal_add(f->j, &row, &f->err));
	mark = dedupe_mark(f->dedupe, row.event);
	ok(f, dedupe_add(f->dedupe, &mark, row.event, &f->err));
	ok(f, journal_put_delivery(f->j, &d, &f->err));
	ok(f, journal_put(f->j, "save/1", "cursor", &seq, sizeof seq, &f->err));
	event_unref(row.event);
}

/* So many events in a transaction, acknowledged by a remark with the number of the last. */
static void add_batch(struct fixture *f, int events, bool open_duty)
{
	ok(f, journal_begin(f->j, &f->err));
	for (int i = 0; i < events; i++)
		add_event(f, open_duty);
	ok(f, journal_commit(f->j, &f->err));
	disk_mark(journal_last_seq(f->j));
}

static void check_integrity(struct fixture *f)
{
	sqlite3_stmt *s = NULL;

	assert_int_equal(sqlite3_prepare_v2(f->j->db, "PRAGMA integrity_check(1)", -1, &s, NULL),
			 SQLITE_OK);
	if (sqlite3_step(s) != SQLITE_ROW ||
	    strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
		fail_msg("%s: %s", cuts_place(), sqlite3_errmsg(f->j->db));
	sqlite3_finalize(s);
}

static uint64_t saved_cursor(struct fixture *f)
{
	struct buf value = {0};
	uint64_t cursor = 0;

	if (journal_get(f->j, "save/1", "cursor", &value, &f->err) == JOURNAL_OK)
		memcpy(&cursor, value.data, sizeof cursor);
	buf_free(&value);
	return cursor;
}

static bool is_known(struct fixture *f, uint64_t seq)
{
	struct event *ev = make_event(f, seq);
	struct dedupe_mark mark = dedupe_mark(f->dedupe, ev);
	uint64_t found = 0;

	ok(f, dedupe_find(f->dedupe, &mark, ev->at, &found, &f->err));
	event_unref(ev);
	return found == seq;
}

static bool has_event(struct fixture *f, uint64_t seq)
{
	struct journal_event row;
	struct delivery d;

	if (journal_event(f->j, seq, &row, &f->err) != JOURNAL_OK)
		return false;
	assert_int_equal(row.event->data_len, f->payload);
	journal_event_clear(&row);
	if (journal_delivery(f->j, seq, TARGET, &d, &f->err) != JOURNAL_OK)
		fail_msg("%s: event %llu without its duty", cuts_place(), (unsigned long long)seq);
	delivery_clear(&d);
	return true;
}

static uint64_t latest(const uint64_t *acknowledged, size_t n)
{
	return n ? acknowledged[n - 1] : 0;
}

/* All up to the last, none behind it, and everything that belongs to them. */
static void check_whole(struct fixture *f, uint64_t acknowledged, uint64_t kept_from)
{
	uint64_t last = journal_last_seq(f->j);

	if (f->found.damaged)
		fail_msg("%s: damage: %s", cuts_place(), f->found.damaged);
	check_integrity(f);
	if (last < acknowledged)
		fail_msg("%s: %llu acknowledged, %llu there", cuts_place(),
			 (unsigned long long)acknowledged, (unsigned long long)last);
	if (saved_cursor(f) != last)
		fail_msg("%s: cursor %llu beside event %llu", cuts_place(),
			 (unsigned long long)saved_cursor(f), (unsigned long long)last);
	for (uint64_t seq = 1; seq <= last + 1; seq++) {
		if (seq >= kept_from && has_event(f, seq) != (seq <= last))
			fail_msg("%s: event %llu of %llu", cuts_place(), (unsigned long long)seq,
				 (unsigned long long)last);
		if (is_known(f, seq) != (seq <= last))
			fail_msg("%s: id %llu of %llu is %sknown", cuts_place(),
				 (unsigned long long)seq, (unsigned long long)last,
				 seq <= last ? "un" : "");
	}
}

static void check_goes_on(struct fixture *f)
{
	add_batch(f, 2, true);
	assert_true(has_event(f, journal_last_seq(f->j)));
}

static void look_at_all(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct fixture *f = arg;

	open_it(f);
	check_whole(f, latest(acknowledged, n), 1);
	check_goes_on(f);
	close_it(f);
}

struct nested {
	struct fixture *f;
	void (*look)(const uint64_t *acknowledged, size_t n, void *arg);
	uint64_t every, looks, acknowledged;
	struct cuts inner;
};

static void look_inside(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct nested *nested = arg;

	(void)acknowledged;
	(void)n;
	nested->look(&nested->acknowledged, 1, nested->f);
}

/* Of one disk in `every` the start is recorded, and cut at each of its operations. */
static void cut_the_recovery(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct nested *nested = arg;
	struct disk_tape *tape;

	if (++nested->looks % nested->every) {
		nested->look(acknowledged, n, nested->f);
		return;
	}
	nested->acknowledged = latest(acknowledged, n);
	disk_record();
	open_it(nested->f);
	close_it(nested->f);
	tape = disk_stop();
	nested->inner.look = look_inside;
	nested->inner.arg = nested;
	cuts_run(&nested->inner, tape);
	disk_tape_free(tape);
}

static void cut_everywhere(struct fixture *f, struct cuts *c, uint64_t every, size_t step)
{
	struct nested nested = {.f = f, .look = c->look, .every = cuts_every(every)};
	struct disk_tape *tape = disk_stop();

	close_it(f);
	nested.inner.what = "start after it";
	nested.inner.step = step;
	c->look = cut_the_recovery;
	c->arg = &nested;
	cuts_run(c, tape);
	cuts_tell(c, 20);
	cuts_tell(&nested.inner, 10);
	disk_tape_free(tape);
}

/* From no file at all to a stop in order, and a second start. */
static void a_life_from_the_first_start_to_the_second(void **state)
{
	struct fixture *f = *state;
	struct cuts c = {
		.what = "first start, events, stop, start", .look = look_at_all, .seeds = 2};

	disk_record();
	open_it(f);
	for (int i = 0; i < 4; i++)
		add_batch(f, i + 1, i % 2);
	close_it(f);
	open_it(f);
	add_batch(f, 1, true);
	close_it(f);
	cut_everywhere(f, &c, 40, 5);
}

/* Sixteen runs of five ids become one, in the transaction of the event that fills the next. */
static void runs_of_ids_that_are_merged(void **state)
{
	struct fixture *f = *state;
	struct cuts c = {.what = "merging runs of ids", .look = look_at_all, .seeds = 2};

	f->payload = 20;
	open_it(f);
	add_batch(f, 77, false);
	disk_record();
	for (int i = 0; i < 6; i++)
		add_batch(f, 2, false);
	close_it(f);
	cut_everywhere(f, &c, 60, 5);
}

/* So many small batches that the log is moved into the file, and then begun anew. */
static void a_checkpoint_between_batches(void **state)
{
	struct fixture *f = *state;
	struct cuts c = {.what = "checkpoint", .look = look_at_all, .step = 7};
	int64_t before;

	open_it(f);
	while (journal_bytes(f->j) < 3900 * 1024)
		add_batch(f, 1, false);
	disk_record();
	do {
		before = journal_bytes(f->j);
		add_batch(f, 1, false);
	} while (journal_bytes(f->j) - before < 100 * 1024);
	for (int i = 0; i < 6; i++)
		add_batch(f, 1, false);
	cut_everywhere(f, &c, 60, 50);
}

static bool is_pinned(uint64_t seq, void *arg)
{
	(void)seq;
	(void)arg;
	return false;
}

/* As the sequencer does it. */
static void prune(struct fixture *f)
{
	bool more = true;

	while (more) {
		struct journal_limits limits = {.keep_bytes = 1,
						.keep_dead_ms = NEVER,
						.keep_dead_count = 1000,
						.keep_ms = NEVER};

		ok(f, journal_begin(f->j, &f->err));
		ok(f, dedupe_trim(f->dedupe, 100, &limits.floor, &f->err));
		ok(f, journal_prune(f->j, &limits, 100, is_pinned, NULL, &more, &f->err));
		ok(f, journal_commit(f->j, &f->err));
	}
}

#define ENDED 16 /* events without an open duty: they may go */

static void look_at_what_was_not_pruned(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct fixture *f = arg;

	open_it(f);
	check_whole(f, latest(acknowledged, n), ENDED + 1);
	check_goes_on(f);
	prune(f);
	assert_false(has_event(f, 1));
	check_whole(f, latest(acknowledged, n), ENDED + 1);
	close_it(f);
}

/* More pages than are kept for later become free, so that the file gets shorter, too. */
static void pruning_and_giving_pages_back(void **state)
{
	struct fixture *f = *state;
	struct cuts c = {
		.what = "prune and vacuum", .look = look_at_what_was_not_pruned, .step = 1000};
	int64_t before;

	f->payload = 320 * 1024;
	open_it(f);
	add_batch(f, ENDED, false);
	add_batch(f, 5, true);
	close_it(f);
	open_it(f);
	before = journal_bytes(f->j);
	disk_record();
	disk_mark(ENDED + 5);
	prune(f);
	close_it(f);
	open_it(f);
	assert_true(journal_bytes(f->j) < before);
	cut_everywhere(f, &c, 50, 1000);
}

#define LINES (300 * 1024) /* two pieces */

static void put_snapshot(struct fixture *f)
{
	struct snapshot s = {.seq = journal_last_seq(f->j) + 1, .at = 1, .generation = 1};
	struct buf lines = {0};

	while (lines.len < LINES)
		buf_printf(&lines, "%llu\n", (unsigned long long)s.seq);
	ok(f, journal_begin(f->j, &f->err));
	add_event(f, false);
	ok(f, snapshot_put(f->j, &s, &lines, &f->err));
	ok(f, journal_commit(f->j, &f->err));
	disk_mark(s.seq);
	buf_free(&lines);
}

static void look_at_snapshots(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct fixture *f = arg;
	struct snapshot s = {0};
	struct buf text = {0};

	open_it(f);
	check_whole(f, latest(acknowledged, n), 1);
	if (journal_last_seq(f->j))
		ok(f, snapshot_find(f->j, UINT64_MAX, &s, &f->err));
	assert_int_equal(s.seq, journal_last_seq(f->j));
	for (uint32_t i = 0; i < s.pieces; i++)
		ok(f, snapshot_piece(f->j, s.seq, i, &text, &f->err));
	assert_int_equal(text.len, s.bytes);
	assert_int_equal(strtoull(buf_text(&text), NULL, 10), s.seq);
	buf_free(&text);
	close_it(f);
}

static void snapshots_of_what_rules_hold(void **state)
{
	struct fixture *f = *state;
	struct cuts c = {.what = "snapshots", .look = look_at_snapshots, .step = 41};

	open_it(f);
	disk_record();
	for (int i = 0; i < 3; i++)
		put_snapshot(f);
	close_it(f);
	cut_everywhere(f, &c, 30, 50);
}

/* Nobody may rest on what was written after a sync that failed, though later ones succeed. */
static void a_sync_that_fails_once_is_the_last(void **state)
{
	struct fixture *f = *state;
	bool failed = true;
	uint32_t at;

	for (at = 1; failed; at++) {
		uint64_t promised = 0;

		disk_insert();
		disk_fail(DISK_BROKEN, at);
		f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
		for (int i = 0; f->j && i < 4; i++) {
			struct journal_event row = {.event = make_event(f, promised + 1)};

			if (journal_begin(f->j, &f->err) == JOURNAL_OK &&
			    journal_add(f->j, &row, &f->err) == JOURNAL_OK &&
			    journal_commit(f->j, &f->err) == JOURNAL_OK)
				promised++;
			else if (!f->j->failed)
				journal_rollback(f->j);
			event_unref(row.event);
		}
		journal_close(f->j);
		failed = disk_failed();
		disk_lose_power(DISK_LOSE_ALL, 0);
		f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
		assert_non_null(f->j);
		check_integrity(f);
		if (journal_last_seq(f->j) < promised)
			fail_msg("write or sync %u failed once: %llu promised, %llu there", at,
				 (unsigned long long)promised,
				 (unsigned long long)journal_last_seq(f->j));
		journal_close(f->j);
		f->j = NULL;
	}
	assert_true(at > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_life_from_the_first_start_to_the_second),
		TEST(runs_of_ids_that_are_merged),
		TEST(a_checkpoint_between_batches),
		TEST(pruning_and_giving_pages_back),
		TEST(snapshots_of_what_rules_hold),
		TEST(a_sync_that_fails_once_is_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
