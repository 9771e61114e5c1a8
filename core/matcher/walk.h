/*
 * walk - one walk over one event, for matcher.c, value.c and decide.c.
 */
#ifndef POINTSMAN_MATCHER_WALK_H
#define POINTSMAN_MATCHER_WALK_H

#include "matcher/compiled.h"
#include "rules/iregexp.h"

struct kept_value {
	struct json_value value;
	bool plain;    /* a string without quotes and escapes */
	uint32_t tick; /* of the element it was seen in */
};

struct kept {
	struct kept_value *list;
	size_t n, cap;
};

/* Nothing is cleared between events: what was noted for an element bears its tick, which no
 * other has. */
struct matching_memory {
	uint64_t serial; /* of the matcher it was made for */
	uint32_t tick;
	uint32_t *stamps;   /* by signal: the element in which it is true */
	uint32_t *elements; /* by scope: the one the walk is in */
	uint32_t *heads;    /* by scope: the conditions to decide at its end, a list.. */
	uint32_t *next;     /* ..by condition */
	uint32_t *noticed;  /* by condition: the element at whose end it is decided */
	uint32_t *asked;    /* by test: the element in which it was decided.. */
	bool *answers;      /* ..and how */
	struct kept *kept;
	size_t nkept, nregexes;
	struct regexset_memory *regexes;
	struct buf plain, folded, backwards, left, right;
	struct iregexp_memory iregexp;
	uint64_t *marks; /* a bit for each rule, while hits are put in order */
	size_t hits_cap;
};

struct walk {
	const struct matcher *m;
	struct matching_memory *memory;
	struct matching *out;
	const struct event *ev;
	const char *end;
};

/* value.c: what a value raises. */
void raise_signal(struct walk *w, uint32_t signal);
void follow_links(struct walk *w, uint32_t links, const struct operand *left, bool check);
void see_leaf(struct walk *w, const struct lookup *l, const struct operand *left);
/* Is the test true of the value, against what the test itself brings? */
bool test_holds(struct walk *w, const struct test *t, const struct operand *left);

/* decide.c: elements and their conditions. */
void enter(struct walk *w, uint32_t scope);
void leave(struct walk *w, uint32_t scope);
void meet(struct walk *w, const struct condition *c);
void keep(struct walk *w, const struct lookup *l, struct json_value value, bool plain);

static inline bool is_raised(const struct walk *w, uint32_t signal)
{
	return w->memory->stamps[signal] == w->memory->elements[w->m->signals[signal].home];
}

/* Links of a number that mostly stands for none. */
static inline void follow(struct walk *w, uint32_t links, const struct operand *left, bool check)
{
	if (links != NONE)
		follow_links(w, links, left, check);
}

#endif
