/*
 * testrules - rules and events at random, for tests only.
 *
 * Each has its habits: a few names and texts that its rules and events share, so that rules
 * match.  One seed gives the same sequence on every machine.
 */
#ifndef POINTSMAN_MATCHER_TESTRULES_H
#define POINTSMAN_MATCHER_TESTRULES_H

#include "base/buf.h"
#include "rules/pattern.h"

#include <stdint.h>

#define TESTRULES_TEXTS 24

struct testrules {
	uint64_t state;
	unsigned names, depth; /* how many names are used, how deep events are */
	struct buf texts[TESTRULES_TEXTS];
	struct buf attributes[6]; /* type source subject time id instance, of the last event */
};

void testrules_begin(struct testrules *t, uint64_t seed); /* with new habits */
void testrules_end(struct testrules *t);

/* From 0 to n - 1. */
unsigned testrules_pick(struct testrules *t, unsigned n);

/* Replaces what is in `out`.  Most expressions and patterns are valid. */
void testrules_expression(struct testrules *t, struct buf *out);
void testrules_pattern(struct testrules *t, enum pattern_root root, struct buf *out);
/* A payload; and new attributes. */
void testrules_event(struct testrules *t, struct buf *out);

#endif
