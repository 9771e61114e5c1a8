/*
 * breaker - is the target down?
 *
 * LANE_TROUBLE answers "down" in a row open it.  While it is open one delivery at a time is
 * a probe, and after each that fails the pause doubles, from retry's shortest to its
 * longest; whatever shows that the target is there closes it.
 */
#ifndef POINTSMAN_LANE_BREAKER_H
#define POINTSMAN_LANE_BREAKER_H

#include "lane/lane.h"

struct breaker {
	uint32_t trouble; /* in a row, while closed */
	bool open;
	int64_t opened_at; /* wall */
	int64_t since;     /* boot: the same moment */
	int64_t probe_at;  /* boot: not before */
	uint32_t failed;   /* probes that failed */
	uint64_t probe;    /* seq of the one under way; 0: none */
	char *why;
};

void breaker_clear(struct breaker *b);
/* "Down" was said of `seq`; after_ms as in lane_finished().  True if that opened it. */
bool breaker_down(struct breaker *b, const struct retry *retry, uint64_t seq, const char *why,
		  int64_t after_ms, struct lane_now now);
/* The target is there.  True if that closed it: `b` still tells of how it was open until
 * breaker_clear(). */
bool breaker_up(struct breaker *b);
/* The probe ended without a word about the target; `failed`: it ran into its timeout. */
void breaker_probe_over(struct breaker *b, const struct retry *retry, uint64_t seq, bool failed,
			struct lane_now now);
bool breaker_allows(const struct breaker *b, struct lane_now now); /* one more attempt */
/* For how much of the time since `from` (boot) it has been open. */
int64_t breaker_open_since(const struct breaker *b, int64_t from, struct lane_now now);

char *breaker_save(const struct breaker *b); /* NULL while closed */
void breaker_load(struct breaker *b, const char *text, struct lane_now now);

#endif
