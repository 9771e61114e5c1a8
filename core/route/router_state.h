/*
 * router_state - the inside of router.h's struct router_state, for router.c and route.c.
 */
#ifndef POINTSMAN_ROUTE_ROUTER_STATE_H
#define POINTSMAN_ROUTE_ROUTER_STATE_H

#include "base/heap.h"
#include "base/map.h"
#include "route/plan.h"

struct router_state {
	struct map cells; /* by cell_key() */
	struct heap due;  /* the same by their due, while `counted` names the plan that says it; */
	uint64_t counted; /* 0: count again */
	struct heap **used; /* those of each rule, by its number, the idlest first; or NULL */
	size_t nused;
	struct match *scratch; /* no part of the state: what matching used for the last event */
};

/* When time alone changes the cell: a quiet period is over, a slot or a member of a count
 * too old; INT64_MAX: never. */
int64_t cell_due(const struct cell *c, const struct rule_config *r);

/* Of the rule's cells the one that has been idle longest, and how many there are. */
const struct cell *router_idlest(const struct router_state *s, uint32_t rule, size_t *n);

#endif
