/* docs/behaviour.md: the power is cut at every operation of a run of the whole engine, and what
 * was accepted is there once and comes to its end. */
#include "engine/testengine.h"
#include "journal/testcuts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVENTS  12 /* of the source, two in a transaction */
#define FIRST   8  /* of them before the stop and the renames */
#define ROWS    100
#define RENAMED 1000 /* a remark: from here on with other rules */
#define KEYS    "retry = 10s, 1ms..2ms\n"
#define LASTING                                                                                    \
	"[rule every]\non = t.*\ncount = 3 in 1h\ndo = watch\n"                                    \
	"[rule made]\non = made.x\ndo = watch\n"

static const char rules[] = LASTING "[sink c]\nplugin = p\n" KEYS "[input one]\non = t.one\n"
				    "[input two]\non = t.two\n"
				    "[rule both]\ninputs = one, two\ndo = watch\n"
				    "[rule chain]\non = t.*\ndo = a then b, c\n";
static const char renamed[] =
	LASTING "[sink d]\nplugin = p\nwas = c\n" KEYS "[input uno]\nwas = one\non = t.one\n"
		"[input two]\non = t.two\n"
		"[rule duo]\nwas = both\ninputs = uno, two\ndo = watch\n"
		"[rule line]\nwas = chain\non = t.*\ndo = a then b, d\n";

/* What an event's number makes of its delivery to `a`. */
enum fate { FAILS_ONCE, IS_HELD, EMITS, IS_REFUSED };

struct sight { /* of the journal, or of the calls so far */
	size_t events[EVENTS + 1], both, every, place;
	int unended;
};

static struct bench *bench;
static struct sight seen;
static char keys[EVENTS + 1][3][33]; /* of all calls of the test, whatever was cut */
static bool ended[ROWS][3];          /* when the engine was opened: not to be called again */
static struct fake more;             /* sink c, later d */
static size_t looks, nested_every;
static struct cuts nested;

static int number_of(const struct event *ev)
{
	return ev->id[0] == 'e' && strchr(ev->source, 's') == ev->source ? atoi(ev->id + 1) : 0;
}

static enum fate fate_of(int number)
{
	return (enum fate)(number % 4);
}

static void check_call(const struct engine_call *call, int target)
{
	int number = number_of(call->event);
	char *key = keys[number][target];

	if (call->event->seq < ROWS && ended[call->event->seq][target])
		fail_msg("%s: event %llu has ended and is called again", cuts_place(),
			 (unsigned long long)call->event->seq);
	if (*key && strcmp(key, call->key) != 0)
		fail_msg("%s: %s has another key", cuts_place(), call->event->id);
	memcpy(key, call->key, 33);
}

static void act_a(struct fake *f, const struct engine_call *call)
{
	enum fate fate = fate_of(number_of(call->event));

	check_call(call, 0);
	if (fate == FAILS_ONCE && call->attempt == 1)
		bench_finish(f->bench, call->number, LANE_AGAIN, false);
	else if (fate == IS_HELD && !call->held)
		bench_hold(f->bench, call->number, 1, "job");
	else if (fate == EMITS)
		bench_finish_emitting(f->bench, call->number, "made.x");
	else
		bench_finish(f->bench, call->number, fate == IS_REFUSED ? LANE_REJECT : LANE_OK,
			     false);
}

static void act_b(struct fake *f, const struct engine_call *call)
{
	check_call(call, 1);
	bench_finish(f->bench, call->number, LANE_OK, false);
}

static void deliver_more(void *target, const struct engine_call *call)
{
	(void)target;
	check_call(call, 2);
	bench_finish(bench, call->number, LANE_OK, false);
}

static void cancel_more(void *target, uint64_t number)
{
	(void)target;
	(void)number;
}

static const char *more_name(void)
{
	return strstr(bench->rules, "[sink d]") ? "d" : "c";
}

static void open_bench(void)
{
	struct engine_target ops = {
		.deliver = deliver_more, .cancel = cancel_more, .target = &more};

	bench_open(bench);
	engine_register(bench->engine, more_name(), &ops);
}

static void ready(void)
{
	bench_ready(bench);
	engine_ready(bench->engine, more_name(), true);
}

static void use_rules(const char *text)
{
	free(bench->rules);
	bench->rules = strdup(text);
}

/* Two events and, if they are new, the source's place behind them, in one transaction. */
static void send(int first, bool is_new, void (*done)(struct txn *t, void *arg))
{
	struct txn *t = txn_new();
	char place[16];

	for (int n = first; n < first + 2; n++) {
		char id[16];
		struct event *ev;

		snprintf(id, sizeof id, "e%d", n);
		ev = event_create(&(struct event){.type = n % 2 ? "t.one" : "t.two",
						  .source = "s",
						  .instance = "in",
						  .id = id,
						  .time = "2026-11-24T01:02:03Z",
						  .data = "{}",
						  .data_len = 2});
		txn_emit(t, ev);
		event_unref(ev);
	}
	snprintf(place, sizeof place, "%d", first + 1);
	if (is_new)
		txn_save(t, engine_instance(bench->engine, "in"), "place", place);
	t->done = done;
	t->arg = (void *)(intptr_t)first;
	engine_submit(bench->engine, t);
}

static void acknowledge(struct txn *t, void *arg)
{
	if (!t->failed)
		disk_mark((uint64_t)(intptr_t)arg);
}

static void count_fired(const struct journal_event *row, struct sight *s)
{
	if (strcmp(row->event->type, "pointsman.rule.fired") != 0)
		return;
	s->every += strcmp(row->event->source, "every") == 0;
	s->both += strcmp(row->event->source, "every") != 0;
}

static enum delivery_state state_of(struct journal *j, uint64_t seq, uint32_t target)
{
	struct delivery d;
	enum delivery_state state = DELIVERY_STATES;

	if (target && journal_delivery(j, seq, target, &d, NULL) == JOURNAL_OK) {
		state = d.state;
		delivery_clear(&d);
	}
	return state;
}

static bool has_ended(enum delivery_state state)
{
	return state != DELIVERY_STATES && delivery_ended(state);
}

static bool count_effect(const struct journal_event *row, void *arg)
{
	*(size_t *)arg += strcmp(row->event->type, "made.x") == 0;
	return true;
}

/* What ends `a` begins `b` and emits in one transaction. */
static void check_source_event(struct journal *j, const struct journal_event *row, int number)
{
	uint64_t seq = row->event->seq;
	enum delivery_state a = state_of(j, seq, engine_instance(bench->engine, "a"));
	enum delivery_state b = state_of(j, seq, engine_instance(bench->engine, "b"));
	size_t made = 0;

	if ((b != DELIVERY_STATES) != (a == DELIVERY_DONE))
		fail_msg("%s: e%d: a %d, and b %d", cuts_place(), number, (int)a, (int)b);
	journal_effects(j, seq, count_effect, &made, NULL);
	if (made != (a == DELIVERY_DONE && fate_of(number) == EMITS))
		fail_msg("%s: e%d: a %d, and %zu effects", cuts_place(), number, (int)a, made);
}

struct looking {
	struct journal *j;
	struct sight *seen;
	bool opening;
	bool done;
};

static void look_at_duties(struct looking *l, const struct journal_event *row)
{
	for (size_t i = 0; i < row->nduties; i++) {
		enum delivery_state state = state_of(l->j, row->event->seq, row->duties[i].target);
		char key[16];
		struct buf cursor = {0};

		l->seen->unended += !has_ended(state);
		snprintf(key, sizeof key, "%u", row->duties[i].target);
		journal_get(l->j, "cursor", key, &cursor, NULL);
		if (state == DELIVERY_STATES &&
		    strtoull(buf_text(&cursor), NULL, 10) >= row->event->seq)
			fail_msg("%s: the cursor of %u is ahead of event %llu", cuts_place(),
				 row->duties[i].target, (unsigned long long)row->event->seq);
		buf_free(&cursor);
	}
}

static void note_ended(struct journal *j, uint64_t seq)
{
	const char *names[] = {"a", "b", more_name()};

	for (int i = 0; i < 3 && seq < ROWS; i++)
		ended[seq][i] =
			has_ended(state_of(j, seq, engine_instance(bench->engine, names[i])));
}

static bool look_at_event(const struct journal_event *row, void *arg)
{
	struct looking *l = arg;
	int number = number_of(row->event);
	bool is_source = strncmp(row->event->type, "t.", 2) == 0;

	if (is_source && number >= 1 && number <= EVENTS) {
		l->seen->events[number]++;
		check_source_event(l->j, row, number);
		l->seen->unended +=
			state_of(l->j, row->event->seq, engine_instance(bench->engine, "a")) ==
				DELIVERY_DONE &&
			!has_ended(state_of(l->j, row->event->seq,
					    engine_instance(bench->engine, "b")));
	}
	count_fired(row, l->seen);
	look_at_duties(l, row);
	if (l->opening)
		note_ended(l->j, row->event->seq);
	return true;
}

static size_t saved_place(struct journal *j)
{
	struct buf text = {0};
	char space[32];
	size_t place;

	journal_saved_space(engine_instance(bench->engine, "in"), space, sizeof space);
	journal_get(j, space, "place", &text, NULL);
	place = strtoul(buf_text(&text), NULL, 10);
	buf_free(&text);
	return place;
}

/* All that one transaction did is there, or nothing of it. */
static void look_at_journal(struct journal *j, struct sequencer *s, void *arg)
{
	struct looking *l = arg;
	size_t n = 0;

	(void)s;
	l->j = j;
	*l->seen = (struct sight){0};
	journal_events(j, 0, false, 10000, look_at_event, l, NULL);
	while (n < EVENTS && l->seen->events[n + 1])
		n++;
	for (size_t i = 1; i <= EVENTS; i++) {
		if (l->seen->events[i] != (i <= n))
			fail_msg("%s: event e%zu is there %zu times", cuts_place(), i,
				 l->seen->events[i]);
	}
	l->seen->place = saved_place(j);
	if (n % 2 || l->seen->place != n)
		fail_msg("%s: %zu events, and the source's place is %zu", cuts_place(), n,
			 l->seen->place);
	if (l->seen->every != n / 3 || l->seen->both != (n ? n - 1 : 0))
		fail_msg("%s: of %zu events %zu and %zu firings", cuts_place(), n, l->seen->every,
			 l->seen->both);
}

static void looked(void *arg)
{
	((struct looking *)arg)->done = true;
}

static void look_inside(bool opening)
{
	struct looking l = {.seen = &seen, .opening = opening};

	engine_ask(bench->engine, look_at_journal, looked, &l);
	BENCH_UNTIL(bench, l.done);
}

static bool all_ended(void)
{
	look_inside(false);
	return seen.unended == 0;
}

static void send_all(int first, int last, bool are_new, void (*done)(struct txn *t, void *arg))
{
	for (int n = first; n < last; n += 2) {
		send(n, are_new, done);
		if (n % 4 == 3) /* some in one batch, some alone */
			bench_settle(bench);
	}
	bench_settle(bench);
}

static bool has_remark(const uint64_t *list, size_t n, uint64_t remark)
{
	while (n > 0 && list[n - 1] != remark)
		n--;
	return n > 0;
}

static void recover(const uint64_t *acknowledged, size_t n)
{
	int place;

	bench->failed = 0;
	memset(ended, 0, sizeof ended);
	use_rules(has_remark(acknowledged, n, RENAMED) ? renamed : rules);
	open_bench();
	look_inside(true);
	for (size_t i = 0; i < n; i++) {
		if (acknowledged[i] == RENAMED)
			continue;
		if (!seen.events[acknowledged[i]] || !seen.events[acknowledged[i] + 1])
			fail_msg("%s: e%llu was acknowledged and is lost", cuts_place(),
				 (unsigned long long)acknowledged[i]);
	}
	place = (int)seen.place;
	ready();
	send_all(1, place, false, NULL); /* repeats */
	send_all(place + 1, EVENTS, true, NULL);
	BENCH_UNTIL(bench, all_ended());
	assert_int_equal(seen.events[EVENTS], 1);
	assert_int_equal(bench->failed, 0);
	bench_stop(bench);
}

static void look(const uint64_t *acknowledged, size_t n, void *arg)
{
	struct disk_tape *tape;

	(void)arg;
	if (++looks % nested_every) {
		recover(acknowledged, n);
		return;
	}
	nested.arg = NULL;
	disk_record();
	recover(acknowledged, n);
	tape = disk_stop();
	cuts_run(&nested, tape);
	disk_tape_free(tape);
}

static const uint64_t *promised;
static size_t npromised;

static void look_nested(const uint64_t *acknowledged, size_t n, void *arg)
{
	(void)acknowledged;
	(void)n;
	(void)arg;
	recover(promised, npromised);
}

static void look_and_keep(const uint64_t *acknowledged, size_t n, void *arg)
{
	promised = acknowledged;
	npromised = n;
	look(acknowledged, n, arg);
}

static struct disk_tape *record_run(void)
{
	bench = bench_on_testdisk(KEYS, rules);
	bench->a.act = act_a;
	bench->b.act = act_b;
	bench_stop(bench);
	disk_insert();
	disk_record();
	open_bench();
	ready();
	send_all(1, FIRST, true, acknowledge);
	BENCH_UNTIL(bench, all_ended());
	bench_stop(bench);
	disk_mark(RENAMED);
	use_rules(renamed);
	open_bench();
	ready();
	send_all(FIRST + 1, EVENTS, true, acknowledge);
	BENCH_UNTIL(bench, all_ended());
	bench_stop(bench);
	return disk_stop();
}

static void power_cut_anywhere_loses_nothing_accepted(void **state)
{
	struct cuts c = {.what = "engine", .look = look_and_keep};
	struct disk_tape *tape = record_run();

	(void)state;
	nested = (struct cuts){
		.what = "recovery", .look = look_nested, .one_loss = true, .step = 20};
	nested_every = cuts_every(cuts_long() ? 100 : 150);
	cuts_run(&c, tape);
	cuts_tell(&c, 100);
	cuts_tell(&nested, 20);
	disk_tape_free(tape);
	bench_free(bench);
	disk_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_cut_anywhere_loses_nothing_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
