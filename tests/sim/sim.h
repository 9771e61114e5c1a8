/*
 * sim - the simulation of one seed: its clock, its agenda, its words.
 *
 * Everything that happens in a simulated world happens in a step: something on the agenda, a
 * turn of the router's loop, or a turn of its journal thread.  Which, if several could be next,
 * the seed decides.  When nothing can be, the clock jumps to whatever is due first.
 * One simulation a process.
 */
#ifndef POINTSMAN_SIM_SIM_H
#define POINTSMAN_SIM_SIM_H

#include "base/world.h"
#include "chance.h"

struct sim {
	uint64_t seed, step;
	uint64_t hash;        /* of all that was traced */
	bool traced;          /* print it, too */
	int64_t boot;         /* ms since the world began */
	int64_t wall_ahead;   /* wall time less boot time */
	struct chance chance; /* of whoever has no stream of its own */
	struct world world;
};
extern struct sim sim;

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

void sim_new(uint64_t seed, bool traced);
void sim_free(void);

/* In `ms`, as a step of its own: fn(arg). */
void sim_at(int64_t ms, void (*fn)(uint64_t arg), uint64_t arg);
/* One step.  False: nothing is left that could ever happen. */
bool sim_step(void);
/* The loop that belongs to the router now living; NULL: none. */
struct loop;
void sim_loop(struct loop *loop);
/* A line of the trace. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the process unless `holds`: says the seed, the step, the time and what was expected and
 * found, and how to see it again. */
void expect(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
