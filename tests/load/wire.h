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
	int64_t due_us; /* when it is, or was, to be sent: CLOCK_REALTIME */
};

struct target {
	const char *host, *port, *path;
};

struct wire {
	const char *name;
	void (*compose)(const struct target *to, const struct cargo *c, const struct request *rq,
			struct buf *out);
	/* The status of the answer that these bytes begin with, which took *used of them, and
	 * whether the connection may be used again; 0: not whole yet; -1: it is no answer. */
	int (*answer)(const char *data, size_t len, size_t *used, bool *keep);
};

extern const struct wire wire_structured; /* one CloudEvent a request */
extern const struct wire wire_lines;      /* a line for each: application/x-ndjson */
extern const struct wire wire_batch;      /* an array: application/cloudevents-batch+json */

const struct wire *wire_named(const char *name); /* or NULL */

#endif
