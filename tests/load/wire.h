/*
 * wire - how events are put into requests, and what the answers say.
 *
 * One request carries the events first .. first + count - 1.
 */
#ifndef POINTSMAN_LOAD_WIRE_H
#define POINTSMAN_LOAD_WIRE_H

#include "cargo.h"

#include <stdbool.h>
#include <stdint.h>

struct request {
	uint64_t first;
	unsigned count;
	int64_t due_us;   /* when it is, or was, to be sent: CLOCK_REALTIME */
	unsigned earlier; /* events that went before it over its connection */
};

struct target {
	const char *host, *port, *path;
};

struct wire {
	const char *name;
	void (*compose)(const struct target *to, const struct cargo *c, const struct request *rq,
			struct buf *out);
	/* The status of the answer that these bytes are, and whether the connection may be used
	 * again; 0: not whole yet; -1: it is no answer.  NULL: what is written is done. */
	int (*answer)(const struct request *rq, const char *data, size_t len, bool *keep);
	const char *hello; /* sent first on each connection, and answered; NULL: nothing */
};

extern const struct wire wire_structured; /* one CloudEvent a request */
extern const struct wire wire_lines;      /* a line for each: application/x-ndjson */
extern const struct wire wire_batch;      /* an array: application/cloudevents-batch+json */
/* For other systems. */
extern const struct wire wire_relp; /* RELP, as rsyslog's; a frame for each event */
extern const struct wire wire_tcp;  /* lines, to which nobody answers */

const struct wire *wire_named(const char *name); /* or NULL */

#endif
