#include "route/txn.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct txn *txn_new(void)
{
	struct txn *t = mem_new(struct txn);

	t->weight = sizeof *t;
	return t;
}

void txn_free(struct txn *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		struct change *c = &t->changes[i];

		event_unref(c->event);
		delivery_clear(&c->row);
		free(c->key);
		free(c->value);
	}
	free(t->changes);
	free(t);
}

/* Most hold what follows from one event: a row or two. */
static void make_room(struct txn *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 4 * t->cap : 2;
		t->changes = mem_grow(t->changes, t->cap, sizeof *t->changes);
	}
}

struct change *txn_add(struct txn *t, enum change_kind kind)
{
	make_room(t);
	t->changes[t->n] = (struct change){.kind = kind};
	t->weight += sizeof *t->changes;
	return &t->changes[t->n++];
}

static void add_event(struct txn *t, enum change_kind kind, struct event *ev)
{
	txn_add(t, kind)->event = event_ref(ev);
	t->weight += sizeof *ev + event_size(ev);
}

void txn_emit(struct txn *t, struct event *ev)
{
	add_event(t, CHANGE_EMIT, ev);
}

void txn_refuse(struct txn *t, struct event *ev)
{
	add_event(t, CHANGE_REFUSE, ev);
}

void txn_save(struct txn *t, uint32_t instance, const char *key, const char *value)
{
	struct change *c = txn_add(t, CHANGE_SAVE);

	c->instance = instance;
	c->key = mem_text(key);
	c->value = mem_text(value);
	t->weight += strlen(key) + (value ? strlen(value) : 0);
}

void txn_row(struct txn *t, const struct delivery *d)
{
	struct change *c = txn_add(t, CHANGE_ROW);

	c->target = d->duty.target;
	delivery_copy(&c->row, d);
}

void txn_begin(struct txn *t, const struct delivery *d)
{
	txn_row(t, d);
	t->changes[t->n - 1].begin = true;
}

void txn_then(struct txn *t, const struct delivery *done)
{
	struct delivery next = {.seq = done->seq, .duty = done->duty, .own = done->own};

	next.duty.target = done->duty.then;
	next.duty.then = 0;
	next.state = DELIVERY_WAITING;
	txn_begin(t, &next);
}

void txn_cursor(struct txn *t, uint32_t target, uint64_t seq)
{
	struct change *c = txn_add(t, CHANGE_CURSOR);

	c->target = target;
	c->seq = seq;
}
