/*
 * retry - AWS's "standard" retry mode: what is tried again, how often, after how long.
 *
 * A bucket of tokens is shared by all requests of one client, so that an outage is not
 * answered with three times the load: a retry takes tokens, a success gives them back.
 */
#ifndef POINTSMAN_AWS_RETRY_H
#define POINTSMAN_AWS_RETRY_H

#include "base/world.h"

#include <stdbool.h>
#include <stdint.h>

#define RETRY_ATTEMPTS 3
#define RETRY_COST     5

struct retry_bucket {
	int tokens;
};

void retry_fill(struct retry_bucket *b);
/* May one more retry be made?  Takes its cost. */
bool retry_take(struct retry_bucket *b);
/* A request succeeded, after a retry or without. */
void retry_give_back(struct retry_bucket *b, bool had_retry);

/* Is an answer (status 0: none) with this error's name worth another attempt? */
bool retry_is_worth(int status, const char *name);
/* Milliseconds before the attempt that follows number `attempt` (from 1). */
int64_t retry_delay(struct world *w, int attempt);

#endif
