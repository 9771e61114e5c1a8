#include "rehearse/rehearsal.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/units.h"
#include "lane/order.h"
#include "route/own.h"
#include "route/sequencer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOTED_BEFORE 3600000 /* the machine has run for an hour when the rehearsal begins */
#define MOST_TURNS    1000000 /* of one rehearsal; each costs some microseconds */

struct part { /* a target with its lane */
	struct rehearsal *rehearsal;
	const struct instance_config *section;
	uint32_t number;
	struct lane *lane;
	struct order order;
	uint64_t next; /* every event at or below it was offered or skipped */
};

struct waiting { /* a call that a lane asked for */
	struct part *part;
	struct delivery delivery;
};

struct rehearsal {
	struct rehearsal_options options;
	struct journal *journal;
	struct sequencer *sequencer;
	struct part *parts;
	size_t nparts;
	int64_t now; /* wall clock */
	uint64_t chance;
	struct txn *txn;             /* what the next batch will write */
	struct lane_effects effects; /* scratch of one input into a lane */
	struct waiting *calls;       /* in order, from `called` on */
	size_t ncalls, called, calls_cap;
	struct rehearsed *begun;
	size_t nbegun, begun_cap;
	struct map by_name; /* "seq/target" to 1 + index in `begun` */
	uint64_t turns;
	char *trouble;
};

/* splitmix64: good enough for jitter, and the same each time. */
static uint64_t draw(struct rehearsal *r)
{
	uint64_t z = r->chance += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static int64_t boot_of(const struct rehearsal *r, int64_t wall)
{
	return wall - r->options.start + BOOTED_BEFORE;
}

static struct lane_now clocks(struct rehearsal *r)
{
	return (struct lane_now){r->now, boot_of(r, r->now), draw(r)};
}

static void give_up(struct rehearsal *r, const char *why)
{
	if (!r->trouble)
		r->trouble = mem_text(why);
}

static bool delivers(const struct instance_config *c)
{
	return c->kind == INSTANCE_ACTION || c->kind == INSTANCE_SINK;
}

static bool part_open(struct rehearsal *r, const struct instance_config *section, struct err *err)
{
	struct lane_settings settings = lane_settings_of(section);
	struct part *p = &r->parts[r->nparts++];

	p->rehearsal = r;
	p->section = section;
	p->number = names_find(sequencer_names(r->sequencer), NAME_INSTANCE, section->name);
	p->lane = lane_new(p->number, &settings, 0);
	if (!section->enabled)
		lane_pause(p->lane, true, clocks(r), &r->effects);
	return order_read(&p->order, section, err);
}

static bool open_all(struct rehearsal *r, struct err *err)
{
	const struct config *c = r->options.config;

	r->journal = journal_open_in_memory(err);
	if (r->journal)
		r->sequencer = sequencer_new(r->journal, c, err);
	if (!r->sequencer)
		return false;
	r->parts = mem_zero(c->ninstances * sizeof *r->parts);
	for (size_t i = 0; i < c->ninstances; i++) {
		if (delivers(&c->instances[i]) && !part_open(r, &c->instances[i], err))
			return false;
	}
	return true;
}

struct rehearsal *rehearsal_new(const struct rehearsal_options *options, struct err *err)
{
	struct rehearsal *r = mem_new(struct rehearsal);

	r->options = *options;
	r->now = options->start;
	r->txn = txn_new();
	if (open_all(r, err))
		return r;
	rehearsal_free(r);
	return NULL;
}

void rehearsal_free(struct rehearsal *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->nparts; i++) {
		order_free(&r->parts[i].order);
		lane_free(r->parts[i].lane);
	}
	while (r->called < r->ncalls)
		delivery_clear(&r->calls[r->called++].delivery);
	for (size_t i = 0; i < r->nbegun; i++) {
		event_unref(r->begun[i].event);
		free(r->begun[i].why);
	}
	map_free(&r->by_name, NULL);
	free(r->begun);
	free(r->calls);
	free(r->parts);
	free(r->trouble);
	lane_effects_clear(&r->effects);
	txn_free(r->txn);
	sequencer_free(r->sequencer);
	journal_close(r->journal);
	free(r);
}

static struct rehearsed *find(const struct rehearsal *r, const struct part *p, uint64_t seq)
{
	char *name = mem_format("%" PRIu64 "/%u", seq, p->number);
	uintptr_t at = (uintptr_t)map_get(&r->by_name, name);

	free(name);
	return at ? &r->begun[at - 1] : NULL;
}

static void make_key(const struct rehearsal *r, const struct part *p, const struct delivery *d,
		     struct rehearsed *one)
{
	const struct names *names = sequencer_names(r->sequencer);
	uint32_t from = names_find(names, NAME_INSTANCE, one->event->instance);

	delivery_key(from ? names_first(names, from) : one->event->instance, one->event->source,
		     one->event->id, names_first(names, p->number), d->round, one->key);
}

static struct rehearsed *begin(struct rehearsal *r, const struct part *p, const struct delivery *d)
{
	char *name = mem_format("%" PRIu64 "/%u", d->seq, p->number);
	struct rehearsed *one;

	mem_room(r->begun, r->nbegun, r->begun_cap);
	one = &r->begun[r->nbegun++];
	*one = (struct rehearsed){
		.target = p->section->name,
		.rule = names_text(sequencer_names(r->sequencer), d->duty.rule),
		.event = rehearsal_event(r, d->seq),
		.view = d->duty.members ? EVENT_MEMBERS : EVENT_ITSELF,
	};
	make_key(r, p, d, one);
	map_put(&r->by_name, name, (void *)(uintptr_t)r->nbegun);
	free(name);
	return one;
}

static void emit_own(struct rehearsal *r, struct own own)
{
	struct event *made;

	own.number = draw(r);
	own.at = r->now;
	made = own_event(&own);
	txn_emit(r->txn, made);
	event_unref(made);
}

static void announce_dead(struct part *p, const struct lane_effect *effect)
{
	struct rehearsal *r = p->rehearsal;
	const struct delivery *d = &effect->delivery;
	struct event *ev = rehearsal_event(r, d->seq);
	const char *name = p->section->name;
	struct buf json = {0};

	own_dead_json(&json, name, effect->count, d->why, d->seq, ev);
	emit_own(r, (struct own){.type = OWN_DEAD,
				 .subject = name,
				 .json = buf_text(&json),
				 .cause = ev,
				 .caused_by = name});
	buf_free(&json);
	event_unref(ev);
}

static void announce_breaker(struct part *p, const struct lane_effect *effect)
{
	const char *name = p->section->name;
	struct buf json = {0};

	own_breaker_json(&json, name, effect->delivery.why);
	emit_own(p->rehearsal,
		 (struct own){.type = effect->kind == LANE_OPENED ? OWN_OPENED : OWN_CLOSED,
			      .subject = name,
			      .json = buf_text(&json),
			      .caused_by = name});
	buf_free(&json);
}

static void wait_for_turn(struct part *p, const struct delivery *d)
{
	struct rehearsal *r = p->rehearsal;

	mem_room(r->calls, r->ncalls, r->calls_cap);
	r->calls[r->ncalls].part = p;
	delivery_copy(&r->calls[r->ncalls++].delivery, d);
}

static void take_row(struct part *p, const struct delivery *d)
{
	struct rehearsed *one = find(p->rehearsal, p, d->seq);

	txn_row(p->rehearsal->txn, d);
	if (!one)
		return;
	one->state = d->state;
	free(one->why);
	one->why = mem_text(d->why);
}

static void take_effect(struct part *p, const struct lane_effect *effect)
{
	switch (effect->kind) {
	case LANE_CALL: wait_for_turn(p, &effect->delivery); break;
	case LANE_ROW: take_row(p, &effect->delivery); break;
	case LANE_THEN: txn_then(p->rehearsal->txn, &effect->delivery); break;
	case LANE_DIED: announce_dead(p, effect); break;
	case LANE_OPENED:
	case LANE_CLOSED: announce_breaker(p, effect); break;
	case LANE_CANCEL:
	case LANE_ABANDON: break; /* no call lasts, none is held */
	}
}

static void take_effects(struct part *p)
{
	struct rehearsal *r = p->rehearsal;
	struct lane_effects effects = r->effects;

	r->effects = (struct lane_effects){0};
	for (size_t i = 0; i < effects.n; i++)
		take_effect(p, &effects.list[i]);
	lane_effects_clear(&effects);
}

static void call(struct rehearsal *r, struct part *p, const struct delivery *d)
{
	struct rehearsed *one = find(r, p, d->seq);
	enum lane_result result;
	struct err why = {{0}};

	if (!one)
		one = begin(r, p, d);
	one->attempts = d->attempt;
	one->state = DELIVERY_CALLED;
	result = r->options.deliver(r->options.arg, one, &why);
	lane_finished(p->lane, d->seq, result, why.text, -1, false, clocks(r), &r->effects);
	take_effects(p);
}

static void run_calls(struct rehearsal *r)
{
	while (r->called < r->ncalls) {
		struct waiting w = r->calls[r->called++];

		call(r, w.part, &w.delivery);
		delivery_clear(&w.delivery);
	}
	r->called = r->ncalls = 0;
}

static bool offer(struct event *ev, const struct duty *duty, void *arg)
{
	struct part *p = arg;
	struct lane_event seen = order_look(&p->order, ev, duty);

	lane_offer(p->lane, &seen, duty, clocks(p->rehearsal), &p->rehearsal->effects);
	return true;
}

/* What the journal has for the lane, as far as it wants it. */
static void feed(struct part *p)
{
	struct rehearsal *r = p->rehearsal;
	uint64_t last = journal_last_seq(r->journal);
	size_t wants;
	struct err err;

	while (p->next < last && (wants = lane_wants(p->lane)) > 0 && !r->trouble) {
		if (journal_duties(r->journal, p->number, p->next, wants, SIZE_MAX, &p->next, offer,
				   p, &err) != JOURNAL_OK)
			give_up(r, err.text);
		lane_reached(p->lane, p->next);
		take_effects(p);
	}
}

static struct part *part_numbered(struct rehearsal *r, uint32_t number)
{
	for (size_t i = 0; i < r->nparts; i++) {
		if (r->parts[i].number == number)
			return &r->parts[i];
	}
	return NULL;
}

/* What `then` begins; its row may say that another had begun it. */
static void recall(struct rehearsal *r, const struct delivery *begun)
{
	struct part *p = part_numbered(r, begun->duty.target);
	struct delivery row;
	struct event *ev;

	if (!p || journal_delivery(r->journal, begun->seq, p->number, &row, NULL) != JOURNAL_OK)
		return;
	ev = rehearsal_event(r, row.seq);
	if (!delivery_ended(row.state) && ev) {
		struct lane_event seen = order_look(&p->order, ev, &row.duty);

		lane_recall(p->lane, &row, &seen, clocks(r), &r->effects);
		take_effects(p);
	}
	event_unref(ev);
	delivery_clear(&row);
}

static void look_for_loops(struct rehearsal *r, const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->accepted[i].buried)
			give_up(r, b->accepted[i].buried);
	}
}

/* One transaction, and what follows from it.  The caller frees `txn`, whose changes say what
 * became of them. */
static void commit(struct rehearsal *r, struct txn *txn)
{
	struct batch batch;
	struct err err;

	if (sequencer_batch(r->sequencer, txn, r->now, &batch, &err) != JOURNAL_OK) {
		give_up(r, err.text);
		return;
	}
	look_for_loops(r, &batch);
	batch_clear(&batch);
	for (size_t i = 0; i < txn->n; i++) {
		if (txn->changes[i].begin)
			recall(r, &txn->changes[i].row);
	}
	for (size_t i = 0; i < r->nparts; i++)
		feed(&r->parts[i]);
}

static void commit_gathered(struct rehearsal *r)
{
	struct txn *txn = r->txn;

	r->txn = txn_new();
	commit(r, txn);
	txn_free(txn);
}

/* False: no lane has anything to do now. */
static bool tick(struct rehearsal *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nparts; i++) {
		struct part *p = &r->parts[i];
		struct lane_now now = clocks(r);

		if (lane_next(p->lane, now) > now.boot)
			continue;
		lane_tick(p->lane, now, &r->effects);
		take_effects(p);
		feed(p);
		any = true;
	}
	return any;
}

/* Until nothing is left to do at this moment. */
static void settle(struct rehearsal *r)
{
	while (!r->trouble) {
		if (++r->turns > MOST_TURNS)
			give_up(r, "it does not come to an end");
		run_calls(r);
		if (r->txn->n || sequencer_next_deadline(r->sequencer, r->now) <= r->now)
			commit_gathered(r);
		else if (!tick(r))
			return;
	}
}

static int64_t next_moment(struct rehearsal *r)
{
	int64_t next = sequencer_next_deadline(r->sequencer, r->now);

	for (size_t i = 0; i < r->nparts; i++) {
		struct lane_now now = clocks(r);
		int64_t due = lane_next(r->parts[i].lane, now);

		if (due != INT64_MAX && r->now + (due - now.boot) < next)
			next = r->now + (due - now.boot);
	}
	return next;
}

/* False: nothing more is due by then. */
static bool advance(struct rehearsal *r, int64_t until)
{
	int64_t next = next_moment(r);

	if (r->trouble || next > until)
		return false;
	r->now = next > r->now ? next : r->now;
	settle(r);
	return true;
}

void rehearsal_pass(struct rehearsal *r, int64_t ms)
{
	int64_t until = r->now + ms;

	while (advance(r, until))
		;
	r->now = until;
}

void rehearsal_finish(struct rehearsal *r, int64_t most_ms)
{
	int64_t until = r->now + most_ms;

	while (advance(r, until))
		;
}

static bool make_fit(const struct rehearsal *r, const struct event *given, char time[32],
		     struct event *out, struct err *err)
{
	*out = *given;
	out->attributes = NULL;
	out->seq = 0;
	if (!out->time)
		out->time = units_time_text(r->now, time);
	return event_check(out, err);
}

enum rehearsal_given rehearsal_give(struct rehearsal *r, const struct event *given, struct err *err)
{
	char time[32];
	struct event fit, *ev;
	struct txn *txn;
	bool known;

	if (!make_fit(r, given, time, &fit, err))
		return REHEARSAL_UNFIT;
	if (r->trouble)
		return REHEARSAL_TAKEN;
	ev = event_create(&fit);
	txn = txn_new();
	txn_emit(txn, ev);
	commit(r, txn);
	known = txn->changes[0].duplicate;
	event_unref(ev);
	txn_free(txn);
	settle(r);
	return known ? REHEARSAL_KNOWN : REHEARSAL_TAKEN;
}

const char *rehearsal_trouble(const struct rehearsal *r)
{
	return r->trouble;
}

const struct rehearsed *rehearsal_delivery(const struct rehearsal *r, size_t i)
{
	return i < r->nbegun ? &r->begun[i] : NULL;
}

struct event *rehearsal_event(const struct rehearsal *r, uint64_t seq)
{
	struct journal_event row;
	struct event *ev;

	if (journal_event(r->journal, seq, &row, NULL) != JOURNAL_OK)
		return NULL;
	ev = event_ref(row.event);
	journal_event_clear(&row);
	return ev;
}

const struct plan *rehearsal_plan(const struct rehearsal *r)
{
	return sequencer_plan(r->sequencer);
}
