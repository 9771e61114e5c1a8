/*
 * testlane - a lane with a clock in the test's hand, for tests only.
 *
 * Effects pile up until lane_rig_clear(); `rows` is what a journal would hold.
 */
#ifndef POINTSMAN_LANE_TESTLANE_H
#define POINTSMAN_LANE_TESTLANE_H

#include "lane/lane.h"

#define RIG_TARGET 7

struct rig {
	struct lane *lane;
	struct lane_settings settings;
	struct lane_now now;
	struct lane_effects out;
	struct delivery *rows;
	size_t nrows, cap;
};

/* retry = 1d, 1s..15m; concurrency 8; timeout 30s; deadline 1h; every pause is 1s. */
struct rig *rig_new(void);
void rig_free(struct rig *r);
void rig_configure(struct rig *r); /* after a change of `settings` */
void rig_clear(struct rig *r);     /* forget the effects so far */
/* What a new process makes of the rows: the lane forgets all it had in memory.  Clocks go on. */
void rig_restart(struct rig *r, bool unclean, uint64_t last);

void rig_offer(struct rig *r, uint64_t seq, uint64_t key);
void rig_offer_large(struct rig *r, uint64_t seq, size_t bytes);
void rig_fire(struct rig *r, uint64_t seq, enum overlap overlap, uint64_t group);
void rig_ok(struct rig *r, uint64_t seq);
void rig_down(struct rig *r, uint64_t seq);
void rig_again(struct rig *r, uint64_t seq);
void rig_reject(struct rig *r, uint64_t seq);
void rig_split(struct rig *r, uint64_t seq);
void rig_hold(struct rig *r, uint64_t seq, int64_t ms, const char *state);
void rig_pass(struct rig *r, int64_t ms); /* ticks whenever the lane asks for it */
/* The wall clock jumps, and the lane is told. */
void rig_set_clock(struct rig *r, int64_t wall);
void rig_permit(struct rig *r);
/* The row as a redrive writes it, recalled. */
void rig_redrive(struct rig *r, uint64_t seq, uint64_t key);

/* With deliveries 1 to LANE_TROUBLE, which wait for their next attempt. */
void rig_open_breaker(struct rig *r);

size_t rig_count(const struct rig *r, enum lane_effect_kind kind);
bool rig_has(const struct rig *r, enum lane_effect_kind kind, uint64_t seq);
const struct lane_effect *rig_last(const struct rig *r, enum lane_effect_kind kind); /* or NULL */
const struct delivery *rig_row(const struct rig *r, uint64_t seq);                   /* or NULL */
enum delivery_state rig_state(const struct rig *r, uint64_t seq); /* of its row, which there is */
/* Calls since the last rig_clear(), as "3 5 4 ". */
const char *rig_calls(struct rig *r);

#endif
