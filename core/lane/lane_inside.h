/*
 * lane_inside - what the parts of a lane share.
 *
 *   lane.c         what happens to it: inputs
 *   lane_turn.c    whose turn it is, and the call
 *   lane_call.c    deliveries that share a call
 *   lane_end.c     how an attempt ends: retry, dead letter, done
 *   lane_effect.c  the list of answers
 */
#ifndef POINTSMAN_LANE_LANE_INSIDE_H
#define POINTSMAN_LANE_LANE_INSIDE_H

#include "lane/breaker.h"
#include "lane/bucket.h"
#include "lane/chain.h"
#include "lane/lane.h"
#include "lane/obituary.h"

struct lane_call { /* of several deliveries, until the last of them is in it no more */
	uint64_t number;
	uint32_t members; /* now */
	uint32_t size;    /* altogether */
	uint32_t most;
	size_t bytes;
	bool down; /* "target down" was said of one */
};

struct lane_entry {              /* a live delivery */
	struct hashed_node node; /* by seq; first member */
	struct delivery d;
	struct chain_link order;           /* of its key */
	struct chain_link overlap;         /* of its rule and group */
	struct heap_node turn;             /* in lane.ready, lane.looks or a bucket, by seq */
	struct heap_node alarm;            /* in lane.alarms, by boot time */
	struct lane_entry *before, *after; /* without a row: in order of seq */
	int64_t due, first, began, called; /* boot times of what d tells in wall time */
	int64_t over_at;                   /* boot: dead then, if `cancelled` */
	struct lane_call *call;            /* CALLED: shared; NULL: it is there alone */
	size_t bytes;                      /* of its event */
	uint32_t most;                     /* in a call with it, after a split; 0: no limit */
	bool has_row;
	bool look;      /* CALLED: from HELD, so no attempt of its own */
	bool cancelled; /* its deadline is over */
	bool delayed;   /* CALLED: deliver() has not been called yet */
	bool careful;   /* CALLED by permit */
	bool suspect;   /* may have been in flight when the process died */
};

struct lane {
	uint32_t target;
	struct lane_settings settings;
	struct hashed entries;
	struct chains orders, overlaps;
	struct heap ready;  /* to be attempted, once the lane may */
	struct heap looks;  /* held ones that are due */
	struct heap alarms; /* entries with something to come */
	struct buckets buckets;
	struct breaker breaker;
	struct obituary obituary;
	struct lane_entry *first_bare, *last_bare; /* without a row */
	size_t bare, rows;
	uint32_t called, held;     /* a look under way counts as called */
	uint32_t calls;            /* under way, or being filled */
	struct lane_call *filling; /* or NULL */
	uint64_t last_call;
	uint64_t reached;
	bool paused, resting, careful;
	uint64_t careful_last;
	uint32_t careful_left; /* starts */
	bool careful_call;     /* one is under way */
	uint64_t done, dead, attempts;
};

struct lane_entry *lane_find(const struct lane *l, uint64_t seq);

/* lane_call.c */
bool lane_has_room(const struct lane *l); /* for one more in a call */
/* The call that is being filled leaves if `e` does not fit in. */
void lane_make_fit(struct lane *l, const struct lane_entry *e);
/* Is it in the call that is being filled? */
bool lane_is_filling(const struct lane *l, const struct lane_entry *e);
void lane_join_call(struct lane *l, struct lane_entry *e);
void lane_leave_call(struct lane *l, struct lane_entry *e);

/* lane_effect.c */
struct lane_effect *lane_effect_add(struct lane_effects *out, enum lane_effect_kind kind,
				    const struct delivery *d);
/* The row as it is now; from here on it has one. */
void lane_write(struct lane *l, struct lane_entry *e, struct lane_effects *out);
/* Moves the state, along delivery.h's table. */
void lane_move(struct lane_entry *e, enum delivery_state to);

/* lane_turn.c */
/* It may have become startable. */
void lane_consider(struct lane *l, struct lane_entry *e);
/* So may the ones behind it: it left its chains, or is busy in them no more. */
void lane_busy(struct lane *l, struct lane_entry *e, bool busy);
void lane_leave(struct lane *l, struct lane_entry *e);
/* Rows for those who wait behind it, so that the cursor can move on. */
void lane_park_behind(struct lane *l, struct lane_entry *e, struct lane_effects *out);
void lane_park(struct lane *l, struct lane_entry *e, struct lane_effects *out);
/* Start whatever may be started. */
void lane_advance(struct lane *l, struct lane_now now, struct lane_effects *out);
bool lane_start_one(struct lane *l, struct lane_now now, struct lane_effects *out);
void lane_set_alarm(struct lane *l, struct lane_entry *e);
bool lane_has_turn(struct lane *l, struct lane_now now); /* could anything start now? */

/* lane_end.c */
/* It is in no call any more: places, alarms, permit. */
void lane_uncall(struct lane *l, struct lane_entry *e);
void lane_end_done(struct lane *l, struct lane_entry *e, struct lane_now now,
		   struct lane_effects *out);
void lane_end_dead(struct lane *l, struct lane_entry *e, const char *result, char *why,
		   struct lane_now now, struct lane_effects *out); /* takes `why` */
/* Of those of its rule and group that wait, only the newest stays; `e` may be gone. */
void lane_supersede(struct lane *l, struct lane_entry *e, struct lane_now now,
		    struct lane_effects *out);
void lane_end_dropped(struct lane *l, struct lane_entry *e, const char *why, struct lane_now now,
		      struct lane_effects *out);
/* The attempt failed; `result` is its word in the trail. */
void lane_fail(struct lane *l, struct lane_entry *e, const char *result, const char *why,
	       int64_t after_ms, bool unknown, struct lane_now now, struct lane_effects *out);
/* It was refused together with others. */
void lane_split(struct lane *l, struct lane_entry *e, const char *why, struct lane_now now,
		struct lane_effects *out); /* `e` may be gone */
/* The target answered. */
void lane_target_up(struct lane *l, struct lane_now now, struct lane_effects *out);
void lane_tell(struct lane *l, struct lane_now now, struct lane_effects *out); /* of deaths */

#endif
