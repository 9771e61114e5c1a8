/*
 * journal_thread - the thread on which the journal is written and read.
 *
 * Takes what gathered while the last batch was being synced, as one batch: at most 512
 * events or 1 MB.  Jobs run between two batches, in the order they were asked for.  When the
 * disk is full the same batch is tried again until it fits.  All results come back on the
 * loop thread, in order.
 */
#ifndef POINTSMAN_ENGINE_JOURNAL_THREAD_H
#define POINTSMAN_ENGINE_JOURNAL_THREAD_H

#include "base/loop.h"
#include "base/world.h"
#include "route/sequencer.h"

struct journal_thread;

typedef void journal_job_fn(struct journal *j, struct sequencer *s, void *arg);

struct journal_thread_options {
	struct world *world;
	struct loop *loop;
	struct journal *journal;
	struct sequencer *sequencer;
	/* On the loop: a batch is durable.  Both belong to the callee. */
	void (*durable)(struct txn *txns, struct batch *batch, void *arg);
	/* On the loop: the disk is full, or is no longer. */
	void (*full)(bool full, void *arg);
	/* On the loop: nothing can be written any more. */
	void (*failed)(const char *why, void *arg);
	void *arg;
};

/* NULL with *err if the system gives no thread. */
struct journal_thread *journal_thread_start(const struct journal_thread_options *options,
					    struct err *err);
/* Finish what was handed over, end the thread, deliver the last results from inside this
 * call.  What does not fit on a full disk by then is given up: it was never promised. */
void journal_thread_end(struct journal_thread *t);

void journal_thread_submit(struct journal_thread *t, struct txn *txn);
void journal_thread_ask(struct journal_thread *t, journal_job_fn *job, void (*done)(void *arg),
			void *arg);

/* Bytes of what was handed over and has not come back; loop thread. */
size_t journal_thread_in_hand(const struct journal_thread *t);
bool journal_thread_disk_full(struct journal_thread *t);
int64_t journal_thread_bytes(struct journal_thread *t); /* of the journal's files */
int64_t journal_thread_used(struct journal_thread *t);  /* of what is in them */
/* The lowest cursor of all lanes: history below it may be pruned. */
void journal_thread_floor(struct journal_thread *t, uint64_t seq);

#endif
