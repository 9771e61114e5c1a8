#include "cli/speed.h"

#include <stdlib.h>
#include <time.h>

#define WARM_UP      1.0 /* seconds */
#define ROUND        0.1 /* at least; of several passes if there are few events */
#define ROUNDS       15
#define MANY_SECONDS 5.0 /* slow sets make do with three rounds */

#define AHEAD 2 /* events that are told to the matcher before it gets them */

#define BATCH           0.02 /* of compiling, at least */
#define COMPILE_SECONDS 0.5

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pass(const struct matcher *m, const struct texts *events, struct matching *matching)
{
	struct event ev = {.id = "", .source = "", .type = "", .time = "", .instance = ""};
	struct event next = ev;

	for (size_t i = 0; i < events->n; i++) {
		if (i + AHEAD < events->n) {
			next.data = texts_get(events, i + AHEAD, &next.data_len);
			matcher_expect(&next);
		}
		ev.data = texts_get(events, i, &ev.data_len);
		matcher_match(m, &ev, matching);
	}
}

static double passes(const struct matcher *m, const struct texts *events, size_t n,
		     struct matching *matching)
{
	double begin = now();

	for (size_t i = 0; i < n; i++)
		pass(m, events, matching);
	return now() - begin;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Seconds for one pass over all events. */
static double measure_pass(const struct matcher *m, const struct texts *events)
{
	struct matching matching = {0};
	double rounds[ROUNDS], warm = 0, all = 0;
	size_t n = 0, count = 1, done = 0;

	for (size_t more = 1; warm < WARM_UP; more *= 2) {
		warm += passes(m, events, more, &matching);
		done += more;
	}
	if (warm / (double)done < ROUND)
		count = (size_t)(ROUND * (double)done / warm) + 1;
	while (n < ROUNDS && (n < 3 || all < MANY_SECONDS)) {
		rounds[n] = passes(m, events, count, &matching);
		all += rounds[n++];
	}
	matching_free(&matching);
	qsort(rounds, n, sizeof *rounds, by_size);
	return rounds[n / 2] / (double)count;
}

static double compile(const struct patterns *p, size_t n, size_t *bytes)
{
	double took = 0;

	for (size_t i = 0; i < n; i++) {
		double begin = now();
		struct matcher *m = patterns_compile(p);

		took += now() - begin;
		*bytes = matcher_bytes(m);
		matcher_free(m);
	}
	return took;
}

/* Seconds to compile all patterns: the best of several times, as the first pays for memory
 * that the process did not have yet. */
static double measure_compile(const struct patterns *p, size_t *bytes)
{
	size_t count = 1;
	double best = compile(p, 1, bytes), all = best;

	while (best < BATCH) {
		count *= 2;
		all = best = compile(p, count, bytes);
	}
	while (all < COMPILE_SECONDS) {
		double took = compile(p, count, bytes);

		all += took;
		best = took < best ? took : best;
	}
	return best / (double)count;
}

struct speed speed_measure(const struct patterns *p, const struct texts *events)
{
	struct speed s = {0};
	double compiling = measure_compile(p, &s.bytes);

	s.rules = (double)p->texts.n / compiling;
	if (events->n) {
		struct matcher *m = patterns_compile(p);
		double took = measure_pass(m, events);

		s.events = (double)events->n / took;
		s.event_bytes = (double)(events->bytes.len - events->n) / took;
		matcher_free(m);
	}
	return s;
}
