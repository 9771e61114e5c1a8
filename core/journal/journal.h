/*
 * journal - events that must outlive a crash, and what is still owed to each.
 *
 * One SQLite file `journal.db` in the state directory: WAL, synchronous=FULL, one writer.
 * Everything between journal_begin() and journal_commit() is there after a crash, or
 * nothing of it.  Tables: events by seq, deliveries by (seq, target), and small values by
 * (space, key): cursors, saved state, slots and windows, names, dedupe runs.
 *
 * One thread at a time; times are passed in; a failed call leaves *err filled and the
 * transaction good for nothing but journal_rollback().
 */
#ifndef POINTSMAN_JOURNAL_JOURNAL_H
#define POINTSMAN_JOURNAL_JOURNAL_H

#include "base/err.h"
#include "base/world.h"
#include "event/event.h"
#include "journal/delivery.h"

struct journal;

enum journal_status {
	JOURNAL_OK,
	JOURNAL_ABSENT, /* nothing by that key */
	JOURNAL_FULL,   /* no room on the disk: roll back, free some, try the batch again */
	JOURNAL_FAILED, /* write, sync or file trouble: write nothing more, exit 74 */
};

struct journal_opened { /* what opening found */
	bool fresh;     /* there was none */
	bool unclean;   /* the last process did not close it */
	char *damaged;  /* NULL, or what a salvage lost, for pointsman.journal.damaged; told at
			   every open until journal_acknowledge(); the caller's */
};

/* Takes the lock file of the state directory (a second process is refused, naming the
 * pid), makes the directory (0700) if absent, salvages a damaged file and sets it aside
 * under a dated name.  NULL with *err. */
struct journal *journal_open(struct world *world, const char *directory,
			     struct journal_opened *found, struct err *err);
/* One that no file stands behind and that is gone when it is closed: for a rehearsal.  Not to
 * be pruned. */
struct journal *journal_open_in_memory(struct err *err);
/* Has any call answered FULL or FAILED? */
bool journal_had_trouble(const struct journal *j);
/* Marks the stop as clean. */
void journal_close(struct journal *j);
/* For a verb that opened the journal while no daemon runs: a crash that came before is
 * still one afterwards. */
void journal_leave(struct journal *j);

/* Somebody has read what the salvage lost.  A transaction of its own. */
enum journal_status journal_acknowledge(struct journal *j, struct err *err);
/* Events found with a wrong checksum since last asked, for pointsman.journal.damaged; NULL:
 * none.  The caller frees.  Such a row counts as lost: whoever looks for it finds nothing. */
char *journal_take_damage(struct journal *j);

enum journal_status journal_begin(struct journal *j, struct err *err);
enum journal_status journal_commit(struct journal *j, struct err *err);
void journal_rollback(struct journal *j);

uint64_t journal_last_seq(const struct journal *j); /* 0: no event yet; never reused */

struct journal_event {       /* a row; freed with journal_event_clear() */
	struct event *event; /* accepted: seq and at are set */
	struct duty *duties;
	size_t nduties;
	uint32_t generation;
	bool refused;    /* came in unfit, kept as a dead letter */
	char *decided;   /* JSON of the verdicts, see router.h; or NULL */
	uint32_t seen;   /* repeats that were dropped */
	int64_t seen_at; /* the last of them */
};
void journal_event_clear(struct journal_event *row);

enum journal_status journal_add(struct journal *j, const struct journal_event *row,
				struct err *err);
/* A repeat came; nothing happens if the event is no longer there. */
enum journal_status journal_seen_again(struct journal *j, uint64_t seq, int64_t at,
				       struct err *err);
enum journal_status journal_event(struct journal *j, uint64_t seq, struct journal_event *out,
				  struct err *err);
/* Walk events with seq > after (or < before, newest first, if `backwards`), at most `limit`.
 * `fn` gets a row that is cleared when it returns; false stops. */
typedef bool journal_event_fn(const struct journal_event *row, void *arg);
enum journal_status journal_events(struct journal *j, uint64_t from, bool backwards, size_t limit,
				   journal_event_fn *fn, void *arg, struct err *err);
/* What dedupe needs of every event with seq > after, in order. */
struct journal_id {
	uint64_t seq;
	int64_t at;
	const char *instance, *source, *id, *type; /* good until `fn` returns */
	size_t bytes;                              /* of its payload */
};
typedef bool journal_id_fn(const struct journal_id *row, void *arg); /* no other call */
enum journal_status journal_ids(struct journal *j, uint64_t after, journal_id_fn *fn, void *arg,
				struct err *err);
/* Effects: events whose cause is `seq`. */
enum journal_status journal_effects(struct journal *j, uint64_t seq, journal_event_fn *fn,
				    void *arg, struct err *err);

/* The duties to `target` in events with seq > after that have no row of their own: calls
 * `fn`, which makes no other call, for at most `limit` and until it says false, looks at no more
 * than `scan` events, and tells in *reached up to where it looked. */
typedef bool journal_duty_fn(struct event *ev, const struct duty *duty, void *arg);
enum journal_status journal_duties(struct journal *j, uint32_t target, uint64_t after, size_t limit,
				   size_t scan, uint64_t *reached, journal_duty_fn *fn, void *arg,
				   struct err *err);

enum journal_status journal_put_delivery(struct journal *j, const struct delivery *d,
					 struct err *err);
enum journal_status journal_delivery(struct journal *j, uint64_t seq, uint32_t target,
				     struct delivery *out, struct err *err);
typedef bool journal_delivery_fn(const struct delivery *d, void *arg); /* false stops */
/* Those of one event. */
enum journal_status journal_deliveries(struct journal *j, uint64_t seq, journal_delivery_fn *fn,
				       void *arg, struct err *err);
/* Those not ended, by target and seq. */
enum journal_status journal_live(struct journal *j, uint32_t target, journal_delivery_fn *fn,
				 void *arg, struct err *err);
/* Dead letters, oldest first, with seq > after; target 0xffffffff: of all, intake's too. */
enum journal_status journal_dead(struct journal *j, uint32_t target, uint64_t after, size_t limit,
				 journal_delivery_fn *fn, void *arg, struct err *err);
/* Has `target` done a delivery newer than seq?  For dlq retry; `fn` sees them, newest first. */
enum journal_status journal_done_after(struct journal *j, uint32_t target, uint64_t seq,
				       size_t limit, journal_delivery_fn *fn, void *arg,
				       struct err *err);

/* Small values.  `value` NULL deletes. */
enum journal_status journal_put(struct journal *j, const char *space, const char *key,
				const void *value, size_t len, struct err *err);
enum journal_status journal_get(struct journal *j, const char *space, const char *key,
				struct buf *out, struct err *err);
typedef bool journal_value_fn(const char *key, const void *value, size_t len, void *arg);
/* By key, those that start with `prefix`. */
enum journal_status journal_values(struct journal *j, const char *space, const char *prefix,
				   journal_value_fn *fn, void *arg, struct err *err);
/* The space of an instance's saved state. */
void journal_saved_space(uint32_t instance, char *out, size_t size);
/* Move all of space `from` to space `to`. */
enum journal_status journal_rename(struct journal *j, const char *from, const char *to,
				   struct err *err);

struct journal_limits {
	int64_t keep_ms, keep_bytes; /* ended history */
	int64_t keep_dead_ms, keep_dead_count;
	uint64_t floor; /* nothing at or above this seq is pruned */
	int64_t apart;  /* bytes in the file that are no history: ids to know */
	int64_t most;   /* bytes in use: over it history gives way, whatever keep says; 0: never */
};
/* Remove what is over the limits, a bounded amount at a time, inside a transaction; *more
 * tells that there is more to do.  Never removes an event with a live delivery or a dead
 * letter, or one that `pinned` names.  Dead letters over their limits become DROPPED. */
enum journal_status journal_prune(struct journal *j, const struct journal_limits *limits,
				  int64_t now, bool (*pinned)(uint64_t seq, void *arg), void *arg,
				  bool *more, struct err *err);
int64_t journal_bytes(struct journal *j); /* of all its files */
/* Of what is in them: what was removed counts no more, though files shrink later. */
int64_t journal_used(struct journal *j);
/* Give up the reserve kept for finishing what was begun when the disk is full; false if it
 * is gone already.  Pruning makes it again once there is room. */
bool journal_spend_reserve(struct journal *j);

#endif
