#include "lane/breaker.h"

#include "base/mem.h"
#include "lane/pause.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void breaker_clear(struct breaker *b)
{
	free(b->why);
	*b = (struct breaker){0};
}

static void pause_probes(struct breaker *b, const struct retry *retry, int64_t after_ms,
			 struct lane_now now)
{
	b->probe = 0;
	b->probe_at = now.boot + (after_ms >= 0 ? after_ms : pause_longest(retry, b->failed));
}

static void say_why(struct breaker *b, const char *why)
{
	char *copy = mem_text(why);

	free(b->why);
	b->why = copy;
}

bool breaker_down(struct breaker *b, const struct retry *retry, uint64_t seq, const char *why,
		  int64_t after_ms, struct lane_now now)
{
	if (b->open) {
		if (b->probe == seq) {
			b->failed++;
			pause_probes(b, retry, after_ms, now);
		}
		return false;
	}
	say_why(b, why);
	if (++b->trouble < LANE_TROUBLE)
		return false;
	b->open = true;
	b->opened_at = now.wall;
	b->since = now.boot;
	pause_probes(b, retry, after_ms, now);
	return true;
}

bool breaker_up(struct breaker *b)
{
	b->trouble = 0;
	return b->open;
}

void breaker_probe_over(struct breaker *b, const struct retry *retry, uint64_t seq, bool failed,
			struct lane_now now)
{
	if (!b->open || b->probe != seq)
		return;
	if (failed) {
		b->failed++;
		pause_probes(b, retry, -1, now);
	}
	b->probe = 0;
}

bool breaker_allows(const struct breaker *b, struct lane_now now)
{
	return !b->open || (!b->probe && b->probe_at <= now.boot);
}

int64_t breaker_open_since(const struct breaker *b, int64_t from, struct lane_now now)
{
	if (!b->open)
		return 0;
	return now.boot - (from > b->since ? from : b->since);
}

char *breaker_save(const struct breaker *b)
{
	if (!b->open)
		return NULL;
	return mem_format("%" PRId64 " %s", b->opened_at, b->why ? b->why : "");
}

/* One probe at once: nobody knows how long we were away. */
void breaker_load(struct breaker *b, const char *text, struct lane_now now)
{
	int64_t opened_at = 0;
	int at = 0;

	if (!text || sscanf(text, "%" SCNd64 " %n", &opened_at, &at) < 1)
		return;
	breaker_clear(b);
	b->open = true;
	b->opened_at = opened_at;
	b->since = now.boot - (now.wall > opened_at ? now.wall - opened_at : 0);
	b->probe_at = now.boot;
	say_why(b, text + at);
}
