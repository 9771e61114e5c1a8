/*
 * sequencer_inside - what sequencer*.c, own.c and replay.c share.
 */
#ifndef POINTSMAN_ROUTE_SEQUENCER_INSIDE_H
#define POINTSMAN_ROUTE_SEQUENCER_INSIDE_H

#include "base/map.h"
#include "journal/snapshot.h"
#include "route/sequencer.h"

struct sequencer {
	struct journal *j;
	const struct config *config;
	struct names *names;
	struct dedupe *dedupe;
	struct plan *plan;
	uint32_t generation;
	struct router_state *state;
	struct map dirty;         /* keys of cells to store at the end of the batch */
	int64_t at;               /* the latest time of acceptance */
	int64_t wall;             /* the wall clock then; 0: not yet told */
	struct snapshot snapshot; /* the newest there is, if `snapped` */
	bool snapped;
	int64_t snapshot_day;   /* of acceptance, when one was last made, or found too large */
	int64_t snapshot_bytes; /* of all */
};

/* sequencer_load.c: read slots and windows from the journal, inside a transaction. */
enum journal_status sequencer_load_cells(struct sequencer *s, struct err *err);

/* sequencer_snapshot.c, inside a transaction: what there is in the journal; one more, of what the
 * rules hold now, for the plan there is; and what is due of that and of pruning. */
enum journal_status sequencer_load_snapshots(struct sequencer *s, struct err *err);
enum journal_status sequencer_snapshot(struct sequencer *s, struct err *err);
enum journal_status sequencer_prune_snapshots(struct sequencer *s, struct err *err);

/* own.c: events of our own making, not yet numbered; the caller's.  `members` as in
 * firing_payload(). */
struct event *own_firing(const struct plan *p, const struct firing *f, struct event *const *members,
			 int64_t at);
struct event *own_group_dropped(const struct plan *p, const struct group_dropped *d,
				const struct event *cause);
/* How an event with too many hops came about, newest first, for people. */
void own_chain(struct journal *j, const struct names *names, const struct event *ev,
	       struct buf *out);

#endif
