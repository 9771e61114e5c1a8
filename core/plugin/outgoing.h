/*
 * outgoing - what an instance sends, held back until what it rests on is durable.
 *
 * A request or an answer made in a call leaves when every transaction the instance handed
 * over before it has been committed, the one of that call included.
 */
#ifndef POINTSMAN_PLUGIN_OUTGOING_H
#define POINTSMAN_PLUGIN_OUTGOING_H

#include "plugin/instance.h"

struct outgoing;

/* A copy of `rq`, to be answered to `done` with `arg`; done NULL: the answer finishes
 * rq->delivery. */
void outgoing_request(struct instance *i, const struct pm_http *rq, pm_done_fn *done, uint64_t arg);
/* The same; the answer finishes those of the n deliveries that are not ended already.  Nothing is
 * sent if that is none. */
void outgoing_for_many(struct instance *i, const struct pm_http *rq, const pm_delivery *d,
		       size_t n);
/* The answer to a request at listen(); takes `body`. */
void outgoing_reply(struct instance *i, struct http_exchange *x, int status,
		    const char *content_type, struct buf *body);

/* The current call's transaction got its number. */
void outgoing_gate(struct instance *i, uint64_t number);
/* Let out all that may leave now. */
void outgoing_flush(struct instance *i);
/* The delivery was taken back: a request that was to finish it, and no other, is given up, or
 * never leaves. */
void outgoing_abandon(struct instance *i, uint64_t delivery);
/* After outgoing_cancel(): what was kept for further requests. */
void outgoing_forget(struct instance *i);
/* Answer every request "cancelled" inside this call, and what is asked upon that, within
 * reason; replies become 503. */
void outgoing_cancel(struct instance *i);

#endif
