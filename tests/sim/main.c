/* The simulation's program: seeds, one process each. */
#include "audit.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "faults.h"
#include "feeds.h"
#include "ledger.h"
#include "life.h"
#include "plan.h"
#include "powerdisk.h"
#include "sim.h"
#include "targets.h"
#include "verdict.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIET_MS (20 * MINUTE) /* longer than any window */
#define LATE_MS  (72 * HOUR)

struct options {
	uint64_t from, seeds;
	double hours; /* 0: as the seed says */
	bool traced, twice;
	unsigned jobs;
	char *plugins[8];
	size_t nplugins;
};

struct result { /* of one seed, by pipe */
	uint64_t hash, steps, calls;
	int64_t ms;
	unsigned lives;
};

static bool lane_is_empty(unsigned n, uint64_t last)
{
	const char *name = plan.targets[n].name;
	struct lane_stats s = {0};

	engine_lane_stats(life_engine(), name, &s);
	return !s.waiting && !s.called && !s.held && !s.retry &&
	       engine_lane_cursor(life_engine(), name) >= last;
}

static bool is_quiet(void)
{
	static uint64_t last_seen;
	uint64_t last;

	if (!life_engine() || !feeds_drained())
		return false;
	last = engine_stats(life_engine()).last_seq;
	if (last != last_seen) {
		last_seen = last;
		return false;
	}
	for (unsigned n = 0; n < plan.ntargets; n++) {
		if (!lane_is_empty(n, last))
			return false;
	}
	return true;
}

static void step(void)
{
	expect(sim_step(), "something to be left to happen expected, found nothing");
	targets_step();
	ledger_step();
	faults_step();
}

static void say_what_waits(void)
{
	for (unsigned n = 0; n < plan.ntargets && life_engine(); n++) {
		struct lane_stats s = {0};

		engine_lane_stats(life_engine(), plan.targets[n].name, &s);
		fprintf(stderr,
			"%s: waiting %u, called %u, held %u, retry %u, cursor %" PRIu64 "\n",
			plan.targets[n].name, s.waiting, s.called, s.held, s.retry,
			engine_lane_cursor(life_engine(), plan.targets[n].name));
	}
}

static void settle(void)
{
	int64_t late = sim.boot + LATE_MS, since = sim.boot;

	faults_end();
	feeds_end();
	while (sim.boot < since + QUIET_MS) {
		int64_t before = sim.boot;

		step();
		if (sim.boot / SECOND != before / SECOND && !is_quiet())
			since = sim.boot;
		if (sim.boot >= late)
			say_what_waits();
		expect(sim.boot < late,
		       "an end of everything expected, found it still going on "
		       "(sources %s)",
		       feeds_drained() ? "drained" : "not drained");
	}
}

static void live(double hours)
{
	int64_t until = hours > 0 ? (int64_t)(hours * (double)HOUR)
				  : chance_scale(&sim.chance, 20 * MINUTE, 6 * HOUR);

	faults_begin();
	expect(life_begin(), "a first life expected");
	feeds_begin();
	while (sim.boot < until)
		step();
	settle();
	life_stop();
	while (!life_stopped())
		step();
	life_end(DEATH_STOP);
	audit_last();
	verdict();
}

static struct result run_seed(const struct options *o, uint64_t seed)
{
	struct result r;

	sim_new(seed, o->traced);
	plan_make();
	powerdisk_insert();
	life_prepare((const char *const *)o->plugins);
	if (o->traced)
		printf("%s", buf_text(&plan.text));
	live(o->hours);
	r = (struct result){sim.hash, sim.step, ledger_calls(), sim.boot, life_number()};
	ledger_free();
	audit_free();
	feeds_free();
	life_free();
	plan_clear();
	powerdisk_remove();
	sim_free();
	return r;
}

struct child {
	pid_t pid;
	uint64_t seed;
	int pipe;
	bool second; /* the same again, to compare */
};

static struct child fork_seed(const struct options *o, uint64_t seed, bool second)
{
	struct child c = {.seed = seed, .second = second};
	int ends[2];

	fflush(stdout);
	if (pipe(ends) != 0)
		abort();
	c.pid = fork();
	if (c.pid == 0) {
		struct result r = run_seed(o, seed);

		fflush(stdout);
		if (write(ends[1], &r, sizeof r) != sizeof r)
			abort();
		exit(0);
	}
	close(ends[1]);
	c.pipe = ends[0];
	return c;
}

struct total {
	uint64_t seeds, failed, steps, calls, lives;
	int64_t ms;
};

static void say_failure(const struct options *o, const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		fprintf(stderr, "seed %" PRIu64 ": the process died by signal %d (%s)\n", c->seed,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	fprintf(stderr, "see it again: tests/sim/run --from %" PRIu64 " --seeds 1", c->seed);
	if (o->hours > 0)
		fprintf(stderr, " --hours %g", o->hours);
	fprintf(stderr, " --trace\n");
}

static bool reap(const struct options *o, struct child *c, struct result *r, struct total *total)
{
	ssize_t n = read(c->pipe, r, sizeof *r);
	int status = 0;

	close(c->pipe);
	waitpid(c->pid, &status, 0);
	if (status == 0 && n == sizeof *r) {
		total->steps += r->steps;
		total->calls += r->calls;
		total->lives += r->lives;
		total->ms += r->ms;
		return true;
	}
	total->failed++;
	say_failure(o, c, status);
	return false;
}

static void run_twice(const struct options *o, uint64_t seed, struct total *total)
{
	struct child a = fork_seed(o, seed, false), b = fork_seed(o, seed, true);
	struct result first = {0}, again = {0};

	if (!reap(o, &a, &first, total) || !reap(o, &b, &again, total))
		return;
	if (first.hash == again.hash && first.steps == again.steps)
		return;
	total->failed++;
	fprintf(stderr,
		"seed %" PRIu64 ": the same twice expected, found %" PRIu64 " steps (%016" PRIx64
		") and %" PRIu64 " (%016" PRIx64 ")\n",
		seed, first.steps, first.hash, again.steps, again.hash);
}

static void run_all(const struct options *o, struct total *total)
{
	struct child running[16];
	unsigned n = 0;
	struct result r;

	for (uint64_t i = 0; i < o->seeds || n;) {
		if (i < o->seeds && n < o->jobs) {
			running[n++] = fork_seed(o, o->from + i++, false);
			continue;
		}
		reap(o, &running[0], &r, total);
		memmove(running, running + 1, --n * sizeof *running);
	}
}

static int finish(struct options *o, int status)
{
	while (o->nplugins)
		free(o->plugins[--o->nplugins]);
	return status;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim --plugins DIRECTORY.. [--seeds N] [--from SEED] [--hours H] "
			"[--jobs N] [--trace] [--twice]\n");
	return 64;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"plugins", required_argument, NULL, 'p'}, {"seeds", required_argument, NULL, 'n'},
		{"from", required_argument, NULL, 'f'},    {"hours", required_argument, NULL, 'h'},
		{"jobs", required_argument, NULL, 'j'},    {"trace", no_argument, NULL, 't'},
		{"twice", no_argument, NULL, '2'},         {0},
	};
	struct options o = {.from = 1, .seeds = 1, .jobs = 1};
	struct total total = {0};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (o.nplugins < 7)
				o.plugins[o.nplugins++] = realpath(optarg, NULL);
			break;
		case 'n': o.seeds = strtoull(optarg, NULL, 10); break;
		case 'f': o.from = strtoull(optarg, NULL, 10); break;
		case 'h': o.hours = strtod(optarg, NULL); break;
		case 'j': o.jobs = (unsigned)strtoul(optarg, NULL, 10); break;
		case 't': o.traced = true; break;
		case '2': o.twice = true; break;
		default: return usage();
		}
	}
	if (!o.nplugins || optind < argc || !o.jobs || o.jobs > 16)
		return usage();
	total.seeds = o.seeds;
	if (o.twice) {
		for (uint64_t i = 0; i < o.seeds; i++)
			run_twice(&o, o.from + i, &total);
	} else {
		run_all(&o, &total);
	}
	printf("%" PRIu64 " seeds from %" PRIu64 ": %lld hours, %" PRIu64 " lives, %" PRIu64
	       " calls, %" PRIu64 " steps; %" PRIu64 " failed\n",
	       total.seeds, o.from, (long long)(total.ms / HOUR), total.lives, total.calls,
	       total.steps, total.failed);
	return finish(&o, total.failed ? 1 : 0);
}
