#include "journal/journal.h"

#include "base/mem.h"
#include "base/testplace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW INT64_C(1790000000000)

struct fixture {
	struct world world;
	char directory[64];
	struct journal *j;
	struct journal_opened found;
	struct err err;
	uint64_t walked; /* sum of seqs */
};

static void reopen(struct fixture *f)
{
	journal_close(f->j);
	free(f->found.damaged);
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	if (!f->j)
		fail_msg("%s", f->err.text);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->world = *world_real();
	testplace_make(f->directory, "journal");
	reopen(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	free(f->found.damaged);
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static char *in_directory(const struct fixture *f, const char *name)
{
	return mem_format("%s/%s", f->directory, name);
}

static void ok(const struct fixture *f, enum journal_status status)
{
	if (status != JOURNAL_OK)
		fail_msg("%d: %s", (int)status, f->err.text);
}

static struct event *make_event(uint64_t seq, const char *id)
{
	return event_create(&(struct event){.seq = seq,
					    .at = NOW + (int64_t)seq,
					    .id = id,
					    .source = "table/x",
					    .type = "dynamodb.item.modified",
					    .subject = "item 7",
					    .time = "2026-11-24T01:02:03Z",
					    .instance = "algorithms",
					    .data = "{\"n\":1.50}",
					    .data_len = 10});
}

static void add(struct fixture *f, uint64_t seq, uint64_t cause, uint32_t target)
{
	struct event *base = make_event(seq, "id"), copy = *base;
	struct duty duty = {.target = target};
	struct journal_event row = {.duties = &duty, .nduties = target ? 1 : 0};

	copy.cause = cause;
	row.event = event_create(&copy);
	ok(f, journal_add(f->j, &row, &f->err));
	event_unref(row.event);
	event_unref(base);
}

static void begin(struct fixture *f)
{
	ok(f, journal_begin(f->j, &f->err));
}

static void commit(struct fixture *f)
{
	ok(f, journal_commit(f->j, &f->err));
}

static void fill(struct fixture *f, uint64_t from, uint64_t to, uint32_t target)
{
	begin(f);
	for (uint64_t seq = from; seq <= to; seq++)
		add(f, seq, 0, target);
	commit(f);
}

static void an_event_comes_back_with_every_attribute_and_its_duties(void **state)
{
	struct fixture *f = *state;
	struct duty duties[] = {{.target = 3, .rule = 4, .then = 5},
				{.target = 6, .group = 99, .overlap = 1, .members = true}};
	struct event *ev = event_create(&(struct event){.seq = 1,
							.at = NOW,
							.id = "id \xc3\xbc",
							.source = "s",
							.type = "a.b",
							.traceparent = "00-1-2-01",
							.time = "2026-11-24T01:02:03Z",
							.instance = "in",
							.data = "{\"big\":10000000000000000000001}",
							.data_len = 31,
							.cause = 0,
							.caused_by = "build",
							.origin = 17,
							.hops = 32});
	struct journal_event row = {.event = ev,
				    .duties = duties,
				    .nduties = 2,
				    .generation = 12,
				    .refused = true,
				    .decided = (char *)"[]"};
	struct journal_event got;

	begin(f);
	ok(f, journal_add(f->j, &row, &f->err));
	commit(f);
	reopen(f);
	ok(f, journal_event(f->j, 1, &got, &f->err));
	assert_string_equal(got.event->id, ev->id);
	assert_string_equal(got.event->type, "a.b");
	assert_null(got.event->subject);
	assert_string_equal(got.event->traceparent, ev->traceparent);
	assert_string_equal(got.event->time, ev->time);
	assert_string_equal(got.event->instance, "in");
	assert_string_equal(got.event->caused_by, "build");
	assert_int_equal(got.event->data_len, 31);
	assert_memory_equal(got.event->data, ev->data, 32);
	assert_int_equal(got.event->origin, 17);
	assert_int_equal(got.event->hops, 32);
	assert_true(got.event->at == NOW);
	assert_int_equal(got.generation, 12);
	assert_true(got.refused);
	assert_string_equal(got.decided, "[]");
	assert_int_equal(got.nduties, 2);
	assert_int_equal(got.duties[0].then, 5);
	assert_true(got.duties[1].group == 99 && got.duties[1].members);
	journal_event_clear(&got);
	assert_int_equal(journal_event(f->j, 2, &got, &f->err), JOURNAL_ABSENT);
	event_unref(ev);
}

static void what_is_rolled_back_was_never_there(void **state)
{
	struct fixture *f = *state;
	struct journal_event got;
	struct buf value = {0};

	fill(f, 1, 1, 0);
	begin(f);
	add(f, 2, 0, 0);
	ok(f, journal_put(f->j, "s", "k", "v", 1, &f->err));
	assert_int_equal(journal_last_seq(f->j), 2);
	journal_rollback(f->j);
	assert_int_equal(journal_last_seq(f->j), 1);
	assert_int_equal(journal_event(f->j, 2, &got, &f->err), JOURNAL_ABSENT);
	assert_int_equal(journal_get(f->j, "s", "k", &value, &f->err), JOURNAL_ABSENT);
}

struct seen_events {
	uint64_t seqs[16];
	size_t n, stop;
	uint32_t seen;
	int64_t seen_at;
};

static bool note_event(const struct journal_event *row, void *arg)
{
	struct seen_events *s = arg;

	s->seqs[s->n++] = row->event->seq;
	s->seen = row->seen;
	s->seen_at = row->seen_at;
	return s->n != s->stop;
}

static void events_are_walked_both_ways_and_the_reader_may_stop(void **state)
{
	struct fixture *f = *state;
	struct seen_events up = {0}, down = {0}, one = {.stop = 1}, two = {0};

	fill(f, 1, 5, 0);
	ok(f, journal_events(f->j, 2, false, 10, note_event, &up, &f->err));
	assert_int_equal(up.n, 3);
	assert_int_equal(up.seqs[0], 3);
	ok(f, journal_events(f->j, UINT64_MAX, true, 10, note_event, &down, &f->err));
	assert_int_equal(down.n, 5);
	assert_int_equal(down.seqs[0], 5);
	ok(f, journal_events(f->j, 0, false, 10, note_event, &one, &f->err));
	assert_int_equal(one.n, 1);
	ok(f, journal_events(f->j, 4, true, 2, note_event, &two, &f->err));
	assert_int_equal(two.n, 2);
	assert_int_equal(two.seqs[1], 2);
}

static bool walk_inside(const struct journal_event *row, void *arg)
{
	struct fixture *f = arg;
	struct seen_events inner = {0};

	ok(f, journal_effects(f->j, 2, note_event, &inner, &f->err));
	assert_int_equal(inner.n, 1);
	f->walked += row->event->seq;
	return true;
}

static void a_reader_may_read_on_inside_a_walk(void **state)
{
	struct fixture *f = *state;

	begin(f);
	add(f, 1, 0, 0);
	add(f, 2, 1, 0);
	add(f, 3, 2, 0);
	add(f, 4, 1, 0);
	commit(f);
	ok(f, journal_effects(f->j, 1, walk_inside, f, &f->err));
	assert_int_equal(f->walked, 2 + 4);
	ok(f, journal_events(f->j, 0, false, 9, walk_inside, f, &f->err));
	assert_int_equal(f->walked, 6 + 10);
}

static void effects_are_the_events_caused_by_one(void **state)
{
	struct fixture *f = *state;
	struct seen_events s = {0};

	begin(f);
	add(f, 1, 0, 0);
	add(f, 2, 1, 0);
	add(f, 3, 2, 0);
	add(f, 4, 1, 0);
	commit(f);
	ok(f, journal_effects(f->j, 1, note_event, &s, &f->err));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.seqs[0], 2);
	assert_int_equal(s.seqs[1], 4);
}

/* docs/behaviour.md, dedupe: a repeat adds "seen again" to the first event's timeline. */
static void repeats_are_counted_with_their_event(void **state)
{
	struct fixture *f = *state;
	struct seen_events s = {0};

	fill(f, 1, 1, 0);
	begin(f);
	ok(f, journal_seen_again(f->j, 1, NOW + 5, &f->err));
	ok(f, journal_seen_again(f->j, 1, NOW + 9, &f->err));
	commit(f);
	ok(f, journal_events(f->j, 0, false, 1, note_event, &s, &f->err));
	assert_int_equal(s.seen, 2);
	assert_true(s.seen_at == NOW + 9);
}

struct seen_duties {
	uint64_t seqs[64];
	size_t n, most; /* most: when it has had enough; 0: never */
};

static bool note_duty(struct event *ev, const struct duty *duty, void *arg)
{
	struct seen_duties *s = arg;

	assert_int_equal(duty->target, 7);
	s->seqs[s->n++] = ev->seq;
	return s->n != s->most;
}

static void a_duty_is_found_until_its_delivery_has_a_row(void **state)
{
	struct fixture *f = *state;
	struct seen_duties s = {0};
	uint64_t reached;

	fill(f, 1, 2, 7);
	fill(f, 3, 3, 8);
	fill(f, 4, 4, 7);
	begin(f);
	ok(f, journal_put_delivery(f->j, &(struct delivery){.seq = 2, .duty = {.target = 7}},
				   &f->err));
	commit(f);
	ok(f, journal_duties(f->j, 7, 0, 10, 10, &reached, note_duty, &s, &f->err));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.seqs[0], 1);
	assert_int_equal(s.seqs[1], 4);
	assert_int_equal(reached, 4);
}

static void a_search_for_duties_tells_how_far_it_looked(void **state)
{
	struct fixture *f = *state;
	struct seen_duties s = {0};
	uint64_t reached;

	fill(f, 1, 10, 7);
	ok(f, journal_duties(f->j, 7, 2, 3, 100, &reached, note_duty, &s, &f->err));
	assert_int_equal(s.n, 3);
	assert_int_equal(reached, 5);
	ok(f, journal_duties(f->j, 6, 0, 3, 4, &reached, note_duty, &s, &f->err));
	assert_int_equal(s.n, 3);
	assert_int_equal(reached, 4);
	ok(f, journal_duties(f->j, 7, 10, 3, 4, &reached, note_duty, &s, &f->err));
	assert_int_equal(reached, 10);
	s.most = s.n + 2;
	ok(f, journal_duties(f->j, 7, 0, 10, 100, &reached, note_duty, &s, &f->err));
	assert_int_equal(s.n, s.most);
	assert_int_equal(reached, 2);
}

static void a_delivery_comes_back_as_it_was_put(void **state)
{
	struct fixture *f = *state;
	struct delivery d = {.seq = UINT64_C(1) << 40,
			     .duty = {.target = 65535,
				      .rule = 2,
				      .then = 3,
				      .group = UINT64_MAX,
				      .overlap = 2,
				      .members = true},
			     .state = DELIVERY_RETRY,
			     .round = 1,
			     .attempt = 2,
			     .emitted = 3,
			     .deaths = 4,
			     .unknown = true,
			     .own = true,
			     .due = NOW,
			     .first_at = NOW + 1,
			     .begun_at = NOW + 2,
			     .ended_at = NOW + 3,
			     .by = 5,
			     .held = (char *)"h",
			     .trail = (char *)"[]"};
	struct delivery got;

	begin(f);
	ok(f, journal_put_delivery(f->j, &d, &f->err));
	commit(f);
	ok(f, journal_delivery(f->j, d.seq, 65535, &got, &f->err));
	assert_true(got.seq == d.seq);
	assert_memory_equal(&got.duty.group, &d.duty.group, 8);
	assert_int_equal(got.duty.target, 65535);
	assert_int_equal(got.duty.rule, 2);
	assert_int_equal(got.duty.then, 3);
	assert_int_equal(got.duty.overlap, 2);
	assert_true(got.duty.members && got.unknown && got.own && !got.told);
	assert_int_equal(got.state, DELIVERY_RETRY);
	assert_int_equal(got.round, 1);
	assert_int_equal(got.attempt, 2);
	assert_int_equal(got.emitted, 3);
	assert_int_equal(got.deaths, 4);
	assert_true(got.due == NOW && got.first_at == NOW + 1 && got.begun_at == NOW + 2);
	assert_true(got.ended_at == NOW + 3 && got.by == 5);
	assert_string_equal(got.held, "h");
	assert_null(got.why);
	assert_string_equal(got.trail, "[]");
	delivery_clear(&got);
	assert_int_equal(journal_delivery(f->j, d.seq, 1, &got, &f->err), JOURNAL_ABSENT);
}

static void a_target_number_that_does_not_fit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct delivery d = {.seq = 1, .duty = {.target = 65536}};

	begin(f);
	assert_int_equal(journal_put_delivery(f->j, &d, &f->err), JOURNAL_FAILED);
	journal_rollback(f->j);
}

struct seen_deliveries {
	struct {
		uint64_t seq;
		uint32_t target;
	} rows[16];
	size_t n;
};

static bool note_delivery(const struct delivery *d, void *arg)
{
	struct seen_deliveries *s = arg;

	s->rows[s->n].seq = d->seq;
	s->rows[s->n++].target = d->duty.target;
	return true;
}

static void put(struct fixture *f, uint64_t seq, uint32_t target, enum delivery_state state)
{
	struct delivery d = {
		.seq = seq, .duty = {.target = target}, .state = state, .ended_at = NOW};

	ok(f, journal_put_delivery(f->j, &d, &f->err));
}

static void put_some_of_all_states(struct fixture *f)
{
	fill(f, 1, 9, 0);
	begin(f);
	put(f, 1, 2, DELIVERY_DONE);
	put(f, 1, 3, DELIVERY_DEAD);
	put(f, 2, 2, DELIVERY_RETRY);
	put(f, 3, 2, DELIVERY_DEAD);
	put(f, 4, 0, DELIVERY_DEAD);
	put(f, 5, 2, DELIVERY_WAITING);
	put(f, 6, 3, DELIVERY_HELD);
	put(f, 7, 2, DELIVERY_DONE);
	put(f, 8, 2, DELIVERY_DONE);
	commit(f);
}

static void live_rows_are_listed_by_target(void **state)
{
	struct fixture *f = *state;
	struct seen_deliveries s = {0};

	put_some_of_all_states(f);
	ok(f, journal_live(f->j, 2, note_delivery, &s, &f->err));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.rows[0].seq, 2);
	assert_int_equal(s.rows[1].seq, 5);
}

static void dead_letters_are_listed_oldest_first_with_those_of_intake(void **state)
{
	struct fixture *f = *state;
	struct seen_deliveries all = {0}, later = {0}, of_2 = {0}, first = {0};

	put_some_of_all_states(f);
	ok(f, journal_dead(f->j, UINT32_MAX, 0, 10, note_delivery, &all, &f->err));
	assert_int_equal(all.n, 3);
	assert_int_equal(all.rows[0].target, 3);
	assert_int_equal(all.rows[2].target, DELIVERY_INTAKE);
	ok(f, journal_dead(f->j, UINT32_MAX, 1, 10, note_delivery, &later, &f->err));
	assert_int_equal(later.n, 2);
	ok(f, journal_dead(f->j, 2, 0, 10, note_delivery, &of_2, &f->err));
	assert_int_equal(of_2.n, 1);
	assert_int_equal(of_2.rows[0].seq, 3);
	ok(f, journal_dead(f->j, UINT32_MAX, 0, 1, note_delivery, &first, &f->err));
	assert_int_equal(first.n, 1);
}

static void behind_the_last_number_there_can_be_is_nothing(void **state)
{
	struct fixture *f = *state;
	struct seen_deliveries dead = {0};

	put_some_of_all_states(f);
	for (int bits = 40; bits < 64; bits++) {
		uint64_t after = (UINT64_C(1) << bits) - 1;

		ok(f, journal_dead(f->j, UINT32_MAX, after, 10, note_delivery, &dead, &f->err));
		ok(f, journal_deliveries(f->j, after, note_delivery, &dead, &f->err));
	}
	assert_int_equal(dead.n, 0);
}

static void a_dead_letter_that_is_redriven_is_live_again(void **state)
{
	struct fixture *f = *state;
	struct seen_deliveries dead = {0}, live = {0};

	put_some_of_all_states(f);
	begin(f);
	put(f, 3, 2, DELIVERY_WAITING);
	commit(f);
	ok(f, journal_dead(f->j, 2, 0, 10, note_delivery, &dead, &f->err));
	assert_int_equal(dead.n, 0);
	ok(f, journal_live(f->j, 2, note_delivery, &live, &f->err));
	assert_int_equal(live.n, 3);
}

/* docs/behaviour.md, order: `dlq retry` asks whether the target has since done a newer one. */
static void what_a_target_did_since_is_shown_newest_first(void **state)
{
	struct fixture *f = *state;
	struct seen_deliveries s = {0}, none = {0};

	put_some_of_all_states(f);
	ok(f, journal_done_after(f->j, 2, 3, 10, note_delivery, &s, &f->err));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.rows[0].seq, 8);
	assert_int_equal(s.rows[1].seq, 7);
	ok(f, journal_done_after(f->j, 2, 8, 10, note_delivery, &none, &f->err));
	assert_int_equal(none.n, 0);
}

static void the_rows_of_an_event_are_its_own(void **state)
{
	struct fixture *f = *state;
	struct seen_deliveries s = {0};

	put_some_of_all_states(f);
	ok(f, journal_deliveries(f->j, 1, note_delivery, &s, &f->err));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.rows[0].target, 2);
	assert_int_equal(s.rows[1].target, 3);
}

struct seen_values {
	struct fixture *f;
	char text[200];
};

static bool note_value(const char *key, const void *value, size_t len, void *arg)
{
	struct seen_values *s = arg;
	size_t used = strlen(s->text);

	snprintf(s->text + used, sizeof s->text - used, "%s=%.*s ", key, (int)len,
		 (const char *)value);
	return true;
}

static bool delete_value(const char *key, const void *value, size_t len, void *arg)
{
	struct seen_values *s = arg;

	(void)value;
	(void)len;
	ok(s->f, journal_put(s->f->j, "b", key, NULL, 0, &s->f->err));
	return true;
}

static void small_values_are_kept_by_space_and_key(void **state)
{
	struct fixture *f = *state;
	struct seen_values s = {.f = f}, left = {.f = f};
	struct buf value = {0};

	begin(f);
	ok(f, journal_put(f->j, "a", "k1", "1", 1, &f->err));
	ok(f, journal_put(f->j, "a", "k2", "", 0, &f->err));
	ok(f, journal_put(f->j, "a", "k2", "22", 2, &f->err));
	ok(f, journal_put(f->j, "a", "l", "3", 1, &f->err));
	ok(f, journal_put(f->j, "ab", "k3", "4", 1, &f->err));
	ok(f, journal_rename(f->j, "a", "b", &f->err));
	commit(f);
	reopen(f);
	ok(f, journal_values(f->j, "b", "k", note_value, &s, &f->err));
	assert_string_equal(s.text, "k1=1 k2=22 ");
	ok(f, journal_get(f->j, "ab", "k3", &value, &f->err));
	assert_string_equal(value.data, "4");
	assert_int_equal(journal_get(f->j, "a", "k1", &value, &f->err), JOURNAL_ABSENT);
	begin(f);
	ok(f, journal_values(f->j, "b", "k", delete_value, &s, &f->err));
	commit(f);
	ok(f, journal_values(f->j, "b", "", note_value, &left, &f->err));
	assert_string_equal(left.text, "l=3 ");
	buf_free(&value);
}

static void numbers_go_on_after_a_restart(void **state)
{
	struct fixture *f = *state;

	assert_true(f->found.fresh);
	assert_int_equal(journal_last_seq(f->j), 0);
	fill(f, 1, 3, 0);
	reopen(f);
	assert_false(f->found.fresh);
	assert_int_equal(journal_last_seq(f->j), 3);
}

static void the_directory_is_private_and_held_by_one_process(void **state)
{
	struct fixture *f = *state;
	char *inner = in_directory(f, "state"), expected[80];
	struct journal_opened found;
	struct journal *other = journal_open(&f->world, inner, &found, &f->err);
	struct stat st;

	assert_non_null(other);
	assert_int_equal(stat(inner, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_null(journal_open(&f->world, inner, &found, &f->err));
	snprintf(expected, sizeof expected, "in use by process %ld", (long)getpid());
	assert_non_null(strstr(f->err.text, expected));
	journal_close(other);
	other = journal_open(&f->world, inner, &found, &f->err);
	assert_non_null(other);
	journal_close(other);
	free(inner);
}

static void run_in_a_process_that_dies(struct fixture *f, void (*work)(struct fixture *f))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		work(f);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void open_and_add_one(struct fixture *f)
{
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	if (!f->j)
		_exit(1);
	fill(f, journal_last_seq(f->j) + 1, journal_last_seq(f->j) + 1, 0);
}

/* docs/behaviour.md, a plugin that kills the process: the next start must know. */
static void a_stop_without_close_is_noticed_once(void **state)
{
	struct fixture *f = *state;

	assert_false(f->found.unclean);
	journal_close(f->j);
	f->j = NULL;
	run_in_a_process_that_dies(f, open_and_add_one);
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	assert_true(f->found.unclean);
	assert_int_equal(journal_last_seq(f->j), 1);
	journal_leave(f->j);
	f->j = NULL;
	reopen(f);
	assert_true(f->found.unclean); /* a verb that only looked changed nothing */
	reopen(f);
	assert_false(f->found.unclean);
}

static void with_sqlite(struct fixture *f, const char *sql)
{
	char *path = in_directory(f, "journal.db");
	sqlite3 *db;

	journal_close(f->j);
	f->j = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	free(path);
}

static void a_journal_of_another_version_is_refused(void **state)
{
	struct fixture *f = *state;

	with_sqlite(f, "PRAGMA user_version = 3");
	assert_null(journal_open(&f->world, f->directory, &f->found, &f->err));
	assert_non_null(strstr(f->err.text, "newer pointsman"));
	with_sqlite(f, "PRAGMA user_version = 1");
	assert_null(journal_open(&f->world, f->directory, &f->found, &f->err));
	assert_non_null(strstr(f->err.text, "older pointsman"));
}

/* docs/behaviour.md, damaged journal: events carry their own checksum. */
static void an_event_that_was_changed_on_disk_counts_as_lost(void **state)
{
	struct fixture *f = *state;
	struct journal_event got;
	struct seen_events s = {0};
	struct seen_duties duties = {0};
	uint64_t reached;
	char *damage;

	fill(f, 1, 3, 7);
	with_sqlite(f, "UPDATE event SET data = '{\"n\":2.50}' WHERE seq = 2");
	reopen(f);
	assert_null(journal_take_damage(f->j));
	assert_int_equal(journal_event(f->j, 2, &got, &f->err), JOURNAL_ABSENT);
	ok(f, journal_events(f->j, 0, false, 10, note_event, &s, &f->err));
	assert_int_equal(s.n, 2);
	ok(f, journal_duties(f->j, 7, 0, 10, 10, &reached, note_duty, &duties, &f->err));
	assert_int_equal(duties.n, 2);
	assert_int_equal(reached, 3);
	damage = journal_take_damage(f->j);
	assert_string_equal(damage, "1 events with a wrong checksum: 2");
	free(damage);
	assert_null(journal_take_damage(f->j));
}

/* docs/behaviour.md, retention: auto_vacuum = INCREMENTAL from creation. */
static void the_file_is_made_to_shrink_and_to_sync_in_full(void **state)
{
	struct fixture *f = *state;
	char *path = in_directory(f, "journal.db");
	sqlite3_stmt *s;
	sqlite3 *db;

	journal_close(f->j);
	f->j = NULL;
	sqlite3_open(path, &db);
	sqlite3_prepare_v2(db, "PRAGMA auto_vacuum", -1, &s, NULL);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), 2);
	sqlite3_finalize(s);
	sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &s, NULL);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(s, 0), "wal");
	sqlite3_finalize(s);
	sqlite3_close(db);
	free(path);
}

/* docs/behaviour.md, disk full: a preallocated reserve file. */
static bool never(uint64_t seq, void *arg)
{
	(void)seq;
	(void)arg;
	return false;
}

static void the_reserve_is_there_until_it_is_spent_and_then_again(void **state)
{
	struct fixture *f = *state;
	bool more;
	char *path = in_directory(f, "reserve");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_blocks * 512 / (4 * 1024 * 1024), 1);
	assert_true(journal_spend_reserve(f->j));
	assert_int_not_equal(stat(path, &st), 0);
	assert_false(journal_spend_reserve(f->j));
	begin(f);
	ok(f, journal_prune(f->j, &(struct journal_limits){0}, NOW, never, NULL, &more, &f->err));
	commit(f);
	assert_int_equal(stat(path, &st), 0);
	free(path);
}

/* The power failed before what was set aside had reached the disk. */
static void a_reserve_without_bytes_is_made_anew(void **state)
{
	struct fixture *f = *state;
	char *path = in_directory(f, "reserve");
	struct stat st;

	assert_int_equal(truncate(path, 0), 0);
	reopen(f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 4 * 1024 * 1024);
	free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_comes_back_with_every_attribute_and_its_duties),
		TEST(what_is_rolled_back_was_never_there),
		TEST(events_are_walked_both_ways_and_the_reader_may_stop),
		TEST(effects_are_the_events_caused_by_one),
		TEST(a_reader_may_read_on_inside_a_walk),
		TEST(repeats_are_counted_with_their_event),
		TEST(a_duty_is_found_until_its_delivery_has_a_row),
		TEST(a_search_for_duties_tells_how_far_it_looked),
		TEST(a_delivery_comes_back_as_it_was_put),
		TEST(a_target_number_that_does_not_fit_is_refused),
		TEST(live_rows_are_listed_by_target),
		TEST(dead_letters_are_listed_oldest_first_with_those_of_intake),
		TEST(behind_the_last_number_there_can_be_is_nothing),
		TEST(a_dead_letter_that_is_redriven_is_live_again),
		TEST(what_a_target_did_since_is_shown_newest_first),
		TEST(the_rows_of_an_event_are_its_own),
		TEST(small_values_are_kept_by_space_and_key),
		TEST(numbers_go_on_after_a_restart),
		TEST(the_directory_is_private_and_held_by_one_process),
		TEST(a_stop_without_close_is_noticed_once),
		TEST(a_journal_of_another_version_is_refused),
		TEST(an_event_that_was_changed_on_disk_counts_as_lost),
		TEST(the_file_is_made_to_shrink_and_to_sync_in_full),
		TEST(the_reserve_is_there_until_it_is_spent_and_then_again),
		TEST(a_reserve_without_bytes_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
