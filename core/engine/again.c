/* Deliveries of old events, asked for by an operator. */
#include "base/mem.h"
#include "engine/engine_inside.h"
#include "lane/trail.h"

#include <stdlib.h>
#include <string.h>

struct again {
	struct engine *engine;
	struct engine_again ask; /* its `seqs` are ours */
	void (*answer)(const struct engine_again_result *result, void *arg);
	void *arg;
	struct delivery *rows; /* as many as asked for; of those to begin, what they will be */
	struct engine_again_result result;
};

static void finish_again(struct again *a)
{
	a->answer(&a->result, a->arg);
	for (size_t i = 0; i < a->ask.n; i++)
		delivery_clear(&a->rows[i]);
	free(a->rows);
	free(a->result.events);
	free((void *)(uintptr_t)a->ask.seqs);
	free(a);
}

static bool has_duty(const struct journal_event *event, uint32_t target)
{
	for (size_t i = 0; i < event->nduties; i++) {
		if (event->duties[i].target == target || event->duties[i].then == target)
			return true;
	}
	return false;
}

/* The next round of what was, or the first of what was not: neither was ever sent. */
static void next_round(struct delivery *d)
{
	d->round++;
	d->state = DELIVERY_WAITING;
	d->attempt = d->emitted = d->deaths = 0;
	d->unknown = d->told = false;
	d->replay = true;
	d->due = d->first_at = d->begun_at = d->ended_at = 0;
	d->by = 0;
	free(d->held);
	d->held = NULL;
}

/* On the journal thread: a rule's name never changes. */
static void new_duty(struct delivery *d, const struct again *a, const struct journal_event *event)
{
	const char *rule = engine_rule(a->engine, a->ask.rule);

	d->seq = event->event->seq;
	d->duty = (struct duty){.target = a->ask.target,
				.rule = a->ask.rule,
				.members = strcmp(event->event->type, EVENT_FIRED) == 0 &&
					   strcmp(event->event->source, rule) == 0};
	d->own = event_is_own(event->event);
}

static enum again_result look_at(struct again *a, struct journal *j, uint64_t seq,
				 struct delivery *row)
{
	struct journal_event event;
	bool stored = journal_delivery(j, seq, a->ask.target, row, NULL) == JOURNAL_OK;
	enum again_result what = AGAIN_BEGUN;

	if (journal_event(j, seq, &event, NULL) != JOURNAL_OK)
		return AGAIN_NO_EVENT;
	if (stored && !delivery_ended(row->state))
		what = AGAIN_LIVE;
	else if (!stored && has_duty(&event, a->ask.target))
		what = AGAIN_LIVE; /* its turn has not come yet */
	else if (!stored && !a->ask.rule)
		what = AGAIN_NO_DUTY;
	else if (!stored)
		new_duty(row, a, &event);
	journal_event_clear(&event);
	return what;
}

static void read_rows(struct journal *j, struct sequencer *s, void *arg)
{
	struct again *a = arg;

	(void)s;
	for (size_t i = 0; i < a->ask.n; i++) {
		a->result.events[i].seq = a->ask.seqs[i];
		a->result.events[i].what = look_at(a, j, a->ask.seqs[i], &a->rows[i]);
	}
	a->result.n = a->ask.n;
}

static void durable_again(struct txn *t, void *arg)
{
	struct again *a = arg;

	if (t->failed)
		a->result.problem = "the journal could not be written: nothing was begun";
	finish_again(a);
}

static void begin(struct again *a, struct target *target)
{
	struct world *world = a->engine->options.world;
	int64_t now = world->wall(world);
	struct txn *t = txn_new();

	for (size_t i = 0; i < a->ask.n; i++) {
		struct delivery *d = &a->rows[i];

		if (a->result.events[i].what != AGAIN_BEGUN)
			continue;
		d->trail = trail_add(d->trail, now, now, "replayed", NULL);
		next_round(d);
		lane_forget(target->lane, d->seq);
		txn_begin(t, d);
	}
	t->done = durable_again;
	t->arg = a;
	engine_submit(a->engine, t);
}

static bool is_busy(const struct target *t, size_t more)
{
	struct lane_stats s = lane_stats(t->lane);

	return s.waiting + s.called + s.held + s.retry + more > ENGINE_AGAIN_BACKLOG;
}

static void rows_read(void *arg)
{
	struct again *a = arg;
	struct engine *e = a->engine;
	struct target *t = a->ask.target < e->nnumbers ? e->by_number[a->ask.target] : NULL;

	if (!t)
		a->result.problem = "the configuration has no such target any more";
	else if (is_busy(t, a->ask.n))
		a->result.problem = "the target has too much to do already";
	a->result.busy = t && a->result.problem;
	if (a->result.problem || a->ask.dry)
		finish_again(a);
	else
		begin(a, t);
}

void engine_again(struct engine *e, const struct engine_again *ask,
		  void (*answer)(const struct engine_again_result *result, void *arg), void *arg)
{
	struct again *a = mem_new(struct again);
	size_t bytes = ask->n * sizeof *ask->seqs;
	uint64_t *seqs = mem_zero(bytes);

	memcpy(seqs, ask->seqs, bytes);
	a->engine = e;
	a->ask = *ask;
	a->ask.seqs = seqs;
	a->answer = answer;
	a->arg = arg;
	a->rows = mem_zero(ask->n * sizeof *a->rows);
	a->result.events = mem_zero(ask->n * sizeof *a->result.events);
	engine_ask(e, read_rows, rows_read, a);
}
