/*
 * testhost_inside - what the parts of testhost share.
 *
 * Plugins see a delivery under a number that changes at each deliver(), as with the real
 * host, so that one kept too long shows; tests see it under a number that stays.
 */
#ifndef POINTSMAN_TESTHOST_INSIDE_H
#define POINTSMAN_TESTHOST_INSIDE_H

#include "plugin/abi.h"
#include "testhost.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "event/template.h"
#include "plugin/answer.h"
#include "plugin/loader.h"
#include "plugin/scratch.h"
#include "plugin/values.h"

struct handed {             /* a delivery */
	pm_delivery number; /* the test's */
	uint32_t call;      /* how often deliver() was called; makes the plugin's number */
	uint32_t attempt;
	bool dead; /* by a template: later calls on it do nothing */
	enum testhost_end end;
	char *document, *why, *held;
	int64_t retry_after;
};

struct asking { /* a request that waits for its answer */
	struct asking *next;
	struct testhost_request shown;
	pm_delivery handed; /* the plugin's number */
	pm_delivery *many;  /* likewise, of finish_many_by_http() */
	struct asked asked; /* how its answer is read */
	pm_done_fn *done;   /* NULL: finishes the delivery */
	uint64_t arg;
};

struct emitted {
	struct emitted *next;
	struct testhost_event shown;
};

struct timer {
	struct timer *next;
	int64_t due;
	pm_timer_fn *fn;
	uint64_t arg;
};

struct listener {
	struct listener *next;
	char *path;
	pm_inbound_fn *fn;
	uint64_t arg;
};

struct testhost {
	struct pm_host host; /* first: the plugin holds a pointer to it */
	struct plugin *plugin;
	struct config *config;
	struct written *written; /* what of it stands in no file */
	struct values *values;
	bool started, stopped, lied_to;
	struct scratch scratch;

	struct handed **handed;
	size_t nhanded, handed_cap;
	struct asking *asking;
	struct emitted *emitted, *taken; /* taken: the last one given to the test */
	struct timer *timers;
	struct listener *listeners;

	bool inbound; /* inside a function given to listen() */
	bool replied; /* and not in plain text */
	struct err refusal;
	struct buf reply;

	int64_t now;
	uint64_t random;
	int full;
	bool wants_room;
	struct map saved, counters, answers; /* answers: of resolve(), by number */
	uint64_t asks;
	char *problem, *log;
};

static inline struct testhost *testhost_of(struct pm_host *h)
{
	return (struct testhost *)(void *)h;
}

/* Around every call into the plugin: what it was lent is taken back. */
void testhost_leave(struct testhost *t);

/* By the plugin's number; NULL if it is stale. */
struct handed *testhost_handed(struct testhost *t, pm_delivery seen);
pm_delivery testhost_shown(pm_delivery seen); /* the test's number */
/* NULL if calls on it do nothing; fails the test if it is stale. */
struct handed *testhost_open(struct testhost *t, pm_delivery seen, const char *call);
void testhost_ended(struct handed *d, enum testhost_end end, const char *why, int64_t after);

/* testhost_keys.c */
void testhost_keys_read(struct testhost *t, const char *instance, const char *const *settings);
void testhost_keys_free(struct testhost *t);
void testhost_keys_fill(struct testhost *t);

/* testhost_text.c */
void testhost_text_fill(struct testhost *t);

/* testhost_emit.c */
void testhost_emit_fill(struct testhost *t);

/* testhost_http.c */
void testhost_http_fill(struct testhost *t);
void testhost_http_cancel(struct testhost *t); /* answers "cancelled" until none waits */
void testhost_unlisten(struct testhost *t);

#endif
