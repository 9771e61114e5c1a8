/*
 * regwalk - a walk through a machine of regnfa.h, in all the states at once it can be in.
 *
 * Time for a character is linear in the states of the machine, whatever the expressions;
 * memory is 9 bytes a state.
 */
#ifndef POINTSMAN_RULES_REGWALK_H
#define POINTSMAN_RULES_REGWALK_H

#include "rules/regnfa.h"

struct regwalk {          /* zero-initialised; reused from walk to walk, also for other machines */
	uint32_t *states; /* where the walk is: ascending, without those that fork or go */
	size_t n;
	uint32_t *stack;
	uint64_t *seen;    /* a bit for each state, all 0 between two steps */
	size_t first, end; /* words of it that are not: from first to before end */
	size_t cap;
};

/* Of n expressions from the one numbered `first` on. */
void regwalk_begin(struct regwalk *w, const struct regnfa *nfa, size_t first, size_t n);
void regwalk_step(struct regwalk *w, const struct regnfa *nfa, uint32_t cp);
/* All of a text; false if a character is broken before the walk has come to its end. */
bool regwalk_text(struct regwalk *w, const struct regnfa *nfa, const char *text, size_t len);
/* Ends the walk: the first n `states` are now the numbers of the expressions that fit. */
size_t regwalk_end(struct regwalk *w, const struct regnfa *nfa);
void regwalk_free(struct regwalk *w);

#endif
