#include "lane/pause.h"

#define SHORTEST_MS 1000
#define LONGEST_MS  (15 * 60 * 1000)

int64_t pause_longest(const struct retry *retry, uint32_t failed)
{
	int64_t ms = retry->min_ms > 0 ? retry->min_ms : SHORTEST_MS;
	int64_t most = retry->max_ms > 0 ? retry->max_ms : LONGEST_MS;

	while (failed-- > 0 && ms < most)
		ms = ms > most / 2 ? most : ms * 2;
	return ms < most ? ms : most;
}

int64_t pause_before(const struct retry *retry, uint32_t failed, uint64_t random)
{
	uint64_t longest = (uint64_t)pause_longest(retry, failed);

	return 1 + (int64_t)(random % longest);
}
