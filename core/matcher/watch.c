/* Conditions: what each watches, and what is left of it to decide. */
#include "base/mem.h"
#include "matcher/draft.h"

#include <stdlib.h>

#define NEVER UINT64_MAX /* cost of watching what may be met without any signal */

/* What a signal costs to watch, beside how often it is asked: how often it will be true. */
enum rarity { RARE = 1, SOME = 2, OFTEN = 8, MOSTLY = 32, ALMOST_ALWAYS = 48 };

static enum rarity rarity_of(const struct asked *a)
{
	if (asks_lazily(a) || a->but)
		return ALMOST_ALWAYS;
	if (a->op == EXPR_EXISTS || a->op == EXPR_LEAF)
		return MOSTLY;
	if (asks_order(a) || a->op == EXPR_RANGE || a->op == EXPR_FITS)
		return OFTEN;
	for (size_t i = 0; i < a->n; i++) {
		if (a->literals[i].kind != KIND_STRING && a->literals[i].kind != KIND_NUMBER)
			return OFTEN;
		if (a->literals[i].len == 0 && !asks_equality(a))
			return MOSTLY;
	}
	return asks_equality(a) ? RARE : SOME;
}

static uint64_t signal_cost(const struct compiling *c, uint32_t signal)
{
	const struct draft_signal *s = &c->d->signals[signal];

	if (!s->asked)
		return (uint64_t)SOME * s->uses;
	return s->asked->op == EXPR_CHANGED ? NEVER : (uint64_t)rarity_of(s->asked) * s->uses;
}

static size_t node_words(uint32_t word)
{
	return CODE_OP(word) == CODE_SIGNAL ? 1 : 1 + CODE_N(word);
}

static uint64_t cost(const struct compiling *c, const uint32_t *code);

/* The cheapest part of an `and`. */
static const uint32_t *cheapest(const struct compiling *c, const uint32_t *code, uint64_t *price)
{
	const uint32_t *best = NULL, *end = code + node_words(*code);

	*price = NEVER;
	for (const uint32_t *p = code + 1; p < end; p += node_words(*p)) {
		uint64_t one = cost(c, p);

		if (one < *price) {
			*price = one;
			best = p;
		}
	}
	return best;
}

/* Of watching all that the node cannot be met without. */
static uint64_t cost(const struct compiling *c, const uint32_t *code)
{
	const uint32_t *end = code + node_words(*code);
	uint64_t sum = 0, one;

	switch (CODE_OP(*code)) {
	case CODE_SIGNAL: return signal_cost(c, CODE_N(*code));
	case CODE_NOT: return NEVER;
	case CODE_AND: cheapest(c, code, &sum); return sum;
	default: break;
	}
	for (const uint32_t *p = code + 1; p < end; p += node_words(*p)) {
		one = cost(c, p);
		sum = one == NEVER || sum == NEVER ? NEVER : sum + one;
	}
	return sum;
}

static void watch_signal(struct compiling *c, uint32_t signal, uint32_t condition)
{
	const struct draft_signal *s = &c->d->signals[signal];

	if (s->asked && asks_lazily(s->asked)) {
		struct asked there = {.op = EXPR_EXISTS, .field = s->asked->field, .other = NONE};

		signal = draft_signal(c->d, s->home, &there);
	}
	c->d->signals[signal].eager = true;
	mem_room(c->watches, c->nwatches, c->watches_cap);
	c->watches[c->nwatches++] = (struct watch){signal, condition};
}

static void watch(struct compiling *c, const uint32_t *code, uint32_t condition)
{
	const uint32_t *end = code + node_words(*code);
	uint64_t price;

	switch (CODE_OP(*code)) {
	case CODE_SIGNAL: watch_signal(c, CODE_N(*code), condition); return;
	case CODE_AND: watch(c, cheapest(c, code, &price), condition); return;
	default: break;
	}
	for (const uint32_t *p = code + 1; p < end; p += node_words(*p))
		watch(c, p, condition);
}

static void add_code(struct compiling *c, const uint32_t *code, size_t n)
{
	for (size_t i = 0; i < n; i++)
		words_add(&c->code, code[i]);
}

/* The node's code but for a part that is known to be true when the condition is looked at:
 * the one it watches.  False if nothing is left to ask. */
static bool keep_code(struct compiling *c, const uint32_t *code)
{
	size_t words = node_words(*code), known = 0;
	const uint32_t *watched = code;
	uint64_t price;

	if (CODE_OP(*code) == CODE_AND)
		watched = cheapest(c, code, &price);
	if (CODE_OP(*watched) == CODE_SIGNAL) {
		const struct asked *a = c->d->signals[CODE_N(*watched)].asked;

		known = !a || !asks_lazily(a);
	}
	if (known && watched == code)
		return false;
	words_add(&c->code, CODE(CODE_OP(*code), words - 1 - known));
	if (CODE_OP(*code) == CODE_SIGNAL)
		c->code.list[c->code.n - 1] = *code;
	if (!known) {
		add_code(c, code + 1, words - 1);
		return true;
	}
	add_code(c, code + 1, (size_t)(watched - code) - 1);
	add_code(c, watched + 1, (size_t)(code + words - watched) - 1);
	return true;
}

static void compile_condition(struct compiling *c, uint32_t number)
{
	const struct draft_condition *from = &c->d->conditions[number];
	struct condition *to = &c->m->conditions[number];
	const uint32_t *code = c->d->code.list + from->code;
	bool always = cost(c, code) == NEVER;

	*to = (struct condition){from->scope, (uint32_t)c->code.n, from->out};
	if (always) {
		add_code(c, code, from->words);
		return;
	}
	watch(c, code, number);
	if (!keep_code(c, code))
		to->code = NONE;
}

/* Conditions that may be met without any signal, scope by scope. */
static void list_constants(struct compiling *c)
{
	struct matcher *m = c->m;
	bool *watched = mem_zero(m->nconditions);

	for (size_t i = 0; i < c->nwatches; i++)
		watched[c->watches[i].condition] = true;
	for (size_t i = 0; i < m->nconditions; i++)
		m->always[m->conditions[i].scope].n += !watched[i];
	for (size_t s = 1; s < m->nscopes; s++)
		m->always[s].first = m->always[s - 1].first + m->always[s - 1].n;
	for (size_t s = 0; s < m->nscopes; s++) {
		c->constants.n += m->always[s].n;
		m->always[s].n = 0;
	}
	m->constants = mem_grow(NULL, c->constants.n, sizeof *m->constants);
	for (size_t i = 0; i < m->nconditions; i++) {
		struct span *s = &m->always[m->conditions[i].scope];

		if (!watched[i])
			m->constants[s->first + s->n++] = (uint32_t)i;
	}
	free(watched);
}

void compile_conditions(struct compiling *c)
{
	struct matcher *m = c->m;

	m->nconditions = c->d->nconditions;
	m->nscopes = c->d->nscopes;
	m->conditions = mem_grow(NULL, m->nconditions, sizeof *m->conditions);
	m->always = mem_zero(m->nscopes * sizeof *m->always);
	for (size_t i = 0; i < m->nconditions; i++)
		compile_condition(c, (uint32_t)i);
	list_constants(c);
	m->code = mem_grow(c->code.list, c->code.n, sizeof *m->code);
}

void compile_watchers(struct compiling *c)
{
	struct matcher *m = c->m;
	uint32_t sum = 0;

	m->watchers = mem_grow(NULL, c->nwatches, sizeof *m->watchers);
	m->signals = mem_zero((m->nsignals + 1) * sizeof *m->signals);
	for (size_t i = 0; i < c->nwatches; i++)
		m->signals[c->watches[i].signal].watch++;
	for (size_t s = 0; s < m->nsignals; s++) {
		sum += m->signals[s].watch;
		m->signals[s] = (struct signal){c->d->signals[s].home, sum, c->tests[s]};
	}
	m->signals[m->nsignals].watch = sum;
	for (size_t i = c->nwatches; i-- > 0;)
		m->watchers[--m->signals[c->watches[i].signal].watch] = c->watches[i].condition;
	m->bytes += c->nwatches * sizeof *m->watchers + (m->nsignals + 1) * sizeof *m->signals;
}
