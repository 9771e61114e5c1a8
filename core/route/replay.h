/*
 * replay - history routed again, by other rules or the same.
 *
 * Feed it the events as they were recorded, in order; for each it says how it would be routed
 * now, by the same functions that route what comes in.  Events are taken as they happened,
 * those of our own too; only firings are made anew, and found again among those recorded by
 * rule, group and newest member.  Recorded ones are looked for REPLAY_AHEAD events ahead, so
 * that what is held in memory does not grow with history.  Windows close at the moment they are
 * due.  Refused events and ended loops were never routed and are passed over.
 *
 * Rules with inputs, a window or a count begin with what a snapshot says.  Without one, behind
 * a gap (events were pruned or lost), or when the rule asks for something else than the one that
 * filled it, nothing is said of a rule's firings until it is known what it would hold: a window's
 * `max` or a count's period has passed, or all inputs of the group have been filled.
 *
 * One thread; no clock, no disk.
 */
#ifndef POINTSMAN_ROUTE_REPLAY_H
#define POINTSMAN_ROUTE_REPLAY_H

#include "journal/journal.h"
#include "route/router.h"

#define REPLAY_AHEAD       4096
#define REPLAY_AHEAD_BYTES (16 * 1024 * 1024)

struct replay_result {
	const struct event *event;
	/* What was recorded, or NULL: a firing that there was not.  Its seq is of no event. */
	const struct journal_event *was;
	const struct outcome *now; /* NULL: a firing that there would not be */
	bool other_members;        /* a firing, but of other events */
	bool unknown;              /* a firing of which nothing can be said */
};

struct replay_options {
	const struct plan *plan; /* numbered as the journal does it; outlives the replay */
	uint64_t from, until;    /* results are told for events from <= seq <= until */
	/* The event of that number, one reference; or NULL. */
	struct event *(*event)(uint64_t seq, void *arg);
	void (*result)(const struct replay_result *r, void *arg);
	void *arg;
};

struct replay;

/* It begins behind the event `after`, at that time of acceptance; 0: nothing happened before, so
 * that all that rules hold is known to be nothing. */
struct replay *replay_new(const struct replay_options *options, uint64_t after, int64_t at);
void replay_free(struct replay *r); /* NULL is fine */

/* Of the snapshot it begins with: a rule that gathered then, with the hash of what it asked
 * for; and a cell, as stored. */
void replay_rule(struct replay *r, uint32_t number, uint64_t text);
void replay_cell(struct replay *r, const char *key, const char *text, size_t len);

/* The next event, which it takes over; from behind the snapshot on, and up to REPLAY_AHEAD ones
 * behind `until`, which are only searched for firings. */
void replay_feed(struct replay *r, struct journal_event *row);
/* There are no more. */
void replay_end(struct replay *r);

/* The i-th rule of which nothing is said at first: its name, and until when, 0 if that is told by
 * its inputs.  False after the last. */
bool replay_unknown(const struct replay *r, size_t i, const char **rule, int64_t *until);

#endif
