/*
 * hostfixture - a router in a test: real engine, real instances, plugins made of the test's
 * own functions, a network that answers when told.
 *
 * One at a time.  The loop turns only inside fixture_turn(), UNTIL() and what says so.
 * Times are real and can be moved ahead; nothing waits longer than a few seconds.
 */
#ifndef POINTSMAN_PLUGIN_HOSTFIXTURE_H
#define POINTSMAN_PLUGIN_HOSTFIXTURE_H

#include "plugin/instance.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

struct request { /* what left by the network, in order */
	uint64_t number;
	char *method, *url, *body;
	char *headers; /* "\nName: value\n.." */
	http_done_fn *done;
	void *arg;
	bool open, cancelled;
};

struct fixture {
	struct world world;
	_Atomic int64_t ahead;  /* ms: how far its clocks are */
	_Atomic int64_t frozen; /* boot time that stands still, but for `ahead`; 0: it runs */
	_Atomic int64_t disk;   /* bytes free */
	char *directory;        /* the state directory */
	struct loop *loop;
	struct config *config;
	struct loader *loader;
	struct engine *engine;
	struct runtime *runtime;
	struct http_server *server;
	struct http_client network;
	struct request *requests;
	size_t nrequests, requests_cap;
	pthread_mutex_t log_lock;
	struct buf log; /* lines "warn text\n" */
	sem_t stopped, go;
	bool journal_stopped;
	char *journal; /* what fixture_journal() last read */
	struct pm_plugin *source, *action, *sink, *secrets, *blocking; /* their functions */
	struct pm_host *hosts[8]; /* of the instances that were created */
	size_t nhosts;
};

/* Where the plugins were built. */
void fixture_plugins(const char *directory);

/* An empty state directory.  The functions of the plugins are unset, but for create(): a
 * target then finishes what it gets. */
struct fixture *fixture_new(void);
/* Begin, with this configuration, without [pointsman]; and wait until all is ready. */
void fixture_begin(struct fixture *f, const char *config);
void fixture_start(struct fixture *f, const char *config);
struct pm_host *fixture_host(struct fixture *f, const char *instance);
/* Stop in order, keeping the state directory; fixture_begin() begins again over it. */
void fixture_stop(struct fixture *f);
/* The two halves of it. */
void fixture_close_runtime(struct fixture *f);
void fixture_close_engine(struct fixture *f);
/* Stop if need be, remove the directory. */
void fixture_free(struct fixture *f);

void fixture_turn(struct fixture *f); /* once */
bool fixture_late(int64_t since);
int64_t fixture_clock(void);
/* Turns the loop until the condition holds; fails the test if it never does. */
#define UNTIL(f, condition)                                                                        \
	do {                                                                                       \
		int64_t since_ = fixture_clock();                                                  \
                                                                                                   \
		while (!(condition)) {                                                             \
			if (fixture_late(since_))                                                  \
				fail_msg("never came true: %s; log:\n%s", #condition,              \
					 fixture_log(f));                                          \
			fixture_turn(f);                                                           \
		}                                                                                  \
	} while (0)
/* Long enough for what must not happen to happen: until the journal has answered a question
 * asked now, several times over (never while it is stopped: then just some turns). */
void fixture_settle(struct fixture *f);

/* Run `fn` as a call into the plugin's instance. */
void fixture_call(struct pm_host *h, void (*fn)(struct pm_host *h));
/* Emit in a call of its own; waits for the call, not for the journal. */
pm_result fixture_emit(struct fixture *f, struct pm_host *h, const struct pm_emit *e);

/* Nothing gets durable any more; and again. */
void fixture_stop_journal(struct fixture *f);
void fixture_let_journal(struct fixture *f);
/* What a kill would leave just now: another state directory, the caller's to give to
 * fixture_take().  Only while the journal is stopped, or from its thread. */
char *fixture_copy(struct fixture *f);
/* Stop, and go on over that directory. */
void fixture_take(struct fixture *f, char *directory);

/* Lines of all that is in the journal:
 *   event 1 item.added id=a cause=0 hops=0 subject=- refused=0 {payload}
 *   row 1/2 dead letter: why            (of event 1, to target number 2)
 *   save key=value
 * Turns the loop. */
const char *fixture_journal(struct fixture *f);
/* The same of a directory nobody has open; the caller's. */
char *fixture_journal_of(struct fixture *f, const char *directory);
const char *fixture_log(struct fixture *f);
bool fixture_logged(struct fixture *f, const char *part);
size_t fixture_times(const char *text, const char *part);

/* The last request that left. */
struct request *fixture_request(struct fixture *f);
void fixture_answer(struct fixture *f, struct request *rq, int status, const char *headers,
		    const char *body);
int64_t fixture_counter(struct fixture *f, const char *instance, const char *metric);
const char *fixture_problem(struct fixture *f, const char *instance);

struct peer { /* who asks at listen() */
	int fd;
	struct buf got;
};
void peer_post(struct fixture *f, struct peer *p, const char *path, const char *body);
bool peer_answered(struct peer *p); /* whole, in `got` */
void peer_close(struct peer *p);

#endif
