#include "route/sequencer_inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arrival { /* an event of our own, waiting for its number */
	struct event *ev;
	bool fired; /* `by` says how it is routed */
	struct firing by;
};

struct work { /* one batch under way */
	struct sequencer *s;
	int64_t at;
	struct batch *out;
	struct arrival *queue;
	size_t n, next, cap;
	struct err *err;
};

void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		event_unref(b->accepted[i].event);
		free(b->accepted[i].duties);
		free(b->accepted[i].buried);
	}
	free(b->accepted);
	*b = (struct batch){0};
}

const struct plan *sequencer_plan(const struct sequencer *s)
{
	return s->plan;
}

const struct cell *sequencer_cell(const struct sequencer *s, const char *rule, const char *group)
{
	return router_peek(s->state, names_find(s->names, NAME_RULE, rule), group);
}

struct names *sequencer_names(struct sequencer *s)
{
	return s->names;
}

uint32_t sequencer_generation(const struct sequencer *s)
{
	return s->generation;
}

/* Acceptance never goes back.  When the wall clock did, it goes on at half speed until the
 * two meet again, so that windows close meanwhile. */
static int64_t accept_time(struct sequencer *s, int64_t now)
{
	int64_t passed = s->wall && now > s->wall ? now - s->wall : 0;

	s->wall = now - passed % 2; /* half of a millisecond counts, too */
	s->at += passed / 2;
	if (now > s->at)
		s->at = now;
	return s->at;
}

int64_t sequencer_next_deadline(struct sequencer *s, int64_t now)
{
	int64_t due = router_next_deadline(s->plan, s->state), at = accept_time(s, now);

	if (due == INT64_MAX || at <= now)
		return due;
	return due <= at ? now : now + (due - at) * 2;
}

static void add_accepted(struct batch *b, struct event *ev, struct duty *duties, size_t n,
			 char *buried)
{
	mem_room(b->accepted, b->n, b->cap);
	b->accepted[b->n++] = (struct accepted){ev, duties, n, buried};
	b->to = ev->seq;
}

/* One reference, or NULL if the row is lost. */
static struct event *event_numbered(struct work *w, uint64_t seq)
{
	struct journal_event row;
	struct event *ev;

	if (seq > w->out->from && seq <= w->out->to)
		return event_ref(w->out->accepted[seq - w->out->from - 1].event);
	if (journal_event(w->s->j, seq, &row, w->err) != JOURNAL_OK)
		return NULL;
	ev = event_ref(row.event);
	journal_event_clear(&row);
	return ev;
}

static struct arrival *enqueue(struct work *w, struct event *ev)
{
	mem_room(w->queue, w->n, w->cap);
	w->queue[w->n] = (struct arrival){.ev = ev};
	return &w->queue[w->n++];
}

/* The firing moves into the queue. */
static void enqueue_firing(struct work *w, struct firing *f)
{
	struct event **members = mem_zero(f->n * sizeof *members);
	size_t bytes = 0;
	struct arrival *a;

	for (size_t i = f->n; i-- > 0;) {
		members[i] = firing_member(event_numbered(w, f->members[i].seq), &bytes);
		if (!members[i])
			log_error("rule %s fires without event %" PRIu64 ", which is lost",
				  plan_rule_name(w->s->plan, f->rule), f->members[i].seq);
	}
	a = enqueue(w, own_firing(w->s->plan, f, members, w->at));
	a->fired = true;
	a->by = *f;
	*f = (struct firing){0};
	for (size_t i = 0; i < a->by.n; i++)
		event_unref(members[i]);
	free(members);
}

/* Later events of the batch see the changes; the journal gets the last of each. */
static void take_outcome(struct work *w, struct outcome *o, const struct event *cause)
{
	for (size_t i = 0; i < o->nchanges; i++)
		map_put(&w->s->dirty, o->changes[i].key, w->s);
	router_apply(w->s->state, o);
	for (size_t i = 0; i < o->ndropped; i++)
		enqueue(w, own_group_dropped(w->s->plan, &o->dropped[i], cause));
	for (size_t i = 0; i < o->nfirings; i++)
		enqueue_firing(w, &o->firings[i]);
	outcome_clear(o);
}

static enum journal_status bury(struct work *w, const struct event *ev, const char *why)
{
	struct delivery d = {.seq = ev->seq,
			     .duty = {.target = DELIVERY_INTAKE},
			     .state = DELIVERY_DEAD,
			     .ended_at = w->at,
			     .why = mem_text(why)};
	enum journal_status status = journal_put_delivery(w->s->j, &d, w->err);

	delivery_clear(&d);
	return status;
}

static char *reason_of(const struct event *ev)
{
	struct json_value data = json_root(ev->data, ev->data_len), name, value;
	struct buf text = {0};

	for (size_t at = 0; json_next(&data, &at, &name, &value);) {
		if (name.len == strlen("\"reason\"") &&
		    memcmp(name.text, "\"reason\"", name.len) == 0)
			json_text(&value, &text);
	}
	return buf_take(&text);
}

static char *loop_of(struct work *w, const struct event *ev)
{
	struct buf text = {0};

	buf_printf(&text, "a loop: %u hops, nothing follows from this event: ", ev->hops);
	own_chain(w->s->j, w->s->names, ev, &text);
	return buf_take(&text);
}

static enum journal_status store(struct work *w, struct event *ev, const struct dedupe_mark *mark,
				 const struct outcome *o, bool refused, const char *buried)
{
	struct journal_event row = {
		.event = ev,
		.duties = o->duties,
		.nduties = o->nduties,
		.generation = w->s->generation,
		.refused = refused,
		.decided = o->decided.len ? o->decided.data : NULL,
	};
	enum journal_status status = journal_add(w->s->j, &row, w->err);

	if (status == JOURNAL_OK)
		status = dedupe_add(w->s->dedupe, mark, ev, w->err);
	if (status == JOURNAL_OK && buried)
		status = bury(w, ev, buried);
	return status;
}

static enum journal_status accept_one(struct work *w, struct event *given,
				      const struct dedupe_mark *mark, const struct firing *fired,
				      bool refused)
{
	struct sequencer *s = w->s;
	struct event *ev = event_accepted(given, journal_last_seq(s->j) + 1, w->at);
	char *buried = refused ? reason_of(ev) : ev->hops > EVENT_MAX_HOPS ? loop_of(w, ev) : NULL;
	struct outcome o = {0};
	enum journal_status status;

	if (!buried)
		route_event(s->plan, s->state, ev, fired, &o);
	status = store(w, ev, mark, &o, refused, buried);
	if (status != JOURNAL_OK) {
		event_unref(ev);
		outcome_clear(&o);
		free(buried);
		return status;
	}
	add_accepted(w->out, ev, o.duties, o.nduties, buried);
	o.duties = NULL;
	take_outcome(w, &o, ev);
	return JOURNAL_OK;
}

static void free_arrival(struct arrival *a)
{
	event_unref(a->ev);
	free(a->by.group);
	free(a->by.members);
}

/* What follows from an event comes right behind it. */
static enum journal_status accept_queued(struct work *w)
{
	enum journal_status status = JOURNAL_OK;

	while (w->next < w->n && status == JOURNAL_OK) {
		struct arrival a = w->queue[w->next++];
		struct dedupe_mark mark = dedupe_mark(w->s->dedupe, a.ev);

		status = accept_one(w, a.ev, &mark, a.fired ? &a.by : NULL, false);
		free_arrival(&a);
	}
	return status;
}

static enum journal_status fire_due(struct work *w)
{
	struct outcome o;

	route_deadline(w->s->plan, w->s->state, w->at, &o);
	take_outcome(w, &o, NULL);
	return accept_queued(w);
}

static enum journal_status take_event(struct work *w, struct change *c)
{
	struct dedupe_mark mark = dedupe_mark(w->s->dedupe, c->event);
	enum journal_status status = dedupe_find(w->s->dedupe, &mark, w->at, &c->seq, w->err);

	c->duplicate = status == JOURNAL_OK && c->seq != 0;
	if (status != JOURNAL_OK)
		return status;
	if (c->duplicate)
		return journal_seen_again(w->s->j, c->seq, w->at, w->err);
	status = accept_one(w, c->event, &mark, NULL, c->kind == CHANGE_REFUSE);
	c->seq = journal_last_seq(w->s->j);
	return status == JOURNAL_OK ? accept_queued(w) : status;
}

static bool is_fresh(const struct delivery *d)
{
	return d->state == DELIVERY_WAITING && d->attempt == 0;
}

/* One event makes at most one delivery to a target: what `then` begins may be there, begun
 * by another.  Only a dead one begins anew, and one that ended, if it is asked for by a further
 * round. */
static enum journal_status take_row(struct work *w, struct change *c)
{
	const struct delivery *row = &c->row;
	struct delivery old;
	enum journal_status status = JOURNAL_ABSENT;
	bool keep = false;

	if (is_fresh(row))
		status = journal_delivery(w->s->j, row->seq, row->duty.target, &old, w->err);
	if (status == JOURNAL_OK) {
		keep = !delivery_ended(old.state) ||
		       (old.state != DELIVERY_DEAD && row->round <= old.round);
		delivery_clear(&old);
	} else if (status != JOURNAL_ABSENT) {
		return status;
	}
	if (!keep)
		return journal_put_delivery(w->s->j, row, w->err);
	c->begin = false; /* its lane has it, or had it */
	return JOURNAL_OK;
}

struct number_text {
	char text[24];
};

static struct number_text as_text(uint64_t n)
{
	struct number_text t;

	snprintf(t.text, sizeof t.text, "%" PRIu64, n);
	return t;
}

static enum journal_status put_text(struct work *w, const char *space, const char *key,
				    const char *value)
{
	return journal_put(w->s->j, space, key, value, value ? strlen(value) : 0, w->err);
}

static enum journal_status take_save(struct work *w, const struct change *c)
{
	char space[32];

	journal_saved_space(c->instance, space, sizeof space);
	return put_text(w, space, c->key, c->value);
}

static enum journal_status take_change(struct work *w, struct change *c)
{
	switch (c->kind) {
	case CHANGE_EMIT:
	case CHANGE_REFUSE: return take_event(w, c);
	case CHANGE_SAVE: return take_save(w, c);
	case CHANGE_ROW: return take_row(w, c);
	case CHANGE_CURSOR:
		return put_text(w, "cursor", as_text(c->target).text, as_text(c->seq).text);
	case CHANGE_BREAKER: return put_text(w, "breaker", as_text(c->target).text, c->value);
	}
	return JOURNAL_OK;
}

static void expect_next(const struct txn *next)
{
	if (next && next->n && next->changes[0].event)
		matcher_expect(next->changes[0].event);
}

static enum journal_status take_txns(struct work *w, struct txn *txns)
{
	enum journal_status status = JOURNAL_OK;

	/* The letter that links them is a txn's first member. */
	for (struct txn *t = txns; t && status == JOURNAL_OK; t = (void *)t->letter.next) {
		expect_next((void *)t->letter.next);
		for (size_t i = 0; i < t->n && status == JOURNAL_OK; i++)
			status = take_change(w, &t->changes[i]);
	}
	return status;
}

static enum journal_status store_cells(struct work *w)
{
	enum journal_status status = JOURNAL_OK;
	struct map_entry *e;

	for (size_t i = 0; status == JOURNAL_OK && (e = map_next(&w->s->dirty, &i));) {
		struct buf text = {0};
		bool there = router_cell(w->s->state, e->key, &text);

		status = journal_put(w->s->j, "cell", e->key, there ? text.data : NULL, text.len,
				     w->err);
		buf_free(&text);
	}
	return status;
}

/* The journal is the truth again. */
static enum journal_status undo(struct sequencer *s, enum journal_status why)
{
	struct err err;

	journal_rollback(s->j);
	if (why == JOURNAL_FULL && (dedupe_reload(s->dedupe, &err) != JOURNAL_OK ||
				    sequencer_load_cells(s, &err) != JOURNAL_OK ||
				    sequencer_load_snapshots(s, &err) != JOURNAL_OK)) {
		log_error("%s", err.text);
		return JOURNAL_FAILED;
	}
	return why;
}

enum journal_status sequencer_batch(struct sequencer *s, struct txn *txns, int64_t now,
				    struct batch *out, struct err *err)
{
	struct work w = {.s = s, .at = accept_time(s, now), .out = out, .err = err};
	enum journal_status status = journal_begin(s->j, err);

	*out = (struct batch){.from = journal_last_seq(s->j), .to = journal_last_seq(s->j)};
	if (status == JOURNAL_OK)
		status = fire_due(&w);
	if (status == JOURNAL_OK)
		status = take_txns(&w, txns);
	if (status == JOURNAL_OK)
		status = store_cells(&w);
	if (status == JOURNAL_OK)
		status = journal_commit(s->j, err);
	if (status != JOURNAL_OK) {
		batch_clear(out);
		status = undo(s, status);
	}
	while (w.next < w.n)
		free_arrival(&w.queue[w.next++]);
	free(w.queue);
	map_free(&s->dirty, NULL);
	return status;
}

struct held {
	uint64_t *seqs; /* ascending */
	size_t n;
};

static int compare_seq(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool is_held(uint64_t seq, void *arg)
{
	const struct held *h = arg;

	return h->n && bsearch(&seq, h->seqs, h->n, sizeof seq, compare_seq);
}

enum journal_status sequencer_prune(struct sequencer *s, int64_t now, uint64_t floor, bool *more,
				    struct err *err)
{
	struct journal_limits limits = {
		.keep_ms = s->config->keep_ms,
		.keep_bytes = s->config->keep_bytes,
		.keep_dead_ms = s->config->keep_dead_ms,
		.keep_dead_count = s->config->keep_dead_count,
		.apart = dedupe_bytes(s->dedupe) + s->snapshot_bytes,
		.most = s->config->max_journal / 8 * 7,
	};
	struct held held = {0};
	enum journal_status status = journal_begin(s->j, err);

	*more = false;
	held.seqs = router_held(s->state, &held.n);
	if (status == JOURNAL_OK && limits.most && journal_used(s->j) > limits.most)
		status = dedupe_flush(s->dedupe, err);
	if (status == JOURNAL_OK)
		status = dedupe_trim(s->dedupe, now, &limits.floor, err);
	if (floor < limits.floor)
		limits.floor = floor + 1;
	if (status == JOURNAL_OK)
		status = journal_prune(s->j, &limits, now, is_held, &held, more, err);
	if (status == JOURNAL_OK)
		status = sequencer_prune_snapshots(s, err);
	if (status == JOURNAL_OK)
		status = journal_commit(s->j, err);
	free(held.seqs);
	return status == JOURNAL_OK ? status : undo(s, status);
}
