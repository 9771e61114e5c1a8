/*
 * sequencer_inside - what sequencer*.c and own.c share.
 */
#ifndef POINTSMAN_ROUTE_SEQUENCER_INSIDE_H
#define POINTSMAN_ROUTE_SEQUENCER_INSIDE_H

#include "base/map.h"
#include "route/sequencer.h"

struct sequencer {
	struct journal *j;
	const struct config *config;
	struct names *names;
	struct dedupe *dedupe;
	struct plan *plan;
	uint32_t generation;
	struct router_state *state;
	struct map dirty; /* keys of cells to store at the end of the batch */
	int64_t at;       /* the latest time of acceptance */
	int64_t wall;     /* the wall clock then; 0: not yet told */
};

/* sequencer_load.c: read slots and windows from the journal, inside a transaction. */
enum journal_status sequencer_load_cells(struct sequencer *s, struct err *err);

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
