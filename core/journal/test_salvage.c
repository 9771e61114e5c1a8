/* docs/behaviour.md, damaged journal: every page in turn is overwritten, and what was on the
 * others must be there afterwards. */
#include "base/mem.h"
#include "base/testplace.h"
#include "journal/cell.h"
#include "journal/journal_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <unistd.h>

#define EVENTS 600

struct fixture {
	struct world world;
	char directory[64];
	char *path;
	struct journal *j;
	struct journal_opened found;
	struct err err;
	struct buf whole; /* the file when it was good */
};

static void ok(const struct fixture *f, enum journal_status status)
{
	if (status != JOURNAL_OK)
		fail_msg("%d: %s", (int)status, f->err.text);
}

static void open_it(struct fixture *f)
{
	free(f->found.damaged);
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	if (!f->j)
		fail_msg("%s", f->err.text);
}

static void close_it(struct fixture *f)
{
	journal_close(f->j);
	f->j = NULL;
}

static void add_event(struct fixture *f, uint64_t seq)
{
	char id[32], data[200];
	struct duty duty = {.target = 7};
	struct journal_event row = {.duties = &duty, .nduties = 1};
	int len;

	snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
	len = snprintf(data, sizeof data, "{\"n\":%llu,\"text\":\"%0100d\"}",
		       (unsigned long long)seq, 0);
	row.event = event_create(&(struct event){.seq = seq,
						 .at = (int64_t)seq,
						 .id = id,
						 .source = "s",
						 .type = "t",
						 .instance = "i",
						 .data = data,
						 .data_len = (size_t)len,
						 .cause = seq / 2});
	ok(f, journal_add(f->j, &row, &f->err));
	event_unref(row.event);
}

static void add_small_rows(struct fixture *f, uint64_t seq)
{
	char key[32], value[100];
	struct delivery d = {.seq = seq,
			     .duty = {.target = 7},
			     .state = seq % 2 ? DELIVERY_RETRY : DELIVERY_DONE};

	ok(f, journal_put_delivery(f->j, &d, &f->err));
	ok(f, journal_seen_again(f->j, seq, 1, &f->err));
	snprintf(key, sizeof key, "%05llu", (unsigned long long)seq);
	snprintf(value, sizeof value, "value of %llu %060d", (unsigned long long)seq, 0);
	ok(f, journal_put(f->j, "save/1", key, value, strlen(value), &f->err));
}

static void read_whole(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	char chunk[JOURNAL_PAGE];
	size_t n;

	assert_non_null(file);
	buf_cut(out, 0);
	while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
		buf_add(out, chunk, n);
	fclose(file);
}

static void write_whole(const char *path, const struct buf *b)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(b->data, 1, b->len, file), b->len);
	fclose(file);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);
	struct buf text = {0};
	struct cell *cell;

	*state = f;
	f->world = *world_real();
	testplace_make(f->directory, "salvage");
	f->path = mem_format("%s/journal.db", f->directory);
	open_it(f);
	ok(f, journal_begin(f->j, &f->err));
	for (uint64_t seq = 1; seq <= EVENTS; seq++) {
		add_event(f, seq);
		add_small_rows(f, seq);
	}
	ok(f, journal_put(f->j, "cursor", "7", "123", 3, &f->err));
	ok(f, journal_put(f->j, "cursor", "8", "200", 3, &f->err));
	cell = cell_new(CELL_WINDOW, 9, "", 1);
	cell->slots[0].seq = 44;
	cell_add(cell, 46, 1);
	cell_text(cell, &text);
	ok(f, journal_put(f->j, "cell", "00009 ", text.data, text.len, &f->err));
	cell_free(cell);
	buf_free(&text);
	ok(f, journal_commit(f->j, &f->err));
	close_it(f);
	read_whole(f->path, &f->whole);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	free(f->found.damaged);
	free(f->path);
	buf_free(&f->whole);
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static void damage(struct fixture *f, size_t at, size_t len, unsigned char with)
{
	struct buf bad = {0};

	buf_add(&bad, f->whole.data, f->whole.len);
	memset(bad.data + at, with, len);
	write_whole(f->path, &bad);
	buf_free(&bad);
}

struct left {
	size_t events, deliveries, values, dead;
};

static bool count_value(const char *key, const void *value, size_t len, void *arg)
{
	char expected[100];

	snprintf(expected, sizeof expected, "value of %lu %060d", strtoul(key, NULL, 10), 0);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(value, expected, len);
	((struct left *)arg)->values++;
	return true;
}

static bool count_dead(const struct delivery *d, void *arg)
{
	assert_non_null(strstr(d->why, "lost with the damaged journal"));
	((struct left *)arg)->dead++;
	return true;
}

static struct left what_is_left(struct fixture *f)
{
	struct left left = {0};

	for (uint64_t seq = 1; seq <= EVENTS; seq++) {
		struct journal_event row;
		struct delivery d;
		char id[32];

		if (journal_event(f->j, seq, &row, &f->err) == JOURNAL_OK) {
			snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
			assert_string_equal(row.event->id, id);
			left.events++;
			journal_event_clear(&row);
		}
		if (journal_delivery(f->j, seq, 7, &d, &f->err) == JOURNAL_OK) {
			left.deliveries++;
			delivery_clear(&d);
		}
	}
	ok(f, journal_values(f->j, "save/1", "", count_value, &left, &f->err));
	ok(f, journal_dead(f->j, UINT32_MAX, 0, EVENTS, count_dead, &left, &f->err));
	return left;
}

static size_t set_aside(struct fixture *f)
{
	DIR *dir = opendir(f->directory);
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(dir)) != NULL) {
		char *path = mem_format("%s/%s", f->directory, e->d_name);

		if (strncmp(e->d_name, "journal.db.damaged-", 19) == 0) {
			n += !strstr(e->d_name, "-wal");
			unlink(path);
		}
		free(path);
	}
	closedir(dir);
	return n;
}

static void check_goes_on(struct fixture *f)
{
	uint64_t next = journal_last_seq(f->j) + 1;

	assert_true(next > EVENTS);
	ok(f, journal_begin(f->j, &f->err));
	add_event(f, next);
	ok(f, journal_commit(f->j, &f->err));
}

/* How much a page may take with it: the root of a table all of that table. */
static void check_page(struct fixture *f, size_t page, size_t *roots)
{
	struct left left;
	int tables;

	open_it(f);
	left = what_is_left(f);
	tables = (left.events < EVENTS) + (left.deliveries < EVENTS) + (left.values < EVENTS);
	if (tables > 1)
		fail_msg("page %zu: %zu events, %zu deliveries, %zu values left: %s", page,
			 left.events, left.deliveries, left.values, f->found.damaged);
	if (tables && (!f->found.damaged || strlen(f->found.damaged) < 20))
		fail_msg("page %zu: nobody was told of what was lost", page);
	if (f->found.damaged && set_aside(f) != 1)
		fail_msg("page %zu: the damaged file was not kept", page);
	*roots += left.events + 80 < EVENTS || left.deliveries + 300 < EVENTS ||
		  left.values + 120 < EVENTS;
	check_goes_on(f);
	close_it(f);
}

static void a_bad_page_takes_only_its_own_rows(void **state)
{
	struct fixture *f = *state;
	static const unsigned char with[] = {0x00, 0xff, 0x0d};
	size_t pages = f->whole.len / JOURNAL_PAGE, roots = 0;

	assert_true(pages > 30);
	for (size_t page = 1; page < pages; page++) {
		damage(f, page * JOURNAL_PAGE, JOURNAL_PAGE, with[page % 3]);
		check_page(f, page, &roots);
	}
	assert_true(roots <= 3);
}

static void a_file_cut_short_keeps_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct left left;

	assert_int_equal(truncate(f->path, (off_t)(f->whole.len / JOURNAL_PAGE / 2 * JOURNAL_PAGE)),
			 0);
	open_it(f);
	assert_non_null(f->found.damaged);
	left = what_is_left(f);
	assert_true(left.events > 20 && left.events < EVENTS);
	check_goes_on(f);
}

static void without_its_first_page_a_journal_is_still_read(void **state)
{
	struct fixture *f = *state;
	struct left left;

	damage(f, 0, JOURNAL_PAGE, 0xff);
	open_it(f);
	assert_non_null(f->found.damaged);
	left = what_is_left(f);
	assert_int_equal(left.events, EVENTS);
	assert_int_equal(left.deliveries, EVENTS);
	assert_int_equal(left.values, EVENTS);
	check_goes_on(f);
}

static void what_never_was_a_journal_is_set_aside(void **state)
{
	struct fixture *f = *state;

	damage(f, 0, f->whole.len, 'x');
	open_it(f);
	assert_non_null(f->found.damaged);
	assert_int_equal(set_aside(f), 1);
	assert_true(journal_last_seq(f->j) > 0);
	check_goes_on(f);
}

static void unfinished_deliveries_of_lost_events_are_dead_letters(void **state)
{
	struct fixture *f = *state;
	struct journal_event row;
	struct left left;
	struct buf bad = {0};
	char *at;

	buf_add(&bad, f->whole.data, f->whole.len);
	at = memmem(bad.data, bad.len, "{\"n\":77,", 8);
	assert_non_null(at);
	at[6] = '8';
	damage(f, f->whole.len - JOURNAL_PAGE, JOURNAL_PAGE, 0xff);
	memset(bad.data + f->whole.len - JOURNAL_PAGE, 0xff, JOURNAL_PAGE);
	write_whole(f->path, &bad);
	buf_free(&bad);
	open_it(f);
	left = what_is_left(f);
	assert_int_equal(journal_event(f->j, 77, &row, &f->err), JOURNAL_ABSENT);
	assert_true(left.dead >= 1);
	assert_non_null(strstr(f->found.damaged, "wrong checksum"));
}

static int64_t no_room(struct world *w, const char *path)
{
	(void)w;
	(void)path;
	return 1000000;
}

/* Without room for two journals what is still owed is saved, and the history stays behind. */
static void on_a_full_disk_what_is_needed_is_saved(void **state)
{
	struct fixture *f = *state;
	struct left left;
	struct journal_event row;

	f->world.disk_free = no_room;
	damage(f, 0, JOURNAL_PAGE, 0xff);
	open_it(f);
	left = what_is_left(f);
	assert_int_equal(left.deliveries, EVENTS);
	assert_int_equal(left.values, EVENTS);
	assert_int_equal(left.dead, 0);
	for (uint64_t seq = 1; seq <= EVENTS; seq++) {
		bool needed = seq > 123 || seq % 2 || seq == 44 || seq == 46;
		bool there = journal_event(f->j, seq, &row, &f->err) == JOURNAL_OK;

		if (there)
			journal_event_clear(&row);
		if (there != needed)
			fail_msg("event %llu is%s there", (unsigned long long)seq,
				 there ? "" : " not");
	}
	assert_non_null(strstr(f->found.damaged, "59 ended events stay in the damaged file"));
	check_goes_on(f);
}

static void what_was_lost_is_told_until_acknowledged(void **state)
{
	struct fixture *f = *state;

	damage(f, 0, f->whole.len, 'x');
	open_it(f);
	close_it(f);
	open_it(f);
	assert_non_null(f->found.damaged);
	assert_non_null(strstr(f->found.damaged, "journal.db.damaged-"));
	ok(f, journal_acknowledge(f->j, &f->err));
	close_it(f);
	open_it(f);
	assert_null(f->found.damaged);
}

/* The crash comes when all was saved, and the damaged file is away. */
static void a_salvage_that_was_cut_off_is_finished(void **state)
{
	struct fixture *f = *state;
	char *saved = mem_format("%s.salvaged", f->path);
	struct left left;

	assert_int_equal(rename(f->path, saved), 0);
	open_it(f);
	left = what_is_left(f);
	assert_int_equal(left.events, EVENTS);
	assert_int_not_equal(access(saved, F_OK), 0);
	free(saved);
}

static void add_large(struct fixture *f, uint64_t seq)
{
	char *data = mem_format("{\"t\":\"%010000d\"}", 0);
	struct journal_event row = {0};

	row.event = event_create(&(struct event){.seq = seq,
						 .id = "i",
						 .source = "s",
						 .type = "t",
						 .instance = "i",
						 .data = data,
						 .data_len = strlen(data)});
	ok(f, journal_begin(f->j, &f->err));
	ok(f, journal_add(f->j, &row, &f->err));
	ok(f, journal_commit(f->j, &f->err));
	event_unref(row.event);
	free(data);
}

static bool go_on(const struct journal_event *row, void *arg)
{
	(void)row;
	(void)arg;
	return true;
}

/* More than SQLite keeps in memory, spoiled under its feet. */
static void damage_met_while_running_ends_it_and_the_next_start_salvages(void **state)
{
	struct fixture *f = *state;
	struct journal_event row;

	open_it(f);
	for (uint64_t seq = EVENTS + 1; seq <= EVENTS + 600; seq++)
		add_large(f, seq);
	read_whole(f->path, &f->whole);
	damage(f, JOURNAL_PAGE * 40, f->whole.len - JOURNAL_PAGE * 40, 0xff);
	assert_int_equal(journal_events(f->j, 0, false, SIZE_MAX, go_on, NULL, &f->err),
			 JOURNAL_FAILED);
	assert_non_null(strstr(f->err.text, "damaged"));
	assert_int_equal(journal_begin(f->j, &f->err), JOURNAL_FAILED);
	close_it(f);
	open_it(f);
	assert_non_null(f->found.damaged);
	ok(f, journal_event(f->j, 1, &row, &f->err));
	journal_event_clear(&row);
	assert_true(journal_last_seq(f->j) > EVENTS + 600);
	close_it(f);
	open_it(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_bad_page_takes_only_its_own_rows),
		TEST(a_file_cut_short_keeps_what_is_there),
		TEST(without_its_first_page_a_journal_is_still_read),
		TEST(what_never_was_a_journal_is_set_aside),
		TEST(unfinished_deliveries_of_lost_events_are_dead_letters),
		TEST(on_a_full_disk_what_is_needed_is_saved),
		TEST(what_was_lost_is_told_until_acknowledged),
		TEST(a_salvage_that_was_cut_off_is_finished),
		TEST(damage_met_while_running_ends_it_and_the_next_start_salvages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
