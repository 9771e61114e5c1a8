/*
 * chain - deliveries that must not overtake each other.
 *
 * A chain holds the links of one order-by key, or of one rule and group, in order of seq.
 * The oldest may start, and only while no other of the chain is busy (a redriven delivery
 * comes late and may find a newer one under way).
 */
#ifndef POINTSMAN_LANE_CHAIN_H
#define POINTSMAN_LANE_CHAIN_H

#include "lane/hashed.h"

#include <stdbool.h>

struct chain_link {
	struct chain *chain; /* NULL: in none, and free to go */
	struct chain_link *older, *newer;
	uint64_t seq;
	bool busy;
};

struct chain {
	struct hashed_node node; /* by the hash of what they share; first member */
	struct chain_link *oldest, *newest;
	size_t busy;
};

struct chains {
	struct hashed by_id;
};

void chains_join(struct chains *c, uint64_t id, struct chain_link *link, uint64_t seq);
/* Leave; an empty chain is gone.  The one who is the oldest then, or NULL. */
struct chain_link *chains_leave(struct chains *c, struct chain_link *link);
void chain_busy(struct chain_link *link, bool busy);
bool chain_may_start(const struct chain_link *link);
void chains_free(struct chains *c); /* the links stay */

#endif
