/*
 * rehearsal - what a configuration makes of events, in a world of its own.
 *
 * The daemon's sequencer over a journal in memory, and the daemon's lanes; the clock and chance
 * belong to the rehearsal, and its caller answers for the targets.  So windows, counts,
 * retries, breakers and dead letters are those of a daemon, the same events come to the same
 * end each time, and a year takes no longer than what happens in it.  No file and no
 * network is touched.
 *
 * A call takes no time: a target has answered in the moment it is called.
 */
#ifndef POINTSMAN_REHEARSE_REHEARSAL_H
#define POINTSMAN_REHEARSE_REHEARSAL_H

#include "lane/lane.h"
#include "route/router.h"

struct rehearsal;

struct rehearsed { /* a delivery that was begun */
	const char *target, *rule;
	struct event *event;
	enum event_view view;
	char key[33];      /* the idempotency key */
	uint32_t attempts; /* so far */
	enum delivery_state state;
	char *why; /* the last problem, or NULL */
};

struct rehearsal_options {
	const struct config *config; /* must outlive the rehearsal */
	int64_t start;               /* ms since 1970 */
	/* A target is called; the attempt is counted already.  With anything but LANE_OK, say
	 * why. */
	enum lane_result (*deliver)(void *arg, const struct rehearsed *d, struct err *why);
	void *arg;
};

/* NULL with *err if the rules do not compile. */
struct rehearsal *rehearsal_new(const struct rehearsal_options *options, struct err *err);
void rehearsal_free(struct rehearsal *r);

/* What became of an event that was given. */
enum rehearsal_given {
	REHEARSAL_TAKEN,
	REHEARSAL_KNOWN, /* its instance, source and id came before: dropped as a repeat */
	REHEARSAL_UNFIT, /* event_check() says why */
};
/* Let it come in now.  When this returns, all that follows at once has happened.  Without a
 * `time` it happened now. */
enum rehearsal_given rehearsal_give(struct rehearsal *r, const struct event *ev, struct err *err);
/* Let time pass. */
void rehearsal_pass(struct rehearsal *r, int64_t ms);
/* Let it pass until nothing is due any more, at most that long. */
void rehearsal_finish(struct rehearsal *r, int64_t most_ms);
/* Why the rehearsal was given up, with everything after that left undone; or NULL.  An event
 * that follows from itself too often is a reason, and too much of anything. */
const char *rehearsal_trouble(const struct rehearsal *r);

/* In the order in which they were begun; NULL after the last.  Good until time passes again. */
const struct rehearsed *rehearsal_delivery(const struct rehearsal *r, size_t i);
/* The events that came in or followed, by number, from 1; NULL after the last.  The caller
 * unrefs. */
struct event *rehearsal_event(const struct rehearsal *r, uint64_t seq);
const struct plan *rehearsal_plan(const struct rehearsal *r);

#endif
