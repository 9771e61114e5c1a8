#include "rules/regnfa.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WORK 100000 /* nodes visited in compiling: repetitions of nothing add no state */

struct writer {
	struct regnfa *nfa;
	size_t max, work; /* states there may be; nodes visited */
};

static uint32_t here(const struct regnfa *nfa)
{
	return (uint32_t)nfa->n;
}

static uint32_t add(struct regnfa *nfa, enum regop op, uint32_t number)
{
	mem_room(nfa->states, nfa->n, nfa->cap);
	nfa->states[nfa->n] = number << 3 | op;
	return (uint32_t)nfa->n++;
}

static void set_number(struct regnfa *nfa, uint32_t state, uint32_t number)
{
	nfa->states[state] = number << 3 | regnfa_op(nfa, state);
}

static void add_start(struct regnfa *nfa, uint32_t state)
{
	mem_room(nfa->starts, nfa->nstarts, nfa->starts_cap);
	nfa->starts[nfa->nstarts++] = state;
}

static uint64_t class_hash(const struct regclass *c)
{
	return hash64(c->ranges, c->n * sizeof *c->ranges,
		      (uint64_t)c->categories << 1 | c->negated);
}

static bool same_class(const struct regclass *a, const struct regclass *b)
{
	return a->negated == b->negated && a->categories == b->categories && a->n == b->n &&
	       (a->n == 0 || memcmp(a->ranges, b->ranges, a->n * sizeof *a->ranges) == 0);
}

static void slots_grow(struct regnfa *nfa)
{
	free(nfa->slots);
	for (nfa->nslots = 8; nfa->nslots <= nfa->nclasses * 2;)
		nfa->nslots *= 2;
	nfa->slots = mem_zero(nfa->nslots * sizeof *nfa->slots);
	for (size_t i = 0; i < nfa->nclasses; i++) {
		size_t at = nfa->classes[i].hash & (nfa->nslots - 1);

		while (nfa->slots[at])
			at = (at + 1) & (nfa->nslots - 1);
		nfa->slots[at] = (uint32_t)(i + 1);
	}
}

static void class_copy(struct regnfa_class *copy, const struct regclass *c, uint64_t hash)
{
	*copy = (struct regnfa_class){.set = *c, .hash = hash};
	copy->set.ranges = mem_grow(NULL, c->n, sizeof *c->ranges);
	if (c->n)
		memcpy(copy->set.ranges, c->ranges, c->n * sizeof *c->ranges);
	for (uint32_t cp = 0; cp < 128; cp++)
		copy->ascii[cp / 64] |= (uint64_t)regclass_has(c, cp) << (cp % 64);
}

/* The number of this class, the same for equal ones. */
static uint32_t class_number(struct regnfa *nfa, const struct regclass *c)
{
	uint64_t hash = class_hash(c);
	size_t at;

	if (nfa->nclasses * 2 >= nfa->nslots)
		slots_grow(nfa);
	for (at = hash & (nfa->nslots - 1); nfa->slots[at]; at = (at + 1) & (nfa->nslots - 1)) {
		const struct regnfa_class *other = &nfa->classes[nfa->slots[at] - 1];

		if (other->hash == hash && same_class(&other->set, c))
			return nfa->slots[at] - 1;
	}
	mem_room(nfa->classes, nfa->nclasses, nfa->classes_cap);
	class_copy(&nfa->classes[nfa->nclasses], c, hash);
	nfa->slots[at] = (uint32_t)++nfa->nclasses;
	return nfa->slots[at] - 1;
}

static bool write_tree(struct writer *w, const struct regtree *t);

/* a|b|c: fork to a or on, after a go to the end; .. */
static bool write_either(struct writer *w, const struct regtree *t)
{
	uint32_t last_go = 0, fork;
	bool ok = true;

	for (size_t i = 0; ok && i + 1 < t->n; i++) {
		fork = add(w->nfa, REGOP_FORK, 0);
		ok = write_tree(w, t->parts[i]);
		/* The gos form a list through their numbers until their target is known. */
		last_go = add(w->nfa, REGOP_GO, last_go);
		set_number(w->nfa, fork, here(w->nfa));
	}
	ok = ok && write_tree(w, t->parts[t->n - 1]);
	for (uint32_t next; last_go; last_go = next) {
		next = regnfa_number(w->nfa, last_go);
		set_number(w->nfa, last_go, here(w->nfa));
	}
	return ok;
}

/* a?a?a?: each fork leads to the end of all. */
static bool write_optional(struct writer *w, const struct regtree *t, uint32_t times)
{
	uint32_t first = here(w->nfa), last_fork = UINT32_MAX;
	bool ok = true;

	for (; ok && times > 0; times--) {
		/* The forks form a list through their numbers, the first refers to itself. */
		last_fork = add(w->nfa, REGOP_FORK, last_fork == UINT32_MAX ? first : last_fork);
		ok = write_tree(w, t);
	}
	while (last_fork != UINT32_MAX) {
		uint32_t next = regnfa_number(w->nfa, last_fork);

		set_number(w->nfa, last_fork, here(w->nfa));
		last_fork = last_fork == first ? UINT32_MAX : next;
	}
	return ok;
}

static bool write_repeat(struct writer *w, const struct regtree *t)
{
	uint32_t fork;
	bool ok = true;

	for (uint32_t i = 0; ok && i < t->least; i++)
		ok = write_tree(w, t->parts[0]);
	if (!ok || t->most != REGTREE_ENDLESS)
		return ok && write_optional(w, t->parts[0], t->most - t->least);
	fork = add(w->nfa, REGOP_FORK, 0);
	ok = write_tree(w, t->parts[0]);
	add(w->nfa, REGOP_GO, fork);
	set_number(w->nfa, fork, here(w->nfa));
	return ok;
}

static bool write_tree(struct writer *w, const struct regtree *t)
{
	bool ok = true;

	if (++w->work > MAX_WORK || w->nfa->n > w->max)
		return false;
	switch (t->kind) {
	case REG_SEQUENCE:
		for (size_t i = 0; ok && i < t->n; i++)
			ok = write_tree(w, t->parts[i]);
		return ok;
	case REG_EITHER: return write_either(w, t);
	case REG_REPEAT: return write_repeat(w, t);
	case REG_CHARACTER: add(w->nfa, REGOP_CHARACTER, t->character); return true;
	case REG_CLASS: add(w->nfa, REGOP_CLASS, class_number(w->nfa, &t->set)); return true;
	}
	return false;
}

bool regnfa_add(struct regnfa *nfa, const struct regtree *tree, size_t max_states)
{
	struct writer w = {.nfa = nfa, .max = nfa->n + max_states};
	uint32_t number = (uint32_t)nfa->nstarts;

	add_start(nfa, here(nfa));
	if (!write_tree(&w, tree))
		return false;
	add(nfa, REGOP_MATCH, number);
	return nfa->n <= w.max;
}

void regnfa_append(struct regnfa *nfa, const struct regnfa *from)
{
	uint32_t first = here(nfa), number = (uint32_t)nfa->nstarts;

	for (size_t i = 0; i < from->nstarts; i++)
		add_start(nfa, first + from->starts[i]);
	for (uint32_t s = 0; s < from->n; s++) {
		enum regop op = regnfa_op(from, s);
		uint32_t n = regnfa_number(from, s);

		switch (op) {
		case REGOP_CHARACTER: break;
		case REGOP_CLASS: n = class_number(nfa, &from->classes[n].set); break;
		case REGOP_FORK:
		case REGOP_GO: n += first; break;
		case REGOP_MATCH: n += number; break;
		}
		add(nfa, op, n);
	}
}

void regnfa_trim(struct regnfa *nfa)
{
	free(nfa->slots);
	nfa->slots = NULL;
	nfa->nslots = 0;
	nfa->cap = nfa->n;
	nfa->states = mem_grow(nfa->states, nfa->cap, sizeof *nfa->states);
	nfa->starts_cap = nfa->nstarts;
	nfa->starts = mem_grow(nfa->starts, nfa->starts_cap, sizeof *nfa->starts);
	nfa->classes_cap = nfa->nclasses;
	nfa->classes = mem_grow(nfa->classes, nfa->classes_cap, sizeof *nfa->classes);
}

size_t regnfa_bytes(const struct regnfa *nfa)
{
	size_t bytes = nfa->cap * sizeof *nfa->states + nfa->starts_cap * sizeof *nfa->starts +
		       nfa->classes_cap * sizeof *nfa->classes + nfa->nslots * sizeof *nfa->slots;

	for (size_t i = 0; i < nfa->nclasses; i++)
		bytes += nfa->classes[i].set.n * sizeof *nfa->classes[i].set.ranges;
	return bytes;
}

void regnfa_free(struct regnfa *nfa)
{
	for (size_t i = 0; i < nfa->nclasses; i++)
		free(nfa->classes[i].set.ranges);
	free(nfa->classes);
	free(nfa->slots);
	free(nfa->starts);
	free(nfa->states);
	*nfa = (struct regnfa){0};
}
