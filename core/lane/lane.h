/*
 * lane - the deliveries of one target: order, overlap, rate, retry, breaker, deadline.
 *
 * A plain state machine: something happened goes in, a list of effects comes out; it calls
 * nobody, reads no clock and draws no random number (both are given).  One row in
 * delivery.h's table of moves is what any delivery may do here.
 *
 * A delivery enters by lane_offer() (a duty read from the journal, in order of seq) or
 * lane_recall() (a stored row).  The cursor, which the lane moves, means: every duty at or
 * below it has ended or has a row.
 */
#ifndef POINTSMAN_LANE_LANE_H
#define POINTSMAN_LANE_LANE_H

#include "config/config.h"
#include "journal/delivery.h"

#define LANE_MAX_WAITING                                                                           \
	512 /* without a row, at most; where calls are large, twice what they take */
#define LANE_MAX_ROWS   10000     /* with one, at most; then the lane reads no further */
#define LANE_READ_LEAST 64        /* wanting fewer, a lane is not read for */
#define LANE_TROUBLE    5         /* "target down" in a row that open the breaker */
#define LANE_DEATHS     3         /* of the process in the same call make a dead letter */
#define LANE_CALL_BYTES (1 << 20) /* of events in one call; a larger one goes alone */

struct lane_settings {
	struct retry retry;
	struct rate rate;
	uint32_t concurrency; /* calls at once */
	uint32_t batch;       /* deliveries in one call, at most; 0 is 1 */
	int64_t timeout_ms, deadline_ms;
	bool ordered; /* order-by is not none */
	/* With so many it reads no further: without a row, and with one. */
	size_t max_waiting, max_rows;
};
/* As the target's section says.  A delivery has a little longer than the `timeout` of its
 * request, which is to say why it ended. */
struct lane_settings lane_settings_of(const struct instance_config *section);

struct lane_now {        /* given with every input */
	int64_t wall;    /* ms since 1970: stored times */
	int64_t boot;    /* ms that never go back: rate, timeouts */
	uint64_t random; /* fresh 64 bits */
};

enum lane_effect_kind {
	LANE_CALL,    /* call deliver(): `delivery` is a copy of the row as it then is; `call`
			 tells those apart that may go in one call */
	LANE_CANCEL,  /* its deadline is over: call cancel(), under the number it has or, if it
			 was held, under a new one */
	LANE_ABANDON, /* it may not finish any more: its number becomes stale */
	LANE_ROW,     /* write `delivery` */
	LANE_THEN,    /* begin `delivery.duty.then` for the same event */
	LANE_DIED,    /* announce a dead letter: `count` of them, `delivery` the first */
	LANE_OPENED,  /* the breaker opened: `delivery.why` */
	LANE_CLOSED,  /* it closed */
};

struct lane_effect {
	enum lane_effect_kind kind;
	struct delivery delivery; /* a copy, texts included */
	uint32_t count;
	uint64_t call; /* 0: it goes alone */
};

struct lane_effects {
	struct lane_effect *list;
	size_t n, cap;
};
void lane_effects_clear(struct lane_effects *e); /* frees the texts and the list */
void lane_effects_empty(struct lane_effects *e); /* frees the texts; the list is for the next */

struct lane;

struct lane *lane_new(uint32_t target, const struct lane_settings *settings, uint64_t cursor);
void lane_free(struct lane *l);
void lane_configure(struct lane *l, const struct lane_settings *settings);

/* What a lane asks of an event. */
struct lane_event {
	uint64_t seq;
	uint64_t key; /* hash of its order-by key, 0: no order */
	size_t bytes;
	bool own; /* one of our own */
};

/* A duty of the event.  Call only while lane_wants(). */
void lane_offer(struct lane *l, const struct lane_event *ev, const struct duty *duty,
		struct lane_now now, struct lane_effects *out);
/* A live row: at start, after `then`, after a redrive.  At start also a dead letter that is
 * not told: it is announced with the next ones.  Of `ev` only key and bytes count. */
void lane_recall(struct lane *l, const struct delivery *row, const struct lane_event *ev,
		 struct lane_now now, struct lane_effects *out);
/* The call of this number leaves: whatever becomes startable later goes in another one.  Until
 * then it is filled with what is ready, so nothing waits for a call to be full. */
void lane_depart(struct lane *l, uint64_t call);
/* Everything up to `seq` has been offered. */
void lane_reached(struct lane *l, uint64_t seq);
size_t lane_wants(const struct lane *l); /* how many more duties it would take now */
uint64_t lane_cursor(const struct lane *l);

enum lane_result {
	LANE_OK,
	LANE_AGAIN,  /* failed, may succeed later: not a sign that the target is down */
	LANE_DOWN,   /* the same, and one: no answer, 5xx, 429, credentials */
	LANE_REJECT, /* never: a dead letter */
	LANE_SPLIT,  /* the same of a whole call, which tells nothing of one of its deliveries:
			they go again, in calls of half as many.  Of one alone it is LANE_REJECT */
};

/* What LANE_CALL asked for has to wait, for its event to be read or its row to be written; and
 * deliver() is called now.  In between its `timeout` does not run. */
void lane_delayed(struct lane *l, uint64_t seq);
void lane_begun(struct lane *l, uint64_t seq, struct lane_now now);
/* The plugin finished `seq`.  after_ms: what Retry-After asked, -1: nothing.  unknown: a
 * request was sent and not answered.  emitted: events emitted in this call. */
void lane_finished(struct lane *l, uint64_t seq, enum lane_result result, const char *why,
		   int64_t after_ms, bool unknown, struct lane_now now, struct lane_effects *out);
void lane_held(struct lane *l, uint64_t seq, int64_t ms, const char *state, uint32_t emitted,
	       struct lane_now now, struct lane_effects *out);
/* Time passed: whatever is due (rate, retries, holds, timeouts, deadlines, announcements). */
void lane_tick(struct lane *l, struct lane_now now, struct lane_effects *out);
/* The boot time at which lane_tick() has something to do; INT64_MAX: none. */
int64_t lane_next(const struct lane *l, struct lane_now now);

/* The target is not ready (waits for a secret, is being replaced): start nothing.  What is
 * in a call is forgotten and comes again when it is ready. */
void lane_pause(struct lane *l, bool paused, struct lane_now now, struct lane_effects *out);
/* The journal has no room: what was begun goes on and may end, looks included, but nothing
 * is begun. */
void lane_rest(struct lane *l, bool resting);
/* After an unclean stop, before anything is offered or recalled; `last`: the last event of
 * that time.  What may have been in flight goes one at a time, `permit` says when; its row is
 * written as in a call before it is, and one that is found so has died once more. */
void lane_careful(struct lane *l, uint64_t last);
bool lane_is_careful(const struct lane *l);
void lane_permit(struct lane *l, struct lane_now now, struct lane_effects *out);

/* The wall clock was set: what rows tell in its time is told anew, so that a restart takes
 * the jump for no waiting. */
void lane_clock_set(struct lane *l, struct lane_now now, struct lane_effects *out);

/* An operator's word; false if nothing of that event is live here. */
bool lane_drop(struct lane *l, uint64_t seq, const char *why, struct lane_now now,
	       struct lane_effects *out);
/* The row of a dead letter is about to change without the lane: it is not written again. */
void lane_forget(struct lane *l, uint64_t seq);

struct lane_stats {
	uint32_t waiting, called, held, retry;
	bool open;                     /* the breaker */
	int64_t opened_at;             /* wall; 0 */
	int64_t oldest_at;             /* wall: first attempt of the longest waiting retry; 0 */
	uint64_t done, dead, attempts; /* since start */
};
struct lane_stats lane_stats(const struct lane *l);
/* The breaker over a restart: text to keep, NULL while closed; and back. */
char *lane_breaker_save(const struct lane *l);
void lane_breaker_load(struct lane *l, const char *text, struct lane_now now);

#endif
