/* What a lane answers, done. */
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "engine/announce.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(a)  (sizeof(a) / sizeof *(a))
#define MOST_KEPT 512 /* places of a list of effects */

static void give_public(struct call *call, const struct target *t, struct start *s)
{
	struct engine *e = t->engine;
	struct delivery *d = &s->delivery;
	const char *instance = engine_first_name(e, s->event->instance);

	delivery_key(instance, s->event->source, s->event->id, t->first_name, d->round, call->key);
	call->target = s->target;
	call->seq = d->seq;
	call->public.event = event_ref(s->event);
	call->public.view = d->duty.members ? EVENT_MEMBERS : EVENT_ITSELF;
	call->public.key = call->key;
	call->public.rule = engine_rule(e, d->duty.rule);
	call->public.held = d->held;
	d->held = NULL;
	call->public.attempt = d->attempt;
	call->public.emitted = d->emitted;
}

static void start_free(struct start *s)
{
	*(s->newer ? &s->newer->older : &s->target->engine->pending) = s->older;
	if (s->older)
		s->older->newer = s->newer;
	event_unref(s->event);
	delivery_clear(&s->delivery);
	free(s);
}

static struct flight *flight_new(struct target *t, uint64_t call)
{
	struct flight *f = mem_new(struct flight);

	f->target = t;
	f->call = call;
	f->end = &f->starts;
	return f;
}

static void board(struct flight *f, struct start *s)
{
	*f->end = s;
	f->end = &s->next;
	f->n++;
}

static void flight_free(struct flight *f)
{
	while (f->starts) {
		struct start *s = f->starts;

		f->starts = s->next;
		start_free(s);
	}
	free(f);
}

void engine_drop_flights(struct engine *e)
{
	while (e->flights) {
		struct flight *f = e->flights;

		e->flights = f->next;
		flight_free(f);
	}
	e->flights_end = &e->flights;
}

/* The number of the call, 0 if there is none. */
static uint64_t begin_call(struct start *s)
{
	struct target *t = s->target;
	struct engine *e = t->engine;
	struct call *call;

	if (!t->ops.deliver || !t->ready || e->draining || s->stale)
		return 0;
	call = calls_begin(&e->calls);
	give_public(call, t, s);
	lane_begun(t->lane, s->delivery.seq, engine_now(e));
	return call->public.number;
}

static void hand_out(struct target *t, const uint64_t *numbers, size_t n)
{
	if (t->ops.deliver_many && t->section->batch > 1) {
		t->ops.deliver_many(t->ops.target, numbers, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct call *call = calls_find(&t->engine->calls, numbers[i]);

		if (call)
			t->ops.deliver(t->ops.target, &call->public);
	}
}

static void take_off(struct flight *f)
{
	struct target *t = f->target;
	uint64_t some[8], number;
	uint64_t *numbers = f->n <= COUNT(some) ? some : mem_zero(f->n * sizeof *numbers);
	size_t n = 0;

	for (struct start *s = f->starts; s; s = s->next) {
		number = begin_call(s);
		if (number && !s->cancel)
			numbers[n++] = number;
		else if (number && t->ops.cancel)
			t->ops.cancel(t->ops.target, number);
	}
	if (n)
		hand_out(t, numbers, n);
	if (numbers != some)
		free(numbers);
	flight_free(f);
	engine_schedule(t->engine); /* their time runs from now on */
}

static void run_flights(void *arg);

/* From the loop: a plugin must never be called from inside a call into the host. */
static void enqueue(struct flight *f)
{
	struct engine *e = f->target->engine;

	f->next = NULL;
	*e->flights_end = f;
	e->flights_end = &f->next;
	if (!e->starting)
		loop_soon(e->options.loop, run_flights, e);
	e->starting = true;
}

static void read_events(struct journal *j, struct sequencer *s, void *arg)
{
	struct flight *f = arg;
	struct journal_event row;

	(void)s;
	for (struct start *start = f->starts; start; start = start->next) {
		if (start->event || journal_event(j, start->delivery.seq, &row, NULL) != JOURNAL_OK)
			continue;
		start->event = event_ref(row.event);
		journal_event_clear(&row);
	}
}

/* An event that is lost (its row was damaged) can never be delivered. */
static void event_lost(struct start *s)
{
	struct target *t = s->target;
	struct engine *e = t->engine;
	struct txn *txn = txn_new();

	lane_finished(t->lane, s->delivery.seq, LANE_REJECT,
		      "its event is no longer in the journal, or was damaged", -1, false,
		      engine_now(e), &e->effects);
	target_effects(t, txn);
	target_cursor(t, txn);
	engine_hand_over(e, txn);
	s->stale = true;
}

static void took_events(void *arg)
{
	struct flight *f = arg;

	if (f->target->engine->ending) {
		flight_free(f);
		return;
	}
	for (struct start *s = f->starts; s; s = s->next) {
		if (!s->event && !s->stale)
			event_lost(s);
	}
	f->complete = true;
	enqueue(f);
}

static bool lacks_event(const struct flight *f)
{
	for (const struct start *s = f->starts; s; s = s->next) {
		if (!s->event && !s->stale)
			return true;
	}
	return false;
}

static void depart(struct flight *f)
{
	struct target *t = f->target;

	if (t->boarding == f)
		t->boarding = NULL;
	lane_depart(t->lane, f->call);
	if (!f->complete && lacks_event(f))
		engine_ask(t->engine, read_events, took_events, f);
	else
		take_off(f);
}

static void run_flights(void *arg)
{
	struct engine *e = arg;
	struct flight *list = e->flights;

	e->flights = NULL;
	e->flights_end = &e->flights;
	e->starting = false;
	while (list) {
		struct flight *f = list;

		list = f->next;
		depart(f);
	}
}

static void after_row(struct txn *t, void *arg)
{
	struct flight *f = arg;

	if (t->failed)
		flight_free(f);
	else
		enqueue(f);
}

/* After an unclean stop the row that says "in a call" is durable before the call: what is
 * handed over after it cannot be durable earlier. */
static void hand_over_barrier(void *arg)
{
	struct flight *f = arg;
	struct txn *barrier = txn_new();

	barrier->done = after_row;
	barrier->arg = f;
	engine_submit(f->target->engine, barrier);
}

static void start_carefully(struct flight *f)
{
	struct engine *e = f->target->engine;

	e->careful = f->target;
	e->careful_seq = f->starts->delivery.seq;
	loop_soon(e->options.loop, hand_over_barrier, f);
}

static struct start *start_new(struct target *t, const struct delivery *d)
{
	struct start *s = mem_new(struct start);
	struct event *ev = target_event(t, d->seq);

	s->target = t;
	delivery_copy(&s->delivery, d);
	s->event = ev ? event_ref(ev) : NULL;
	s->older = t->engine->pending;
	if (s->older)
		s->older->newer = s;
	t->engine->pending = s;
	return s;
}

static struct start *start_of(const struct target *t, uint64_t seq)
{
	struct start *s = t->engine->pending;

	while (s && (s->target != t || s->delivery.seq != seq || s->stale))
		s = s->older;
	return s;
}

/* A row just written that says "in a call" is what a careful start has before it. */
static bool carefully(const struct lane_effects *effects, size_t at)
{
	const struct lane_effect *before = at ? &effects->list[at - 1] : NULL;

	return before && before->kind == LANE_ROW && before->delivery.state == DELIVERY_CALLED &&
	       before->delivery.seq == effects->list[at].delivery.seq;
}

/* Those of one call of the lane go together. */
static void do_call(struct target *t, const struct lane_effects *effects, size_t at)
{
	uint64_t call = effects->list[at].call;
	struct start *s = start_new(t, &effects->list[at].delivery);
	struct flight *f;

	lane_delayed(t->lane, s->delivery.seq);
	if (call && t->boarding && t->boarding->call == call) {
		board(t->boarding, s);
		return;
	}
	f = flight_new(t, call);
	board(f, s);
	if (call)
		t->boarding = f;
	if (carefully(effects, at))
		start_carefully(f);
	else
		enqueue(f);
}

static void say_retry(struct target *t, const struct delivery *d)
{
	char when[32], until[32];

	if (d->state != DELIVERY_RETRY || !d->why)
		return;
	log_limited(&t->retries, LOG_WARN,
		    "%s: event %llu: %s; attempt %u, next at %s, gives up at %s", t->section->name,
		    (unsigned long long)d->seq, d->why, d->attempt, units_time_text(d->due, when),
		    units_time_text(d->first_at + t->section->retry.for_ms, until));
}

/* A held delivery has no number: it gets one to be cancelled under. */
static void do_cancel(struct target *t, const struct delivery *d)
{
	struct call *call = calls_of(&t->engine->calls, t, d->seq);
	struct start *s;
	struct flight *f;

	if (call) {
		if (t->ops.cancel)
			t->ops.cancel(t->ops.target, call->public.number);
		return;
	}
	if (start_of(t, d->seq))
		return; /* it has not even begun */
	s = start_new(t, d);
	s->cancel = true;
	f = flight_new(t, 0);
	board(f, s);
	enqueue(f);
}

static void do_abandon(struct target *t, uint64_t seq)
{
	struct call *call = calls_of(&t->engine->calls, t, seq);
	struct start *s = start_of(t, seq);
	uint64_t number = call ? call->public.number : 0;

	calls_end(&t->engine->calls, number);
	if (number && t->ops.abandon)
		t->ops.abandon(t->ops.target, number);
	if (s)
		s->stale = true;
	engine_call_ended(t->engine, t, seq);
}

static void do_effect(struct target *t, const struct lane_effects *effects, size_t at,
		      struct txn *txn)
{
	const struct lane_effect *effect = &effects->list[at];

	switch (effect->kind) {
	case LANE_CALL: do_call(t, effects, at); break;
	case LANE_CANCEL: do_cancel(t, &effect->delivery); break;
	case LANE_ABANDON: do_abandon(t, effect->delivery.seq); break;
	case LANE_ROW:
		txn_row(txn, &effect->delivery);
		say_retry(t, &effect->delivery);
		break;
	case LANE_THEN: txn_then(txn, &effect->delivery); break;
	case LANE_DIED: announce_dead(t, effect, txn); break;
	case LANE_OPENED:
	case LANE_CLOSED: announce_breaker(t, effect, txn); break;
	}
}

/* What ended or waits long needs its event no more; after the effects, because a dead
 * letter's announcement does. */
static void forget_events(struct target *t, const struct lane_effects *effects)
{
	for (size_t i = 0; i < effects->n; i++) {
		if (effects->list[i].kind == LANE_ROW &&
		    effects->list[i].delivery.state != DELIVERY_CALLED)
			target_drop_event(t, effects->list[i].delivery.seq);
	}
}

/* An effect may bring about another input into a lane, so the list is taken first. */
void target_effects(struct target *t, struct txn *txn)
{
	struct engine *e = t->engine;
	struct lane_effects effects = e->effects;

	e->effects = (struct lane_effects){0};
	for (size_t i = 0; i < effects.n; i++)
		do_effect(t, &effects, i, txn);
	forget_events(t, &effects);
	lane_effects_empty(&effects);
	if (e->effects.list || effects.cap > MOST_KEPT)
		lane_effects_clear(&effects);
	else
		e->effects = effects;
}
