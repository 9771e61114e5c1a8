/*
 * durable - what the journal can do: accept events and end their deliveries, in batches.
 *
 *	durable DIRECTORY [EVENTS] [SECONDS] [BYTES]
 *
 * In a journal of its own below DIRECTORY, for SECONDS (3): one transaction takes EVENTS (100)
 * events of BYTES (1000), routed on one field to one of two targets, and notes those of the
 * transaction before as delivered.  The sequencer and the journal of the router as they are,
 * with nothing before or behind them, on one thread.  Prints
 * {"events":..,"per_second":..,"commits_per_second":..,"cpu_us_per_event":..}.
 */
#include "cargo.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "route/sequencer.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char rules[] = "[source in]\nplugin = p\n[sink a]\nplugin = p\n[sink b]\nplugin = p\n"
			    "[rule a]\non = load.event\nwhere = data.route == \"a\"\ndo = a\n"
			    "[rule b]\non = load.event\nwhere = data.route == \"b\"\ndo = b\n";

struct run {
	struct journal *journal;
	struct sequencer *sequencer;
	struct cargo cargo;
	uint64_t made;
	unsigned events;
	struct batch before; /* what the last transaction accepted */
	struct err err;
};

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const struct err *err)
{
	fprintf(stderr, "durable: %s: %s\n", what, err->text);
	exit(74);
}

/* The payload is the value of "data", the last member of what cargo makes. */
static void emit(struct run *r, struct txn *t)
{
	struct buf text = {0}, id = {0};
	const char *data;
	struct event *ev;

	cargo_add(&r->cargo, r->made, 0, &text);
	cargo_add_id(&r->cargo, r->made++, &id);
	data = strstr(text.data, "\"data\":") + 7;
	ev = event_create(&(struct event){.id = id.data,
					  .source = "/load",
					  .type = "load.event",
					  .time = "2026-11-24T01:02:03Z",
					  .instance = "in",
					  .data = data,
					  .data_len = text.len - (size_t)(data - text.data) - 1});
	txn_emit(t, ev);
	event_unref(ev);
	buf_free(&text);
	buf_free(&id);
}

static void note_done(const struct batch *b, struct txn *t, int64_t now)
{
	char trail[] = "[{\"at\":1764313200000,\"ended\":1764313200001,\"result\":\"done\"}]";

	for (size_t i = 0; i < b->n; i++) {
		txn_row(t, &(struct delivery){.seq = b->accepted[i].event->seq,
					      .duty = b->accepted[i].duties[0],
					      .state = DELIVERY_DONE,
					      .attempt = 1,
					      .first_at = now,
					      .begun_at = now,
					      .ended_at = now,
					      .trail = trail});
		txn_cursor(t, b->accepted[i].duties[0].target, b->accepted[i].event->seq);
	}
}

static void do_batch(struct run *r, int64_t now)
{
	struct txn *t = txn_new();
	struct batch out = {0};

	for (unsigned i = 0; i < r->events; i++)
		emit(r, t);
	note_done(&r->before, t, now);
	if (sequencer_batch(r->sequencer, t, now, &out, &r->err) != JOURNAL_OK)
		fail("the batch", &r->err);
	txn_free(t);
	batch_clear(&r->before);
	r->before = out;
}

static void measure(struct run *r, double seconds)
{
	double begin = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	double passed;
	uint64_t commits = 0;

	do {
		do_batch(r, world_real()->wall(world_real()));
		commits++;
		passed = seconds_of(CLOCK_MONOTONIC) - begin;
	} while (passed < seconds);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"events\":%llu,\"per_second\":%.1f,\"commits_per_second\":%.1f,"
	       "\"cpu_us_per_event\":%.2f}\n",
	       (unsigned long long)r->made, (double)r->made / passed, (double)commits / passed,
	       cpu * 1e6 / (double)r->made);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void keep_quiet(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

int main(int argc, char **argv)
{
	struct run r = {.events = argc > 2 ? (unsigned)atoi(argv[2]) : 100};
	struct journal_opened found = {0};
	struct report report = {0};
	struct config *config;
	char *directory;

	if (argc < 2 || argc > 5 || !r.events) {
		fputs("durable DIRECTORY [EVENTS] [SECONDS] [BYTES]\n", stderr);
		return 64;
	}
	directory = mem_format("%s/durable-XXXXXX", argv[1]);
	if (!mkdtemp(directory)) {
		perror(directory);
		return 73;
	}
	log_capture(keep_quiet, NULL);
	cargo_init(&r.cargo, "durable", 2, argc > 4 ? strtoul(argv[4], NULL, 10) : 1000);
	config = config_load_text("durable.ini", rules, &report);
	r.journal = journal_open(world_real(), directory, &found, &r.err);
	if (!r.journal)
		fail("the journal", &r.err);
	r.sequencer = sequencer_new(r.journal, config, &r.err);
	if (!r.sequencer)
		fail("the rules", &r.err);
	measure(&r, argc > 3 ? atof(argv[3]) : 3);
	batch_clear(&r.before);
	sequencer_free(r.sequencer);
	journal_close(r.journal);
	config_free(config);
	report_free(&report);
	cargo_free(&r.cargo);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(directory);
	return 0;
}
