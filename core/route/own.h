/*
 * own - events of the router's own making about deliveries and targets.
 *
 * Made, not yet numbered; the caller's.
 */
#ifndef POINTSMAN_ROUTE_OWN_H
#define POINTSMAN_ROUTE_OWN_H

#include "event/event.h"

#define OWN_DEAD   "pointsman.delivery.dead"
#define OWN_OPENED "pointsman.breaker.opened"
#define OWN_CLOSED "pointsman.breaker.closed"

struct own {
	const char *type, *subject; /* subject: or NULL */
	const char *json;           /* the payload */
	const struct event *cause;  /* or NULL */
	const char *caused_by;      /* the target whose delivery is the cause, or NULL */
	uint64_t number;            /* makes the id: another one, another event */
	int64_t at;                 /* ms since 1970 */
};
struct event *own_event(const struct own *own);

/* Payloads.  Of OWN_DEAD: `count` dead letters of the target, the first one's reason (or NULL)
 * and event (NULL: lost).  Of OWN_OPENED and OWN_CLOSED: why (or NULL). */
void own_dead_json(struct buf *json, const char *target, uint32_t count, const char *why,
		   uint64_t seq, const struct event *ev);
void own_breaker_json(struct buf *json, const char *target, const char *why);

#endif
