/*
 * pointsman/plugin.h - the plugin interface, ABI 1.
 *
 * A plugin is one shared object exporting one symbol: a constant description of
 * itself.  Everything it needs from the router comes through `struct pm_host`;
 * it links against nothing of ours.  The whole contract is eight sentences:
 *
 *  1. Threads.   All calls into one instance, callbacks included, come one at a
 *                time.  Call the host only from inside such a call.
 *  2. Time.      Return quickly: no blocking I/O, no sleeping.  Use http(), after()
 *                and hold(); read the clock with now().  (A plugin that must block
 *                sets PM_BLOCKING: every call of an instance then runs on one thread
 *                of its own, emit() and save() return when durable, and what it emits,
 *                saves, holds and finishes is not one transaction but one each.)
 *  3. Memory.    Nothing changes owner.  Pointers the host gives you are good
 *                until your function returns; pointers you give it are copied.
 *  4. Delivery.  Every pm_delivery ends exactly once: finished, or held.  One you
 *                forget is retried when `timeout` runs out; a second or late finish
 *                is counted, logged and ignored.
 *  5. Order.     What you emit, save, hold and finish takes effect in the order
 *                called, all of one call in one transaction.  Nothing you send
 *                later, an answer or a request, leaves before that is durable.
 *  6. Life.      check(), create(), start(), calls, stop(), destroy().  A section
 *                whose keys changed gets a new instance after the old one is gone;
 *                saved state stays.  Open deliveries come again, with the same key.
 *  7. End.       Before destroy(), each outstanding http() is answered ("cancelled")
 *                and timers are dropped.  After it, nothing calls you.
 *  8. Failure.   Expect to be killed at any instruction and to see an event twice.
 *
 * Strings are UTF-8, NUL-terminated, never NULL unless a comment says "or NULL".
 * Times are milliseconds: durations as such, instants since 1970 UTC.
 */
#ifndef POINTSMAN_PLUGIN_H
#define POINTSMAN_PLUGIN_H

/* Laid out by hand: its tables are to be read as tables. */
/* clang-format off */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ABI minor you write for.  Calls added later than this stay undeclared, so a
 * plugin that compiles also loads on every host >= 1.PM_ABI_MINOR. */
#ifndef PM_ABI_MINOR
#define PM_ABI_MINOR 0
#endif

#if defined(__GNUC__)
#define PM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PM_EXPORT __attribute__((visibility("default")))
#else
#define PM_PRINTF(f, a)
#define PM_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct pm_host;

/* One event, and the duty to finish it.  A number, not a pointer: a stale one is
 * harmless, and it crosses a process boundary unchanged.  0 is never valid. */
typedef uint64_t pm_delivery;

typedef int32_t pm_result;
enum {
	PM_OK = 0,     /* done.       From emit(): accepted, or known already */
	PM_RETRY = 1,  /* not now.    From emit(): no room, wait for resume() */
	PM_REJECT = 2, /* never; dead-lettered.  From emit(): bad event, kept as a dead letter
	                  unless it came through listen(), whose sender is told */
};

enum { PM_DEBUG = 0, PM_INFO = 1, PM_WARN = 2, PM_ERROR = 3 }; /* log() levels */

/* ---- Configuration: declared, so that `check` and `describe` need not run you -- */

enum { /* pm_key.type                      str()            num()         */
	PM_STRING = 1,   /*                      the text         -             */
	PM_INT = 2,      /*                      as written       the number    */
	PM_BOOL = 3,     /* yes/no, true/false   as written       0 or 1        */
	PM_DURATION = 4, /* 250ms, 30s, 5m       as written       milliseconds  */
	PM_SIZE = 5,     /* 64k, 10M (binary)    as written       bytes         */
	PM_URL = 6,      /* https; http only to  the text         -
	                    this machine, or with limit "http"          */
	PM_ENUM = 7,     /* one of `limit`       the choice       its index     */
	PM_TEMPLATE = 8, /* text, {{ path }}     unrendered       -             */
	PM_JSON_TEMPLATE = 9, /* as above; must be JSON whatever the values are */
	PM_XML_TEMPLATE = 10, /* as PM_TEMPLATE; & < > of values become entities, as XML
	                         text and Slack text want it */
};

enum { /* pm_key.flags */
	PM_REQUIRED = 1 << 0,
	PM_SECRET = 1 << 1,     /* INI holds a reference (${env:}, ${file:}, ..), never the
	                           value; the value is redacted wherever it would be printed */
	PM_DEPRECATED = 1 << 2, /* accepted with a warning that quotes `help` */
	PM_LIST = 1 << 3,       /* a, b, c: read with nth() */
};

struct pm_key {
	const char *name;     /* lower-case-with-dashes; "env.*" is a family; NULL ends */
	int32_t type;
	uint32_t flags;
	const char *fallback; /* default, in INI syntax, or NULL */
	const char *limit;    /* "1..500", "1s..5m", "10M.." of INT, DURATION, SIZE; "low|high"
	                         of ENUM; "http" of URL; else NULL */
	const char *help;     /* one sentence; printed by `pointsman plugins describe` */
};

struct pm_type { /* an event type you emit */
	const char *name;    /* "build.failed"; a final `*` stands for one or more words */
	const char *subject; /* what its subject is: "the project" */
	const char *fields;  /* of `data`: "project build reason seconds:number ?version *" */
	const char *help;
};

/* ---- HTTP -------------------------------------------------------------------- */

struct pm_http { /* outgoing; zero is the default of every field but url */
	uint32_t size;              /* sizeof(struct pm_http), see PM_HTTP() */
	uint32_t timeout_ms;        /* of this call; 0: the instance's `timeout` */
	uint32_t max_kb;            /* a larger answer is an error; 0: 1024 */
	const char *url;            /* sent as given; with `aws`, "/path", decoded, at that
	                               service's endpoint; your key `endpoint`, if you
	                               declare one and it is set, is the first override */
	const char *const *query;   /* name, value, .., NULL, raw: the host encodes and signs */
	const char *method;         /* NULL: POST with a body, else GET */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body;
	size_t body_len;            /* 0 with a body: strlen(body) */
	const char *aws;            /* "service:region": host signs (SigV4) and retries as AWS
	                               asks; region empty: the environment's; or NULL */
	pm_delivery delivery;       /* on whose behalf: adds Idempotency-Key and traceparent */
	const char *ok;             /* path in a JSON answer that must be true ("ok"), or NULL */
	const char *again;          /* error names, separated by blanks, to retry whatever
	                               the status, or NULL */
};
#ifdef __cplusplus
#define PM_HTTP(...) pm_http{.size = sizeof(pm_http), __VA_ARGS__}
#define PM_EMIT(...) pm_emit{.size = sizeof(pm_emit), __VA_ARGS__}
#else
#define PM_HTTP(...) ((struct pm_http){.size = sizeof(struct pm_http), __VA_ARGS__})
#define PM_EMIT(...) ((struct pm_emit){.size = sizeof(struct pm_emit), __VA_ARGS__})
#endif

struct pm_message { /* a response, or a request arriving at listen() */
	uint32_t size;
	int32_t status;      /* response: HTTP status, 0 if there was none; else 0 */
	const char *method;  /* request: "POST"; response: "" */
	const char *path;    /* request: path and query; response: "" */
	const char *error;   /* why status is 0, else "" */
	const void *body;    /* a NUL follows the last byte */
	size_t body_len;
	const char *(*header)(const struct pm_message *m, const char *name); /* or NULL */
};

/* `arg` is a number of yours, usually a pm_delivery: nothing to allocate or leak. */
typedef void pm_done_fn(struct pm_host *h, const struct pm_message *m, uint64_t arg);
typedef int32_t pm_inbound_fn(struct pm_host *h, const struct pm_message *m, uint64_t arg);
typedef void pm_timer_fn(struct pm_host *h, uint64_t arg);

/* ---- Emitting ---------------------------------------------------------------- */

struct pm_emit {
	uint32_t size;
	uint32_t reserved;      /* 0 */
	const char *type;       /* one of pm_plugin.types */
	const char *id;         /* stable across re-reads; repeats are dropped.  NULL with
	                           a cause: made from its key, so that a retry repeats it */
	const char *source;     /* as CloudEvents has it; NULL: the instance */
	const char *subject;    /* what it is about (an item, a ref, an object), or NULL */
	const char *time;       /* when it happened: RFC 3339, or milliseconds; NULL: now */
	const char *traceparent; /* W3C, or NULL */
	const char *json;       /* the payload, a JSON object */
	size_t json_len;        /* 0: strlen(json) */
	pm_delivery cause;      /* the delivery this follows from, or 0; with one, emit()
	                           never answers PM_RETRY */
	const char *refuse;     /* NULL, or why this event cannot be used: it is kept as a
	                           dead letter with this reason, not routed */
};

/* ---- What the host gives an instance ------------------------------------------- */

struct pm_host {
	uint32_t size;
	uint32_t abi_minor;
	const char *instance; /* the section's name, e.g. "ops-slack" */
	void *self;           /* yours: set it in create(), free it in destroy() */
	bool state_lost;      /* what you had saved was lost with a damaged journal: begin at
	                         the oldest point there is and say that repeats will come */

	/* Configuration, host keys (`timeout`, ..) included.  Constant from create() to
	 * destroy(), secrets apart.  An undeclared key is a bug: "" / 0, and a log. */
	const char *(*str)(struct pm_host *h, const char *key);
	int64_t (*num)(struct pm_host *h, const char *key);
	/* The i-th value of a PM_LIST key, or i-th name of a family, as written ("env.A" of
	 * "env.*"); NULL after the last. */
	const char *(*nth)(struct pm_host *h, const char *key, uint32_t i);

	/* The event.  `path` is written as in rules: `type`, `data.new.phase`, `data.items.0.id`,
	 * `inputs.repo.data.after`, `window.count`, with filters (`data.n | json`).  Also
	 * `delivery.key` (the same at each attempt: the idempotency key), `.attempt`, `.held`,
	 * `.rule`; and `event`, all of it as a CloudEvents object.  Scalars come as text, objects and arrays as JSON; NULL if absent or null. */
	const char *(*get)(struct pm_host *h, pm_delivery d, const char *path);
	/* get() for any JSON text, such as an answer.  len 0: strlen(json). */
	const char *(*find)(struct pm_host *h, const void *json, size_t len, const char *path);
	/* Config key `key`, a template, filled in from the event.  NULL if a value is absent:
	 * the delivery is then dead-lettered already, and later calls on it do nothing. */
	const char *(*render)(struct pm_host *h, pm_delivery d, const char *key);
	/* The same for a template of your own, escaped as `type` says; {{ my.N }} is from vars
	 * (name, value, .., NULL) or NULL; {{ config.KEY }} is one of your keys, inserted as it
	 * stands; d may be 0. */
	const char *(*fill)(struct pm_host *h, pm_delivery d, int32_t type, const char *text,
	                    const char *const *vars);

	/* Finish a delivery.  `why` reaches the operator; "" with PM_OK. */
	void (*finish)(struct pm_host *h, pm_delivery d, pm_result r, const char *why);
	/* Not finished: call deliver() again in `ms`, or after a restart, with get(h, d,
	 * "delivery.held") == state.  Durable; costs no attempt; the number d is free. */
	void (*hold)(struct pm_host *h, pm_delivery d, uint32_t ms, const char *state);
	/* Send, then finish by the usual reading of the answer: 2xx (and `ok`) OK; 408, 425,
	 * 429, 5xx, `again`, no answer RETRY (after Retry-After, if any), and so are 401 and 403
	 * where you have a secret, which may have been replaced; the rest REJECT.
	 * With `aws`, the error's name decides before the status. */
	void (*finish_by_http)(struct pm_host *h, pm_delivery d, const struct pm_http *rq);
	/* Finish as finish_by_http() would have, had it got this answer. */
	void (*finish_as)(struct pm_host *h, pm_delivery d, const struct pm_message *m);

	pm_result (*emit)(struct pm_host *h, const struct pm_emit *e); /* sources, actions */

	/* Ask; `done` runs exactly once, never before http() returns. */
	void (*http)(struct pm_host *h, const struct pm_http *rq, pm_done_fn *done, uint64_t arg);
	/* Be asked, at the host's HTTP port; path NULL: "/" + the instance's name.  The
	 * function returns the status to send; reply() inside it adds a body, to which, if it
	 * is text/plain, the host adds why emit() refused.  Room is found for all of a request
	 * or for none: only its first emit() may answer PM_RETRY, and a 503 then becomes a 429
	 * where this instance alone has too much under way.  The host adds Retry-After. */
	bool (*listen)(struct pm_host *h, const char *path, pm_inbound_fn *fn, uint64_t arg);
	void (*reply)(struct pm_host *h, const char *content_type, const void *body, size_t len);
	/* HMAC under secret `key`; how: "sha256-hex", "sha256-base64", "sha1-hex".  hmac uses
	 * the first of a list, or the one named by "key.0", "key.1", .. (NULL after the last);
	 * hmac_ok accepts any, in constant time.  A secret "whsec_..." stands for the bytes
	 * of its base64 (Standard Webhooks). */
	const char *(*hmac)(struct pm_host *h, const char *key, const char *how, const void *data,
	                    size_t len);
	bool (*hmac_ok)(struct pm_host *h, const char *key, const char *how, const void *data,
	                size_t len, const char *mac);

	void (*after)(struct pm_host *h, uint32_t ms, pm_timer_fn *fn, uint64_t arg);
	int64_t (*now)(struct pm_host *h); /* never time(): tests move this clock */
	uint64_t (*random)(struct pm_host *h);

	/* Small durable state of the instance (1 MB in all; hold() is for what belongs to one
	 * delivery); NULL if never saved; saving NULL deletes.  each() walks a prefix. */
	const char *(*load)(struct pm_host *h, const char *key);
	void (*save)(struct pm_host *h, const char *key, const char *value);
	void (*each)(struct pm_host *h, const char *prefix,
	             void (*fn)(struct pm_host *h, const char *key, const char *value));

	/* Sources: upstream was heard just now (NULL), or why not.  Feeds /readyz and lag. */
	void (*alive)(struct pm_host *h, const char *problem);
	/* Secrets plugins: the answer to resolve(); value NULL: it failed, `why` says how. */
	void (*resolved)(struct pm_host *h, uint64_t ask, const char *value, uint32_t ttl_ms,
	                 const char *why);

	void (*log)(struct pm_host *h, int32_t level, const char *fmt, ...) PM_PRINTF(3, 4);
	void (*count)(struct pm_host *h, const char *metric, int64_t by); /* counter */

	/* Drafts and host-specific interfaces, by name ("batch/draft1"); or NULL. */
	const void *(*extension)(struct pm_host *h, const char *id);
#if PM_ABI_MINOR >= 1
	/* Send once for n deliveries, then finish each of them by the usual reading of the
	 * answer.  One that rejects a request for several tells nothing of any of them: they are
	 * delivered again, in calls of half as many, until one that is rejected stands alone.
	 * `delivery` of the request is not read: it names none of them. */
	void (*finish_many_by_http)(struct pm_host *h, const pm_delivery *d, uint32_t n,
	                            const struct pm_http *rq);
#endif
	/* ABI 1.2 and later go here, each inside #if PM_ABI_MINOR >= n. */
};

/* ---- What a plugin says of itself --------------------------------------------- */

enum { /* pm_plugin.kind: one role, plus flags */
	PM_SOURCE = 1,
	PM_ACTION = 2,
	PM_SINK = 4,
	PM_SECRETS = 8,
	PM_BLOCKING = 1 << 8,
};

struct pm_plugin {
	uint32_t size, abi_minor, key_size, type_size; /* filled in by PM_PLUGIN() */
	uint32_t kind;
	const char *name;    /* as in INI: plugin = name */
	const char *version; /* of the plugin; shown, never compared */
	const char *summary; /* one line */
	const struct pm_key *keys;   /* ends with {0} */
	const struct pm_type *types; /* sources and actions; ends with {0} */
	const char *needs;           /* paths it cannot do without: "data.new data.old", or NULL */

	/* Any of these may be NULL unless noted. */
	bool (*check)(struct pm_host *h);  /* rules across keys; str, num, nth and log only */
	bool (*create)(struct pm_host *h); /* false after logging why: destroy() is not called */
	bool (*start)(struct pm_host *h);  /* begin; false: shown in /readyz, called again */
	void (*resume)(struct pm_host *h); /* once after PM_RETRY: emit() has room again */
	void (*deliver)(struct pm_host *h, pm_delivery d); /* actions and sinks: required */
	void (*cancel)(struct pm_host *h, pm_delivery d);  /* finish d soon: its deadline is over */
	void (*resolve)(struct pm_host *h, uint64_t ask, const char *name); /* PM_SECRETS */
	void (*stop)(struct pm_host *h);   /* sources emit no more; deliveries may still finish */
	void (*destroy)(struct pm_host *h);
#if PM_ABI_MINOR >= 1
	/* Where the section's `batch` is over 1, called instead of deliver(), with 1 to `batch`
	 * deliveries that are ready together; each ends by itself.  Those of one order-by key
	 * stand in their order.  Needs deliver() beside it. */
	void (*deliver_many)(struct pm_host *h, const pm_delivery *d, uint32_t n);
#endif
};

/* The ABI major is in the symbol: a v2 host can tell v1 plugins apart and load both. */
#define PM_PLUGIN(...)                                                                      \
	extern PM_EXPORT const struct pm_plugin pointsman_plugin_v1;                        \
	const struct pm_plugin pointsman_plugin_v1 = {.size = sizeof(struct pm_plugin),     \
	                                              .abi_minor = PM_ABI_MINOR,            \
	                                              .key_size = sizeof(struct pm_key),    \
	                                              .type_size = sizeof(struct pm_type),  \
	                                              __VA_ARGS__}

#ifdef __cplusplus
}
#endif
#endif
