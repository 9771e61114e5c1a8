#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_inside.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_AT_ONCE 20000

struct target *target_new(struct engine *e, const struct instance_config *section, uint32_t number,
			  uint64_t cursor, struct err *err)
{
	struct lane_settings settings = lane_settings_of(section);
	struct target *t = mem_new(struct target);

	t->engine = e;
	t->section = section;
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
	for (size_t i = 0; i < t->nkept; i++)
		event_unref(t->kept[i].event);
	free(t->kept);
	order_free(&t->order);
	lane_free(t->lane);
	free(t);
}

/* Kept in order of seq, which is the order of arrival but for recalled ones. */
static size_t place_of(const struct target *t, uint64_t seq)
{
	size_t low = 0, high = t->nkept;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (t->kept[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct event *target_event(struct target *t, uint64_t seq)
{
	size_t at = place_of(t, seq);

	return at < t->nkept && t->kept[at].seq == seq ? t->kept[at].event : NULL;
}

static void keep_event(struct target *t, struct event *ev)
{
	size_t at = place_of(t, ev->seq);

	if (t->nkept >= LANE_MAX_WAITING || target_event(t, ev->seq))
		return; /* read again when it starts */
	mem_room(t->kept, t->nkept, t->kept_cap);
	memmove(&t->kept[at + 1], &t->kept[at], (t->nkept - at) * sizeof *t->kept);
	t->kept[at] = (struct kept_event){ev->seq, event_ref(ev)};
	t->nkept++;
}

void target_drop_event(struct target *t, uint64_t seq)
{
	size_t at = place_of(t, seq);

	if (at >= t->nkept || t->kept[at].seq != seq)
		return;
	event_unref(t->kept[at].event);
	t->nkept--;
	memmove(&t->kept[at], &t->kept[at + 1], (t->nkept - at) * sizeof *t->kept);
}

static void offer(struct target *t, struct event *ev, const struct duty *duty, struct txn *txn)
{
	struct engine *e = t->engine;
	struct lane_event seen = order_look(&t->order, ev, duty);

	keep_event(t, ev);
	lane_offer(t->lane, &seen, duty, engine_now(e), &e->effects);
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

static const struct duty *duty_for(const struct target *t, const struct accepted *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->duties[i].target == t->number)
			return &a->duties[i];
	}
	return NULL;
}

void target_take_batch(struct target *t, const struct batch *b, struct txn *txn)
{
	if (t->next != b->from)
		return;
	for (size_t i = 0; i < b->n; i++) {
		const struct duty *duty = duty_for(t, &b->accepted[i]);

		if (!duty)
			continue;
		if (!lane_wants(t->lane)) {
			t->next = b->accepted[i].event->seq - 1;
			lane_reached(t->lane, t->next);
			return;
		}
		offer(t, b->accepted[i].event, duty, txn);
	}
	t->next = b->to;
	lane_reached(t->lane, t->next);
}

struct reading {
	struct target *target;
	uint64_t after, reached;
	size_t limit;
	struct read_duty {
		struct event *event;
		struct duty duty;
	} * found;
	size_t n, cap;
	struct err err;
	bool failed;
};

static void found_duty(struct event *ev, const struct duty *duty, void *arg)
{
	struct reading *r = arg;

	mem_room(r->found, r->n, r->cap);
	r->found[r->n++] = (struct read_duty){event_ref(ev), *duty};
}

static void read_duties(struct journal *j, struct sequencer *s, void *arg)
{
	struct reading *r = arg;

	(void)s;
	r->failed = journal_duties(j, r->target->number, r->after, r->limit, SCAN_AT_ONCE,
				   &r->reached, found_duty, r, &r->err) != JOURNAL_OK;
}

static void took_duties(void *arg)
{
	struct reading *r = arg;
	struct target *t = r->target;
	struct txn *txn = txn_new();

	t->reading = false;
	if (r->failed) {
		log_error("%s: the journal could not be read: %s", t->section->name, r->err.text);
		r->reached = t->next;
	}
	for (size_t i = 0; i < r->n; i++) {
		offer(t, r->found[i].event, &r->found[i].duty, txn);
		event_unref(r->found[i].event);
	}
	t->next = r->reached;
	lane_reached(t->lane, t->next);
	target_cursor(t, txn);
	engine_hand_over(t->engine, txn);
	if (!r->failed)
		target_read(t);
	engine_schedule(t->engine);
	free(r->found);
	free(r);
}

void target_read(struct target *t)
{
	size_t wants = lane_wants(t->lane);
	struct reading *r;

	if (t->reading || !wants || t->next >= t->engine->last_seq || t->engine->ending)
		return;
	t->reading = true;
	r = mem_new(struct reading);
	r->target = t;
	r->after = r->reached = t->next;
	r->limit = wants;
	engine_ask(t->engine, read_duties, took_duties, r);
}

void target_cursor(struct target *t, struct txn *txn)
{
	uint64_t cursor = lane_cursor(t->lane);

	if (cursor == t->cursor)
		return;
	t->cursor = cursor;
	txn_cursor(txn, t->number, cursor);
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
