/*
 * announce - the engine's own events: what people on call may want to be told of.
 *
 * Dead letters of one target, and of intake, are announced once a minute at most, with how
 * many there were and the first as example.
 */
#ifndef POINTSMAN_ENGINE_ANNOUNCE_H
#define POINTSMAN_ENGINE_ANNOUNCE_H

#include "engine/engine_inside.h"

/* pointsman.delivery.dead of a target: in `txn`, or, if the example's event has to be read
 * first, in one of its own soon after. */
void announce_dead(struct target *t, const struct lane_effect *effect, struct txn *txn);
/* pointsman.breaker.opened and .closed, and the breaker's state. */
void announce_breaker(struct target *t, const struct lane_effect *effect, struct txn *txn);
/* pointsman.delivery.dead of target `intake`: an event was kept as a dead letter before it
 * became anybody's duty. */
void announce_intake(struct engine *e, struct event *ev, const char *why);
/* pointsman.journal.damaged */
void announce_damage(struct engine *e);

/* The minute is over. */
void announce_gathered(void *engine);

#endif
