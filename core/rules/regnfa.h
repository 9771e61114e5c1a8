/*
 * regnfa - I-Regexps as one machine of states, after Thompson.
 *
 * A state is 4 bytes: what it does, and a number.  Those that fork or go take no character;
 * the others wait for one, or say which expression fits if the text ends here.  Equal classes
 * of characters are kept once.  regwalk.h walks the machine.
 */
#ifndef POINTSMAN_RULES_REGNFA_H
#define POINTSMAN_RULES_REGNFA_H

#include "rules/regtree.h"

enum regop {
	REGOP_CHARACTER, /* take this character, go to the next state */
	REGOP_CLASS,     /* take a character of the class of this number, go to the next state */
	REGOP_FORK,      /* to the next state and to that of this number */
	REGOP_GO,        /* to the state of this number */
	REGOP_MATCH,     /* the expression of this number fits */
};

struct regnfa_class {
	struct regclass set;
	uint64_t ascii[2]; /* a bit for each of the first 128 characters */
	uint64_t hash;
};

struct regnfa { /* zero-initialised is empty */
	uint32_t *states;
	size_t n, cap;
	uint32_t *starts; /* of each expression */
	size_t nstarts, starts_cap;
	struct regnfa_class *classes;
	size_t nclasses, classes_cap;
	uint32_t *slots; /* 1 + index into classes; 0: free */
	size_t nslots;
};

/* Add an expression.  False if it has over `max_states` states with its repetitions written
 * out; then `nfa` is only good for being freed. */
bool regnfa_add(struct regnfa *nfa, const struct regtree *tree, size_t max_states);
/* Add all of `from`, whose expressions are numbered on behind those there are. */
void regnfa_append(struct regnfa *nfa, const struct regnfa *from);
void regnfa_trim(struct regnfa *nfa); /* give back what only adding needs */
size_t regnfa_bytes(const struct regnfa *nfa);
void regnfa_free(struct regnfa *nfa);

static inline enum regop regnfa_op(const struct regnfa *nfa, uint32_t state)
{
	return (enum regop)(nfa->states[state] & 7);
}

static inline uint32_t regnfa_number(const struct regnfa *nfa, uint32_t state)
{
	return nfa->states[state] >> 3;
}

static inline bool regnfa_class_has(const struct regnfa_class *c, uint32_t cp)
{
	return cp < 128 ? c->ascii[cp / 64] >> (cp % 64) & 1 : regclass_has(&c->set, cp);
}

#endif
