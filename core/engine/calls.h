/*
 * calls - numbers for the deliveries that are in plugins' hands.
 *
 * A number is good from the call that hands it out until the delivery is finished or held.
 * It names a slot and a generation, so a stale one finds nothing.
 */
#ifndef POINTSMAN_ENGINE_CALLS_H
#define POINTSMAN_ENGINE_CALLS_H

#include "engine/engine.h"

struct target;

struct call {
	struct engine_call public; /* `held` and the event's reference are the call's */
	char key[33];
	struct target *target;
	uint64_t seq;
	uint32_t emits; /* events emitted in this call, for their ids */
};

struct calls {
	struct call_slot *slots;
	size_t n, cap;
	size_t open;
	size_t free; /* 1 + index of a free slot, 0: none */
};

/* A new call; fill in `public` but for the number, and the rest.  Good until calls_end(). */
struct call *calls_begin(struct calls *c);
struct call *calls_find(struct calls *c, uint64_t number);                         /* or NULL */
struct call *calls_of(struct calls *c, const struct target *target, uint64_t seq); /* or NULL */
void calls_end(struct calls *c, uint64_t number); /* drops the event's reference, `held` */
void calls_free(struct calls *c);

#endif
