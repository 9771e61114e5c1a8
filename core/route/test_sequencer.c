#include "route/sequencer.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/testplace.h"
#include "journal/snapshot.h"
#include "journal/testdisk.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000)
#define DAY    (86400 * SECOND)
#define NOW    (INT64_C(20000) * DAY)

struct fixture {
	struct world world;
	char directory[64];
	struct config *config;
	struct journal *j;
	struct journal_opened found;
	struct sequencer *s;
	struct batch out;
	struct txn *t;
	struct err err;
	int64_t now;
	char logged[2000];
};

static void keep_line(enum log_level level, const char *line, void *arg)
{
	struct fixture *f = arg;
	size_t used = strlen(f->logged);

	(void)level;
	snprintf(f->logged + used, sizeof f->logged - used, "%s\n", line);
}

static void ok(const struct fixture *f, enum journal_status status)
{
	if (status != JOURNAL_OK)
		fail_msg("%d: %s", (int)status, f->err.text);
}

static const char sections[] = "[source src]\nplugin = p\n[action build]\nplugin = p\n"
			       "[sink slack]\nplugin = p\n[sink cdn]\nplugin = p\n";

static struct config *parse(const char *rules)
{
	struct report report = {0};
	struct buf said = {0};
	char *text = mem_format("%s%s", sections, rules);
	struct config *config = config_load_text("t.ini", text, &report);

	report_print(&report, &said);
	if (report.errors)
		fail_msg("%s", buf_text(&said));
	buf_free(&said);
	report_free(&report);
	free(text);
	return config;
}

static void stop(struct fixture *f)
{
	sequencer_free(f->s);
	journal_close(f->j);
	config_free(f->config);
	f->s = NULL;
	f->j = NULL;
	f->config = NULL;
}

static void start(struct fixture *f, const char *rules)
{
	stop(f);
	f->logged[0] = '\0';
	f->config = parse(rules);
	free(f->found.damaged);
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	if (!f->j)
		fail_msg("%s", f->err.text);
	f->s = sequencer_new(f->j, f->config, &f->err);
	if (!f->s)
		fail_msg("%s", f->err.text);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	*state = f;
	f->world = *world_real();
	f->now = NOW;
	f->t = txn_new();
	testplace_make(f->directory, "sequencer");
	log_capture(keep_line, f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	stop(f);
	batch_clear(&f->out);
	txn_free(f->t);
	free(f->found.damaged);
	testplace_remove(f->directory);
	free(f);
	return 0;
}

static struct event *make(struct event ev)
{
	ev.source = ev.source ? ev.source : "s";
	ev.instance = ev.instance ? ev.instance : "src";
	ev.time = "2026-11-24T01:02:03Z";
	ev.data = ev.data ? ev.data : "{}";
	ev.data_len = strlen(ev.data);
	return event_create(&ev);
}

static void ask(struct fixture *f, struct event ev)
{
	struct event *made = make(ev);

	txn_emit(f->t, made);
	event_unref(made);
}

static enum journal_status try_commit(struct fixture *f)
{
	batch_clear(&f->out);
	return sequencer_batch(f->s, f->t, f->now, &f->out, &f->err);
}

static void commit(struct fixture *f)
{
	ok(f, try_commit(f));
	txn_free(f->t);
	f->t = txn_new();
}

static uint64_t emit(struct fixture *f, const char *id, const char *type, const char *data)
{
	uint64_t seq;

	ask(f, (struct event){.id = id, .type = type, .data = data});
	ok(f, try_commit(f));
	seq = f->t->changes[0].seq;
	txn_free(f->t);
	f->t = txn_new();
	return seq;
}

static uint32_t number(struct fixture *f, const char *name)
{
	return names_find(sequencer_names(f->s), NAME_INSTANCE, name);
}

static struct journal_event read_event(struct fixture *f, uint64_t seq)
{
	struct journal_event row;

	if (journal_event(f->j, seq, &row, &f->err) != JOURNAL_OK)
		fail_msg("there is no event %llu", (unsigned long long)seq);
	return row;
}

static struct delivery read_delivery(struct fixture *f, uint64_t seq, uint32_t target)
{
	struct delivery d;

	if (journal_delivery(f->j, seq, target, &d, &f->err) != JOURNAL_OK)
		fail_msg("event %llu has no row to %u", (unsigned long long)seq, target);
	return d;
}

static void has_value(struct fixture *f, const char *space, const char *key, const char *expected)
{
	struct buf value = {0};
	enum journal_status status = journal_get(f->j, space, key, &value, &f->err);

	if (expected)
		assert_string_equal(buf_text(&value), expected);
	else
		assert_int_equal(status, JOURNAL_ABSENT);
	buf_free(&value);
}

static void an_event_gets_its_number_its_time_and_its_duties(void **state)
{
	struct fixture *f = *state;
	struct journal_event row;

	start(f, "[rule r]\non = a.b\ndo = build, slack\n");
	assert_int_equal(emit(f, "x", "a.b", "{\"n\":1}"), 1);
	assert_int_equal(f->out.n, 1);
	assert_int_equal(f->out.from, 0);
	assert_int_equal(f->out.to, 1);
	assert_int_equal(f->out.accepted[0].n, 2);
	assert_int_equal(f->out.accepted[0].duties[1].target, number(f, "slack"));
	row = read_event(f, 1);
	assert_true(row.event->at == NOW);
	assert_int_equal(row.nduties, 2);
	assert_int_equal(row.generation, sequencer_generation(f->s));
	assert_string_equal(row.decided, "[{\"rule\":\"r\",\"matched\":true}]");
	journal_event_clear(&row);
}

/* docs/behaviour.md, dedupe: a repeat adds "seen again" to the first event's timeline. */
static void a_repeat_is_dropped_and_counted(void **state)
{
	struct fixture *f = *state;
	struct journal_event row;

	start(f, "[rule r]\non = a\ndo = build\n");
	emit(f, "x", "a", NULL);
	ask(f, (struct event){.id = "x", .type = "a"});
	ask(f, (struct event){.id = "y", .type = "a"});
	ask(f, (struct event){.id = "y", .type = "a"});
	ok(f, try_commit(f));
	assert_true(f->t->changes[0].duplicate && f->t->changes[0].seq == 1);
	assert_true(!f->t->changes[1].duplicate && f->t->changes[1].seq == 2);
	assert_true(f->t->changes[2].duplicate && f->t->changes[2].seq == 2);
	assert_int_equal(f->out.n, 1);
	row = read_event(f, 1);
	assert_int_equal(row.seen, 1);
	assert_true(row.seen_at == NOW);
	journal_event_clear(&row);
	start(f, "[rule r]\non = a\ndo = build\n");
	emit(f, "x", "a", NULL);
	assert_int_equal(f->out.n, 0);
}

/* docs/behaviour.md, emitted by an action: emits, saves, holds and the finish of one call are one
 * transaction. */
static void all_that_a_call_asked_for_is_there_at_once(void **state)
{
	struct fixture *f = *state;
	struct delivery d;
	struct change *c;

	start(f, "[rule r]\non = a\ndo = build\n");
	emit(f, "x", "a", NULL);
	d = (struct delivery){.seq = 1,
			      .duty = {.target = number(f, "build")},
			      .state = DELIVERY_HELD,
			      .attempt = 1,
			      .held = (char *)"build-7"};
	ask(f, (struct event){.id = "b", .type = "build.started", .cause = 1, .hops = 1});
	txn_save(f->t, number(f, "src"), "cursor", "17");
	txn_row(f->t, &d);
	txn_cursor(f->t, number(f, "build"), 1);
	c = txn_add(f->t, CHANGE_BREAKER);
	c->target = number(f, "build");
	c->value = mem_text("open");
	commit(f);
	d = read_delivery(f, 1, number(f, "build"));
	assert_string_equal(d.held, "build-7");
	delivery_clear(&d);
	has_value(f, "save/1", "cursor", "17");
	has_value(f, "cursor", "2", "1");
	has_value(f, "breaker", "2", "open");
	txn_save(f->t, number(f, "src"), "cursor", NULL);
	c = txn_add(f->t, CHANGE_BREAKER);
	c->target = number(f, "build");
	commit(f);
	has_value(f, "save/1", "cursor", NULL);
	has_value(f, "breaker", "2", NULL);
}

static void a_refused_event_is_a_dead_letter_with_its_reason(void **state)
{
	struct fixture *f = *state;
	struct event *ev = make((struct event){.id = "bad",
					       .type = "pointsman.event.refused",
					       .data = "{\"bytes\":\"..\",\"reason\":\"line 3\"}"});
	struct journal_event row;
	struct delivery d;

	start(f, "[rule r]\non = pointsman.*\ndo = build\n");
	txn_add(f->t, CHANGE_REFUSE)->event = event_ref(ev);
	txn_add(f->t, CHANGE_REFUSE)->event = ev;
	ok(f, try_commit(f));
	assert_false(f->t->changes[0].duplicate);
	assert_true(f->t->changes[1].duplicate);
	row = read_event(f, 1);
	assert_true(row.refused);
	assert_int_equal(row.nduties, 0);
	journal_event_clear(&row);
	d = read_delivery(f, 1, DELIVERY_INTAKE);
	assert_int_equal(d.state, DELIVERY_DEAD);
	assert_string_equal(d.why, "line 3");
	assert_true(d.ended_at == NOW);
	delivery_clear(&d);
}

/* docs/behaviour.md, a firing: an event in the same transaction, with the rule's targets. */
static void a_firing_is_an_event_of_the_same_batch(void **state)
{
	struct fixture *f = *state;
	struct journal_event row;

	start(f, "[rule r]\non = a\ngroup-by = data.g\ncount = 2 in 10m\ndo = build\n"
		 "[rule w]\non = pointsman.rule.fired\ndo = slack\n");
	ask(f, (struct event){.id = "1", .type = "a", .data = "{\"g\":\"x\",\"n\":1}"});
	ask(f, (struct event){.id = "2", .type = "a", .data = "{\"g\":\"x\",\"n\":2}", .hops = 4});
	ask(f, (struct event){.id = "3", .type = "b"});
	commit(f);
	assert_int_equal(f->out.n, 4);
	row = read_event(f, 3);
	assert_string_equal(row.event->type, EVENT_FIRED);
	assert_string_equal(row.event->source, "r");
	assert_string_equal(row.event->subject, "x");
	assert_string_equal(row.event->id, "r/x/2");
	assert_string_equal(row.event->instance, "pointsman");
	assert_int_equal(row.event->cause, 2);
	assert_int_equal(row.event->origin, 2);
	assert_int_equal(row.event->hops, 5);
	assert_true(event_check(row.event, &f->err));
	assert_non_null(strstr(row.event->data, "\"n\":1"));
	assert_int_equal(row.nduties, 2);
	assert_true(row.duties[0].members);
	assert_int_equal(row.duties[0].target, number(f, "build"));
	assert_false(row.duties[1].members);
	journal_event_clear(&row);
}

static void a_window_is_open_after_a_restart_and_fires_when_due(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncoalesce = 30s\ndo = build\n";
	struct journal_event row;

	start(f, rules);
	emit(f, "1", "a", NULL);
	f->now += 10 * SECOND;
	emit(f, "2", "a", NULL);
	start(f, rules);
	assert_true(sequencer_next_deadline(f->s, f->now) == NOW + 40 * SECOND);
	f->now = NOW + 40 * SECOND - 1;
	commit(f);
	assert_int_equal(f->out.n, 0);
	f->now++;
	commit(f);
	assert_int_equal(f->out.n, 1);
	row = read_event(f, 3);
	assert_non_null(strstr(row.event->data, "\"count\":2"));
	assert_string_equal(row.event->time, "2024-10-04T00:00:40.000Z");
	assert_int_equal(row.nduties, 1);
	journal_event_clear(&row);
	assert_true(sequencer_next_deadline(f->s, f->now) == INT64_MAX);
	start(f, rules);
	assert_true(sequencer_next_deadline(f->s, f->now) == INT64_MAX);
}

/* Windows that came due while nothing ran close before what came later is looked at. */
static void what_is_due_fires_before_the_events_of_its_batch(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncoalesce = 30s\ndo = build\n";

	start(f, rules);
	emit(f, "1", "a", NULL);
	f->now += 3600 * SECOND;
	emit(f, "2", "a", NULL);
	assert_int_equal(f->out.n, 2);
	assert_string_equal(f->out.accepted[0].event->type, EVENT_FIRED);
	assert_string_equal(f->out.accepted[0].event->id, "r//1");
	assert_true(sequencer_next_deadline(f->s, f->now) == f->now + 30 * SECOND);
}

static void slots_survive_a_restart(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[input one]\non = a\n[input two]\non = b\n"
				    "[rule r]\ninputs = one, two\ndo = build\n";
	static const char changed[] = "[input one]\non = a\nwhere = data.n == 1\n"
				      "[input two]\non = b\n"
				      "[rule r]\ninputs = one, two\ndo = build\n";

	start(f, rules);
	emit(f, "1", "a", NULL);
	start(f, rules);
	emit(f, "2", "b", NULL);
	assert_int_equal(f->out.n, 2);
	start(f, changed);
	assert_non_null(strstr(f->logged, "rule r: input one asks for something else now"));
	emit(f, "3", "b", NULL);
	assert_int_equal(f->out.n, 1);
	start(f, changed);
	assert_string_equal(f->logged, ""); /* said once */
}

/* docs/behaviour.md, loops: above 32 hops a dead letter names the chain. */
static void a_loop_ends_in_a_dead_letter_that_names_its_rules(void **state)
{
	struct fixture *f = *state;
	struct journal_event row;
	struct delivery d;
	uint64_t seq;

	start(f, "[rule again]\non = build.failed\ndo = build\n");
	seq = emit(f, "0", "build.failed", NULL);
	for (uint32_t hops = 1; hops <= 33; hops++) {
		char id[16];

		snprintf(id, sizeof id, "%u", hops);
		ask(f, (struct event){.id = id,
				      .type = "build.failed",
				      .instance = "build",
				      .caused_by = "build",
				      .cause = seq,
				      .hops = hops});
		commit(f);
		assert_int_equal(f->out.accepted[0].n, hops <= 32);
		seq = f->out.to;
	}
	row = read_event(f, seq);
	assert_int_equal(row.nduties, 0);
	journal_event_clear(&row);
	d = read_delivery(f, seq, DELIVERY_INTAKE);
	assert_int_equal(d.state, DELIVERY_DEAD);
	assert_non_null(strstr(d.why, "33 hops"));
	assert_non_null(strstr(d.why, "build.failed from build by rule again <- build.failed"));
	delivery_clear(&d);
}

/* A firing's loop ends by hops, too. */
static void a_rule_that_fires_on_its_own_firings_ends(void **state)
{
	struct fixture *f = *state;
	struct delivery d;

	start(f, "[input one]\non = a, pointsman.rule.fired\n"
		 "[rule r]\ninputs = one\ndo = build\n");
	emit(f, "1", "a", NULL);
	assert_int_equal(f->out.n, 34);
	assert_int_equal(f->out.accepted[33].n, 0);
	d = read_delivery(f, 34, DELIVERY_INTAKE);
	assert_non_null(strstr(d.why, "pointsman.rule.fired of rule r"));
	delivery_clear(&d);
}

static void a_group_given_up_is_told_by_an_event(void **state)
{
	struct fixture *f = *state;
	struct journal_event row;

	start(f, "[rule r]\non = a\ngroup-by = data.g\ngroups = 1\ncount = 2 in 10m\ndo = build\n"
		 "[rule tell]\non = pointsman.group.dropped\ndo = slack\n");
	emit(f, "1", "a", "{\"g\":\"x\"}");
	emit(f, "2", "a", "{\"g\":\"y\"}");
	assert_int_equal(f->out.n, 2);
	row = read_event(f, 3);
	assert_string_equal(row.event->type, "pointsman.group.dropped");
	assert_string_equal(row.event->data, "{\"rule\":\"r\",\"group\":\"x\"}");
	assert_int_equal(row.event->cause, 2);
	assert_int_equal(row.nduties, 1);
	assert_true(event_check(row.event, &f->err));
	journal_event_clear(&row);
}

/* docs/behaviour.md, `a then b`; one event makes at most one delivery to a target. */
static void what_then_begins_is_begun_once(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum delivery_state there;
		uint32_t attempt_after;
	} cases[] = {{DELIVERY_HELD, 3},
		     {DELIVERY_RETRY, 3},
		     {DELIVERY_DONE, 3},
		     {DELIVERY_SUPERSEDED, 3},
		     {DELIVERY_DEAD, 0}};

	start(f, "[rule r]\non = a\ndo = build then slack\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct delivery d = {.seq = i + 1,
				     .duty = {.target = number(f, "slack")},
				     .state = cases[i].there,
				     .attempt = 3};

		txn_row(f->t, &d);
		commit(f);
		d.state = DELIVERY_WAITING;
		d.attempt = 0;
		txn_row(f->t, &d);
		commit(f);
		d = read_delivery(f, i + 1, number(f, "slack"));
		assert_int_equal(d.attempt, cases[i].attempt_after);
		delivery_clear(&d);
	}
}

/* Read again it might still look as if it had not ended. */
static void what_is_there_already_is_not_handed_to_its_lane_again(void **state)
{
	struct fixture *f = *state;
	struct delivery d = {.seq = 1, .state = DELIVERY_WAITING};

	start(f, "[rule r]\non = a\ndo = build then slack\n");
	d.duty.target = number(f, "slack");
	for (int i = 0; i < 2; i++) {
		txn_begin(f->t, &d);
		ok(f, try_commit(f));
		assert_int_equal(f->t->changes[0].begin, i == 0);
		txn_free(f->t);
		f->t = txn_new();
	}
}

/* docs/behaviour.md, names: cursors, saved state, slots and duties follow `was`. */
static void was_takes_over_what_the_old_name_owned(void **state)
{
	struct fixture *f = *state;
	uint32_t source, target;

	start(f, "[rule r]\non = a\nfrom = src\ncoalesce = 30s\ndo = build\n");
	source = number(f, "src");
	target = number(f, "build");
	emit(f, "1", "a", NULL);
	stop(f);
	f->config = config_load_text("t.ini",
				     "[source neu]\nwas = src\nplugin = p\n"
				     "[action make]\nwas = build\nplugin = p\n"
				     "[rule q]\nwas = r\non = a\nfrom = neu\ncoalesce = 30s\n"
				     "do = make\n",
				     &(struct report){0});
	f->j = journal_open(&f->world, f->directory, &f->found, &f->err);
	f->s = sequencer_new(f->j, f->config, &f->err);
	assert_non_null(f->s);
	assert_int_equal(number(f, "neu"), source);
	assert_int_equal(number(f, "make"), target);
	assert_string_equal(names_first(sequencer_names(f->s), target), "build");
	f->now += 30 * SECOND;
	commit(f);
	assert_int_equal(f->out.n, 1);
	assert_string_equal(f->out.accepted[0].event->source, "q");
	assert_int_equal(f->out.accepted[0].duties[0].target, target);
}

static void rules_are_swapped_between_batches_and_kept_with_the_event(void **state)
{
	struct fixture *f = *state;
	struct config *other = parse("[rule q]\non = a\ndo = slack\n"), *first;
	uint32_t generation;
	struct journal_event row;

	start(f, "[rule r]\non = a\ndo = build\n");
	generation = sequencer_generation(f->s);
	emit(f, "1", "a", NULL);
	first = f->config;
	assert_true(sequencer_configure(f->s, plan_prepare(other, &f->err), &f->err));
	f->config = other;
	emit(f, "2", "a", NULL);
	assert_int_equal(sequencer_generation(f->s), generation + 1);
	row = read_event(f, 2);
	assert_int_equal(row.duties[0].target, number(f, "slack"));
	assert_int_equal(row.generation, generation + 1);
	journal_event_clear(&row);
	row = read_event(f, 1);
	assert_int_equal(row.duties[0].target, number(f, "build"));
	assert_int_equal(row.generation, generation);
	journal_event_clear(&row);
	config_free(first);
	start(f, "[rule q]\non = a\ndo = slack\n"); /* the same again is no new one */
	assert_int_equal(sequencer_generation(f->s), generation + 1);
}

struct workshop { /* where plans are made while others route */
	struct fixture *f;
	struct config *configs[2];
	_Atomic(struct plan *) ready;
};

#define PLANS 50

static void *make_plans(void *arg)
{
	struct workshop *w = arg;

	for (int n = 0; n < PLANS;) {
		struct plan *none = NULL, *p = plan_prepare(w->configs[n % 2], NULL);

		while (!atomic_compare_exchange_weak(&w->ready, &none, p))
			none = NULL;
		n++;
	}
	return NULL;
}

/* Each event is routed by one set, whole, and never waits for one that is being made. */
static void rules_are_made_on_one_thread_while_another_routes(void **state)
{
	struct fixture *f = *state;
	struct workshop w = {.f = f};
	pthread_t thread;
	uint32_t slack;

	start(f, "[rule r]\non = a\ncount = 2 in 10m\ndo = slack\n");
	slack = number(f, "slack");
	w.configs[0] = parse("[rule q]\non = a\nwhere = data.n > 1\ndo = slack, cdn\n");
	w.configs[1] = parse("[rule q]\non = a\ndo = slack\n[rule r]\non = b\ncount = 2 in 1m\n"
			     "do = cdn\n");
	assert_int_equal(pthread_create(&thread, NULL, make_plans, &w), 0);
	for (int swaps = 0, n = 0; swaps < PLANS; n++) {
		struct plan *p = atomic_exchange(&w.ready, NULL);
		char id[16];

		if (p)
			assert_true(sequencer_configure(f->s, p, &f->err));
		swaps += p != NULL;
		snprintf(id, sizeof id, "%d", n);
		emit(f, id, "a", "{\"n\":2}");
		for (size_t i = 0; swaps && i < f->out.n; i++)
			assert_int_equal(f->out.accepted[i].duties[0].target, slack);
	}
	pthread_join(thread, NULL);
	config_free(f->config);
	f->config = w.configs[1];
	config_free(w.configs[0]);
}

static void a_set_that_does_not_compile_is_no_plan(void **state)
{
	struct fixture *f = *state;
	struct config *bad = parse("[rule q]\non = a\nwhere = data.n >\ndo = slack\n");

	assert_null(plan_prepare(bad, &f->err));
	assert_non_null(strstr(f->err.text, "rule q"));
	config_free(bad);
}

static char *snapshot_text(struct fixture *f, uint64_t seq, uint64_t *found)
{
	struct snapshot s = {0};
	struct buf text = {0};

	if (snapshot_find(f->j, seq, &s, &f->err) != JOURNAL_OK)
		return NULL;
	*found = s.seq;
	for (uint32_t n = 0; n < s.pieces; n++)
		ok(f, snapshot_piece(f->j, s.seq, n, &text, &f->err));
	return buf_take(&text);
}

static void snapshot_is(struct fixture *f, uint64_t before, uint64_t seq, const char *part)
{
	uint64_t found = 0;
	char *text = snapshot_text(f, before, &found);

	assert_non_null(text);
	assert_int_equal(found, seq);
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
	free(text);
}

static void prune(struct fixture *f, uint64_t floor);

/* docs/behaviour.md, snapshots. */
static void what_rules_hold_is_kept_when_they_change_and_once_a_day(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncount = 9 in 7d\ndo = build\n";

	start(f, rules);
	snapshot_is(f, 99, 0, "\"text\":");
	emit(f, "1", "a", NULL);
	start(f, rules);
	snapshot_is(f, 99, 0, "");
	start(f, "[rule r]\non = a\ncount = 8 in 7d\ndo = build\n");
	snapshot_is(f, 99, 1, "[[1,");
	emit(f, "2", "a", NULL);
	prune(f, 0);
	snapshot_is(f, 99, 1, "");
	f->now += DAY;
	emit(f, "3", "a", NULL);
	prune(f, 0);
	snapshot_is(f, 99, 3, "[3,");
	emit(f, "4", "a", NULL);
	prune(f, 0);
	snapshot_is(f, 99, 3, "");
	snapshot_is(f, 2, 1, "[[1,");
}

/* A rule with so many inputs that 2000 groups of it are too much; the caller frees. */
static char *large_rule(void)
{
	struct buf text = {0};

	for (int n = 0; n < 40; n++)
		buf_printf(&text, "[input i%d]\non = a%d\n", n, n);
	buf_text_add(&text,
		     "[rule r]\ngroup-by = data.g\ngroups = 100000\ndo = build\ninputs = i0");
	for (int n = 1; n < 40; n++)
		buf_printf(&text, ",\n  i%d", n);
	buf_char(&text, '\n');
	return buf_take(&text);
}

static void of_too_much_no_snapshot_is_kept_and_that_is_said(void **state)
{
	struct fixture *f = *state;
	char *rules = large_rule(), data[32];
	uint64_t found;

	start(f, rules);
	free(rules);
	for (int n = 0; n < 2000; n++) {
		snprintf(data, sizeof data, "{\"g\":\"%d\"}", n);
		ask(f, (struct event){.id = data, .type = "a0", .data = data});
	}
	commit(f);
	f->now += DAY;
	emit(f, "last", "a0", NULL);
	prune(f, 0);
	assert_non_null(strstr(f->logged, "no snapshot of them is kept"));
	free(snapshot_text(f, UINT64_MAX, &found));
	assert_int_equal(found, 0);
	f->logged[0] = '\0';
	prune(f, 0);
	assert_string_equal(f->logged, "");
}

/* docs/behaviour.md, acceptance, clocks. */
static void time_of_acceptance_never_goes_back_and_never_stands_still(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncoalesce = 30s\ndo = build\n";

	start(f, rules);
	emit(f, "1", "a", NULL);
	f->now -= 3600 * SECOND;
	emit(f, "2", "a", NULL);
	assert_true(f->out.accepted[0].event->at == NOW);
	assert_true(sequencer_next_deadline(f->s, f->now) == f->now + 60 * SECOND);
	f->now += 60 * SECOND;
	commit(f);
	assert_int_equal(f->out.n, 1);
	assert_true(f->out.accepted[0].event->at == NOW + 30 * SECOND);
	start(f, rules);
	emit(f, "3", "a", NULL);
	assert_true(f->out.accepted[0].event->at == NOW + 30 * SECOND);
	f->now = NOW + 3600 * SECOND;
	emit(f, "4", "a", NULL);
	assert_true(f->out.accepted[1].event->at == f->now);
}

/* docs/behaviour.md, disk full: the same batch is tried again; state changes of a batch are thrown
 * away if its commit fails. */
/* A commit is due, says next_deadline(), which is all that happens between two events. */
static void pass_quietly(struct fixture *f, int64_t ms)
{
	for (; ms > 0; ms -= 5) {
		f->now += 5; /* which has no whole half */
		if (sequencer_next_deadline(f->s, f->now) <= f->now)
			return;
	}
}

static void windows_close_when_the_clock_was_set_back_and_nothing_comes(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncoalesce = 30s\ndo = build\n";
	int64_t began;

	start(f, rules);
	emit(f, "1", "a", NULL);
	f->now -= 3600 * SECOND;
	assert_true(sequencer_next_deadline(f->s, f->now) == f->now + 60 * SECOND);
	began = f->now;
	pass_quietly(f, 100 * SECOND);
	assert_true(f->now == began + 60 * SECOND);
	commit(f);
	assert_int_equal(f->out.n, 1);
}

static void windows_close_after_a_restart_with_the_clock_set_back(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncoalesce = 30s\ndo = build\n";

	start(f, rules);
	emit(f, "1", "a", NULL);
	f->now -= 24 * 3600 * SECOND;
	start(f, rules);
	assert_true(sequencer_next_deadline(f->s, f->now) == f->now + 60 * SECOND);
	f->now += 60 * SECOND;
	commit(f);
	assert_int_equal(f->out.n, 1);
}

static void a_batch_without_room_leaves_no_trace_and_is_done_later(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncount = 3 in 10m\ndo = build\n";

	f->world.vfs = DISK_NAME;
	disk_insert();
	start(f, rules);
	emit(f, "1", "a", NULL);
	ask(f, (struct event){.id = "2", .type = "a"});
	ask(f, (struct event){.id = "3", .type = "a"});
	disk_stay_full(true);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(try_commit(f), JOURNAL_FULL);
		assert_int_equal(f->out.n, 0);
		assert_int_equal(journal_last_seq(f->j), 1);
	}
	disk_stay_full(false);
	ok(f, try_commit(f));
	assert_int_equal(f->out.n, 3);
	assert_false(f->t->changes[0].duplicate);
	assert_string_equal(f->out.accepted[2].event->id, "r//3");
	assert_non_null(strstr(f->out.accepted[2].event->data, "\"count\":3"));
	stop(f);
	disk_remove();
}

/* A firing and its members' window are one transaction: every write fails once. */
static void a_power_cut_never_parts_a_firing_from_its_window(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[rule r]\non = a\ncount = 2 in 10m\ndo = build\n";
	bool cut = true;

	f->world.vfs = DISK_NAME;
	for (uint32_t at = 1; cut; at++) {
		uint64_t events;

		disk_insert();
		start(f, rules);
		emit(f, "1", "a", NULL);
		ask(f, (struct event){.id = "2", .type = "a"});
		disk_fail(DISK_CUT, at);
		try_commit(f);
		cut = disk_failed();
		stop(f);
		disk_power_cut(at);
		start(f, rules);
		txn_free(f->t);
		f->t = txn_new();
		events = journal_last_seq(f->j);
		assert_true(events == 1 || events == 3);
		emit(f, "2", "a", NULL);
		assert_int_equal(journal_last_seq(f->j), 3);
		emit(f, "3", "a", NULL);
		assert_int_equal(f->out.n, 1);
		stop(f);
	}
	disk_remove();
}

static void has_event(struct fixture *f, uint64_t seq, bool expected)
{
	struct journal_event row;
	bool there = journal_event(f->j, seq, &row, &f->err) == JOURNAL_OK;

	if (there)
		journal_event_clear(&row);
	if (there != expected)
		fail_msg("event %llu is%s there", (unsigned long long)seq, there ? "" : " not");
}

static void prune(struct fixture *f, uint64_t floor)
{
	bool more = true;

	for (int i = 0; more && i < 1000; i++)
		ok(f, sequencer_prune(f->s, f->now, floor, &more, &f->err));
	assert_false(more);
}

#define KEEP "[pointsman]\nkeep = 1d, max 1G\ndedupe = 1h, max 1k\nkeep-dead = 3d, max 100\n"

static void put_row(struct fixture *f, uint64_t seq, const char *target,
		    enum delivery_state delivery_state)
{
	txn_row(f->t, &(struct delivery){.seq = seq,
					 .duty = {.target = number(f, target)},
					 .state = delivery_state,
					 .attempt = 1,
					 .ended_at = f->now});
}

/* docs/behaviour.md, retention. */
static void only_ended_history_is_pruned(void **state)
{
	struct fixture *f = *state;

	start(f, KEEP "[rule r]\non = a\ndo = build\n[rule w]\non = w\ncoalesce = 30d\n"
		      "do = build\n");
	emit(f, "1", "a", NULL); /* ended */
	emit(f, "2", "a", NULL); /* will be in retry */
	emit(f, "3", "w", NULL); /* in an open window */
	emit(f, "4", "a", NULL); /* a dead letter */
	emit(f, "5", "a", NULL); /* ended */
	emit(f, "6", "a", NULL); /* above the lowest cursor */
	put_row(f, 1, "build", DELIVERY_DONE);
	put_row(f, 2, "build", DELIVERY_RETRY);
	put_row(f, 4, "build", DELIVERY_DEAD);
	commit(f);
	f->now += DAY;
	prune(f, 5);
	has_event(f, 1, true);
	f->now += 1;
	prune(f, 5);
	has_event(f, 1, false);
	has_event(f, 2, true);
	has_event(f, 3, true);
	has_event(f, 4, true);
	has_event(f, 5, false);
	has_event(f, 6, true);
	assert_int_equal(
		journal_delivery(f->j, 1, number(f, "build"), &(struct delivery){0}, &f->err),
		JOURNAL_ABSENT);
	f->now += 2 * DAY;
	prune(f, 5); /* keep-dead is over: first the letter, then its event */
	prune(f, 5);
	has_event(f, 4, false);
	has_event(f, 2, true);
}

static void dead_letters_over_their_number_are_dropped_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct delivery d;

	start(f, "[pointsman]\nkeep-dead = 90d, max 2\n[rule r]\non = a\ndo = build\n");
	for (uint64_t i = 1; i <= 4; i++) {
		char id[8];

		snprintf(id, sizeof id, "%d", (int)i);
		emit(f, id, "a", NULL);
		put_row(f, i, "build", DELIVERY_DEAD);
	}
	commit(f);
	prune(f, 4);
	for (uint64_t i = 1; i <= 4; i++) {
		d = read_delivery(f, i, number(f, "build"));
		assert_int_equal(d.state, i <= 2 ? DELIVERY_DROPPED : DELIVERY_DEAD);
		assert_true(i > 2 || strcmp(d.why, "dropped by keep-dead") == 0);
		delivery_clear(&d);
	}
}

static void history_over_its_size_is_pruned_and_the_file_shrinks(void **state)
{
	struct fixture *f = *state;
	char *data = mem_format("{\"t\":\"%0500000d\"}", 0);
	int64_t before;

	start(f, "[pointsman]\nkeep = 7d, max 4M\ndedupe = 7d, max 10\n"
		 "[rule r]\non = a\ndo = build\n");
	for (int i = 1; i <= 30; i++) {
		char id[8];

		snprintf(id, sizeof id, "%d", i);
		emit(f, id, "a", data);
	}
	before = journal_bytes(f->j);
	assert_true(before > 15 * 1000 * 1000);
	prune(f, 30);
	has_event(f, 1, false);
	has_event(f, 20, false);
	start(f, "[rule r]\non = a\ndo = build\n");
	assert_true(journal_bytes(f->j) < 10 * 1000 * 1000);
	assert_int_equal(journal_last_seq(f->j), 30);
	free(data);
}

static void history_gives_way_before_the_journal_is_full(void **state)
{
	struct fixture *f = *state;
	char *data = mem_format("{\"t\":\"%0500000d\"}", 0);

	start(f, "[pointsman]\nkeep = 7d, max 1G\nmax-journal = 8M\ndedupe = 7d, max 10\n"
		 "[rule r]\non = a\ndo = build\n");
	for (int i = 1; i <= 30; i++) {
		char id[8];

		snprintf(id, sizeof id, "%d", i);
		emit(f, id, "a", data);
	}
	prune(f, 0);
	has_event(f, 1, true); /* what waits does not */
	prune(f, 5);
	has_event(f, 5, false);
	has_event(f, 6, true);
	prune(f, 30);
	has_event(f, 15, false);
	has_event(f, 30, true); /* only as much as must */
	free(data);
}

/* Sequence numbers are never used again, even when all events are gone. */
static void numbers_go_on_when_everything_was_pruned(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = KEEP "[rule r]\non = a\ndo = build\n";

	start(f, rules);
	emit(f, "1", "a", NULL);
	emit(f, "2", "a", NULL);
	f->now += 10 * DAY;
	prune(f, 2);
	has_event(f, 2, false);
	start(f, rules);
	assert_int_equal(emit(f, "3", "a", NULL), 3);
}

/* docs/behaviour.md, dedupe: kept apart from history. */
static void an_id_is_known_longer_than_its_event(void **state)
{
	struct fixture *f = *state;
	static const char rules[] = "[pointsman]\nkeep = 1h, max 1G\ndedupe = 7d, max 1k\n"
				    "[rule r]\non = a\ndo = build\n";

	start(f, rules);
	emit(f, "1", "a", NULL);
	f->now += DAY;
	prune(f, 1);
	has_event(f, 1, false);
	start(f, rules);
	ask(f, (struct event){.id = "1", .type = "a"});
	ok(f, try_commit(f));
	assert_true(f->t->changes[0].duplicate);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_gets_its_number_its_time_and_its_duties),
		TEST(a_repeat_is_dropped_and_counted),
		TEST(all_that_a_call_asked_for_is_there_at_once),
		TEST(a_refused_event_is_a_dead_letter_with_its_reason),
		TEST(a_firing_is_an_event_of_the_same_batch),
		TEST(a_window_is_open_after_a_restart_and_fires_when_due),
		TEST(what_is_due_fires_before_the_events_of_its_batch),
		TEST(slots_survive_a_restart),
		TEST(a_loop_ends_in_a_dead_letter_that_names_its_rules),
		TEST(a_rule_that_fires_on_its_own_firings_ends),
		TEST(a_group_given_up_is_told_by_an_event),
		TEST(what_then_begins_is_begun_once),
		TEST(what_is_there_already_is_not_handed_to_its_lane_again),
		TEST(was_takes_over_what_the_old_name_owned),
		TEST(rules_are_swapped_between_batches_and_kept_with_the_event),
		TEST(rules_are_made_on_one_thread_while_another_routes),
		TEST(a_set_that_does_not_compile_is_no_plan),
		TEST(what_rules_hold_is_kept_when_they_change_and_once_a_day),
		TEST(of_too_much_no_snapshot_is_kept_and_that_is_said),
		TEST(time_of_acceptance_never_goes_back_and_never_stands_still),
		TEST(windows_close_when_the_clock_was_set_back_and_nothing_comes),
		TEST(windows_close_after_a_restart_with_the_clock_set_back),
		TEST(a_batch_without_room_leaves_no_trace_and_is_done_later),
		TEST(a_power_cut_never_parts_a_firing_from_its_window),
		TEST(only_ended_history_is_pruned),
		TEST(dead_letters_over_their_number_are_dropped_oldest_first),
		TEST(history_over_its_size_is_pruned_and_the_file_shrinks),
		TEST(history_gives_way_before_the_journal_is_full),
		TEST(numbers_go_on_when_everything_was_pruned),
		TEST(an_id_is_known_longer_than_its_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
