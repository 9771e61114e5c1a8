/*
 * engine_inside - what the parts of the engine share.  For the eyes of core/engine only.
 *
 *   load.c      opening: what the journal holds becomes lanes; and closing
 *   engine.c    registering, submitting, finishing, draining
 *   target.c    a lane with what surrounds it: its events, its reading
 *   effects.c   what a lane answers, done
 *   announce.c  the engine's own events
 *   operator.c  redrive and drop
 *   again.c     deliveries of old events
 *   room.c      when intake has to stop
 *   clock.c     when the wall clock was set
 */
#ifndef POINTSMAN_ENGINE_ENGINE_INSIDE_H
#define POINTSMAN_ENGINE_ENGINE_INSIDE_H

#include "base/log.h"
#include "base/map.h"
#include "engine/calls.h"
#include "engine/engine.h"
#include "engine/journal_thread.h"
#include "lane/order.h"

struct kept_events { /* of deliveries that may start soon, by seq; the first leave first */
	struct kept_event {
		uint64_t seq;
		struct event *event;
	} * list;
	size_t first, end, cap;
	size_t bytes, most; /* most: the share of the lane */
};

struct target {
	struct engine *engine;
	const struct instance_config *section;
	const char *first_name; /* the one keys are made with */
	uint32_t number;
	struct lane *lane;
	struct engine_target ops; /* deliver NULL: nobody has registered */
	bool ready;
	uint64_t next;  /* every event at or below it was offered or skipped */
	bool behind;    /* is to read the journal when it is its turn */
	bool overflows; /* while a batch is taken: it is full, and missed this one */
	uint64_t missed;
	uint64_t cursor; /* as last written */
	struct kept_events kept;
	struct order order;
	struct flight *boarding;  /* whose turn has not come, or NULL */
	struct log_limit retries; /* lines about them */
};

struct start {                       /* a delivery that is to be called, from the loop */
	struct start *next;          /* in its flight */
	struct start *older, *newer; /* of all */
	struct target *target;
	struct delivery delivery;
	struct event *event; /* NULL: to be read */
	bool cancel;         /* its deadline is over: cancel(), not deliver() */
	bool stale;          /* the lane has taken it back */
};

struct flight {              /* starts that go in one call */
	struct flight *next; /* of those whose turn it is */
	struct target *target;
	uint64_t call; /* the lane's number; 0: of one that goes alone */
	struct start *starts, **end;
	size_t n;
	bool complete; /* all events were looked for */
};

struct intake_deaths { /* dead letters of intake, told once a minute */
	bool quiet;
	struct log_limit lines;
	uint32_t count; /* since the last telling */
	struct event *first;
	char *why;
	struct loop_timer *timer;
};

struct engine {
	struct intake_deaths intake;
	struct engine_options options;
	struct journal *journal;
	struct sequencer *sequencer;
	struct journal_thread *thread;
	struct map targets;        /* name to struct target */
	struct target **by_number; /* by target number, sparse */
	size_t nnumbers;
	struct map numbers; /* name to struct known, of every instance */
	char **rules;       /* names by number, sparse */
	size_t nrules;
	struct calls calls;
	struct lane_effects effects; /* scratch of one input into a lane */
	struct loop_timer *timer;    /* the lanes' next moment */
	struct loop_timer *housekeeping;
	struct start *pending;                 /* all that have not begun, newest first */
	struct flight *flights, **flights_end; /* whose turn it is */
	bool starting;                         /* a turn for them was asked for */
	bool scheduling;                       /* `timer` is set to the next turn */
	bool reading;                          /* some target reads the journal */
	uint64_t last_seq, submitted, durable;
	int64_t ahead; /* of the wall clock over boot time, as lanes were last told */
	uint64_t accepted, duplicates, refused;
	struct room *room;
	bool started, draining, ending;
	void (*drained)(void *arg);
	void *drained_arg;
	struct loop_timer *drain_timer;
	struct target *careful; /* the lane that holds the permit; NULL: nobody */
	uint64_t careful_seq;
	bool unclean;
	char *damaged;
	uint32_t generation;
	struct txn *first_txn; /* what opening had to write; until engine_start() */
};

struct known {
	uint32_t number;
	char *first; /* the name it was first seen under */
};

void engine_on_timer(void *engine);
void engine_on_housekeeping(void *engine);
void engine_unload(struct engine *e);
void engine_drop_flights(struct engine *e);
const char *engine_rule(struct engine *e, uint32_t number); /* its name, "" if unknown */
/* Submit, or free one that holds nothing and that nobody waits for. */
void engine_hand_over(struct engine *e, struct txn *t);

struct lane_now engine_now(struct engine *e);
struct target *engine_target(struct engine *e, const char *name); /* or NULL */
/* Soon: give the permit of a careful start, and set the timer for whatever is due next. */
void engine_schedule(struct engine *e);
/* A call has ended: somebody may wait for that. */
void engine_call_ended(struct engine *e, const struct target *t, uint64_t seq);
/* An own event whose cause is at hand. */
void engine_emit_about(struct engine *e, struct txn *t, const char *type, const char *subject,
		       const char *json, const struct event *cause, const char *caused_by);

struct target *target_new(struct engine *e, const struct instance_config *section, uint32_t number,
			  uint64_t cursor, struct err *err);
void target_free(struct target *t);
/* Hand a stored row to the lane, its event known; what follows is not written if txn is
 * NULL. */
void target_recall(struct target *t, const struct delivery *row, struct event *ev, struct txn *txn);
/* The events of a batch, to all lanes that are at the live edge. */
void targets_take_batch(struct engine *e, const struct batch *b, struct txn *txn);
/* Read the journal if the lane is behind and has room. */
void target_read(struct target *t);
/* Do what the lane answered in engine->effects, writing into txn; empties them. */
void target_effects(struct target *t, struct txn *txn);
/* Put the cursor into txn if it has moved. */
void target_cursor(struct target *t, struct txn *txn);
/* The same if it has moved far: one that lags costs only a look at what has ended already. */
void target_moved(struct target *t, struct txn *txn);
void target_drop_event(struct target *t, uint64_t seq);
struct event *target_event(struct target *t, uint64_t seq); /* borrowed, or NULL */
/* Hand a stored row, by number, to its lane, if it is live there; reads both from the
 * journal. */
void target_recall_stored(struct engine *e, uint32_t target, uint64_t seq);

#endif
