/*
 * incoming - one event as a sender wrote it.
 *
 * Read from the JSON form of CloudEvents or from ce-* headers; whether it is fit to be an
 * event is the host's to say, beyond what reading shows.  Its texts are in the arena it was read
 * with, its payload there or in what it was read from.
 */
#ifndef HTTP_IN_INCOMING_H
#define HTTP_IN_INCOMING_H

#include "base/arena.h"
#include "base/err.h"

#include <pointsman/plugin.h>

struct incoming {
	const char *specversion, *id, *source, *type, *subject, *time, *traceparent; /* or NULL */
	const char *data;                                                            /* or NULL */
	size_t data_len;
};

/* The JSON form; `text` must have passed json_check(). */
bool incoming_structured(struct incoming *in, struct arena *arena, const char *text, size_t len,
			 struct err *err);
/* Binary mode: attributes in headers, the payload is `m->body`. */
bool incoming_binary(struct incoming *in, struct arena *arena, const struct pm_message *m,
		     struct err *err);
/* An event that names no trace belongs to that of the request it came in. */
void incoming_trace(struct incoming *in, const struct pm_message *m);

pm_result incoming_emit(struct pm_host *h, const struct incoming *in);

#endif
