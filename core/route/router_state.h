/*
 * router_state - the inside of router.h's struct router_state, for router.c and route.c.
 */
#ifndef POINTSMAN_ROUTE_ROUTER_STATE_H
#define POINTSMAN_ROUTE_ROUTER_STATE_H

#include "base/map.h"
#include "route/plan.h"

struct router_state {
	struct map cells; /* by cell_key() */
	/* The earliest due of all cells, while `counted` names the plan it was found with; 0:
	 * look again. */
	int64_t due;
	uint64_t counted;
	struct match *scratch; /* no part of the state: what matching used for the last event */
};

/* When time alone changes the cell: a quiet period is over, a slot or a member of a count
 * too old; INT64_MAX: never. */
int64_t cell_due(const struct cell *c, const struct rule_config *r);

#endif
