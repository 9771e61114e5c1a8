/*
 * delivery - one event's duty to one target, and its life.
 *
 * A delivery is named by (seq, target).  While nothing happened to it, it exists only as a
 * duty in its event's row; it has a row of its own once it ended, or waits for something
 * other than its turn.
 */
#ifndef POINTSMAN_JOURNAL_DELIVERY_H
#define POINTSMAN_JOURNAL_DELIVERY_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum delivery_state {
	DELIVERY_WAITING, /* for its turn, or behind another of its key */
	DELIVERY_CALLED,  /* in a plugin's hands */
	DELIVERY_HELD,    /* the plugin asked to be called again */
	DELIVERY_RETRY,   /* failed; will be tried again */
	DELIVERY_DONE,
	DELIVERY_DEAD,       /* a dead letter */
	DELIVERY_SUPERSEDED, /* by a newer one of its rule and group */
	DELIVERY_DROPPED,    /* by an operator */
};
#define DELIVERY_STATES 8

/* The allowed moves; everything else is a bug and asserted on.  (A replay is none of them: a
 * further round begins anew, however the one before ended.) */
bool delivery_may_move(enum delivery_state from, enum delivery_state to);
const char *delivery_state_name(enum delivery_state s); /* "waiting", "in a call", .. */
bool delivery_ended(enum delivery_state s);             /* done and everything after it */

/* What the sequencer decided at acceptance; stored with the event, never recomputed. */
struct duty {
	uint32_t target; /* numbers of names.h */
	uint32_t rule;
	uint32_t then;   /* the target that follows when this is done; 0: none */
	uint64_t group;  /* hash of the group's value; 0: none */
	uint8_t overlap; /* enum overlap of config.h */
	bool members;    /* the event is a firing of `rule`: EVENT_MEMBERS */
};

void duties_encode(const struct duty *duties, size_t n, struct buf *out);
/* The caller frees *duties; false if the bytes are not what duties_encode() writes. */
bool duties_decode(const void *bytes, size_t len, struct duty **duties, size_t *n);

#define DELIVERY_INTAKE 0 /* the `target` of events refused at intake */

struct delivery {
	uint64_t seq;
	struct duty duty;
	enum delivery_state state;
	uint32_t round;   /* counts redrives that ask for a new idempotency key */
	uint32_t attempt; /* attempts begun so far */
	uint32_t emitted; /* events emitted in this attempt by calls already durable */
	uint32_t deaths;  /* times the process died with it in a call */
	bool unknown;     /* the last attempt was sent and not answered */
	bool told;        /* a dead letter that has been announced */
	bool own;         /* the event is one of our own: its failure raises no further one */
	bool replay;      /* an operator asked for it after the event had been decided on */
	int64_t due;      /* HELD, RETRY: when next; ms since 1970 */
	int64_t first_at; /* of the first attempt; 0: none yet.  Shifted by open breakers */
	int64_t begun_at; /* of this attempt, holds included */
	int64_t ended_at;
	uint64_t by; /* SUPERSEDED: seq of the newer one */
	char *held;  /* the plugin's state, or NULL */
	char *why;   /* the last problem, the dropper's reason; or NULL */
	char *trail; /* attempts so far: JSON array of {"at","ended","result","why"}, the
			first and the last nine; or NULL */
};

void delivery_clear(struct delivery *d); /* frees the texts */
void delivery_copy(struct delivery *to, const struct delivery *from);

/* The idempotency key: 32 hex digits of SHA-256 over the first name of the instance the
 * event came through, source, id, the target's first name and the round. */
void delivery_key(const char *instance, const char *source, const char *id, const char *target,
		  uint32_t round, char out[33]);

#endif
