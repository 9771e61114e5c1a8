/*
 * ruleset - which rules and inputs does an event match?
 *
 * Compile a set of selectors (the `on from where pattern changed` of every rule and
 * input), then
 * match events against it.  Pure: no clock, no state.  A compiled set is immutable and may
 * be used by several threads, each with its own struct match.
 *
 * A test on a path through arrays is true if some element makes it so; `!=` and `not like`
 * are the plain form turned round where the field exists.  null is equal to null and of no
 * type; other values of different types make a test false and are counted.  < <= > >=
 * order numbers, and text by its bytes.  Two paths with several values each are compared
 * pair by pair, up to 100,000 pairs: beyond that the test is false, and counted too.
 */
#ifndef POINTSMAN_MATCHER_RULESET_H
#define POINTSMAN_MATCHER_RULESET_H

#include "base/err.h"
#include "event/event.h"
#include "matcher/matcher.h"
#include "rules/seen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one rule or input; NULL means the key was not given. */
struct selector {
	const char *const *on;   /* event types, NULL-terminated; NULL: "*" */
	const char *const *from; /* instances, NULL-terminated; NULL: all */
	const char *where;       /* an expression */
	const char *pattern;     /* an event pattern; with `where`, both must be true */
	bool pattern_data;       /* it is about the payload alone */
	/* A path under data.new: true if its value differs from that under data.old, or
	 * the item is new; not if the item is gone. */
	const char *changed;
};

#define RULESET_NEAR 32

struct ruleset;

/* NULL with *err (and the index of the bad selector in *which, and the offset in its
 * `where` or `pattern` in *at) if one does not compile. */
struct ruleset *ruleset_compile(const struct selector *selectors, size_t n, size_t *which,
				size_t *at, struct err *err);
void ruleset_free(struct ruleset *set);

/* The conditions of selector i, in the order in which they are asked: `on`, `from`, each
 * leaf of `where`, each test of `pattern`, `changed`. */
enum condition_kind {
	CONDITION_ON,
	CONDITION_FROM,
	CONDITION_WHERE,
	CONDITION_PATTERN,
	CONDITION_CHANGED
};
struct condition {
	enum condition_kind kind;
	const char *text; /* as written: `data.new.type in ["in", "opt"]` */
	size_t len;
	const struct path *path; /* of a where leaf, a pattern's test or changed; else NULL */
	const struct path *any;  /* a where leaf inside `any`: its whole path; else NULL */
	bool turned;             /* a where leaf inside `not ( .. )` */
};
size_t ruleset_conditions(const struct ruleset *set, size_t i);
struct condition ruleset_condition(const struct ruleset *set, size_t i, size_t c);

/* The result of one event; reused from event to event. */
struct match {
	uint32_t *hits; /* selectors that matched, ascending */
	size_t nhits;
	/* Verdicts, filled if they were asked for: those of selector i start at
	 * verdicts[first[i]]. */
	uint8_t *verdicts;
	size_t *first;
	/* Near misses, ascending, and their verdicts likewise: those of near[k] start at
	 * near_verdicts[near_first[k]]. */
	uint32_t *near;
	size_t nnear;
	uint8_t *near_verdicts;
	size_t near_first[RULESET_NEAR];
	void *scratch; /* the matcher's own */
};
void ruleset_match(const struct ruleset *set, const struct event *ev, bool explained,
		   struct match *m);
/* After ruleset_match() of the same event: which selectors fit by type and instance, and did not
 * match?  None are told where those that fit are over RULESET_NEAR. */
void ruleset_near(const struct ruleset *set, const struct event *ev, struct match *m);
/* After ruleset_match(): is the selector among the hits? */
bool match_has(const struct match *m, size_t selector);
void match_free(struct match *m);

/* For people: does selector i match, and what did each of its conditions meet?  `seen` has
 * ruleset_conditions() members, which the caller clears.  All conditions are asked, those of
 * an event of another type excepted.  Counts nothing. */
bool ruleset_explain(const struct ruleset *set, size_t i, const struct event *ev,
		     struct seen *seen);

/* What matching costs: of each selector, and the memory of all together. */
void ruleset_costs(const struct ruleset *set, struct matcher_cost *costs);
size_t ruleset_bytes(const struct ruleset *set);

/* How many events matched selector i since compilation. */
uint64_t ruleset_matches(const struct ruleset *set, size_t i);
/* How often a comparison of selector i met a value of another type since compilation, in
 * events whose verdicts or near misses were asked for. */
uint64_t ruleset_type_mismatches(const struct ruleset *set, size_t i);

#endif
