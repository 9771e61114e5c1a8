#include "rules/regexset.h"

#include "base/mem.h"
#include "rules/regdfa.h"

#include <stdatomic.h>
#include <stdlib.h>

/* One automaton for many expressions may need a state for each combination of them; two, for
 * half of them each, need the sum of theirs.  So one whose states were used for fewer than
 * WORTH_KEEPING characters each before it was full is cut in two, down to parts of PART_BYTES;
 * and below WORTH_REMAKING a walk without it is cheaper. */
#define PART_BYTES     (64 * 1024)
#define WORTH_KEEPING  1024
#define WORTH_REMAKING 8

struct regexset {
	struct regnfa nfa;
	uint32_t *ids; /* of each expression */
	size_t ids_cap;
	uint64_t serial; /* no two sets have the same */
	struct regcolumns columns;
};

struct regexset_draft {
	struct regexset *set;
};

struct part {
	struct regdfa_of of;
	size_t max_bytes;
	struct regdfa *dfa;   /* NULL if the part is cut */
	struct part *half[2]; /* else NULL */
};

struct regexset_cache {
	uint64_t serial; /* of the set it belongs to */
	struct part *all;
	struct regwalk walk;
	uint32_t *ids; /* of the expressions that match */
	size_t n;
};

struct regexset_draft *regexset_draft(void)
{
	struct regexset_draft *d = mem_new(struct regexset_draft);

	d->set = mem_new(struct regexset);
	return d;
}

bool regexset_add(struct regexset_draft *d, const struct iregexp *re, uint32_t id)
{
	struct regexset *s = d->set;

	if (s->nfa.n + iregexp_states(re)->n > REGEXSET_MAX_STATES)
		return false;
	mem_room(s->ids, s->nfa.nstarts, s->ids_cap);
	s->ids[s->nfa.nstarts] = id;
	regnfa_append(&s->nfa, iregexp_states(re));
	return true;
}

struct regexset *regexset_build(struct regexset_draft *d)
{
	static atomic_uint_fast64_t serial;
	struct regexset *s = d->set;

	free(d);
	regnfa_trim(&s->nfa);
	s->ids_cap = s->nfa.nstarts;
	s->ids = mem_grow(s->ids, s->ids_cap, sizeof *s->ids);
	regcolumns_make(&s->columns, &s->nfa);
	s->serial = atomic_fetch_add(&serial, 1) + 1;
	return s;
}

void regexset_free(struct regexset *s)
{
	if (!s)
		return;
	regnfa_free(&s->nfa);
	free(s->ids);
	free(s);
}

size_t regexset_bytes(const struct regexset *s)
{
	return sizeof *s + regnfa_bytes(&s->nfa) + s->ids_cap * sizeof *s->ids;
}

static bool can_be_cut(const struct part *p)
{
	return p->of.n > 1 && p->max_bytes >= 2 * PART_BYTES;
}

static struct part *part_new(const struct regdfa_of *of, size_t max_bytes)
{
	struct part *p = mem_new(struct part);

	p->of = *of;
	p->max_bytes = max_bytes;
	p->dfa = regdfa_new(of, max_bytes, can_be_cut(p) ? WORTH_KEEPING : WORTH_REMAKING);
	return p;
}

static void part_free(struct part *p)
{
	if (!p)
		return;
	part_free(p->half[0]);
	part_free(p->half[1]);
	regdfa_free(p->dfa);
	free(p);
}

static void part_cut(struct part *p)
{
	struct regdfa_of lower = p->of, upper = p->of;

	lower.n = p->of.n / 2;
	upper.first += lower.n;
	upper.n -= lower.n;
	regdfa_free(p->dfa);
	p->dfa = NULL;
	p->half[0] = part_new(&lower, p->max_bytes / 2);
	p->half[1] = part_new(&upper, p->max_bytes / 2);
}

static void cache_free(struct regexset_cache *c)
{
	if (!c)
		return;
	part_free(c->all);
	regwalk_free(&c->walk);
	free(c->ids);
	free(c);
}

static struct regexset_cache *cache_of(struct regexset_memory *m, const struct regexset *s)
{
	const struct regdfa_of all = {&s->nfa, &s->columns, 0, s->nfa.nstarts};
	struct regexset_cache *c = m->cache;

	if (c && c->serial == s->serial)
		return c;
	cache_free(c);
	m->cache = c = mem_new(struct regexset_cache);
	c->serial = s->serial;
	c->all = part_new(&all, m->max_bytes ? m->max_bytes : REGEXSET_CACHE_BYTES);
	c->ids = mem_zero(s->nfa.nstarts * sizeof *c->ids);
	return c;
}

void regexset_memory_free(struct regexset_memory *m)
{
	cache_free(m->cache);
	m->cache = NULL;
}

static void report(const struct regexset *s, struct regexset_cache *c, const uint32_t *numbers,
		   size_t n)
{
	for (size_t i = 0; i < n; i++)
		c->ids[c->n++] = s->ids[numbers[i]];
}

static void match(const struct regexset *s, struct regexset_cache *c, struct part *p,
		  const char *text, size_t len)
{
	struct regdfa_text t = {.at = text, .end = text + len};

	if (p->dfa && regdfa_walk(p->dfa, &c->walk, &t)) {
		report(s, c, t.matches, t.n);
		return;
	}
	if (p->dfa && can_be_cut(p))
		part_cut(p);
	if (!p->dfa) {
		match(s, c, p->half[0], text, len);
		match(s, c, p->half[1], text, len);
	} else if (regwalk_text(&c->walk, &s->nfa, t.at, (size_t)(t.end - t.at))) {
		report(s, c, c->walk.states, regwalk_end(&c->walk, &s->nfa));
	}
}

size_t regexset_match(const struct regexset *s, struct regexset_memory *m, const char *text,
		      size_t len, const uint32_t **ids)
{
	struct regexset_cache *c = cache_of(m, s);

	c->n = 0;
	match(s, c, c->all, text, len);
	*ids = c->ids;
	return c->n;
}
