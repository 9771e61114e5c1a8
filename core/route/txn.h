/*
 * txn - what one call into a plugin asked for, to be durable together or not at all.
 *
 * Filled on the loop thread, handed to the sequencer, and handed back with what became of
 * it.
 */
#ifndef POINTSMAN_ROUTE_TXN_H
#define POINTSMAN_ROUTE_TXN_H

#include "base/mailbox.h"
#include "event/event.h"
#include "journal/delivery.h"

enum change_kind {
	CHANGE_EMIT,    /* `event`; afterwards `seq` is its number, or the earlier one's */
	CHANGE_REFUSE,  /* `event` (type pointsman.event.refused), kept as a dead letter */
	CHANGE_SAVE,    /* `instance`, `key`, `value` (NULL deletes) */
	CHANGE_ROW,     /* `row` */
	CHANGE_CURSOR,  /* `target`, `seq` */
	CHANGE_BREAKER, /* `target`, `value` (NULL: closed): kept over restarts */
};

struct change {
	enum change_kind kind;
	struct event *event;
	bool duplicate; /* EMIT, afterwards: known already */
	bool begin;     /* ROW: hand it to its lane once it is durable */
	uint32_t instance, target;
	char *key, *value;
	struct delivery row;
	uint64_t seq;
};

struct txn {
	struct letter letter; /* travels by mailbox; its weight grows with what is in it */
	struct change *changes;
	size_t n, cap;
	size_t weight;   /* bytes it takes in memory, about */
	uint64_t number; /* in order of submission */
	/* When durable (or, with `failed`, not): on the loop thread. */
	void (*done)(struct txn *t, void *arg);
	void *arg;
	bool failed;
};

struct txn *txn_new(void);
void txn_free(struct txn *t);
struct change *txn_add(struct txn *t, enum change_kind kind); /* zeroed; valid until the next */
void txn_emit(struct txn *t, struct event *ev);               /* takes a reference of its own */
void txn_refuse(struct txn *t, struct event *ev);
void txn_save(struct txn *t, uint32_t instance, const char *key, const char *value);
void txn_row(struct txn *t, const struct delivery *d); /* copies */
/* A row that begins a delivery: `then`, a redrive. */
void txn_begin(struct txn *t, const struct delivery *d);
void txn_then(struct txn *t, const struct delivery *done); /* what follows it */
void txn_cursor(struct txn *t, uint32_t target, uint64_t seq);

#endif
