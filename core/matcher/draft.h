/*
 * draft - rules on their way into a matcher, for draft.c, compile.c and what that calls.
 */
#ifndef POINTSMAN_MATCHER_DRAFT_H
#define POINTSMAN_MATCHER_DRAFT_H

#include "matcher/compiled.h"

struct literal {
	enum json_kind kind;
	const char *text;
	size_t len;
};

struct asked { /* what a signal is about */
	enum expr_op op;
	bool but, above, below;
	uint32_t field; /* NONE: CHANGED, which has its own paths */
	uint32_t other; /* of a path on the right; or NONE */
	const struct literal *literals;
	size_t n;
	const struct change *change;
};

struct draft_signal {
	uint32_t home;
	uint32_t hash;
	uint32_t uses;             /* in how many conditions */
	const struct asked *asked; /* NULL: raised by a condition of an inner scope */
	bool eager;
};

struct draft_field {
	uint32_t parent; /* or NONE */
	const char *name;
	uint32_t len;
	long index;     /* of an element, PATH_COUNT, or -1 */
	uint32_t scope; /* or NONE */
};

struct draft_condition {
	uint32_t scope, out;
	size_t code, words; /* in `code` */
};

struct words { /* numbers that grow */
	uint32_t *list;
	size_t n, cap;
};
void words_add(struct words *w, uint32_t word);

struct matcher_draft {
	struct arena arena;
	struct draft_field *fields;
	size_t nfields, fields_cap;
	struct keytable paths; /* by parent and name, to field */
	size_t nscopes;
	struct draft_signal *signals;
	size_t nsignals, signals_cap;
	uint32_t *slots; /* 1 + index of a signal; 0: free */
	size_t nslots;
	struct draft_condition *conditions;
	size_t nconditions, conditions_cap;
	struct words code, scratch;
	size_t nrules;
};

/* The number of the signal, a new one if nobody asked this within that scope before. */
uint32_t draft_signal(struct matcher_draft *d, uint32_t home, const struct asked *asked);
/* One of its own, which nobody else will share. */
uint32_t draft_own_signal(struct matcher_draft *d, uint32_t home, const struct asked *asked);
void draft_free(struct matcher_draft *d);

struct watch {
	uint32_t signal, condition;
};

struct chain {               /* links behind one number, until they are laid out */
	uint32_t link, next; /* next: 1 + index; 0: the last */
};

struct interval_of {
	uint32_t lookup;
	struct interval interval;
};

struct but_of {
	uint32_t field;
	struct but but;
};

struct length_of {
	uint32_t place, length;
};

struct compiling {
	struct matcher_draft *d;
	struct matcher *m;
	struct watch *watches;
	size_t nwatches, watches_cap;
	struct chain *chains;
	size_t nchains, chains_cap;
	struct interval_of *intervals;
	size_t nintervals, intervals_cap;
	struct length_of *lengths;
	size_t nlengths, lengths_cap;
	struct but_of *buts;
	size_t nbuts, buts_cap;
	struct regexset_draft **regexes; /* by lookup; or NULL */
	size_t nregexes;
	size_t lookups_cap, tests_cap;
	uint32_t *tests;     /* by signal: of m->tests, or NONE */
	uint32_t *lookup_of; /* by field */
	struct words code, constants, links;
	struct buf scratch, reversed;
};

/* asked.c: what a signal is about. */
bool asks_equality(const struct asked *a);
bool asks_order(const struct asked *a);
bool asks_text(const struct asked *a); /* all literals are strings, and there is one */
/* No index finds it: it is only ever decided lazily. */
bool asks_lazily(const struct asked *a);

/* watch.c: conditions, and what they watch. */
void compile_conditions(struct compiling *c);
void compile_watchers(struct compiling *c);
/* index.c: lookups, and all that they look in. */
void compile_index(struct compiling *c);
/* fields.c: the trie. */
void compile_fields(struct compiling *c);
/* cost.c */
void tell_costs(const struct compiling *c, struct matcher_cost *costs);

#endif
