/*
 * chance - what a seed decides.
 *
 * Each stream goes on by itself, so that one more question asked of one does not change what
 * the others answer.
 */
#ifndef POINTSMAN_SIM_CHANCE_H
#define POINTSMAN_SIM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

void chance_seed(struct chance *c, uint64_t seed, uint64_t stream);
uint64_t chance_next(struct chance *c);
uint64_t chance_below(struct chance *c, uint64_t n);            /* 0..n-1; n > 0 */
int64_t chance_between(struct chance *c, int64_t a, int64_t b); /* both included */
bool chance_hits(struct chance *c, unsigned per_thousand);
/* Something between `a` and `b`, as often near `a` as near `b` on a scale of magnitudes: small
 * numbers are as likely as large ones.  a > 0. */
int64_t chance_scale(struct chance *c, int64_t a, int64_t b);

#endif
