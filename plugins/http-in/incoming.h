/*
 * incoming - one event as a sender wrote it.
 *
 * Read from the JSON form of CloudEvents or from ce-* headers; whether it is fit to be an
 * event is the host's to say, beyond what reading shows.  Zero-initialised is empty; free
 * it with incoming_free().
 */
#ifndef HTTP_IN_INCOMING_H
#define HTTP_IN_INCOMING_H

#include "base/buf.h"
#include "base/err.h"

#include <pointsman/plugin.h>

struct incoming {
	struct buf specversion, id, source, type, subject, time, traceparent;
	struct buf decoded; /* of data_base64 */
	const char *data;   /* the payload: in `decoded`, or in the text it was read from */
	size_t data_len;
};

void incoming_free(struct incoming *in);

/* The JSON form; `text` must have passed json_check() and outlive `in`. */
bool incoming_structured(struct incoming *in, const char *text, size_t len, struct err *err);
/* Binary mode: attributes in headers, the payload is `m->body`. */
bool incoming_binary(struct incoming *in, const struct pm_message *m, struct err *err);
/* An event that names no trace belongs to that of the request it came in. */
void incoming_trace(struct incoming *in, const struct pm_message *m);

pm_result incoming_emit(struct pm_host *h, const struct incoming *in);

#endif
