/*
 * instance - one section's plugin, between create() and destroy().
 *
 * Every call into the plugin is bracketed by instance_enter() and instance_leave(): what
 * the plugin emitted, saved, held and finished in between becomes one transaction, what it
 * sent waits for that transaction, and what it was lent is taken back.  For the eyes of
 * core/plugin only.  Loop thread, or a thread that has borrowed it (blocking.h).
 */
#ifndef POINTSMAN_PLUGIN_INSTANCE_H
#define POINTSMAN_PLUGIN_INSTANCE_H

#include "base/log.h"
#include "base/map.h"
#include "event/getter.h"
#include "plugin/answer.h"
#include "plugin/lastcall.h"
#include "plugin/runtime.h"
#include "plugin/scratch.h"

enum instance_state {
	INSTANCE_LOADING, /* its saved state is being read */
	INSTANCE_WAITING, /* for a secret */
	INSTANCE_CREATED, /* start() said false, or was not asked yet */
	INSTANCE_READY,
	INSTANCE_STOPPED,
	INSTANCE_REFUSED, /* create() said false: tried again as start() is */
};

struct outgoing;   /* outgoing.c */
struct host_timer; /* host_time.c */
struct thread;     /* blocking.c */
struct exchange;   /* host_listen.c */
struct listening;

struct outgoing_list { /* in order */
	struct outgoing *first, *last;
};

typedef void instance_call_fn(struct instance *i, void *arg);

struct queued { /* a call that has to wait */
	struct queued *next;
	const char *name;
	instance_call_fn *call;
	void (*drop)(void *arg);
	void *arg;
};
struct queued *queued_new(const char *name, instance_call_fn *call, void (*drop)(void *arg),
			  void *arg);
void queued_drop(struct queued **list); /* all of them, unrun */

struct instance {
	struct pm_host host; /* first: the plugin holds a pointer to it */
	struct runtime *runtime;
	const struct instance_config *section;
	const struct plugin *plugin;
	struct values *values;
	uint32_t number; /* its lasting one */
	enum instance_state state;
	struct err problem; /* why not ready */

	bool in_call;
	struct lastcall call; /* "deliver()", for who has to say what held or killed us */
	int64_t call_began;   /* boot time */
	struct queued *queue; /* calls that came while it was in one, oldest first */
	struct txn *txn;      /* of the current call; NULL until something was asked for */
	struct scratch scratch;
	struct log_limit refusals; /* lines about them */
	struct getter getter;
	struct err refusal;         /* why emit() last said PM_REJECT in this call */
	struct exchange *answering; /* the request on_inbound() is working on, or NULL */
	const void *checked;        /* JSON text found good in this call */
	size_t checked_len;

	uint64_t gate; /* number of its last transaction: what is sent waits for it */
	struct outgoing_list waiting, sent;
	struct outgoing *spare; /* used up, for the next ones */
	size_t nspare;
	struct host_timer *timers;
	struct listening *listening;

	struct map saved; /* key to text */
	size_t saved_bytes;
	struct map counters;      /* metric to int64_t */
	size_t on_the_way;        /* bytes of its transactions that are not durable yet */
	bool wants_room;          /* emit() said PM_RETRY */
	enum engine_room room;    /* what emit() found in the request being answered */
	bool admitted;            /* it found room: then for all of the request */
	int64_t alive_at;         /* boot time; 0: never said */
	bool heard;               /* alive() has said so at least once */
	bool stalled;             /* and announced */
	struct err silent;        /* what instance_problem() says of that */
	struct loop_timer *retry; /* start() again */
	uint32_t retry_ms;
	struct thread *thread; /* PM_BLOCKING */
};

/* The world of an instance, for short. */
struct world *instance_world(const struct instance *i);
const struct runtime_options *instance_options(const struct instance *i);

struct instance *instance_new(struct runtime *r, const struct instance_config *section,
			      const struct plugin *plugin, struct values *values);
/* Ends the plugin's part: outstanding requests are answered "cancelled", then destroy(). */
void instance_close(struct instance *i);
void instance_free(struct instance *i); /* after instance_close() and engine_free() */

/* Why it is not ready, or "".  A source that has never heard from upstream and says why is
 * not ready; one that has is until it stalls. */
const char *instance_problem(struct instance *i);
/* ms since upstream was heard last; 0 for what never said. */
int64_t instance_silence(const struct instance *i);
/* Go as far towards ready as it can now. */
void instance_advance(struct instance *i);
void instance_stop(struct instance *i);
/* Secrets changed: take the new values. */
void instance_secrets(struct instance *i);
/* Credentials were refused: read local references and secrets again. */
void instance_reread(struct instance *i);

void instance_enter(struct instance *i, const char *call);
void instance_leave(struct instance *i);
/* The transaction of the current call, made when first needed. */
struct txn *instance_txn(struct instance *i);
/* May it emit more? */
enum engine_room instance_room(struct instance *i);
/* Hand over the transaction of the current call, if there is one. */
void instance_submit(struct instance *i);

/* Would instance_run() run a call before it returns? */
bool instance_is_free(const struct instance *i);
/* Run `call` inside the bracket: at once, on the instance's thread if it blocks, or after
 * the call that is running now.  If the instance ends before, `drop` (or NULL) runs
 * instead. */
void instance_run(struct instance *i, const char *name, instance_call_fn *call,
		  void (*drop)(void *arg), void *arg);

#endif
