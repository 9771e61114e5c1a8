#include "latency.h"

/* Up to 64 each value has a bucket; above, each power of two has 64. */
static unsigned bucket_of(uint64_t us)
{
	unsigned shift = 0;

	while (us >> shift >= 128)
		shift++;
	return shift * 64 + (unsigned)(us >> shift);
}

static int64_t value_of(unsigned bucket)
{
	unsigned shift = bucket < 128 ? 0 : bucket / 64 - 1;

	return (int64_t)(bucket - shift * 64) << shift;
}

void latency_add(struct latency *l, int64_t us)
{
	unsigned bucket = bucket_of(us < 0 ? 0 : (uint64_t)us);

	l->counts[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
	l->total++;
	if (us > l->max)
		l->max = us;
}

double latency_ms(const struct latency *l, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)l->total), seen = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS && l->total; i++) {
		seen += l->counts[i];
		if (seen > wanted || seen == l->total)
			return (double)value_of(i) / 1e3;
	}
	return 0;
}

void latency_print(const struct latency *l, struct buf *out)
{
	buf_printf(out, "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f", latency_ms(l, 0.5),
		   latency_ms(l, 0.99), (double)l->max / 1e3);
}
