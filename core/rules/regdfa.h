/*
 * regdfa - expressions of a machine as an automaton, built as texts need it.
 *
 * The sets of states that walks were in become the states of the automaton, kept in bounded
 * memory, so that a character of a text like those before costs one look into a table.  A new
 * state costs time linear in the states of the machine.  When the memory is full everything
 * is forgotten; where that happens too often the automaton gives up.
 */
#ifndef POINTSMAN_RULES_REGDFA_H
#define POINTSMAN_RULES_REGDFA_H

#include "rules/regwalk.h"

#define REGDFA_ASCII 128

struct regcolumns { /* characters that no expression tells apart share a column */
	uint8_t of[REGDFA_ASCII];
	size_t n;
};
void regcolumns_make(struct regcolumns *c, const struct regnfa *nfa);

struct regdfa_of { /* what it is an automaton of; it must outlive it */
	const struct regnfa *nfa;
	const struct regcolumns *columns;
	size_t first, n; /* expressions */
};

struct regdfa;

/* It gives up where it is full and each of its states was used for less than `worth` characters
 * on average. */
struct regdfa *regdfa_new(const struct regdfa_of *of, size_t max_bytes, unsigned worth);
void regdfa_free(struct regdfa *d); /* NULL is fine */

struct regdfa_text {
	const char *at, *end;    /* of the text; where the walk is */
	const uint32_t *matches; /* the numbers of the expressions that fit, ascending */
	size_t n;
};
/* The walk over a text to its end, or to where nothing can fit any more.  `matches` are good
 * until the automaton is used again.  False if it gives up: then `walk` is at t->at, and can go
 * on alone. */
bool regdfa_walk(struct regdfa *d, struct regwalk *walk, struct regdfa_text *t);

#endif
