/* What each rule costs, for people. */
#include "base/mem.h"
#include "matcher/draft.h"

#include <stdlib.h>

static enum matcher_way way_of(const struct asked *a)
{
	if (a->op == EXPR_EXISTS || a->op == EXPR_LEAF)
		return MATCHER_PRESENT;
	if (a->but || a->op == EXPR_FITS || (asks_order(a) && asks_text(a)))
		return MATCHER_COMPARED;
	if (a->op == EXPR_MATCHES)
		return MATCHER_MATCHED;
	if (asks_order(a) || a->op == EXPR_RANGE)
		return MATCHER_ORDERED;
	return asks_equality(a) || a->op == EXPR_WITHIN ? MATCHER_LOOKED_UP : MATCHER_SEARCHED;
}

/* Its path, from the top; the end of one that is too long. */
static void name_field(const struct matcher_draft *d, uint32_t field, char *out, size_t size)
{
	size_t at = size - 1;

	out[at] = '\0';
	for (uint32_t f = field; f != NONE; f = d->fields[f].parent) {
		size_t len = d->fields[f].len;

		if (len + 1 > at)
			break;
		if (at < size - 1)
			out[--at] = '.';
		at -= len;
		memcpy(out + at, d->fields[f].name, len);
	}
	memmove(out, out + at, size - at);
}

static void add_watch(const struct matcher_draft *d, const struct watch *w,
		      struct matcher_cost *cost)
{
	const struct asked *a = d->signals[w->signal].asked;

	if (!a)
		return; /* what an element must have is told by its own condition */
	if (cost->ways++ == 0 || way_of(a) > cost->way) {
		cost->way = way_of(a);
		name_field(d, a->field, cost->field, sizeof cost->field);
	}
}

static size_t states_of(const struct asked *a)
{
	size_t states = 0;

	for (size_t i = 0; a->op == EXPR_MATCHES && i < a->n; i++) {
		struct iregexp *re =
			iregexp_compile(a->literals[i].text, a->literals[i].len, NULL, NULL);

		states += iregexp_states(re)->n;
		iregexp_free(re);
	}
	return states;
}

static void add_tests(const struct compiling *c, const uint32_t *code, size_t words,
		      struct matcher_cost *cost)
{
	for (const uint32_t *p = code; p < code + words; p++) {
		const struct asked *a =
			CODE_OP(*p) == CODE_SIGNAL ? c->d->signals[CODE_N(*p)].asked : NULL;
		uint32_t test;

		if (!a)
			continue;
		cost->tests++;
		cost->states += states_of(a);
		test = c->tests[CODE_N(*p)];
		cost->left += test != NONE && c->m->tests[test].lazy;
	}
}

/* Conditions of inner elements stand before that of their rule. */
void tell_costs(const struct compiling *c, struct matcher_cost *costs)
{
	const struct matcher_draft *d = c->d;
	uint32_t *rules = mem_grow(NULL, d->nconditions, sizeof *rules);
	uint32_t rule = 0;

	memset(costs, 0, d->nrules * sizeof *costs);
	for (size_t i = d->nconditions; i-- > 0;) {
		const struct draft_condition *one = &d->conditions[i];

		rule = one->scope == 0 ? one->out : rule;
		rules[i] = rule;
		add_tests(c, d->code.list + one->code, one->words, &costs[rule]);
	}
	for (size_t i = 0; i < c->nwatches; i++)
		add_watch(d, &c->watches[i], &costs[rules[c->watches[i].condition]]);
	for (size_t i = 0; i < d->nrules; i++) {
		if (costs[i].ways == 0)
			costs[i].way = MATCHER_ASKED;
	}
	free(rules);
}
