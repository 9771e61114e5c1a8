/*
 * engine - the loop thread's half of the path of an event, and the thread behind it.
 *
 * Owns the journal thread (sequencer.h), the lanes, the clock that wakes them, and the
 * rule that nothing leaves before what it rests on is durable.  Knows no plugin: sources
 * and targets are whoever registers.
 *
 * All functions on the loop thread, if not said otherwise.
 */
#ifndef POINTSMAN_ENGINE_ENGINE_H
#define POINTSMAN_ENGINE_ENGINE_H

#include "base/loop.h"
#include "base/world.h"
#include "lane/lane.h"
#include "route/sequencer.h"
#include "route/txn.h"

struct engine;

/* One call into a target: everything the plugin may ask about its delivery. */
struct engine_call {
	uint64_t number; /* pm_delivery: stale ones find nothing */
	struct event *event;
	enum event_view view;
	const char *key;  /* idempotency key */
	const char *rule; /* name */
	const char *held; /* or NULL */
	uint32_t attempt, emitted;
};

struct engine_target {
	/* From the loop, never from inside an engine function. */
	void (*deliver)(void *target, const struct engine_call *call);
	/* Several at once; or NULL, for a target whose `batch` is 1. */
	void (*deliver_many)(void *target, const uint64_t *numbers, size_t n);
	void (*cancel)(void *target, uint64_t number);
	void *target;
	/* The number was taken back: nothing more is to be sent for it.  May come from inside an
	 * engine function; NULL is fine. */
	void (*abandon)(void *target, uint64_t number);
};

struct engine_options {
	struct world *world;
	struct loop *loop; /* base/loop.h: libevent's own header has a `struct event` too */
	const struct config *config; /* for the life of the engine */
	/* For a verb while no daemon runs: a crash that came before is still one afterwards. */
	bool visiting;
	/* The journal cannot be written any more: say so and exit with `status`. */
	void (*failed)(int status, const char *why, void *arg);
	void *arg;
};

/* Opens the journal and loads what is live.  NULL with *err, and in *status the exit status
 * (73, 74, 78, 70). */
struct engine *engine_new(const struct engine_options *options, int *status, struct err *err);
/* Begin: the journal thread runs, lanes of ready targets move. */
void engine_start(struct engine *e);
/* Stop starting deliveries and taking events; `done` when nothing is in a call (held ones
 * do not count) and all is written, or after `wait_ms`. */
void engine_drain(struct engine *e, int64_t wait_ms, void (*done)(void *arg), void *arg);
/* Ends the thread, writes cursors, closes the journal cleanly. */
void engine_free(struct engine *e);

uint32_t engine_instance(struct engine *e, const char *name); /* its lasting number */
/* The name under which it was first seen: the default `source` of its events. */
const char *engine_first_name(struct engine *e, const char *name);
/* Register what delivers for the instance `name`; its lane rests until engine_ready(). */
void engine_register(struct engine *e, const char *name, const struct engine_target *target);
void engine_ready(struct engine *e, const char *name, bool ready);

/* The call a number names, or NULL if it has ended. */
const struct engine_call *engine_find(struct engine *e, uint64_t number);

enum engine_room {
	ROOM_FREE,
	ROOM_SHARE, /* not for who asks: too much of its own is on the way */
	ROOM_NONE,  /* for nobody: queue, disk or size of the journal */
};
/* May a source bring more of whose events `bytes` are on their way to the disk?  *why, good
 * until the next call, tells if not.  What may be on the way is `max-intake`, of which each
 * source has the same share, so that one that floods leaves room for the others. */
enum engine_room engine_room(struct engine *e, size_t bytes, const char **why);
bool engine_has_room(struct engine *e, const char **why); /* for who is no source */
/* Told once when there is room again for somebody. */
void engine_when_room(struct engine *e, void (*fn)(void *arg), void *arg);

/* End a call.  What follows from it is added to `t`; submit t afterwards.  False: the number
 * was stale, nothing was done. */
bool engine_finish(struct engine *e, struct txn *t, uint64_t number, enum lane_result result,
		   const char *why, int64_t after_ms, bool unknown);
/* The same of several calls, which need not be of one target.  Returns how many were stale. */
size_t engine_finish_many(struct engine *e, struct txn *t, const uint64_t *numbers, size_t n,
			  enum lane_result result, const char *why, int64_t after_ms, bool unknown);
bool engine_hold(struct engine *e, struct txn *t, uint64_t number, int64_t ms, const char *state);
/* The id for the next event of `type` emitted for the call: "<key>/<type>/<n>". */
void engine_emit_id(struct engine *e, uint64_t number, const char *type, struct buf *out);

/* Hand over; t belongs to the engine until its `done` was called, which frees nothing: the
 * engine frees t after it.  An empty one is answered too.  Returns its number. */
uint64_t engine_submit(struct engine *e, struct txn *t);
uint64_t engine_submitted(const struct engine *e); /* highest number so far */
uint64_t engine_durable(const struct engine *e);   /* highest that is durable */
/* Emit one of our own events: pointsman.breaker.opened .. */
void engine_emit_own(struct engine *e, struct txn *t, const char *type, const char *subject,
		     const char *json);

/* Run `job` on the journal thread between two batches, then `done` on the loop.  For reading
 * (status, events, dlq) and for an operator's changes. */
void engine_ask(struct engine *e, void (*job)(struct journal *j, struct sequencer *s, void *arg),
		void (*done)(void *arg), void *arg);

/* dlq retry and drop.  `answer` (on the loop) gets NULL, or why not. */
void engine_redrive(struct engine *e, uint64_t seq, uint32_t target, bool force,
		    void (*answer)(const char *problem, void *arg), void *arg);
void engine_drop(struct engine *e, uint64_t seq, uint32_t target, const char *why,
		 void (*answer)(const char *problem, void *arg), void *arg);

/* Deliver events to a target again, each with a new idempotency key and marked as a replay. */
struct engine_again {
	uint32_t target, rule; /* rule: of those that had no such duty; 0: these are left out */
	const uint64_t *seqs;  /* at most ENGINE_AGAIN_MOST; read before the call returns */
	size_t n;
	bool dry; /* only say what would be done */
};
enum again_result { AGAIN_BEGUN, AGAIN_LIVE, AGAIN_NO_DUTY, AGAIN_NO_EVENT };
struct engine_again_result {
	const char *problem; /* or NULL: why nothing was done */
	bool busy;           /* that is because the target has too much to do: ask later */
	struct {
		uint64_t seq;
		enum again_result what;
	} * events; /* good until `answer` returns */
	size_t n;
};
#define ENGINE_AGAIN_MOST 100 /* at a time */
#define ENGINE_AGAIN_BACKLOG                                                                       \
	1000 /* with more to do, a target is busy: what comes in goes first                        \
	      */
void engine_again(struct engine *e, const struct engine_again *ask,
		  void (*answer)(const struct engine_again_result *result, void *arg), void *arg);

struct engine_stats {
	uint64_t last_seq, accepted, duplicates, refused;
	int64_t journal_bytes;
	bool full;                /* intake has stopped */
	const char *full_because; /* or "" */
	const char *damaged;      /* what a salvage lost, until acknowledged; or NULL */
	uint32_t generation;
};
struct engine_stats engine_stats(struct engine *e);
bool engine_lane_stats(struct engine *e, const char *target, struct lane_stats *out);
uint64_t engine_lane_cursor(struct engine *e, const char *target);
/* The operator has seen the note about the damaged journal. */
void engine_acknowledge(struct engine *e);

#endif
