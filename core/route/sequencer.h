/*
 * sequencer - gives each event its number and its duties, inside the journal's transaction.
 *
 * Takes batches of txns; for each event in order: drops it if known, numbers it, routes it,
 * updates slots and windows, makes firings events of their own, and writes event, duties
 * and state.  A plain state machine over the journal: batch in, result out; the thread
 * around it is engine.h's.
 *
 * In the journal's spaces: "save/N" what instance N saved, "cursor" and "breaker" by the
 * number of the target (a cursor as decimal text), "cell" slots, windows and counts;
 * "snapshot" (snapshot.h) these as they were when the rules changed and once a day of acceptance.
 *
 * The time of acceptance never goes back.  While the wall clock is behind it (it was set
 * back), it goes on at half speed until both meet.
 */
#ifndef POINTSMAN_ROUTE_SEQUENCER_H
#define POINTSMAN_ROUTE_SEQUENCER_H

#include "journal/dedupe.h"
#include "journal/names.h"
#include "route/router.h"
#include "route/txn.h"

struct sequencer;

struct accepted {            /* an event that came into being in a batch */
	struct event *event; /* one reference, the receiver's */
	struct duty *duties; /* the receiver's */
	size_t n;
	char *buried; /* why it became a dead letter instead, or NULL; the receiver's */
};

struct batch {
	struct accepted *accepted;
	size_t n, cap;
	uint64_t from, to; /* the batch made the events with from < seq <= to */
};
void batch_clear(struct batch *b);

/* Loads names, dedupe and state, takes over `was`, drops orphaned slots (logged). */
struct sequencer *sequencer_new(struct journal *j, const struct config *config, struct err *err);
void sequencer_free(struct sequencer *s);
/* Swap the rules between two batches: takes `plan`, fresh from plan_prepare() on whatever
 * thread, numbers it and fits what the rules hold to it.  On failure it is freed and the rules
 * are as before. */
bool sequencer_configure(struct sequencer *s, struct plan *plan, struct err *err);

/* One transaction: all of `txns` (linked by letter.next, any may be empty) and every
 * deadline due at `now`.  On JOURNAL_OK the changes carry their results and `out` is what
 * the lanes must learn.  On JOURNAL_FULL nothing happened and the same call may be made
 * again, or one with the completions only. */
enum journal_status sequencer_batch(struct sequencer *s, struct txn *txns, int64_t now,
				    struct batch *out, struct err *err);
/* When a batch is due though nothing comes: wall ms, INT64_MAX: none.  `now`: the wall clock,
 * of which the sequencer has to hear even then, in case it was set back. */
int64_t sequencer_next_deadline(struct sequencer *s, int64_t now);
struct names *sequencer_names(struct sequencer *s);
const struct plan *sequencer_plan(const struct sequencer *s); /* until the next configure */
/* What the rule holds for the group, until the next batch; NULL: nothing. */
const struct cell *sequencer_cell(const struct sequencer *s, const char *rule, const char *group);
uint32_t sequencer_generation(const struct sequencer *s);
/* Prune history, some of it at a time; `floor`: the lowest cursor of all lanes. */
enum journal_status sequencer_prune(struct sequencer *s, int64_t now, uint64_t floor, bool *more,
				    struct err *err);

#endif
