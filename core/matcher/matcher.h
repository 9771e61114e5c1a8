/*
 * matcher - many trees compiled into one structure that looks at each field once.
 *
 * A rule is a tree of expr.h; rules are numbered from 0 in the order they were added.  The
 * paths of all rules form a trie that steers one walk over the event's bytes, which stops as
 * soon as nothing wanted is left.  Each path has one index over everything that is compared
 * with it, so that a value is looked up once, whatever the number of rules.
 *
 * The payload must be text that json_check() accepts.  A compiled matcher is immutable and
 * may be used by several threads, each with its own struct matching.
 */
#ifndef POINTSMAN_MATCHER_MATCHER_H
#define POINTSMAN_MATCHER_MATCHER_H

#include "event/event.h"
#include "rules/expr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct matcher;
struct matcher_draft; /* rules being added */

struct matcher_draft *matcher_draft(void);
/* The tree may be gone afterwards. */
void matcher_add(struct matcher_draft *d, const struct expr *tree);
/* Ends the draft. */
struct matcher *matcher_compile(struct matcher_draft *d);

/* How the events of a rule are found, from the cheapest way to the dearest. */
enum matcher_way {
	MATCHER_LOOKED_UP, /* by a value that is looked up in a table */
	MATCHER_SEARCHED,  /* by a piece of text: a beginning, an end, some part, in any case */
	MATCHER_ORDERED,   /* by a range of numbers */
	MATCHER_MATCHED,   /* by a regular expression */
	MATCHER_PRESENT,   /* by a field that is there */
	MATCHER_COMPARED,  /* by comparing each value of a field */
	MATCHER_ASKED,     /* not at all: every event is asked */
};

struct matcher_cost {
	enum matcher_way way; /* the dearest of those it needs */
	char field[64];       /* the field so looked at; "" with MATCHER_ASKED */
	size_t ways;          /* things one of which must be found before more is asked */
	size_t tests;         /* all that it asks */
	size_t left;          /* tests that are made only once one of those was found */
	size_t states;        /* of its regular expressions */
};
/* The same, telling what each rule costs; `costs` has one for each. */
struct matcher *matcher_compile_costs(struct matcher_draft *d, struct matcher_cost *costs);
void matcher_free(struct matcher *m);          /* NULL is fine */
size_t matcher_rules(const struct matcher *m); /* how many were added */
size_t matcher_bytes(const struct matcher *m); /* of memory, all of it */

/* What matching needs while it runs; zero-initialised, reused from event to event, best with
 * the same matcher. */
struct matching {
	uint32_t *hits; /* the rules that matched, ascending */
	size_t nhits;
	struct matching_memory *memory; /* the matcher's own */
};
void matcher_match(const struct matcher *m, const struct event *ev, struct matching *out);
void matching_free(struct matching *m);
/* Where the next event is known while one is matched: have its beginning fetched, because
 * memory takes longer to answer than most matching takes.  Changes nothing else. */
void matcher_expect(const struct event *next);

#endif
