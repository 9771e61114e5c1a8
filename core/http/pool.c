#include "http/pool.h"

int claim_refused(const struct claim *c, size_t bytes)
{
	const struct pool *p = c->pool;
	size_t others = p->taken - c->bytes;
	size_t beside = c->share ? c->share->taken - c->bytes : 0;

	if (bytes <= c->bytes)
		return 0;
	if (others && others + bytes > p->most)
		return 503;
	if (p->shares > 1 && beside && beside + bytes > p->most / p->shares)
		return 429;
	return 0;
}

int claim_take(struct claim *c, size_t bytes)
{
	int refused = claim_refused(c, bytes);

	if (refused || bytes <= c->bytes)
		return refused;
	c->pool->taken += bytes - c->bytes;
	if (c->share)
		c->share->taken += bytes - c->bytes;
	c->bytes = bytes;
	return 0;
}

void claim_drop(struct claim *c)
{
	if (c->pool)
		c->pool->taken -= c->bytes;
	if (c->share)
		c->share->taken -= c->bytes;
	*c = (struct claim){0};
}
