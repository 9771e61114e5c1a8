/*
 * event - what happened: attributes and payload, never changed after it was made.
 *
 * Reference-counted; shared by threads without locks.  The attributes are those of
 * CloudEvents 1.0; the payload is the JSON object as the bytes that came in.
 *
 * A firing (type EVENT_FIRED) is made by the router when a rule with a window, count or
 * inputs fires.  Its payload is
 *   {"rule":"release","group":"..","inputs":{"repo":EVENT,..}}  or
 *   {"rule":"..","group":"..","window":{"count":3,"events":[EVENT,..]}}
 * plus "newest": the index or name of the newest member; EVENT is the CloudEvents object
 * that event_json() writes.
 */
#ifndef POINTSMAN_EVENT_EVENT_H
#define POINTSMAN_EVENT_EVENT_H

#include "base/buf.h"
#include "base/err.h"
#include "json/find.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_FIRED     "pointsman.rule.fired"
#define EVENT_MAX_BYTES (1024 * 1024) /* attributes and payload together */
#define EVENT_MAX_HOPS  32

struct event {
	uint64_t seq; /* 0 until the journal has numbered it */
	int64_t at;   /* when accepted; ms since 1970; 0 until then */
	const char *id, *source, *type;
	const char *subject, *traceparent; /* or NULL */
	const char *time;                  /* when it happened, RFC 3339 */
	const char *instance;              /* section it came through; "pointsman" for our own */
	const char *data;                  /* a JSON object; a NUL follows */
	size_t data_len;
	uint64_t cause;        /* seq of the event it follows from, 0: none */
	const char *caused_by; /* the target whose delivery made it, or NULL */
	uint64_t origin;       /* seq of the first event of the chain; 0: itself */
	uint32_t hops;         /* its cause's + 1; 0 without one */
	/* Set by event_create() for event_find(); leave it NULL in one you fill in yourself. */
	const struct json_value *attributes;
};

/* Copies everything `from` points to into one block with one reference. */
struct event *event_create(const struct event *from);
/* A reference to the event with its number and time of acceptance, for the sequencer: `ev` itself
 * where the caller's reference is the only one, else a copy. */
struct event *event_accepted(struct event *ev, uint64_t seq, int64_t at);
struct event *event_ref(struct event *ev);
void event_unref(struct event *ev);        /* NULL is fine */
size_t event_size(const struct event *ev); /* bytes of attributes and payload */

/* Intake: is this fit to be an event?  Type syntax (lower-case words of a-z0-9_- joined by
 * dots), non-empty id and source, valid time and traceparent, payload a strict JSON object,
 * not over EVENT_MAX_BYTES.  `err` says what is wrong, with line and column in a payload. */
bool event_check(const struct event *ev, struct err *err);
bool event_traceparent_fit(const char *t); /* of W3C Trace Context */

/* The CloudEvents 1.0 JSON form, one line: specversion id source type subject time
 * datacontenttype traceparent data, and the extensions `instance` and, once accepted,
 * `sequence` (seq as text). */
void event_json(const struct event *ev, struct buf *out);
/* Read that form back: unknown extensions are ignored, `instance` is the default for events
 * that name none, without `data` the payload is {}, without `time` that is NULL, a
 * `sequence` of digits is the seq.  NULL with *err if the text is not that form; whether
 * it is fit to be an event is event_check()'s to say. */
struct event *event_parse(const char *text, size_t len, const char *instance, struct err *err);

/* How paths see a firing: as itself, or, for the deliveries of the rule that fired, as its
 * newest member with `inputs` and `window` beside. */
enum event_view { EVENT_ITSELF, EVENT_MEMBERS };

/* The value at a path: `type source subject time id instance`, `data...`, `event`, and with
 * EVENT_MEMBERS `inputs.NAME...`, `window.count`, `window.events...`.  `scratch` holds what
 * has no place in the event's bytes (`event`, and attributes of an event not made by
 * event_create()); it must live, and not be passed again, as long as the value is used. */
struct json_value event_find(const struct event *ev, enum event_view view, const struct path *path,
			     struct buf *scratch);
bool event_each(const struct event *ev, enum event_view view, const struct path *path,
		struct buf *scratch, json_each_fn *fn, void *arg);

/* Is it one of the router's own about somebody?  A firing stands for its members and is not. */
bool event_is_own(const struct event *ev);

/* Does `type` fit `pattern`?  A final `*` stands for one or more words, elsewhere for one;
 * "*" alone fits all but pointsman.*. */
bool event_type_fits(const char *pattern, const char *type);

#endif
