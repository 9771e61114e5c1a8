#include "journal/dedupe.h"

#include "base/mem.h"
#include "base/testplace.h"
#include "journal/names.h"
#include "journal/runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY INT64_C(86400000)
#define AGE (7 * DAY)

struct fixture {
	struct world world;
	char directory[64];
	struct journal *j;
	struct names *names;
	struct dedupe *d;
	const char *instance; /* of the events to come */
	struct err err;
	int64_t now;
	int64_t max;
};

static void ok(const struct fixture *f, enum journal_status status)
{
	if (status != JOURNAL_OK)
		fail_msg("%d: %s", (int)status, f->err.text);
}

static enum journal_status find_event(struct fixture *f, const struct event *ev, uint64_t *seq)
{
	struct dedupe_mark mark = dedupe_mark(f->d, ev);

	return dedupe_find(f->d, &mark, ev->at, seq, &f->err);
}

static enum journal_status add_event(struct fixture *f, const struct event *ev)
{
	struct dedupe_mark mark = dedupe_mark(f->d, ev);

	return dedupe_add(f->d, &mark, ev, &f->err);
}

static void restart(struct fixture *f)
{
	struct journal_opened found;

	dedupe_free(f->d);
	names_free(f->names);
	journal_close(f->j);
	f->j = journal_open(&f->world, f->directory, &found, &f->err);
	assert_non_null(f->j);
	f->names = names_load(f->j, &f->err);
	assert_non_null(f->names);
	f->d = dedupe_load(f->j, f->names, AGE, f->max, &f->err);
	assert_non_null(f->d);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->world = *world_real();
	f->now = 100 * DAY;
	f->max = 5000000;
	f->instance = "i";
	testplace_make(f->directory, "dedupe");
	restart(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	dedupe_free(f->d);
	names_free(f->names);
	journal_close(f->j);
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static struct event *numbered(struct fixture *f, uint64_t n, uint64_t seq)
{
	char id[32];

	snprintf(id, sizeof id, "id-%llu", (unsigned long long)n);
	return event_create(&(struct event){.seq = seq,
					    .at = f->now,
					    .id = id,
					    .source = "s",
					    .type = "t",
					    .instance = f->instance,
					    .data = "{}",
					    .data_len = 2});
}

static uint64_t find(struct fixture *f, uint64_t n)
{
	struct event *ev = numbered(f, n, 0);
	uint64_t seq;

	ok(f, find_event(f, ev, &seq));
	event_unref(ev);
	return seq;
}

/* Accept ids from..to as the next events, in one transaction. */
static void accept(struct fixture *f, uint64_t from, uint64_t to)
{
	ok(f, journal_begin(f->j, &f->err));
	for (uint64_t n = from; n <= to; n++) {
		struct journal_event row = {.event = numbered(f, n, journal_last_seq(f->j) + 1)};

		ok(f, journal_add(f->j, &row, &f->err));
		ok(f, add_event(f, row.event));
		event_unref(row.event);
	}
	ok(f, journal_commit(f->j, &f->err));
}

static uint64_t trim(struct fixture *f)
{
	uint64_t floor;

	ok(f, journal_begin(f->j, &f->err));
	ok(f, dedupe_trim(f->d, f->now, &floor, &f->err));
	ok(f, journal_commit(f->j, &f->err));
	return floor;
}

/* docs/behaviour.md, dedupe: on (instance, source, id). */
static void an_id_is_known_by_instance_source_and_id(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *instance, *source, *id;
		uint64_t seq;
	} asked[] = {{"i", "s", "id-1", 1},
		     {"x", "s", "id-1", 0},
		     {"i", "x", "id-1", 0},
		     {"i", "s", "id-2", 0},
		     {"is", "", "id-1", 0}};

	accept(f, 1, 1);
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		struct event *ev = event_create(&(struct event){.id = asked[i].id,
								.source = asked[i].source,
								.instance = asked[i].instance,
								.type = "t",
								.data = "{}",
								.data_len = 2});
		uint64_t seq;

		ok(f, find_event(f, ev, &seq));
		assert_int_equal(seq, asked[i].seq);
		event_unref(ev);
	}
}

static void check_all(struct fixture *f, uint64_t n)
{
	for (uint64_t i = 1; i <= n; i++) {
		uint64_t seq = find(f, i);

		if (seq != i)
			fail_msg("id %llu of %llu: found as %llu", (unsigned long long)i,
				 (unsigned long long)n, (unsigned long long)seq);
	}
	assert_int_equal(find(f, n + 1), 0);
}

/* With max 160 a run is made of each 21 ids, and 17 of these of one larger one. */
static void a_crash_at_any_point_forgets_nothing(void **state)
{
	struct fixture *f = *state;

	f->max = 160;
	restart(f);
	for (uint64_t n = 1; n <= 64; n++) {
		accept(f, n, n);
		restart(f);
		check_all(f, n);
	}
}

static void a_batch_that_is_rolled_back_is_forgotten(void **state)
{
	struct fixture *f = *state;

	f->max = 160;
	restart(f);
	accept(f, 1, 50);
	ok(f, journal_begin(f->j, &f->err));
	for (uint64_t n = 51; n <= 100; n++) {
		struct event *ev = numbered(f, n, n);

		ok(f, add_event(f, ev));
		event_unref(ev);
	}
	assert_int_equal(find(f, 100), 100);
	journal_rollback(f->j);
	ok(f, dedupe_reload(f->d, &f->err));
	check_all(f, 50);
	for (uint64_t n = 51; n <= 100; n++)
		assert_int_equal(find(f, n), 0);
}

static void ids_are_forgotten_when_they_are_old(void **state)
{
	struct fixture *f = *state;

	accept(f, 1, 10);
	f->now += AGE;
	assert_int_equal(find(f, 1), 1);
	f->now += 1;
	assert_int_equal(find(f, 1), 0);
	accept(f, 1, 1); /* the same id anew */
	assert_int_equal(find(f, 1), 11);
	restart(f);
	assert_int_equal(find(f, 1), 11);
	assert_int_equal(find(f, 2), 0);
}

static void old_runs_are_dropped_whole(void **state)
{
	struct fixture *f = *state;
	struct runs *runs = runs_new();

	f->max = 800;
	restart(f);
	accept(f, 1, 400);
	f->now += AGE + 1;
	accept(f, 401, 500);
	trim(f);
	ok(f, runs_load(runs, f->j, &f->err));
	assert_true(runs_count(runs) == 1);
	for (uint64_t n = 401; n <= 500; n++)
		assert_int_equal(find(f, n), n);
	assert_int_equal(find(f, 400), 0);
	runs_free(runs);
}

static void of_too_many_the_last_are_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t first = 0;

	f->max = 800;
	restart(f);
	for (uint64_t n = 0; n < 50; n++) {
		accept(f, n * 100 + 1, n * 100 + 100);
		trim(f);
	}
	while (find(f, ++first) == 0)
		assert_true(first < 5000);
	assert_true(5000 - first + 1 >= 800);
	for (uint64_t n = 4201; n <= 5000; n++)
		assert_int_equal(find(f, n), n);
	assert_int_equal(find(f, 1), 0);
}

static void many_small_runs_become_a_large_one(void **state)
{
	struct fixture *f = *state;
	struct runs *runs = runs_new();

	ok(f, journal_begin(f->j, &f->err));
	for (uint64_t i = 0; i < 40; i++) {
		struct id ids[10];

		for (uint64_t k = 0; k < 10; k++)
			ids[k] = (struct id){
				{(i * 10 + k) << 55, i * 10 + k}, i * 10 + k + 1, f->now};
		ok(f, runs_add(runs, f->j, ids, 10, 0, &f->err));
	}
	assert_true(runs_count(runs) <= RUNS_MERGED + 2);
	for (uint64_t n = 0; n < 400; n++) {
		struct id found;
		uint64_t hash[2] = {n << 55, n};

		ok(f, runs_find(runs, f->j, hash, &found, &f->err));
		assert_int_equal(found.seq, n + 1);
	}
	ok(f, journal_commit(f->j, &f->err));
	ok(f, runs_load(runs, f->j, &f->err));
	assert_true(runs_count(runs) <= RUNS_MERGED + 2);
	runs_free(runs);
}

/* The newest entry of an id counts, in whichever run. */
static void a_later_entry_hides_an_earlier_one(void **state)
{
	struct fixture *f = *state;
	struct runs *runs = runs_new();
	struct id found;
	uint64_t hash[2] = {1, 2};

	ok(f, journal_begin(f->j, &f->err));
	for (uint64_t i = 1; i <= 20; i++) {
		struct id id = {{1, 2}, i, f->now};

		ok(f, runs_add(runs, f->j, &id, 1, 0, &f->err));
		ok(f, runs_find(runs, f->j, hash, &found, &f->err));
		assert_int_equal(found.seq, i);
	}
	ok(f, journal_commit(f->j, &f->err));
	runs_free(runs);
}

static void an_event_is_not_pruned_before_its_id_is_in_a_run(void **state)
{
	struct fixture *f = *state;

	accept(f, 1, 10);
	assert_int_equal(trim(f), 1);
	f->now += AGE / RUNS_MERGED + 1;
	assert_true(trim(f) == UINT64_MAX);
	restart(f);
	check_all(f, 10);
}

/* In a small journal they would keep intake from going on when all has been delivered. */
static void recent_ids_keep_no_more_history_than_they_may(void **state)
{
	struct fixture *f = *state;

	accept(f, 1, 50);
	assert_int_equal(trim(f), 1);
	dedupe_hold_back(f->d, 100);
	accept(f, 51, 100);
	assert_in_range(trim(f), 80, UINT64_MAX - 1);
	assert_int_equal(find(f, 1), 1);
	assert_int_equal(find(f, 100), 100);
}

static void firings_need_no_memory(void **state)
{
	struct fixture *f = *state;
	struct event *ev = event_create(&(struct event){.seq = 1,
							.at = f->now,
							.id = "r//1",
							.source = "r",
							.type = EVENT_FIRED,
							.instance = "pointsman",
							.data = "{}",
							.data_len = 2});
	uint64_t seq;

	ok(f, add_event(f, ev));
	ok(f, find_event(f, ev, &seq));
	assert_int_equal(seq, 0);
	event_unref(ev);
}

/* Enough for several runs and a merge; and an id that is new stays new. */
static void two_hundred_thousand_ids_are_kept_apart(void **state)
{
	struct fixture *f = *state;
	const uint64_t all = 200000;

	ok(f, journal_begin(f->j, &f->err));
	for (uint64_t n = 1; n <= all; n++) {
		struct event *ev = numbered(f, n, n);

		ok(f, add_event(f, ev));
		event_unref(ev);
	}
	ok(f, journal_commit(f->j, &f->err));
	for (uint64_t n = 1; n <= all; n += 97)
		assert_int_equal(find(f, n), n);
	for (uint64_t n = all + 1; n <= all + 5000; n++)
		assert_int_equal(find(f, n), 0);
}

/* docs/behaviour.md, names: `was = OLD` carries over what belonged to the name. */
static void a_number_stays_with_a_section_that_is_renamed(void **state)
{
	struct fixture *f = *state;
	struct names *n = names_load(f->j, &f->err);
	uint32_t a, b, r;

	ok(f, journal_begin(f->j, &f->err));
	a = names_number(n, f->j, NAME_INSTANCE, "a", NULL, &f->err);
	b = names_number(n, f->j, NAME_INSTANCE, "b", "unheard-of", &f->err);
	r = names_number(n, f->j, NAME_RULE, "a", NULL, &f->err);
	assert_true(a && b && r && a != b && a != r);
	ok(f, journal_commit(f->j, &f->err));
	ok(f, journal_begin(f->j, &f->err));
	assert_int_equal(names_number(n, f->j, NAME_INSTANCE, "c", "a", &f->err), a);
	assert_int_equal(names_number(n, f->j, NAME_INSTANCE, "b", "c", &f->err), b);
	ok(f, journal_commit(f->j, &f->err));
	names_free(n);
	restart(f);
	n = names_load(f->j, &f->err);
	assert_int_equal(names_find(n, NAME_INSTANCE, "c"), a);
	assert_int_equal(names_find(n, NAME_INSTANCE, "a"), 0);
	assert_int_equal(names_find(n, NAME_RULE, "a"), r);
	assert_string_equal(names_text(n, a), "c");
	assert_string_equal(names_first(n, a), "a");
	assert_string_equal(names_text(n, 99), "?");
	names_free(n);
}

static void rename_instance(struct fixture *f, const char *was, const char *name)
{
	ok(f, journal_begin(f->j, &f->err));
	assert_true(names_number(f->names, f->j, NAME_INSTANCE, name, was, &f->err));
	ok(f, journal_commit(f->j, &f->err));
	f->instance = name;
}

/* docs/behaviour.md, names: an id that the old name brought is known of the new one. */
static void an_id_stays_known_when_its_source_is_renamed(void **state)
{
	struct fixture *f = *state;

	f->max = 800; /* so that some are in a run */
	restart(f);
	rename_instance(f, NULL, "i");
	accept(f, 1, 150);
	rename_instance(f, "i", "k");
	for (int again = 0; again < 2; again++) {
		assert_int_equal(find(f, 1), 1);
		assert_int_equal(find(f, 150), 150);
		restart(f);
	}
	accept(f, 151, 151);
	restart(f);
	assert_int_equal(find(f, 151), 151);
	f->instance = "other";
	assert_int_equal(find(f, 1), 0);
}

static void a_name_of_a_batch_that_failed_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct names *n = names_load(f->j, &f->err);

	ok(f, journal_begin(f->j, &f->err));
	assert_true(names_number(n, f->j, NAME_RULE, "a", NULL, &f->err) != 0);
	journal_rollback(f->j);
	ok(f, names_reload(n, f->j, &f->err));
	assert_int_equal(names_find(n, NAME_RULE, "a"), 0);
	names_free(n);
}

static void more_sections_than_there_are_numbers_are_refused(void **state)
{
	struct fixture *f = *state;
	struct names *n;
	static const char full[] = "0\tlast\tlast";

	ok(f, journal_begin(f->j, &f->err));
	ok(f, journal_put(f->j, "name", "65535", full, sizeof full - 1, &f->err));
	n = names_load(f->j, &f->err);
	assert_int_equal(names_find(n, NAME_INSTANCE, "last"), 65535);
	assert_int_equal(names_number(n, f->j, NAME_RULE, "one more", NULL, &f->err), 0);
	assert_non_null(strstr(f->err.text, "start with a new one"));
	journal_rollback(f->j);
	names_free(n);
}

static void put(struct fixture *f, const char *space, const char *key, const char *value)
{
	ok(f, journal_put(f->j, space, key, value, strlen(value), &f->err));
}

/* Such a run would have more chunks than anybody can look at. */
static void a_run_that_cannot_be_is_none(void **state)
{
	struct fixture *f = *state;
	struct runs *runs = runs_new();

	ok(f, journal_begin(f->j, &f->err));
	put(f, "dedupe", "r 0000000001", "0 1 1 64");
	put(f, "dedupe", "r 0000000002", "0 18446744073709551615 1 0");
	put(f, "dedupe", "r 0000000003", "0 1 1");
	put(f, "dedupe", "r 0000000004", "0 1 1 0");
	ok(f, runs_load(runs, f->j, &f->err));
	assert_int_equal(runs_count(runs), 1);
	ok(f, runs_trim(runs, f->j, 2, 0, 0, &f->err));
	assert_int_equal(runs_count(runs), 0);
	journal_rollback(f->j);
	runs_free(runs);
}

static void of_two_names_for_a_number_the_first_has_it(void **state)
{
	struct fixture *f = *state;
	struct names *n;

	ok(f, journal_begin(f->j, &f->err));
	put(f, "name", "00007", "0\ta\ta");
	put(f, "name", "7", "0\tb\tb");
	n = names_load(f->j, &f->err);
	assert_int_equal(names_find(n, NAME_INSTANCE, "a"), 7);
	assert_int_equal(names_find(n, NAME_INSTANCE, "b"), 0);
	names_free(n);
	journal_rollback(f->j);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_id_is_known_by_instance_source_and_id),
		TEST(a_crash_at_any_point_forgets_nothing),
		TEST(a_batch_that_is_rolled_back_is_forgotten),
		TEST(ids_are_forgotten_when_they_are_old),
		TEST(old_runs_are_dropped_whole),
		TEST(of_too_many_the_last_are_kept),
		TEST(many_small_runs_become_a_large_one),
		TEST(a_later_entry_hides_an_earlier_one),
		TEST(an_event_is_not_pruned_before_its_id_is_in_a_run),
		TEST(recent_ids_keep_no_more_history_than_they_may),
		TEST(firings_need_no_memory),
		TEST(two_hundred_thousand_ids_are_kept_apart),
		TEST(a_number_stays_with_a_section_that_is_renamed),
		TEST(an_id_stays_known_when_its_source_is_renamed),
		TEST(a_name_of_a_batch_that_failed_is_forgotten),
		TEST(a_run_that_cannot_be_is_none),
		TEST(of_two_names_for_a_number_the_first_has_it),
		TEST(more_sections_than_there_are_numbers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
