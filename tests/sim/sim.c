#include "sim.h"

#include "base/hash.h"
#include "base/loop.h"
#include "base/mem.h"
#include "thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_STEPS 50000
#define BORN       INT64_C(1790000000000) /* wall time at which every world begins */

struct entry { /* of the agenda */
	int64_t at;
	uint64_t order;
	void (*fn)(uint64_t arg);
	uint64_t arg;
};

struct sim sim;
static struct entry *agenda; /* a heap */
static size_t nagenda, agenda_cap;
static uint64_t orders;
static struct loop *loop;
static struct chance for_core;
static uint64_t passed_at; /* step in which the clock moved last */

static int64_t sim_wall(struct world *w)
{
	(void)w;
	return sim.boot + sim.wall_ahead;
}

static int64_t sim_boot(struct world *w)
{
	(void)w;
	return sim.boot;
}

static void sim_random(struct world *w, void *out, size_t len)
{
	unsigned char *p = out;

	(void)w;
	while (len--)
		*p++ = (unsigned char)chance_next(&for_core);
}

void sim_new(uint64_t seed, bool traced)
{
	sim = (struct sim){.seed = seed, .traced = traced, .wall_ahead = BORN};
	chance_seed(&sim.chance, seed, 0);
	chance_seed(&for_core, seed, 1);
	sim.world = (struct world){
		.wall = sim_wall,
		.boot = sim_boot,
		.random = sim_random,
		.start = thread_start,
		.join = thread_join,
		.wait = thread_wait,
	};
}

void sim_free(void)
{
	free(agenda);
	agenda = NULL;
	nagenda = agenda_cap = 0;
}

void sim_loop(struct loop *l)
{
	loop = l;
}

static bool is_before(const struct entry *a, const struct entry *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct entry *a, struct entry *b)
{
	struct entry c = *a;

	*a = *b;
	*b = c;
}

void sim_at(int64_t ms, void (*fn)(uint64_t arg), uint64_t arg)
{
	size_t i = nagenda;

	mem_room(agenda, nagenda, agenda_cap);
	agenda[nagenda++] = (struct entry){sim.boot + (ms > 0 ? ms : 0), ++orders, fn, arg};
	for (; i && is_before(&agenda[i], &agenda[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&agenda[i], &agenda[(i - 1) / 2]);
}

static void sink_down(size_t i)
{
	for (size_t child; (child = 2 * i + 1) < nagenda; i = child) {
		if (child + 1 < nagenda && is_before(&agenda[child + 1], &agenda[child]))
			child++;
		if (!is_before(&agenda[child], &agenda[i]))
			return;
		swap(&agenda[child], &agenda[i]);
	}
}

static bool run_agenda(void)
{
	struct entry e;

	if (!nagenda || agenda[0].at > sim.boot)
		return false;
	e = agenda[0];
	agenda[0] = agenda[--nagenda];
	sink_down(0);
	e.fn(e.arg);
	return true;
}

static bool run_loop(void)
{
	return loop && loop_turn(loop);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool pass_time(void)
{
	int64_t next = least(nagenda ? agenda[0].at : INT64_MAX, thread_due());

	if (loop)
		next = least(next, loop_next(loop));
	if (next == INT64_MAX)
		return false;
	if (next > sim.boot) {
		sim.boot = next;
		passed_at = sim.step;
	}
	return true;
}

bool sim_step(void)
{
	static bool (*const parts[])(void) = {run_agenda, run_loop, thread_turn};
	size_t first = chance_below(&sim.chance, 3);

	sim.step++;
	expect(sim.step - passed_at < BUSY_STEPS,
	       "at most %d steps in one moment expected, found more: something never rests",
	       BUSY_STEPS);
	for (size_t i = 0; i < 3; i++) {
		if (parts[(first + i) % 3]())
			return true;
	}
	return pass_time();
}

static void say_time(char out[32])
{
	int64_t s = sim.boot / SECOND;

	snprintf(out, 32, "%d:%02d:%02d.%03d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60),
		 (int)(sim.boot % SECOND));
}

void trace(const char *format, ...)
{
	char line[1024], time[32];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	say_time(time);
	sim.hash = hash64(line, strlen(line), sim.hash ^ (uint64_t)sim.boot);
	if (sim.traced)
		printf("%8llu %s %s\n", (unsigned long long)sim.step, time, line);
}

void expect(bool holds, const char *format, ...)
{
	char time[32];
	va_list args;

	if (holds)
		return;
	say_time(time);
	fflush(stdout);
	fprintf(stderr, "seed %llu: step %llu, %s: ", (unsigned long long)sim.seed,
		(unsigned long long)sim.step, time);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}
