/*
 * clock - when the wall clock was set.
 *
 * Lanes wait by boot time; their rows tell in wall time, for the next process.
 */
#ifndef POINTSMAN_ENGINE_CLOCK_H
#define POINTSMAN_ENGINE_CLOCK_H

#include "engine/engine_inside.h"

/* Has it been set since the last look?  Then what is stored of waiting deliveries and open
 * breakers is told anew. */
void clock_look(struct engine *e);

#endif
