/*
 * watch - one instance: what it looks at, and what it has seen.
 *
 * Three ways to look: at named keys (keys.c), at all below a prefix (listing.c), or at a
 * queue that is told (queue.c).  The first two remember every object, as saved state
 * `object/<key>` (known.c); `watching` says of what that state is.
 */
#ifndef POINTSMAN_S3_WATCH_H
#define POINTSMAN_S3_WATCH_H

#include "object.h"

#include "base/err.h"
#include "base/map.h"

#include <jansson.h>
#include <pointsman/plugin.h>

struct known {                           /* the last state of an object that an event told of */
	char *etag, *version, *modified; /* or NULL */
	bool gone;                       /* looked for, not there */
	uint64_t round;                  /* of the listing it was last in */
};

struct watch {
	const struct way *way;
	bool stopped;
	bool paused;    /* waits for room */
	uint64_t round; /* of looking; answers to an earlier one are void */
	size_t waiting; /* answers still to come in this round */
	char *problem;  /* the first of this round, or NULL */
	char *last;     /* problem of the round before, or NULL */

	struct map known; /* key to struct known */
	size_t bytes;     /* of saved state that it takes */

	/* listing.c */
	bool listed;    /* all that was there at first is known */
	char *token;    /* of the next page, or NULL */
	char **changed; /* keys of this page to look at more closely */
	size_t n, cap, at;

	/* queue.c */
	json_t *page; /* messages that wait for room, or NULL */
	size_t message;
	unsigned failures;
	struct map sequences; /* hash of bucket and key to struct sequence */
};

/* How a section looks at its bucket. */
struct way {
	void (*begin)(struct pm_host *h); /* a new round */
	void (*resume)(struct pm_host *h);
};
extern const struct way keys_way, listing_way, queue_way;

static inline struct watch *watch_of(struct pm_host *h)
{
	return h->self;
}

/* Begin a round: NULL problem, new number. */
void watch_round(struct pm_host *h);
/* It could not look at something. */
void watch_failed(struct pm_host *h, const char *what, const struct pm_message *m);
/* The round is over: say how it was, wait `poll`, begin the next. */
void watch_done(struct pm_host *h);
/* Does the section want this object? */
bool watch_wants(struct pm_host *h, const char *bucket, const char *key);

/* HEAD; `arg` comes back with the answer. */
void watch_head(struct pm_host *h, const char *key, const char *etag, pm_done_fn *done,
		uint64_t arg);
/* What a HEAD answer says; texts are good until the function returns. */
struct object watch_object(struct pm_host *h, const char *key, const struct pm_message *m,
			   char *etag, size_t size, char modified[32]);
/* Can it be remembered?  Else the round has a problem. */
bool watch_room(struct pm_host *h, const struct object *o);
/* Take an object as it is now: emit if it changed, remember it.  False: no room. */
bool watch_take(struct pm_host *h, const struct object *o, bool first);
/* It is not there (any more).  False: no room. */
bool watch_miss(struct pm_host *h, const char *key);

struct known *known_get(const struct watch *w, const char *key); /* or NULL */
bool known_fits(const struct watch *w, const struct object *o);  /* in the saved state */
void known_set(struct pm_host *h, const struct object *o);
void known_gone(struct pm_host *h, const char *key);
void known_forget(struct pm_host *h, const char *key);
void known_load(struct pm_host *h);
void known_free(struct watch *w);

void queue_load(struct pm_host *h);
void queue_free(struct watch *w);

#endif
