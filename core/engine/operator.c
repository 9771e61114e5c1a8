/* An operator's word on a delivery: do it again, or let it be. */
#include "base/mem.h"
#include "base/units.h"
#include "engine/engine_inside.h"
#include "lane/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_BACK 1000 /* newer deliveries looked at for one of the same key */

struct word {
	struct engine *engine;
	uint64_t seq;
	uint32_t target;
	bool force;
	char *why; /* of a drop */
	void (*answer)(const char *problem, void *arg);
	void *arg;

	struct delivery row;
	struct journal_event event;
	bool has_row, has_event;
	uint64_t newer; /* a delivery of the same key done since */
	struct err problem;
};

static struct target *target_of(const struct word *w)
{
	struct engine *e = w->engine;

	return w->target < e->nnumbers ? e->by_number[w->target] : NULL;
}

static void finish_word(struct word *w)
{
	w->answer(*w->problem.text ? w->problem.text : NULL, w->arg);
	if (w->has_row)
		delivery_clear(&w->row);
	if (w->has_event)
		journal_event_clear(&w->event);
	free(w->why);
	free(w);
}

static void durable_word(struct txn *t, void *arg)
{
	struct word *w = arg;

	if (t->failed)
		err_set(&w->problem, "the journal could not be written: nothing was changed");
	finish_word(w);
}

struct looking {
	struct word *word;
	struct journal *journal;
	const struct target *target;
	uint64_t key;
};

/* Runs on the journal thread: touches of the target only what never changes. */
static bool same_key(const struct delivery *d, void *arg)
{
	struct looking *l = arg;
	struct journal_event row;
	uint64_t key;

	if (journal_event(l->journal, d->seq, &row, NULL) != JOURNAL_OK)
		return true;
	key = order_key(&l->target->order, row.event, &d->duty);
	journal_event_clear(&row);
	if (key != l->key)
		return true;
	l->word->newer = d->seq;
	return false;
}

static void look_for_newer(struct word *w, struct journal *j)
{
	const struct target *t = target_of(w);
	struct looking l = {w, j, t, 0};

	if (!t)
		return;
	l.key = order_key(&t->order, w->event.event, &w->row.duty);
	if (l.key)
		journal_done_after(j, w->target, w->seq, LOOK_BACK, same_key, &l, NULL);
}

static void read_word(struct journal *j, struct sequencer *s, void *arg)
{
	struct word *w = arg;

	(void)s;
	w->has_row = journal_delivery(j, w->seq, w->target, &w->row, NULL) == JOURNAL_OK;
	w->has_event = journal_event(j, w->seq, &w->event, NULL) == JOURNAL_OK;
	if (w->has_row && w->has_event)
		look_for_newer(w, j);
}

static bool may_redrive(struct word *w)
{
	unsigned long long seq = w->seq;

	if (w->target == DELIVERY_INTAKE)
		err_set(&w->problem,
			"event %llu was refused at intake: it is not fit to be delivered; have its "
			"source send it again, or drop it",
			seq);
	else if (!w->has_row)
		err_set(&w->problem, "there is no dead letter of event %llu for that target", seq);
	else if (w->row.state != DELIVERY_DEAD)
		err_set(&w->problem, "the delivery of event %llu is not dead: it is %s", seq,
			delivery_state_name(w->row.state));
	else if (!w->has_event)
		err_set(&w->problem, "event %llu is no longer in the journal", seq);
	else if (!target_of(w))
		err_set(&w->problem, "the configuration has no such target any more");
	else if (w->newer && !w->force)
		err_set(&w->problem,
			"event %llu of the same order key was delivered since: doing %llu now "
			"would "
			"set back what it did; --force does it all the same",
			(unsigned long long)w->newer, seq);
	return !*w->problem.text;
}

/* The key of an attempt that was sent and never answered stays, so that it cannot happen
 * twice; a definite refusal gets a new one, or the other side would repeat its answer. */
static void make_new(struct word *w)
{
	struct world *world = w->engine->options.world;
	int64_t now = world->wall(world);
	struct delivery *d = &w->row;
	char late[96] = "";

	if (w->newer)
		snprintf(late, sizeof late,
			 "late: event %llu of the same order key was done before",
			 (unsigned long long)w->newer);
	d->trail = trail_add(d->trail, now, now, "redriven", late);
	d->round += d->unknown ? 0 : 1;
	d->state = DELIVERY_WAITING;
	d->attempt = d->emitted = d->deaths = 0;
	d->unknown = d->told = false;
	d->due = d->first_at = d->begun_at = d->ended_at = 0;
	free(d->held);
	d->held = NULL;
}

static void redrive_read(void *arg)
{
	struct word *w = arg;
	struct txn *t;

	if (!may_redrive(w)) {
		finish_word(w);
		return;
	}
	make_new(w);
	lane_forget(target_of(w)->lane, w->seq);
	t = txn_new();
	txn_begin(t, &w->row);
	t->done = durable_word;
	t->arg = w;
	engine_submit(w->engine, t);
}

static struct word *word_new(struct engine *e, uint64_t seq, uint32_t target,
			     void (*answer)(const char *problem, void *arg), void *arg)
{
	struct word *w = mem_new(struct word);

	w->engine = e;
	w->seq = seq;
	w->target = target;
	w->answer = answer;
	w->arg = arg;
	return w;
}

void engine_redrive(struct engine *e, uint64_t seq, uint32_t target, bool force,
		    void (*answer)(const char *problem, void *arg), void *arg)
{
	struct word *w = word_new(e, seq, target, answer, arg);

	w->force = force;
	engine_ask(e, read_word, redrive_read, w);
}

/* A live delivery is the lane's, with or without a row. */
static bool drop_live(struct word *w, struct txn *t)
{
	struct target *target = target_of(w);

	if (!target ||
	    !lane_drop(target->lane, w->seq, w->why, engine_now(w->engine), &w->engine->effects))
		return false;
	target_effects(target, t);
	target_cursor(target, t);
	return true;
}

/* One that is dead, or whose target or event is gone, is only a row. */
static bool drop_row(struct word *w, struct txn *t)
{
	if (!w->has_row)
		err_set(&w->problem,
			"there is no delivery of event %llu that waits or is dead for that target",
			(unsigned long long)w->seq);
	else if (delivery_ended(w->row.state) && w->row.state != DELIVERY_DEAD)
		err_set(&w->problem, "the delivery of event %llu has ended: %s",
			(unsigned long long)w->seq, delivery_state_name(w->row.state));
	else if (w->row.state != DELIVERY_DEAD && w->has_event && target_of(w))
		err_set(&w->problem,
			"the delivery of event %llu is just beginning or ending: look again",
			(unsigned long long)w->seq);
	if (*w->problem.text)
		return false;
	if (target_of(w))
		lane_forget(target_of(w)->lane, w->seq);
	free(w->row.why);
	w->row.why = mem_text(w->why);
	w->row.state = DELIVERY_DROPPED;
	w->row.ended_at = w->engine->options.world->wall(w->engine->options.world);
	txn_row(t, &w->row);
	return true;
}

static void drop_read(void *arg)
{
	struct word *w = arg;
	struct txn *t = txn_new();

	if (!drop_live(w, t) && !drop_row(w, t)) {
		txn_free(t);
		finish_word(w);
		return;
	}
	t->done = durable_word;
	t->arg = w;
	engine_submit(w->engine, t);
}

void engine_drop(struct engine *e, uint64_t seq, uint32_t target, const char *why,
		 void (*answer)(const char *problem, void *arg), void *arg)
{
	struct word *w = word_new(e, seq, target, answer, arg);

	w->why = mem_text(why);
	engine_ask(e, read_word, drop_read, w);
}
