/*
 * pause - how long to wait before the next attempt.
 */
#ifndef POINTSMAN_LANE_PAUSE_H
#define POINTSMAN_LANE_PAUSE_H

#include "config/config.h"

/* After `failed` failures before this one: the shortest doubled as often, never over the
 * longest.  A target that is not retried is still probed: at 1s..15m. */
int64_t pause_longest(const struct retry *retry, uint32_t failed);
/* Full jitter: anything from 1 ms up to that. */
int64_t pause_before(const struct retry *retry, uint32_t failed, uint64_t random);

#endif
