/* The index of each field: everything that is compared with its values. */
#include "base/mem.h"
#include "matcher/draft.h"
#include "rules/ignorecase.h"
#include "json/find.h"

#include <math.h>
#include <stdlib.h>

#define GRAM_MOST  8
#define FEW_VALUES 8 /* that a value is compared with one by one; more are looked up */

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
	bool check;
	double number = number_key(v->text, v->len, &check);

	link |= check ? LINK_CHECK : 0;
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

/* All of a field are asked at once; one that is too much for that, by itself. */
static void add_regex(struct compiling *c, struct lookup *l, const struct literal *v, uint32_t link)
{
	size_t lookup = (size_t)(l - c->m->lookups);
	struct iregexp *re = iregexp_compile(v->text, v->len, NULL, NULL);

	for (; c->nregexes <= lookup; c->nregexes++) {
		c->regexes = mem_grow(c->regexes, c->nregexes + 1, sizeof(*c->regexes));
		c->regexes[c->nregexes] = NULL;
	}
	if (!c->regexes[lookup])
		c->regexes[lookup] = regexset_draft();
	if (!regexset_add(c->regexes[lookup], re, LINKED(link)))
		add_any_string(c, l, link | LINK_CHECK);
	iregexp_free(re);
	l->plural = true;
}

/* A type with stars: what stands before the first. */
static void add_type(struct compiling *c, struct lookup *l, const struct literal *v, uint32_t link)
{
	size_t len = strcspn(v->text, "*");

	if (len)
		add_key(c, l, KEY_PREFIX, v->text, len, link | LINK_CHECK);
	else
		add_any_string(c, l, link | LINK_CHECK);
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
	case EXPR_MATCHES: add_regex(c, l, v, link); return;
	case EXPR_FITS: add_type(c, l, v, link); return;
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE: add_any_string(c, l, link | LINK_CHECK); return;
	default: add_equal(c, l, v, link);
	}
}

static void add_eager(struct compiling *c, uint32_t signal)
{
	const struct asked *a = c->d->signals[signal].asked;
	struct lookup *l = lookup_of(c, a->field);
	uint32_t link = LINK(signal);

	if (a->but)
		return; /* its plain form is looked up */
	if (a->op == EXPR_EXISTS) {
		add_link(c, &l->there, link);
	} else if (a->op == EXPR_LEAF) {
		add_link(c, &l->leaf, link);
		l->plural = true;
	} else if (a->op == EXPR_RANGE || (asks_order(a) && !asks_text(a))) {
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
	bool plain = asks_equality(a) || a->op == EXPR_EXISTS || a->op == EXPR_LEAF;

	for (size_t i = 0; i < a->n; i++)
		plain = plain && a->literals[i].kind != KIND_NUMBER;
	return plain && !asks_lazily(a) && !a->but;
}

static bool is_eager(const struct compiling *c, uint32_t signal)
{
	const struct draft_signal *s = &c->d->signals[signal];

	return s->eager || cheap(s->asked) || (s->asked->n > FEW_VALUES && !asks_lazily(s->asked));
}

static void add_buts(struct compiling *c)
{
	struct matcher_draft *d = c->d;
	size_t n = d->nsignals;

	for (uint32_t s = 0; s < n; s++) {
		struct asked plain;
		struct but_of b = {.but = {.signal = s}};

		if (!d->signals[s].asked || !d->signals[s].asked->but || !is_eager(c, s))
			continue;
		plain = *d->signals[s].asked;
		plain.but = false;
		b.field = plain.field;
		b.but.plain = draft_own_signal(d, d->signals[s].home, &plain);
		d->signals[b.but.plain].eager = true;
		mem_room(c->buts, c->nbuts, c->buts_cap);
		c->buts[c->nbuts++] = b;
	}
}

static int by_field(const void *a, const void *b)
{
	const struct but_of *x = a, *y = b;

	return (x->field > y->field) - (x->field < y->field);
}

static void compile_buts(struct compiling *c)
{
	struct matcher *m = c->m;

	if (c->nbuts)
		qsort(c->buts, c->nbuts, sizeof *c->buts, by_field);
	m->buts = mem_grow(NULL, c->nbuts, sizeof *m->buts);
	for (size_t i = 0; i < c->nbuts; i++) {
		struct lookup *l = lookup_of(c, c->buts[i].field);

		if (l->buts.n++ == 0)
			l->buts.first = (uint32_t)i;
		l->plural = true;
		m->buts[i] = c->buts[i].but;
	}
	m->bytes += c->nbuts * sizeof *m->buts;
}

static void compile_regexes(struct compiling *c)
{
	struct matcher *m = c->m;

	m->regexsets = mem_grow(NULL, c->nregexes, sizeof(*m->regexsets));
	for (size_t i = 0; i < m->nlookups; i++) {
		m->lookups[i].regexes = NONE;
		if (i >= c->nregexes || !c->regexes[i])
			continue;
		m->lookups[i].regexes = (uint32_t)m->nregexsets;
		m->regexsets[m->nregexsets++] = regexset_build(c->regexes[i]);
		m->bytes += regexset_bytes(m->regexsets[m->nregexsets - 1]);
	}
	free(c->regexes);
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

	add_buts(c);
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
		if (!is_eager(c, s)) {
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
	*number = (uint32_t)c->links.n | LINKS_MANY;
	words_add(&c->links, 0);
	for (; head; head = c->chains[head - 1].next, n++)
		words_add(&c->links, c->chains[head - 1].link);
	c->links.list[c->links.n - n - 1] = n;
}

static void compile_links(struct compiling *c)
{
	struct matcher *m = c->m;

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
	m->links = mem_grow(c->links.list, c->links.n, sizeof *m->links);
	m->bytes += c->links.n * sizeof *m->links;
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

void compile_index(struct compiling *c)
{
	compile_signals(c);
	compile_buts(c);
	compile_regexes(c);
	compile_links(c);
	compile_lengths(c);
	compile_intervals(c);
}
