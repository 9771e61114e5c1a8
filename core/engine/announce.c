#include "engine/announce.h"

#include "base/log.h"
#include "base/mem.h"
#include "route/own.h"

#include <stdlib.h>
#include <string.h>

#define GATHER_MS 60000

static struct event *event_of(struct target *t, uint64_t seq)
{
	struct call *call = calls_of(&t->engine->calls, t, seq);

	return call ? call->public.event : target_event(t, seq);
}

struct obituary_notice { /* while the example's event is being read */
	struct target *target;
	uint32_t count;
	struct delivery delivery;
	struct event *event;
};

static void announce_notice(const struct obituary_notice *n, struct txn *txn)
{
	const char *name = n->target->section->name;
	struct buf json = {0};

	own_dead_json(&json, name, n->count, n->delivery.why, n->delivery.seq, n->event);
	engine_emit_about(n->target->engine, txn, OWN_DEAD, name, buf_text(&json), n->event, name);
	buf_free(&json);
}

static void read_example(struct journal *j, struct sequencer *s, void *arg)
{
	struct obituary_notice *n = arg;
	struct journal_event row;

	(void)s;
	if (journal_event(j, n->delivery.seq, &row, NULL) != JOURNAL_OK)
		return;
	n->event = event_ref(row.event);
	journal_event_clear(&row);
}

static struct obituary_notice *notice_new(struct target *t, const struct lane_effect *effect)
{
	struct obituary_notice *n = mem_new(struct obituary_notice);

	n->target = t;
	n->count = effect->count;
	delivery_copy(&n->delivery, &effect->delivery);
	return n;
}

static void notice_free(struct obituary_notice *n)
{
	event_unref(n->event);
	delivery_clear(&n->delivery);
	free(n);
}

static void took_example(void *arg)
{
	struct obituary_notice *n = arg;
	struct engine *e = n->target->engine;
	struct txn *txn = txn_new();

	if (!e->ending)
		announce_notice(n, txn);
	engine_hand_over(e, txn);
	notice_free(n);
}

/* While the engine is loaded there is no other thread yet, and the journal is ours. */
static void announce_at_load(struct obituary_notice *n, struct txn *txn)
{
	struct engine *e = n->target->engine;

	read_example(e->journal, e->sequencer, n);
	announce_notice(n, txn);
	notice_free(n);
}

void announce_dead(struct target *t, const struct lane_effect *effect, struct txn *txn)
{
	const struct delivery *d = &effect->delivery;
	struct engine *e = t->engine;
	struct event *ev = event_of(t, d->seq);

	log_error("%s: gave up on event %llu: %s; kept as dead letter %llu/%s", t->section->name,
		  (unsigned long long)d->seq, d->why ? d->why : "no reason given",
		  (unsigned long long)d->seq, t->section->name);
	if (ev)
		announce_notice(&(struct obituary_notice){t, effect->count, *d, ev}, txn);
	else if (e->thread)
		engine_ask(e, read_example, took_example, notice_new(t, effect));
	else
		announce_at_load(notice_new(t, effect), txn);
}

/* Without a cause: after a loop it would be one hop more, and so a loop itself. */
static void tell_intake(struct engine *e, uint32_t count, const char *why, const struct event *ev)
{
	struct txn *txn = txn_new();
	struct buf json = {0};

	own_dead_json(&json, "intake", count, why, ev->seq, ev);
	engine_emit_own(e, txn, OWN_DEAD, "intake", buf_text(&json));
	engine_submit(e, txn);
	buf_free(&json);
}

void announce_intake(struct engine *e, struct event *ev, const char *why)
{
	struct intake_deaths *d = &e->intake;

	log_limited(&d->lines, LOG_ERROR, "event %llu (%s): %s; kept as dead letter %llu/intake",
		    (unsigned long long)ev->seq, ev->type, why, (unsigned long long)ev->seq);
	if (!d->quiet) {
		d->quiet = true;
		loop_timer_set(d->timer, GATHER_MS);
		tell_intake(e, 1, why, ev);
	} else if (d->count++ == 0) {
		d->first = event_ref(ev);
		d->why = mem_text(why);
	}
}

void announce_gathered(void *engine)
{
	struct engine *e = engine;
	struct intake_deaths *d = &e->intake;

	d->quiet = d->count > 0;
	if (!d->quiet)
		return;
	tell_intake(e, d->count, d->why, d->first);
	event_unref(d->first);
	free(d->why);
	d->first = NULL;
	d->why = NULL;
	d->count = 0;
	loop_timer_set(d->timer, GATHER_MS);
}

void announce_breaker(struct target *t, const struct lane_effect *effect, struct txn *txn)
{
	bool opened = effect->kind == LANE_OPENED;
	const char *name = t->section->name, *why = effect->delivery.why;
	struct change *change = txn_add(txn, CHANGE_BREAKER);
	struct buf json = {0};

	change->target = t->number;
	change->value = opened ? lane_breaker_save(t->lane) : NULL;
	own_breaker_json(&json, name, why);
	engine_emit_about(t->engine, txn, opened ? OWN_OPENED : OWN_CLOSED, name, buf_text(&json),
			  NULL, name);
	if (opened)
		log_error("%s: taken to be down: %s; one probe at a time until it answers", name,
			  why ? why : "no reason given");
	else
		log_info("%s: answers again", name);
	buf_free(&json);
}

void announce_damage(struct engine *e)
{
	struct txn *txn = txn_new();
	struct buf json = {0};

	buf_text_add(&json, "{\"lost\":");
	buf_json_string(&json, e->damaged, strlen(e->damaged));
	buf_char(&json, '}');
	engine_emit_own(e, txn, "pointsman.journal.damaged", NULL, buf_text(&json));
	engine_submit(e, txn);
	buf_free(&json);
}
