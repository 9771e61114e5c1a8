/* From a draft to the compiled form. */
#include "base/mem.h"
#include "rules/ignorecase.h"
#include "rules/matcher_draft.h"
#include "json/find.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NEVER      UINT64_MAX /* cost of watching what may be met without any signal */
#define GRAM_MOST  8
#define FEW_NAMES  6 /* children that are compared one by one; more get a hash table */
#define FEW_DIGITS 15

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
	size_t lookups_cap, tests_cap;
	uint32_t *tests;     /* by signal: of m->tests, or NONE */
	uint32_t *lookup_of; /* by field */
	struct words code, constants;
	struct buf scratch, reversed;
};

/* What a signal costs to watch, beside how often it is asked: how often it will be true. */
enum rarity { RARE = 1, SOME = 2, OFTEN = 8, MOSTLY = 32, ALMOST_ALWAYS = 48 };

static bool is_text(const struct asked *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->literals[i].kind != KIND_STRING)
			return false;
	}
	return a->n > 0;
}

static bool is_equality(enum expr_op op)
{
	return op == EXPR_EQ || op == EXPR_IN || op == EXPR_VALUE_IN;
}

static bool is_order(enum expr_op op)
{
	return op >= EXPR_LT && op <= EXPR_GE;
}

/* No index finds these: they are only ever decided lazily. */
static bool only_lazy(const struct asked *a)
{
	return a->but || a->other != NONE || a->op == EXPR_CHANGED ||
	       (is_order(a->op) && is_text(a));
}

static enum rarity rarity_of(const struct asked *a)
{
	if (only_lazy(a))
		return ALMOST_ALWAYS;
	if (a->op == EXPR_EXISTS || a->op == EXPR_LEAF)
		return MOSTLY;
	if (is_order(a->op) || a->op == EXPR_RANGE || a->op == EXPR_FITS)
		return OFTEN;
	for (size_t i = 0; i < a->n; i++) {
		if (a->literals[i].kind != KIND_STRING && a->literals[i].kind != KIND_NUMBER)
			return OFTEN;
		if (a->literals[i].len == 0 && !is_equality(a->op))
			return MOSTLY;
	}
	return is_equality(a->op) ? RARE : SOME;
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

	if (s->asked && only_lazy(s->asked)) {
		struct asked there = {.op = s->asked->but ? EXPR_LEAF : EXPR_EXISTS,
				      .field = s->asked->field,
				      .other = NONE};

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

		known = !a || !only_lazy(a);
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

static void compile_conditions(struct compiling *c)
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

static struct lookup *lookup_of(struct compiling *c, uint32_t field)
{
	struct matcher *m = c->m;

	if (c->lookup_of[field] == NONE) {
		mem_room(m->lookups, m->nlookups, c->lookups_cap);
		c->lookup_of[field] = (uint32_t)m->nlookups;
		m->lookups[m->nlookups++] = (struct lookup){.field = field};
	}
	return &m->lookups[c->lookup_of[field]];
}

/* Until links are laid out, a number that stands for links is 1 + the head of a chain. */
static void add_link(struct compiling *c, uint32_t *chain, uint32_t link)
{
	mem_room(c->chains, c->nchains, c->chains_cap);
	c->chains[c->nchains] = (struct chain){link, *chain};
	*chain = (uint32_t)++c->nchains;
}

static void add_key(struct compiling *c, struct lookup *l, enum key_class class, const char *text,
		    size_t len, uint32_t link)
{
	struct key *k = keytable_put(&c->m->keys, KEY_PLACE(l->field, class), text, len, 0);

	if (k->value == 0 && class != KEY_TEXT && class != KEY_FOLDED && class != KEY_NUMBER) {
		uint32_t length = class == KEY_ADDRESS ? (uint32_t)(unsigned char)text[0] << 8 |
								 (unsigned char)text[1]
						       : (uint32_t)len;

		mem_room(c->lengths, c->nlengths, c->lengths_cap);
		c->lengths[c->nlengths++] = (struct length_of){KEY_PLACE(l->field, class), length};
	}
	add_link(c, &k->value, link);
	l->classes |= (uint16_t)(1U << class);
	l->numbers |= class == KEY_NUMBER;
	l->plural = true;
}

static void add_backwards(struct compiling *c, struct lookup *l, enum key_class class,
			  const char *text, size_t len, uint32_t link)
{
	buf_cut(&c->reversed, 0);
	for (size_t i = len; i > 0; i--)
		buf_char(&c->reversed, text[i - 1]);
	add_key(c, l, class, buf_text(&c->reversed), len, link);
}

/* Any string may be it. */
static void add_any_string(struct compiling *c, struct lookup *l, uint32_t link)
{
	l->plural = true;
	add_link(c, &l->string, link);
}

static void add_number(struct compiling *c, struct lookup *l, const struct literal *v,
		       uint32_t link)
{
	double number = json_number_double(v->text, v->len);

	number = number == 0 ? 0 : number; /* without its sign */
	if (v->len > FEW_DIGITS || isinf(number))
		link |= LINK_CHECK;
	add_key(c, l, KEY_NUMBER, (const char *)&number, sizeof number, link);
}

static void add_interval(struct compiling *c, struct lookup *l, const struct asked *a,
			 uint32_t signal)
{
	struct interval i = {-INFINITY, INFINITY, 0, signal};
	const struct literal *low = a->literals, *high = &a->literals[a->n - 1];

	if (a->op == EXPR_GT || a->op == EXPR_GE || a->op == EXPR_RANGE)
		i.low = json_number_double(low->text, low->len);
	if (a->op == EXPR_LT || a->op == EXPR_LE || a->op == EXPR_RANGE)
		i.high = json_number_double(high->text, high->len);
	mem_room(c->intervals, c->nintervals, c->intervals_cap);
	c->intervals[c->nintervals++] = (struct interval_of){(uint32_t)(l - c->m->lookups), i};
	l->numbers = l->plural = true;
}

static void add_folded(struct compiling *c, struct lookup *l, enum expr_op op,
		       const struct literal *v, uint32_t link)
{
	bool ascii = true;

	for (size_t i = 0; i < v->len; i++)
		ascii = ascii && (signed char)v->text[i] >= 0;
	link |= ascii ? 0 : LINK_CHECK;
	buf_cut(&c->scratch, 0);
	if (!ignorecase_fold_pattern(v->text, v->len, &c->scratch))
		add_any_string(c, l, link | LINK_CHECK);
	else if (op == EXPR_IEQ)
		add_key(c, l, KEY_FOLDED, buf_text(&c->scratch), c->scratch.len, link);
	else if (op == EXPR_ISTARTS)
		add_key(c, l, KEY_FOLDED_PREFIX, buf_text(&c->scratch), c->scratch.len, link);
	else
		add_backwards(c, l, KEY_FOLDED_SUFFIX, buf_text(&c->scratch), c->scratch.len, link);
}

static void add_gram(struct compiling *c, struct lookup *l, const char *text, size_t len,
		     uint32_t link)
{
	size_t n = len > GRAM_MOST ? GRAM_MOST : len > 4 && len < GRAM_MOST ? 4 : len;

	add_key(c, l, KEY_GRAM, text, n, n == len ? link : link | LINK_CHECK);
}

/* Looked up by its longest piece of text; what that finds is checked unless it is all. */
static void add_wildcard(struct compiling *c, struct lookup *l, const struct literal *v,
			 uint32_t link)
{
	struct wildcard w;
	size_t best = 0, longest;
	bool whole = true;

	wildcard_parse(v->text, v->len, &w, NULL);
	for (size_t i = 1; i < w.n; i++) {
		bool last = i + 1 == w.n, more = w.runs[i].len > w.runs[best].len;

		if (more || (last && best != 0 && w.runs[i].len == w.runs[best].len))
			best = i;
	}
	longest = w.runs[best].len;
	for (size_t i = 0; i < w.n; i++)
		whole = whole && (i == best || w.runs[i].len == 0);
	link |= whole ? 0 : LINK_CHECK;
	if (w.n == 1)
		add_key(c, l, KEY_TEXT, w.text, longest, link);
	else if (longest == 0)
		add_any_string(c, l, link);
	else if (best == 0)
		add_key(c, l, KEY_PREFIX, w.text, longest, link);
	else if (best + 1 == w.n)
		add_backwards(c, l, KEY_SUFFIX, w.text + w.runs[best].at, longest, link);
	else
		add_gram(c, l, w.text + w.runs[best].at, longest, link);
	wildcard_free(&w);
}

static void add_network(struct compiling *c, struct lookup *l, const struct literal *v,
			uint32_t link)
{
	struct network n;
	char key[2 + sizeof n.address];

	network_parse(v->text, v->len, &n, NULL);
	add_key(c, l, KEY_ADDRESS, key, network_key(&n, n.bits, key), link);
}

static void add_equal(struct compiling *c, struct lookup *l, const struct literal *v, uint32_t link)
{
	switch (v->kind) {
	case KIND_STRING: add_key(c, l, KEY_TEXT, v->text, v->len, link); return;
	case KIND_NUMBER: add_number(c, l, v, link); return;
	case KIND_NULL: add_link(c, &l->null, link); break;
	case KIND_TRUE: add_link(c, &l->yes, link); break;
	default: add_link(c, &l->no, link); break;
	}
	l->plural = true;
}

static void add_literal(struct compiling *c, struct lookup *l, enum expr_op op,
			const struct literal *v, uint32_t link)
{
	switch (op) {
	case EXPR_STARTS:
	case EXPR_ENDS:
	case EXPR_CONTAINS:
		if (v->len == 0)
			add_any_string(c, l, link);
		else if (op == EXPR_STARTS)
			add_key(c, l, KEY_PREFIX, v->text, v->len, link);
		else if (op == EXPR_ENDS)
			add_backwards(c, l, KEY_SUFFIX, v->text, v->len, link);
		else
			add_gram(c, l, v->text, v->len, link);
		return;
	case EXPR_IEQ:
	case EXPR_ISTARTS:
	case EXPR_IENDS: add_folded(c, l, op, v, link); return;
	case EXPR_LIKE: add_wildcard(c, l, v, link); return;
	case EXPR_WITHIN: add_network(c, l, v, link); return;
	case EXPR_MATCHES:
	case EXPR_FITS: add_any_string(c, l, link | LINK_CHECK); return;
	default: add_equal(c, l, v, link);
	}
}

static void add_eager(struct compiling *c, uint32_t signal)
{
	const struct asked *a = c->d->signals[signal].asked;
	struct lookup *l = lookup_of(c, a->field);
	uint32_t link = LINK(signal);

	if (a->op == EXPR_EXISTS) {
		add_link(c, &l->there, link);
	} else if (a->op == EXPR_LEAF) {
		add_link(c, &l->leaf, link);
		l->plural = true;
	} else if (is_order(a->op) || a->op == EXPR_RANGE) {
		add_interval(c, l, a, signal);
	} else {
		for (size_t i = 0; i < a->n; i++)
			add_literal(c, l, a->op, &a->literals[i], link);
	}
}

static uint32_t keep_values(struct compiling *c, uint32_t field)
{
	struct lookup *l = lookup_of(c, field);

	if (!l->keep)
		l->kept = (uint32_t)c->m->nkept++;
	l->keep = l->plural = true;
	return (uint32_t)(l - c->m->lookups);
}

static struct operand *operands_of(struct compiling *c, const struct asked *a)
{
	static const int kinds[] = {
		[KIND_STRING] = VALUE_STRING, [KIND_NUMBER] = VALUE_NUMBER,
		[KIND_TRUE] = VALUE_TRUE,     [KIND_FALSE] = VALUE_FALSE,
		[KIND_NULL] = VALUE_NULL,
	};
	struct operand *operands = arena_take(&c->m->arena, a->n * sizeof *operands);

	for (size_t i = 0; i < a->n; i++) {
		const struct literal *v = &a->literals[i];
		struct expr_value value = {.text = arena_text(&c->m->arena, v->text, v->len),
					   .len = v->len};

		memcpy(&value.kind, &kinds[v->kind], sizeof value.kind);
		operand_of_literal(&value, a->op, &operands[i]);
	}
	return operands;
}

static void add_test(struct compiling *c, uint32_t signal, bool lazy)
{
	const struct asked *a = c->d->signals[signal].asked;
	struct matcher *m = c->m;
	struct test t = {.op = a->op,
			 .but = a->but,
			 .above = a->above,
			 .below = a->below,
			 .lazy = lazy,
			 .lookup = NONE,
			 .other = NONE,
			 .n = a->n};

	if (lazy && a->field != NONE)
		t.lookup = keep_values(c, a->field);
	if (a->other != NONE)
		t.other = keep_values(c, a->other);
	t.operands = operands_of(c, a);
	if (a->change) {
		t.change = arena_take(&m->arena, sizeof *t.change);
		t.change->now = expr_path(&m->arena, &a->change->now);
		t.change->before = expr_path(&m->arena, &a->change->before);
	}
	mem_room(m->tests, m->ntests, c->tests_cap);
	c->tests[signal] = (uint32_t)m->ntests;
	m->tests[m->ntests++] = t;
}

/* Strings, true, false and null cost next to nothing to find. */
static bool cheap(const struct asked *a)
{
	bool plain = is_equality(a->op) || a->op == EXPR_EXISTS || a->op == EXPR_LEAF;

	for (size_t i = 0; i < a->n; i++)
		plain = plain && a->literals[i].kind != KIND_NUMBER;
	return plain && !only_lazy(a);
}

static bool has_numbers(const struct asked *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->literals[i].kind == KIND_NUMBER)
			return true;
	}
	return false;
}

static void compile_signals(struct compiling *c)
{
	struct matcher_draft *d = c->d;

	c->m->nsignals = d->nsignals;
	c->tests = mem_grow(NULL, d->nsignals, sizeof *c->tests);
	memset(c->tests, 0xff, d->nsignals * sizeof *c->tests);
	keytable_reserve(&c->m->keys, d->nsignals);
	for (uint32_t s = 0; s < d->nsignals; s++) {
		const struct asked *a = d->signals[s].asked;
		size_t before = c->nchains;
		bool check = false;

		if (!a)
			continue;
		if (!d->signals[s].eager && !cheap(a)) {
			add_test(c, s, true);
			continue;
		}
		add_eager(c, s);
		for (size_t i = before; i < c->nchains; i++)
			check = check || c->chains[i].link & LINK_CHECK;
		if (check || has_numbers(a))
			add_test(c, s, false);
	}
}

static void lay_out_links(struct compiling *c, uint32_t *number)
{
	uint32_t head = *number, n = 0;

	if (!head) {
		*number = NONE;
		return;
	}
	if (!c->chains[head - 1].next) {
		*number = c->chains[head - 1].link;
		return;
	}
	*number = (uint32_t)c->code.n | LINKS_MANY;
	words_add(&c->code, 0);
	for (; head; head = c->chains[head - 1].next, n++)
		words_add(&c->code, c->chains[head - 1].link);
	c->code.list[c->code.n - n - 1] = n;
}

static void compile_links(struct compiling *c)
{
	struct matcher *m = c->m;

	c->code = (struct words){0};
	for (size_t i = 0; i < m->nlookups; i++) {
		struct lookup *l = &m->lookups[i];

		lay_out_links(c, &l->there);
		lay_out_links(c, &l->leaf);
		lay_out_links(c, &l->string);
		lay_out_links(c, &l->null);
		lay_out_links(c, &l->yes);
		lay_out_links(c, &l->no);
	}
	for (size_t k = 0; k < m->keys.n; k++)
		lay_out_links(c, &m->keys.keys[k].value);
	m->links = mem_grow(c->code.list, c->code.n, sizeof *m->links);
	m->bytes += c->code.n * sizeof *m->links;
}

static int by_length(const void *a, const void *b)
{
	const struct length_of *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->length > y->length) - (x->length < y->length);
}

static void compile_lengths(struct compiling *c)
{
	struct matcher *m = c->m;
	size_t n = 0;

	if (c->nlengths)
		qsort(c->lengths, c->nlengths, sizeof *c->lengths, by_length);
	m->lengths = mem_grow(NULL, c->nlengths, sizeof *m->lengths);
	for (size_t i = 0; i < c->nlengths; i++) {
		uint32_t place = c->lengths[i].place;
		struct span *s =
			&m->lookups[c->lookup_of[place / KEY_CLASSES]].lengths[place % KEY_CLASSES];

		if (i && by_length(&c->lengths[i - 1], &c->lengths[i]) == 0)
			continue;
		if (s->n == 0)
			s->first = (uint32_t)n;
		s->n++;
		m->lengths[n++] = c->lengths[i].length;
	}
	m->lengths = mem_grow(m->lengths, n, sizeof *m->lengths);
	m->bytes += n * sizeof *m->lengths;
}

static int by_lookup(const void *a, const void *b)
{
	const struct interval_of *x = a, *y = b;

	return (x->lookup > y->lookup) - (x->lookup < y->lookup);
}

static void compile_intervals(struct compiling *c)
{
	struct matcher *m = c->m;

	if (c->nintervals)
		qsort(c->intervals, c->nintervals, sizeof *c->intervals, by_lookup);
	m->intervals = mem_grow(NULL, c->nintervals, sizeof *m->intervals);
	for (size_t i = 0; i < c->nintervals; i++) {
		struct span *s = &m->lookups[c->intervals[i].lookup].intervals;

		if (s->n++ == 0)
			s->first = (uint32_t)i;
		m->intervals[i] = c->intervals[i].interval;
	}
	for (size_t i = 0; i < m->nlookups; i++)
		intervals_sort(m->intervals + m->lookups[i].intervals.first,
			       m->lookups[i].intervals.n);
	m->bytes += c->nintervals * sizeof *m->intervals;
}

static void compile_watchers(struct compiling *c)
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

struct place_of_child { /* so that the children of a field come together */
	uint32_t parent, field;
};

static int by_parent(const void *a, const void *b)
{
	const struct place_of_child *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return (x->field > y->field) - (x->field < y->field);
}

/* A name that has no plain field yet: one that stands for it, with nothing behind it. */
static struct child *add_child(struct compiling *c, struct field *parent, const char *name,
			       size_t len)
{
	struct matcher *m = c->m;
	struct child *child = &m->children[parent->children.first + parent->children.n++];

	*child = (struct child){.head = name_head(name, len),
				.len = (uint32_t)len,
				.field = NONE,
				.twin = NONE,
				.name = arena_text(&m->arena, name, len)};
	return child;
}

static struct child *find_child(struct compiling *c, const struct field *parent, const char *name,
				size_t len)
{
	for (size_t i = 0; i < parent->children.n; i++) {
		struct child *child = &c->m->children[parent->children.first + i];

		if (child->len == len && memcmp(child->name, name, len) == 0)
			return child;
	}
	return NULL;
}

static void hash_children(struct compiling *c, struct field *f, struct words *slots)
{
	struct matcher *m = c->m;
	uint32_t size = 1;

	f->slots = NONE;
	if (f->children.n <= FEW_NAMES)
		return;
	while (size < 2 * f->children.n)
		size *= 2;
	f->slots = (uint32_t)slots->n;
	f->slot_mask = size - 1;
	for (uint32_t i = 0; i < size; i++)
		words_add(slots, 0);
	for (uint32_t i = 0; i < f->children.n; i++) {
		const struct child *child = &m->children[f->children.first + i];
		uint32_t at = name_slot(child->head, child->len) & f->slot_mask;

		while (slots->list[f->slots + at])
			at = (at + 1) & f->slot_mask;
		slots->list[f->slots + at] = f->children.first + i + 1;
	}
}

/* Elements, and their number, are children of their own kind; an object may have members
 * that are called so. */
static void add_special(struct compiling *c, struct field *parent, uint32_t number, size_t *n)
{
	const struct draft_field *f = &c->d->fields[number];
	struct child *child = find_child(c, parent, f->name, f->len);

	if (parent->specials.n++ == 0)
		parent->specials.first = (uint32_t)*n;
	c->m->specials[(*n)++] = (struct special){f->index, number};
	if (!child)
		child = add_child(c, parent, f->name, f->len);
	child->twin = number;
}

static void compile_fields(struct compiling *c)
{
	struct matcher *m = c->m;
	size_t n = c->d->nfields, specials = 0, children = 0;
	struct place_of_child *order = mem_grow(NULL, n, sizeof *order);
	struct words slots = {0};

	m->nfields = n;
	m->fields = mem_zero(n * sizeof *m->fields);
	m->children = mem_grow(NULL, n, sizeof *m->children);
	m->specials = mem_grow(NULL, n, sizeof *m->specials);
	for (uint32_t i = 0; i < n; i++) {
		order[i] = (struct place_of_child){c->d->fields[i].parent, i};
		m->fields[i].scope = c->d->fields[i].scope;
		m->fields[i].lookup = c->lookup_of[i];
	}
	qsort(order, n, sizeof *order, by_parent);
	for (size_t i = 0, end; i < n && order[i].parent != NONE; i = end) {
		struct field *parent = &m->fields[order[i].parent];

		parent->children.first = (uint32_t)children;
		for (end = i; end < n && order[end].parent == order[i].parent; end++) {
			const struct draft_field *f = &c->d->fields[order[end].field];

			if (f->index == -1)
				add_child(c, parent, f->name, f->len)->field = order[end].field;
		}
		for (size_t k = i; k < end; k++) {
			if (c->d->fields[order[k].field].index != -1)
				add_special(c, parent, order[k].field, &specials);
		}
		children += parent->children.n;
	}
	for (size_t i = 0; i < n; i++)
		hash_children(c, &m->fields[i], &slots);
	for (unsigned i = TOP_DATA + 1; i < TOPS; i++) {
		if (m->fields[i].lookup != NONE || m->fields[i].scope != NONE)
			m->attributes |= 1U << i;
	}
	m->slots = slots.list;
	m->bytes += n * (sizeof *m->fields + sizeof *m->children + sizeof *m->specials) +
		    slots.n * sizeof *m->slots;
	free(order);
}

static void count_bytes(struct matcher *m, const struct compiling *c)
{
	m->bytes += sizeof *m + m->arena.bytes + m->nlookups * sizeof *m->lookups +
		    keytable_bytes(&m->keys) + m->ntests * sizeof *m->tests +
		    m->nconditions * sizeof *m->conditions + m->nscopes * sizeof *m->always +
		    c->constants.n * sizeof *m->constants;
}

struct matcher *matcher_compile(struct matcher_draft *d)
{
	static atomic_uint_fast64_t serials;
	struct compiling c = {.d = d, .m = mem_new(struct matcher)};

	c.m->serial = atomic_fetch_add(&serials, 1) + 1;
	c.m->nrules = d->nrules;
	c.lookup_of = mem_grow(NULL, d->nfields, sizeof *c.lookup_of);
	memset(c.lookup_of, 0xff, d->nfields * sizeof *c.lookup_of);
	compile_conditions(&c);
	c.m->bytes = c.code.n * sizeof *c.m->code;
	compile_signals(&c);
	compile_links(&c);
	compile_lengths(&c);
	compile_intervals(&c);
	compile_watchers(&c);
	compile_fields(&c);
	keytable_trim(&c.m->keys);
	count_bytes(c.m, &c);
	draft_free(d);
	free(c.watches);
	free(c.chains);
	free(c.intervals);
	free(c.lengths);
	free(c.tests);
	free(c.lookup_of);
	buf_free(&c.scratch);
	buf_free(&c.reversed);
	return c.m;
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->ntests; i++) {
		for (size_t k = 0; k < m->tests[i].n; k++)
			operand_free(&m->tests[i].operands[k]);
	}
	arena_free(&m->arena);
	keytable_free(&m->keys);
	free(m->fields);
	free(m->children);
	free(m->specials);
	free(m->slots);
	free(m->lookups);
	free(m->lengths);
	free(m->links);
	free(m->intervals);
	free(m->signals);
	free(m->watchers);
	free(m->tests);
	free(m->conditions);
	free(m->code);
	free(m->always);
	free(m->constants);
	free(m);
}

size_t matcher_rules(const struct matcher *m)
{
	return m->nrules;
}

size_t matcher_bytes(const struct matcher *m)
{
	return m->bytes;
}
