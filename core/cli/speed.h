/*
 * speed - how fast a set of patterns is compiled, and events are matched with it.
 *
 * The time is that of this thread on its processor, so that other work on the machine
 * changes little.
 */
#ifndef POINTSMAN_CLI_SPEED_H
#define POINTSMAN_CLI_SPEED_H

#include "cli/patterns.h"

struct speed {
	double events, event_bytes; /* matched in a second */
	double rules;               /* compiled in a second, from their text */
	size_t bytes;               /* of memory that the compiled set takes */
};

/* Takes some seconds: one to warm up, then the median of many rounds over all events. */
struct speed speed_measure(const struct patterns *p, const struct texts *events);

#endif
