#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_inside.h"

#include <stdlib.h>
#include <string.h>

/* The journal thread serves intake between two reads: one may take a few milliseconds. */
#define SCAN_AT_ONCE 1000
#define READ_EVENTS  512
#define CURSOR_STEP  256 /* likewise */
#define READ_BYTES   (1024 * 1024)
/* Of all targets together; each has the same share, so that a thousand of them take little more
 * memory than ten. */
#define KEPT_BYTES     (8 * 1024 * 1024)
#define ROWS_IN_ALL    (2 * LANE_MAX_ROWS)
#define ROWS_LEAST     500
#define WAITING_IN_ALL (16 * LANE_MAX_WAITING)
#define WAITING_LEAST  128

static size_t targets_in(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->ninstances; i++)
		n += c->instances[i].kind == INSTANCE_ACTION ||
		     c->instances[i].kind == INSTANCE_SINK;
	return n ? n : 1;
}

static size_t share_of(size_t all, size_t targets, size_t least, size_t most)
{
	size_t share = all / targets;

	return share > most ? most : share < least ? least : share;
}

static void share_memory(struct target *t, struct lane_settings *settings, size_t targets)
{
	settings->max_rows = share_of(ROWS_IN_ALL, targets, ROWS_LEAST, LANE_MAX_ROWS);
	settings->max_waiting = share_of(WAITING_IN_ALL, targets, WAITING_LEAST, LANE_MAX_WAITING);
	t->kept.most = KEPT_BYTES / targets;
}

struct target *target_new(struct engine *e, const struct instance_config *section, uint32_t number,
			  uint64_t cursor, struct err *err)
{
	struct lane_settings settings = lane_settings_of(section);
	struct target *t = mem_new(struct target);

	share_memory(t, &settings, targets_in(e->options.config));
	t->engine = e;
	t->section = section;
	t->first_name = engine_first_name(e, section->name);
	t->number = number;
	t->lane = lane_new(number, &settings, cursor);
	t->next = t->cursor = cursor;
	if (order_read(&t->order, section, err))
		return t;
	target_free(t);
	return NULL;
}

void target_free(struct target *t)
{
	if (!t)
		return;
	for (size_t i = t->kept.first; i < t->kept.end; i++)
		event_unref(t->kept.list[i].event);
	free(t->kept.list);
	order_free(&t->order);
	lane_free(t->lane);
	free(t);
}

static size_t place_of(const struct kept_events *k, uint64_t seq)
{
	size_t low = k->first, high = k->end;

	if (low < high && k->list[low].seq >= seq)
		return low; /* the usual case of those that end */
	if (low < high && k->list[high - 1].seq < seq)
		return high; /* and of those that arrive */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (k->list[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool holds(const struct kept_events *k, size_t at, uint64_t seq)
{
	return at < k->end && k->list[at].seq == seq;
}

struct event *target_event(struct target *t, uint64_t seq)
{
	size_t at = place_of(&t->kept, seq);

	return holds(&t->kept, at, seq) ? t->kept.list[at].event : NULL;
}

/* At the end, where what left in front has made room before more is asked for. */
static void make_room(struct kept_events *k)
{
	if (k->end < k->cap)
		return;
	if (k->first > k->cap / 2) {
		memmove(k->list, k->list + k->first, (k->end - k->first) * sizeof *k->list);
		k->end -= k->first;
		k->first = 0;
		return;
	}
	mem_room(k->list, k->end, k->cap);
}

/* What is not kept is read again when it starts. */
static void keep_event(struct target *t, struct event *ev)
{
	struct kept_events *k = &t->kept;
	size_t at, bytes = event_size(ev);

	if (k->bytes + bytes > k->most || holds(k, place_of(k, ev->seq), ev->seq))
		return;
	make_room(k);
	at = place_of(k, ev->seq);
	memmove(&k->list[at + 1], &k->list[at], (k->end - at) * sizeof *k->list);
	k->list[at] = (struct kept_event){ev->seq, event_ref(ev)};
	k->end++;
	k->bytes += bytes;
}

void target_drop_event(struct target *t, uint64_t seq)
{
	struct kept_events *k = &t->kept;
	size_t at = place_of(k, seq);

	if (!holds(k, at, seq))
		return;
	k->bytes -= event_size(k->list[at].event);
	event_unref(k->list[at].event);
	if (at == k->first) {
		k->first++;
		return;
	}
	k->end--;
	memmove(&k->list[at], &k->list[at + 1], (k->end - at) * sizeof *k->list);
}

static void offer(struct target *t, struct event *ev, const struct duty *duty, struct lane_now now,
		  struct txn *txn)
{
	struct engine *e = t->engine;
	struct lane_event seen = order_look(&t->order, ev, duty);

	keep_event(t, ev);
	lane_offer(t->lane, &seen, duty, now, &e->effects);
	target_effects(t, txn);
}

void target_recall(struct target *t, const struct delivery *row, struct event *ev, struct txn *txn)
{
	struct engine *e = t->engine;
	struct lane_event seen = order_look(&t->order, ev, &row->duty);

	lane_recall(t->lane, row, &seen, engine_now(e), &e->effects);
	if (txn)
		target_effects(t, txn);
	else
		lane_effects_clear(&e->effects);
}

/* A lane that is full reads the rest later. */
static void take_duty(struct target *t, const struct batch *b, struct event *ev,
		      const struct duty *duty, struct lane_now now, struct txn *txn)
{
	if (t->next != b->from || t->overflows)
		return;
	t->overflows = !lane_wants(t->lane);
	if (t->overflows)
		t->missed = ev->seq;
	else
		offer(t, ev, duty, now, txn);
}

void targets_take_batch(struct engine *e, const struct batch *b, struct txn *txn)
{
	struct lane_now now = engine_now(e);
	struct target *t;

	for (size_t i = 0; i < b->n; i++) {
		const struct accepted *a = &b->accepted[i];

		for (size_t k = 0; k < a->n; k++) {
			uint32_t number = a->duties[k].target;

			t = number < e->nnumbers ? e->by_number[number] : NULL;
			if (t)
				take_duty(t, b, a->event, &a->duties[k], now, txn);
		}
	}
	for (size_t n = 0; n < e->nnumbers; n++) {
		t = e->by_number[n];
		if (!t || t->next != b->from)
			continue;
		t->next = t->overflows ? t->missed - 1 : b->to;
		t->overflows = false;
		lane_reached(t->lane, t->next);
	}
}

struct reading {
	struct target *target;
	uint64_t after, reached;
	size_t limit;
	struct read_duty {
		struct event *event;
		struct duty duty;
	} * found;
	size_t n, cap, bytes;
	struct err err;
	bool failed;
};

static bool found_duty(struct event *ev, const struct duty *duty, void *arg)
{
	struct reading *r = arg;

	mem_room(r->found, r->n, r->cap);
	r->found[r->n++] = (struct read_duty){event_ref(ev), *duty};
	r->bytes += event_size(ev);
	return r->n < READ_EVENTS && r->bytes < READ_BYTES;
}

static void read_duties(struct journal *j, struct sequencer *s, void *arg)
{
	struct reading *r = arg;

	(void)s;
	r->failed = journal_duties(j, r->target->number, r->after, r->limit, SCAN_AT_ONCE,
				   &r->reached, found_duty, r, &r->err) != JOURNAL_OK;
}

static void read_next(struct engine *e, size_t from);

static void took_duties(void *arg)
{
	struct reading *r = arg;
	struct target *t = r->target;
	struct lane_now now = engine_now(t->engine);
	struct txn *txn = txn_new();

	t->engine->reading = false;
	if (r->failed) {
		log_error("%s: the journal could not be read: %s", t->section->name, r->err.text);
		r->reached = t->next;
	}
	for (size_t i = 0; i < r->n; i++) {
		offer(t, r->found[i].event, &r->found[i].duty, now, txn);
		event_unref(r->found[i].event);
	}
	t->next = r->reached;
	lane_reached(t->lane, t->next);
	target_cursor(t, txn);
	engine_hand_over(t->engine, txn);
	if (!r->failed)
		target_read(t);
	read_next(t->engine, t->number + 1);
	engine_schedule(t->engine);
	free(r->found);
	free(r);
}

static void read_now(struct target *t)
{
	struct reading *r = mem_new(struct reading);

	t->behind = false;
	t->engine->reading = true;
	r->target = t;
	r->after = r->reached = t->next;
	r->limit = lane_wants(t->lane);
	engine_ask(t->engine, read_duties, took_duties, r);
}

/* Never at the live edge: what is found there would come with its batch as well. */
static bool must_read(const struct target *t)
{
	return t->next < t->engine->last_seq && !t->engine->ending &&
	       lane_wants(t->lane) >= LANE_READ_LEAST;
}

/* One read at a time, each lane in its turn: however many are behind, what comes in waits for
 * one of them. */
static void read_next(struct engine *e, size_t from)
{
	for (size_t i = 0; i < e->nnumbers && !e->reading; i++) {
		struct target *t = e->by_number[(from + i) % e->nnumbers];

		if (t && t->behind && must_read(t))
			read_now(t);
		else if (t)
			t->behind = false;
	}
}

void target_read(struct target *t)
{
	if (!must_read(t))
		return;
	t->behind = true;
	read_next(t->engine, t->number);
}

void target_cursor(struct target *t, struct txn *txn)
{
	uint64_t cursor = lane_cursor(t->lane);

	if (cursor == t->cursor)
		return;
	t->cursor = cursor;
	txn_cursor(txn, t->number, cursor);
}

void target_moved(struct target *t, struct txn *txn)
{
	if (lane_cursor(t->lane) >= t->cursor + CURSOR_STEP)
		target_cursor(t, txn);
}

/* What one begins by `then`, an operator or a start takes its row and its event from the
 * journal. */
struct recalling {
	struct engine *engine;
	uint32_t target;
	uint64_t seq;
	struct delivery row;
	struct journal_event event;
	bool found;
};

static void read_row(struct journal *j, struct sequencer *s, void *arg)
{
	struct recalling *r = arg;

	(void)s;
	if (journal_delivery(j, r->seq, r->target, &r->row, NULL) != JOURNAL_OK)
		return;
	r->found = !delivery_ended(r->row.state) &&
		   journal_event(j, r->seq, &r->event, NULL) == JOURNAL_OK;
}

static void took_row(void *arg)
{
	struct recalling *r = arg;
	struct engine *e = r->engine;
	struct target *t = r->target < e->nnumbers ? e->by_number[r->target] : NULL;
	struct txn *txn;

	if (r->found && t && !e->ending) {
		txn = txn_new();
		target_recall(t, &r->row, r->event.event, txn);
		target_cursor(t, txn);
		engine_hand_over(e, txn);
		engine_schedule(e);
	}
	if (r->found)
		journal_event_clear(&r->event);
	delivery_clear(&r->row);
	free(r);
}

void target_recall_stored(struct engine *e, uint32_t target, uint64_t seq)
{
	struct recalling *r = mem_new(struct recalling);

	r->engine = e;
	r->target = target;
	r->seq = seq;
	engine_ask(e, read_row, took_row, r);
}
