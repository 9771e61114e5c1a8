/*
 * judge - is the `where` of one rule true of an event?
 *
 * Immutable once made; several threads may ask, each with its own memory.
 */
#ifndef POINTSMAN_RULES_JUDGE_H
#define POINTSMAN_RULES_JUDGE_H

#include "event/event.h"
#include "rules/expr.h"
#include "rules/iregexp.h"
#include "rules/seen.h"

/* Values that two paths with several values each are compared pair by pair up to here; a
 * test that would need more is false, and counted as a mismatch. */
#define JUDGE_MAX_PAIRS 100000

struct judge;

struct judge_memory { /* zero-initialised; reused from event to event */
	struct buf left, right, find_left, find_right;
	struct json_value *values;
	size_t nvalues, cap;
	struct iregexp_memory iregexp;
};

struct judge *judge_new(const struct expr *e); /* which must outlive it */
void judge_free(struct judge *j);              /* NULL is fine */
size_t judge_tests(const struct judge *j);
const struct expr *judge_test(const struct judge *j, size_t i);
/* Is it inside `not ( .. )`, so that the rule may want it false?  The whole path of the
 * innermost `any` around it, or NULL. */
bool judge_turned(const struct judge *j, size_t i);
const struct path *judge_any(const struct judge *j, size_t i);

/* `verdicts`, if not NULL, has one enum verdict for each test, VERDICT_UNASKED before; a
 * test inside any (..) gets the best of its elements.  *mismatches counts up for each
 * comparison that met another type. */
bool judge_event(const struct judge *j, const struct event *ev, struct judge_memory *m,
		 uint8_t *verdicts, uint64_t *mismatches);
/* The same for people: every test is asked, whatever those before it said, and `seen`, one
 * for each, tells what it met.  The caller clears them. */
bool judge_explain(const struct judge *j, const struct event *ev, struct judge_memory *m,
		   struct seen *seen);
void judge_memory_free(struct judge_memory *m);

#endif
