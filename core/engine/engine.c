#include "engine/engine.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "engine/announce.h"
#include "engine/clock.h"
#include "engine/room.h"
#include "route/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define HOUSEKEEPING_MS 5000
#define DAMAGED         "pointsman.journal.damaged"

struct lane_now engine_now(struct engine *e)
{
	struct world *w = e->options.world;

	return (struct lane_now){w->wall(w), w->boot(w), world_random64(w)};
}

struct target *engine_target(struct engine *e, const char *name)
{
	return map_get(&e->targets, name);
}

static struct target *next_target(struct engine *e, size_t *i)
{
	struct map_entry *entry = map_next(&e->targets, i);

	return entry ? entry->value : NULL;
}

uint32_t engine_instance(struct engine *e, const char *name)
{
	struct known *known = map_get(&e->numbers, name);

	return known ? known->number : 0;
}

const char *engine_first_name(struct engine *e, const char *name)
{
	struct known *known = map_get(&e->numbers, name);

	return known ? known->first : name;
}

const char *engine_rule(struct engine *e, uint32_t number)
{
	return number < e->nrules && e->rules[number] ? e->rules[number] : "";
}

uint64_t engine_submit(struct engine *e, struct txn *t)
{
	t->number = ++e->submitted;
	journal_thread_submit(e->thread, t);
	return t->number;
}

void engine_hand_over(struct engine *e, struct txn *t)
{
	if (t->n || t->done)
		engine_submit(e, t);
	else
		txn_free(t);
}

uint64_t engine_submitted(const struct engine *e)
{
	return e->submitted;
}

uint64_t engine_durable(const struct engine *e)
{
	return e->durable;
}

void engine_ask(struct engine *e, void (*job)(struct journal *j, struct sequencer *s, void *arg),
		void (*done)(void *arg), void *arg)
{
	journal_thread_ask(e->thread, job, done, arg);
}

/* What is still true at the next start is not told again: the same words, the same id. */
static uint64_t own_number(struct engine *e, const char *type, const char *json)
{
	return strcmp(type, DAMAGED) == 0 ? hash64(json, strlen(json), 0)
					  : world_random64(e->options.world);
}

void engine_emit_about(struct engine *e, struct txn *t, const char *type, const char *subject,
		       const char *json, const struct event *cause, const char *caused_by)
{
	struct event *made = own_event(&(struct own){
		.type = type,
		.subject = subject,
		.json = json,
		.cause = cause,
		.caused_by = caused_by,
		.number = own_number(e, type, json),
		.at = e->options.world->wall(e->options.world),
	});

	txn_emit(t, made);
	event_unref(made);
}

void engine_emit_own(struct engine *e, struct txn *t, const char *type, const char *subject,
		     const char *json)
{
	engine_emit_about(e, t, type, subject, json, NULL, NULL);
}

/* Gives the one permit to the next lane that still goes carefully. */
static void careful_turn(struct engine *e)
{
	struct txn *txn;
	struct target *t;

	if (e->careful || !e->unclean || !e->started)
		return;
	txn = txn_new();
	for (size_t i = 0; !e->careful && (t = next_target(e, &i));) {
		if (!t->ready || !lane_is_careful(t->lane))
			continue;
		lane_permit(t->lane, engine_now(e), &e->effects);
		target_effects(t, txn);
	}
	engine_hand_over(e, txn);
}

static void set_timer(struct engine *e)
{
	struct lane_now now = engine_now(e);
	int64_t next = INT64_MAX;
	struct target *t;

	for (size_t i = 0; (t = next_target(e, &i));) {
		int64_t due = lane_next(t->lane, now);

		if (due < next)
			next = due;
	}
	if (next == INT64_MAX)
		loop_timer_stop(e->timer);
	else
		loop_timer_set(e->timer, next - now.boot);
}

/* Once in a turn of the loop, whatever happened to lanes in it. */
void engine_schedule(struct engine *e)
{
	if (!e->scheduling)
		loop_timer_set(e->timer, 0);
	e->scheduling = true;
}

static void tick(struct engine *e)
{
	struct lane_now now = engine_now(e);
	struct txn *txn = txn_new();
	struct target *t;

	for (size_t i = 0; (t = next_target(e, &i));) {
		if (lane_next(t->lane, now) > now.boot)
			continue;
		lane_tick(t->lane, now, &e->effects);
		target_effects(t, txn);
		target_cursor(t, txn);
		target_read(t);
	}
	engine_hand_over(e, txn);
}

void engine_on_timer(void *arg)
{
	struct engine *e = arg;

	tick(e);
	careful_turn(e);
	e->scheduling = false;
	set_timer(e);
}

static void check_drained(struct engine *e)
{
	if (!e->drained || e->calls.open || e->durable != e->submitted)
		return;
	loop_timer_stop(e->drain_timer);
	loop_soon(e->options.loop, e->drained, e->drained_arg);
	e->drained = NULL;
}

void engine_call_ended(struct engine *e, const struct target *t, uint64_t seq)
{
	if (e->careful == t && e->careful_seq == seq) {
		e->careful = NULL;
		engine_schedule(e);
	}
	check_drained(e);
}

static void count_changes(struct engine *e, const struct txn *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->changes[i].kind == CHANGE_EMIT && t->changes[i].duplicate)
			e->duplicates++;
		if (t->changes[i].kind == CHANGE_REFUSE)
			e->refused++;
	}
}

static void begin_rows(struct engine *e, const struct txn *t)
{
	for (size_t i = 0; i < t->n && !e->ending; i++) {
		if (t->changes[i].begin)
			target_recall_stored(e, t->changes[i].row.duty.target,
					     t->changes[i].row.seq);
	}
}

static void txns_done(struct engine *e, struct txn *txns)
{
	while (txns) {
		struct txn *t = txns;

		txns = (struct txn *)(void *)t->letter.next;
		if (!t->failed) {
			e->durable = t->number;
			count_changes(e, t);
			begin_rows(e, t);
		}
		if (t->done)
			t->done(t, t->arg);
		txn_free(t);
	}
}

static void tell_buried(struct engine *e, const struct batch *b)
{
	for (size_t i = 0; i < b->n && !e->ending; i++) {
		if (b->accepted[i].buried)
			announce_intake(e, b->accepted[i].event, b->accepted[i].buried);
	}
}

static void on_durable(struct txn *txns, struct batch *batch, void *arg)
{
	struct engine *e = arg;
	struct txn *txn;
	struct target *t;

	txns_done(e, txns);
	tell_buried(e, batch);
	e->accepted += batch->n;
	e->last_seq = batch->to > e->last_seq ? batch->to : e->last_seq;
	if (!e->ending && batch->to > batch->from) {
		txn = txn_new();
		targets_take_batch(e, batch, txn);
		for (size_t i = 0; (t = next_target(e, &i));)
			target_read(t);
		engine_hand_over(e, txn);
		engine_schedule(e);
	}
	batch_clear(batch);
	check_drained(e);
}

/* On a full disk lanes only finish what they began. */
static void on_full(bool full, void *arg)
{
	struct engine *e = arg;
	struct target *t;

	for (size_t i = 0; (t = next_target(e, &i));)
		lane_rest(t->lane, full);
	if (!e->ending)
		engine_schedule(e);
}

static void on_failed(const char *why, void *arg)
{
	struct engine *e = arg;
	struct err text;

	err_set(&text,
		"journal in %s: %s; stopping, because after a failed write a later success "
		"would mean nothing. What was accepted goes on at the next start",
		e->options.config->state, why);
	e->options.failed(EX_IOERR, text.text, e->options.arg);
}

static void write_cursors(struct engine *e)
{
	struct txn *txn = txn_new();
	uint64_t floor = UINT64_MAX;
	struct target *t;

	for (size_t i = 0; (t = next_target(e, &i));) {
		target_cursor(t, txn);
		if (t->cursor < floor)
			floor = t->cursor;
	}
	journal_thread_floor(e->thread, floor == UINT64_MAX ? e->last_seq : floor);
	engine_hand_over(e, txn);
}

struct damage {
	struct engine *engine;
	char *lost;
};

static void take_damage(struct journal *j, struct sequencer *s, void *arg)
{
	struct damage *d = arg;

	(void)s;
	d->lost = journal_take_damage(j);
}

static void took_damage(void *arg)
{
	struct damage *d = arg;
	struct engine *e = d->engine;

	if (d->lost && !e->ending) {
		log_error("journal: %s", d->lost);
		free(e->damaged);
		e->damaged = d->lost;
		d->lost = NULL;
		announce_damage(e);
	}
	free(d->lost);
	free(d);
}

void engine_on_housekeeping(void *arg)
{
	struct engine *e = arg;
	struct damage *d = mem_new(struct damage);

	d->engine = e;
	clock_look(e);
	write_cursors(e);
	engine_ask(e, take_damage, took_damage, d);
	loop_timer_set(e->housekeeping, HOUSEKEEPING_MS);
}

void engine_start(struct engine *e)
{
	struct journal_thread_options options = {
		.world = e->options.world,
		.loop = e->options.loop,
		.journal = e->journal,
		.sequencer = e->sequencer,
		.durable = on_durable,
		.full = on_full,
		.failed = on_failed,
		.arg = e,
	};
	struct err err = {{0}};

	e->thread = journal_thread_start(&options, &err);
	if (!e->thread) {
		e->options.failed(EX_OSERR, err.text, e->options.arg);
		return;
	}
	e->started = true;
	room_watch(e->room, e->thread);
	engine_hand_over(e, e->first_txn);
	e->first_txn = NULL;
	if (e->damaged && !e->options.visiting)
		announce_damage(e);
	engine_on_housekeeping(e);
	engine_schedule(e);
}

static void drained_late(void *arg)
{
	struct engine *e = arg;

	if (!e->drained)
		return;
	if (e->calls.open)
		log_warn("%zu calls had not ended in time; they come again at the next start",
			 e->calls.open);
	else
		log_info("the journal has much to write; what was handed over is written before "
			 "the end");
	e->drained(e->drained_arg);
	e->drained = NULL;
}

void engine_drain(struct engine *e, int64_t wait_ms, void (*done)(void *arg), void *arg)
{
	e->draining = true;
	e->drained = done;
	e->drained_arg = arg;
	e->drain_timer = loop_timer_new(e->options.loop, drained_late, e);
	loop_timer_set(e->drain_timer, wait_ms);
	clock_look(e);
	write_cursors(e);
	check_drained(e);
}

void engine_register(struct engine *e, const char *name, const struct engine_target *ops)
{
	struct target *t = engine_target(e, name);

	if (t)
		t->ops = *ops;
}

void engine_ready(struct engine *e, const char *name, bool ready)
{
	struct target *t = engine_target(e, name);
	struct txn *txn;

	if (!t || t->ready == ready)
		return;
	t->ready = ready;
	txn = txn_new();
	lane_pause(t->lane, !ready, engine_now(e), &e->effects);
	target_effects(t, txn);
	target_cursor(t, txn);
	engine_hand_over(e, txn);
	target_read(t);
	engine_schedule(e);
}

const struct engine_call *engine_find(struct engine *e, uint64_t number)
{
	struct call *call = calls_find(&e->calls, number);

	return call ? &call->public : NULL;
}

enum engine_room engine_room(struct engine *e, size_t bytes, const char **why)
{
	*why = "the daemon is stopping";
	return e->draining ? ROOM_NONE : room_for(e->room, bytes, why);
}

bool engine_has_room(struct engine *e, const char **why)
{
	return engine_room(e, 0, why) == ROOM_FREE;
}

void engine_when_room(struct engine *e, void (*fn)(void *arg), void *arg)
{
	room_when(e->room, fn, arg);
}

/* The number goes first, so that nothing the effects bring about finds it; its event stays
 * until they are done, because an announcement tells of it. */
static void after_call(struct engine *e, struct txn *txn, struct target *t, uint64_t seq,
		       uint64_t number)
{
	target_effects(t, txn);
	calls_end(&e->calls, number);
	target_moved(t, txn);
	target_read(t);
	engine_schedule(e);
	engine_call_ended(e, t, seq);
}

bool engine_finish(struct engine *e, struct txn *txn, uint64_t number, enum lane_result result,
		   const char *why, int64_t after_ms, bool unknown)
{
	struct call *call = calls_find(&e->calls, number);

	if (!call)
		return false;
	lane_finished(call->target->lane, call->seq, result, why, after_ms, unknown, engine_now(e),
		      &e->effects);
	after_call(e, txn, call->target, call->seq, number);
	return true;
}

/* At one moment, and with one chance: what goes together comes back together. */
size_t engine_finish_many(struct engine *e, struct txn *txn, const uint64_t *numbers, size_t n,
			  enum lane_result result, const char *why, int64_t after_ms, bool unknown)
{
	struct lane_now now = engine_now(e);
	size_t stale = 0;

	for (size_t i = 0; i < n; i++) {
		struct call *call = calls_find(&e->calls, numbers[i]);

		if (!call) {
			stale++;
			continue;
		}
		lane_finished(call->target->lane, call->seq, result, why, after_ms, unknown, now,
			      &e->effects);
		after_call(e, txn, call->target, call->seq, numbers[i]);
	}
	return stale;
}

bool engine_hold(struct engine *e, struct txn *txn, uint64_t number, int64_t ms, const char *state)
{
	struct call *call = calls_find(&e->calls, number);

	if (!call)
		return false;
	lane_held(call->target->lane, call->seq, ms, state, call->emits, engine_now(e),
		  &e->effects);
	after_call(e, txn, call->target, call->seq, number);
	return true;
}

void engine_emit_id(struct engine *e, uint64_t number, const char *type, struct buf *out)
{
	struct call *call = calls_find(&e->calls, number);

	if (call)
		buf_printf(out, "%s/%s/%u", call->public.key, type,
			   call->public.emitted + call->emits++);
}

struct engine_stats engine_stats(struct engine *e)
{
	const char *why;
	bool room = engine_has_room(e, &why);

	return (struct engine_stats){
		.last_seq = e->last_seq,
		.accepted = e->accepted,
		.duplicates = e->duplicates,
		.refused = e->refused,
		.journal_bytes = e->thread ? journal_thread_bytes(e->thread) : 0,
		.full = !room,
		.full_because = room ? "" : why,
		.damaged = e->damaged,
		.generation = e->generation,
	};
}

bool engine_lane_stats(struct engine *e, const char *name, struct lane_stats *out)
{
	struct target *t = engine_target(e, name);

	if (t)
		*out = lane_stats(t->lane);
	return t != NULL;
}

uint64_t engine_lane_cursor(struct engine *e, const char *name)
{
	struct target *t = engine_target(e, name);

	return t ? lane_cursor(t->lane) : 0;
}

static void acknowledge(struct journal *j, struct sequencer *s, void *arg)
{
	struct err err = {{0}};

	(void)s;
	(void)arg;
	if (journal_acknowledge(j, &err) != JOURNAL_OK)
		log_error("the damage could not be acknowledged: %s", err.text);
}

static void acknowledged(void *arg)
{
	(void)arg;
}

void engine_acknowledge(struct engine *e)
{
	free(e->damaged);
	e->damaged = NULL;
	engine_ask(e, acknowledge, acknowledged, NULL);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	e->ending = true;
	if (e->thread) {
		loop_timer_stop(e->housekeeping);
		write_cursors(e);
		journal_thread_end(e->thread);
		e->thread = NULL;
	}
	engine_unload(e);
}
