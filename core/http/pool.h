/*
 * pool - the memory that bodies of requests may take together.
 *
 * Each of those who share it has the same part, so that one that is flooded leaves room for
 * the others.  A single claim, alone in its share or in the pool, always fits: how large it
 * may be is bounded elsewhere.
 */
#ifndef POINTSMAN_HTTP_POOL_H
#define POINTSMAN_HTTP_POOL_H

#include <stddef.h>

struct pool {
	size_t most, taken; /* bytes */
	size_t shares;      /* how many there are */
};

struct share { /* of one path */
	size_t taken;
};

struct claim { /* of one request */
	struct pool *pool;
	struct share *share; /* NULL: it is no more */
	size_t bytes;
};

/* Could it have `bytes` in all?  0, or the status that says no: 429, its share is used up;
 * 503, the pool is. */
int claim_refused(const struct claim *c, size_t bytes);
/* Have so many, if so. */
int claim_take(struct claim *c, size_t bytes);
void claim_drop(struct claim *c); /* one that was never taken is fine */

#endif
