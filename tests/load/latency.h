/*
 * latency - how long things took, as percentiles.
 *
 * Buckets that grow with the value: within 2 % of the truth, constant memory.  Microseconds;
 * what is negative counts as 0.  Zero-initialised is empty.
 */
#ifndef POINTSMAN_LOAD_LATENCY_H
#define POINTSMAN_LOAD_LATENCY_H

#include <stdint.h>

#include "base/buf.h"

#define LATENCY_BUCKETS (36 * 64)

struct latency {
	uint64_t counts[LATENCY_BUCKETS];
	uint64_t total;
	int64_t max;
};

void latency_add(struct latency *l, int64_t us);
/* The milliseconds within which `share` of them (0.99) were done; 0 if there are none. */
double latency_ms(const struct latency *l, double share);
/* "p50_ms":..,"p99_ms":..,"max_ms":.. */
void latency_print(const struct latency *l, struct buf *out);

#endif
