/*
 * sequencer - gives each event its number and its duties, inside the journal's transaction.
 *
 * Takes batches of txns; for each event in order: drops it if known, numbers it, routes it,
 * updates slots and windows, makes firings events of their own, and writes event, duties
 * and state.  A plain state machine over the journal: batch in, result out; the thread
 * around it is engine.h's.
 */
#ifndef POINTSMAN_ENGINE_SEQUENCER_H
#define POINTSMAN_ENGINE_SEQUENCER_H

#include "engine/dedupe.h"
#include "engine/names.h"
#include "engine/router.h"
#include "engine/txn.h"

struct sequencer;

struct accepted { /* an event that came into being in a batch */
	struct event *event; /* one reference, the receiver's */
	struct duty *duties; /* the receiver's */
	size_t n;
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
/* Swap the rules between two batches. */
bool sequencer_configure(struct sequencer *s, const struct config *config, struct err *err);

/* One transaction: all of `txns` (linked by letter.next, any may be empty) and every
 * deadline due at `now`.  On JOURNAL_OK the changes carry their results and `out` is what
 * the lanes must learn.  On JOURNAL_FULL nothing happened and the same call may be made
 * again; completions only (no EMIT without a cause) if `finishing`. */
enum journal_status sequencer_batch(struct sequencer *s, struct txn *txns, int64_t now,
                                    struct batch *out, struct err *err);
int64_t sequencer_next_deadline(const struct sequencer *s); /* wall ms; INT64_MAX: none */
struct names *sequencer_names(struct sequencer *s);
uint32_t sequencer_generation(const struct sequencer *s);
/* Prune history; `floor`: the lowest cursor of all lanes. */
enum journal_status sequencer_prune(struct sequencer *s, int64_t now, uint64_t floor, bool *more,
                                    struct err *err);

#endif
