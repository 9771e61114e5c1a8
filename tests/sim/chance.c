#include "chance.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void chance_seed(struct chance *c, uint64_t seed, uint64_t stream)
{
	c->state = mix(seed * UINT64_C(0x9e3779b97f4a7c15) + mix(stream + 1));
}

uint64_t chance_next(struct chance *c)
{
	c->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(c->state);
}

uint64_t chance_below(struct chance *c, uint64_t n)
{
	return chance_next(c) % n;
}

int64_t chance_between(struct chance *c, int64_t a, int64_t b)
{
	return a + (int64_t)chance_below(c, (uint64_t)(b - a) + 1);
}

bool chance_hits(struct chance *c, unsigned per_thousand)
{
	return chance_below(c, 1000) < per_thousand;
}

int64_t chance_scale(struct chance *c, int64_t a, int64_t b)
{
	int doublings = 0;
	int64_t low, high;

	while (a << (doublings + 1) <= b)
		doublings++;
	low = a << chance_below(c, (uint64_t)doublings + 1);
	high = low * 2 < b ? low * 2 : b;
	return chance_between(c, low, high);
}
