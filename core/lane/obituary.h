/*
 * obituary - dead letters of one target, announced once a minute.
 *
 * The first is announced at once; those that follow within a minute are gathered, and told
 * of together.  Their rows say that they are untold until then, so that a restart loses
 * none.
 */
#ifndef POINTSMAN_LANE_OBITUARY_H
#define POINTSMAN_LANE_OBITUARY_H

#include "lane/lane.h"

#define OBITUARY_EVERY_MS 60000
#define OBITUARY_MAX      1000 /* gathered with their rows; more are only counted */

struct obituary {
	struct delivery *gathered; /* dead, untold */
	size_t n, cap;
	uint32_t more; /* counted, their rows already told */
	bool quiet;
	int64_t quiet_until; /* boot, while quiet */
};

/* `d` has died.  True: announce it now, alone; else it is gathered.  Sets d->told to what its
 * row has to say. */
bool obituary_add(struct obituary *o, struct delivery *d, struct lane_now now);
/* A stored dead letter that nobody was told of. */
void obituary_recall(struct obituary *o, const struct delivery *d);
/* It is no dead letter any more: its row is not to be written. */
void obituary_forget(struct obituary *o, uint64_t seq);
/* Is it time to tell?  Then write the gathered rows, announce `*count`, and call
 * obituary_told(). */
bool obituary_due(const struct obituary *o, struct lane_now now, uint32_t *count);
void obituary_told(struct obituary *o, struct lane_now now);
int64_t obituary_next(const struct obituary *o); /* boot; INT64_MAX: nothing to tell */
void obituary_free(struct obituary *o);

#endif
