/*
 * testengine - an engine over a journal in a temporary directory, with targets that do what
 * a test says, for tests only.
 *
 * Sections: source `in`, sinks `a`, `b` and `watch`; a test adds keys and rules.  The clocks
 * are the real ones.  Whatever goes wrong ends the test.
 */
#ifndef POINTSMAN_ENGINE_TESTENGINE_H
#define POINTSMAN_ENGINE_TESTENGINE_H

#include "engine/engine.h"

struct bench;

struct fake { /* a target */
	struct bench *bench;
	const char *name;
	/* What it does with a delivery; NULL: nothing, the test finishes it. */
	void (*act)(struct fake *f, const struct engine_call *call);
	bool cancel_ends;    /* cancel() finishes with success */
	uint64_t number;     /* of the last call */
	uint64_t seqs[4096]; /* of the calls, in order */
	char keys[64][33];   /* of the first calls */
	uint32_t attempts[64];
	char held[64]; /* of the last call, or "" */
	size_t calls, cancels;
};

struct bench {
	struct world world;
	char directory[64];
	char *keys, *rules; /* of the configuration */
	struct loop *loop;
	struct config *config;
	struct engine *engine;
	struct fake a, b, watch;
	int64_t free_bytes; /* what the disk says; 0: the truth */
	int failed;         /* the status options.failed() got; 0: not called */
	char why[512];
	bool visiting; /* from the next bench_open() on */
	bool told;     /* bench_tell() was called */
	uint64_t made; /* events so far */
};

/* `keys`: added to each sink; `rules`: sections. */
struct bench *bench_new(const char *keys, const char *rules);
/* The same on a disk of testdisk.h; disk_remove() after bench_free(). */
struct bench *bench_on_testdisk(const char *keys, const char *rules);
void bench_free(struct bench *b);
void bench_open(struct bench *b); /* a new process; targets are not ready */
/* The same where opening may fail: 0, or the exit status with which it did. */
int bench_try(struct bench *b, struct err *err);
void bench_ready(struct bench *b); /* they are */
void bench_stop(struct bench *b);  /* in order */
/* As if the process were killed at this moment, and started again. */
void bench_kill(struct bench *b);

/* Hand in an event of `type` about `subject` (or NULL); waits until it is durable. */
uint64_t bench_event(struct bench *b, const char *type, const char *subject);
/* The same without waiting; `done` as in struct txn, or NULL. */
void bench_send(struct bench *b, const char *type, void (*done)(struct txn *t, void *arg),
		void *arg);
void bench_refuse(struct bench *b, const char *reason);
void bench_finish(struct bench *b, uint64_t number, enum lane_result result, bool unknown);
void bench_hold(struct bench *b, uint64_t number, int64_t ms, const char *state);
/* Finish and emit an event of `type` in one transaction. */
void bench_finish_emitting(struct bench *b, uint64_t number, const char *type);
const char *bench_redrive(struct bench *b, uint64_t seq, const char *target, bool force);
const char *bench_drop(struct bench *b, uint64_t seq, const char *target);

/* Runs the loop until `test` holds; fails after ten seconds. */
#define BENCH_UNTIL(b, test)                                                                       \
	for (int64_t until_ = bench_patience(b); !(test);)                                         \
	bench_turn(b, until_, #test)
int64_t bench_patience(struct bench *b);
void bench_turn(struct bench *b, int64_t until, const char *what);
/* Sets `told` of the bench. */
void bench_tell(void *bench);
void bench_settle(struct bench *b); /* everything handed in is durable */
void bench_wait(struct bench *b, int64_t ms);

/* The row as the journal has it; ABSENT: DELIVERY_STATES.  The texts are the bench's. */
struct delivery bench_row(struct bench *b, uint64_t seq, const char *target);
/* How many events of a type there are, and the last of them (not to be freed), or NULL. */
size_t bench_count(struct bench *b, const char *type);
const char *bench_data(struct bench *b, const char *type);

void fake_ok(struct fake *f, const struct engine_call *call);
void fake_down(struct fake *f, const struct engine_call *call);
void fake_reject(struct fake *f, const struct engine_call *call);

#endif
