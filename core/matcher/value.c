/* What a value raises: the signals that the index of its field finds. */
#include "base/mem.h"
#include "matcher/walk.h"
#include "rules/ignorecase.h"

static void notice(struct walk *w, uint32_t condition, uint32_t element)
{
	const struct condition *c = &w->m->conditions[condition];
	struct matching_memory *memory = w->memory;

	if (c->code == NONE) {
		meet(w, c);
	} else if (memory->noticed[condition] != element) {
		memory->noticed[condition] = element;
		memory->next[condition] = memory->heads[c->scope];
		memory->heads[c->scope] = condition;
	}
}

void raise_signal(struct walk *w, uint32_t signal)
{
	const struct signal *s = &w->m->signals[signal];
	uint32_t element = w->memory->elements[s->home];

	if (w->memory->stamps[signal] == element)
		return;
	w->memory->stamps[signal] = element;
	for (uint32_t i = s->watch; i < s[1].watch; i++)
		notice(w, w->m->watchers[i], element);
}

static bool any_literal(struct walk *w, const struct test *t, const struct operand *left)
{
	for (size_t i = 0; i < t->n; i++) {
		if (operand_compare(left, t->op, &t->operands[i], &w->memory->iregexp) ==
		    OUTCOME_TRUE)
			return true;
	}
	return false;
}

static bool in_range(const struct test *t, const struct operand *left)
{
	return operand_compare(left, t->above ? EXPR_GT : EXPR_GE, &t->operands[0], NULL) ==
		       OUTCOME_TRUE &&
	       operand_compare(left, t->below ? EXPR_LT : EXPR_LE, &t->operands[1], NULL) ==
		       OUTCOME_TRUE;
}

bool test_holds(struct walk *w, const struct test *t, const struct operand *left)
{
	if (t->but && left->kind == KIND_OBJECT)
		return false;
	return (t->op == EXPR_RANGE ? in_range(t, left) : any_literal(w, t, left)) != t->but;
}

static void follow_link(struct walk *w, uint32_t link, const struct operand *left, bool check)
{
	uint32_t signal = LINKED(link);

	if (is_raised(w, signal))
		return;
	if ((check || link & LINK_CHECK) &&
	    !test_holds(w, &w->m->tests[w->m->signals[signal].test], left))
		return;
	raise_signal(w, signal);
}

void follow_links(struct walk *w, uint32_t links, const struct operand *left, bool check)
{
	const uint32_t *list;

	if (!(links & LINKS_MANY)) {
		follow_link(w, links, left, check);
		return;
	}
	list = w->m->links + (links & ~LINKS_MANY);
	for (uint32_t i = 1; i <= list[0]; i++)
		follow_link(w, list[i], left, check);
}

static bool has_class(const struct lookup *l, enum key_class class)
{
	return l->classes >> class & 1;
}

static void find_whole(struct walk *w, const struct lookup *l, enum key_class class,
		       const char *text, size_t len, const struct operand *left, bool check)
{
	uint32_t place = KEY_PLACE(l->field, class);
	const struct key *k =
		keytable_find(&w->m->keys, key_hash(place, text, len), place, text, len);

	if (k)
		follow(w, k->value, left, check);
}

/* Keys that are a beginning of the text: for each length there is, one look. */
static void find_beginnings(struct walk *w, const struct lookup *l, enum key_class class,
			    const char *text, size_t len, const struct operand *left)
{
	const struct span *span = &l->lengths[class];
	uint32_t place = KEY_PLACE(l->field, class);
	uint64_t hash = key_seed(place);
	size_t hashed = 0;

	for (uint32_t i = 0; i < span->n; i++) {
		size_t n = w->m->lengths[span->first + i];
		const struct key *k;

		if (n > len)
			return;
		for (; hashed + 8 <= n; hashed += 8)
			hash = key_word(hash, text + hashed);
		k = keytable_find(&w->m->keys, key_end(hash, text + hashed, n), place, text, n);
		if (k)
			follow(w, k->value, left, false);
	}
}

static void find_grams(struct walk *w, const struct lookup *l, const char *text, size_t len,
		       const struct operand *left)
{
	const struct span *span = &l->lengths[KEY_GRAM];
	uint32_t place = KEY_PLACE(l->field, KEY_GRAM);

	for (uint32_t i = 0; i < span->n; i++) {
		size_t n = w->m->lengths[span->first + i];

		for (size_t at = 0; at + n <= len; at++) {
			const struct key *k = keytable_find(
				&w->m->keys, key_hash(place, text + at, n), place, text + at, n);

			if (k)
				follow(w, k->value, left, false);
		}
	}
}

/* The end of a text, as long as the longest key, backwards. */
static const char *backwards(struct walk *w, const struct span *lengths, const char *text,
			     size_t len, size_t *n)
{
	struct buf *b = &w->memory->backwards;
	size_t longest = w->m->lengths[lengths->first + lengths->n - 1];

	*n = len < longest ? len : longest;
	buf_cut(b, 0);
	for (size_t i = 0; i < *n; i++)
		buf_char(b, text[len - 1 - i]);
	return buf_text(b);
}

static void find_endings(struct walk *w, const struct lookup *l, enum key_class class,
			 const char *text, size_t len, const struct operand *left)
{
	size_t n;
	const char *reversed = backwards(w, &l->lengths[class], text, len, &n);

	find_beginnings(w, l, class, reversed, n, left);
}

static void find_folded(struct walk *w, const struct lookup *l, const struct operand *left)
{
	struct buf *b = &w->memory->folded;

	buf_cut(b, 0);
	ignorecase_fold(left->text, left->len, b);
	if (has_class(l, KEY_FOLDED))
		find_whole(w, l, KEY_FOLDED, buf_text(b), b->len, left, false);
	if (has_class(l, KEY_FOLDED_PREFIX))
		find_beginnings(w, l, KEY_FOLDED_PREFIX, buf_text(b), b->len, left);
	if (has_class(l, KEY_FOLDED_SUFFIX))
		find_endings(w, l, KEY_FOLDED_SUFFIX, buf_text(b), b->len, left);
}

static void find_networks(struct walk *w, const struct lookup *l, const struct operand *left)
{
	const struct span *span = &l->lengths[KEY_ADDRESS];
	struct network address = {0};
	char key[2 + sizeof address.address];

	if (!network_address(left->text, left->len, &address))
		return;
	for (uint32_t i = 0; i < span->n; i++) {
		uint32_t length = w->m->lengths[span->first + i];
		size_t n;

		if ((int)(length >> 8) != address.family)
			continue;
		n = network_key(&address, length & 0xff, key);
		find_whole(w, l, KEY_ADDRESS, key, n, left, false);
	}
}

static void find_regexes(struct walk *w, const struct lookup *l, const struct operand *left)
{
	const uint32_t *signals;
	size_t n = regexset_match(w->m->regexsets[l->regexes], &w->memory->regexes[l->regexes],
				  left->text, left->len, &signals);

	for (size_t i = 0; i < n; i++)
		raise_signal(w, signals[i]);
}

#define BIT(class)  (1U << (class))
#define ALL_FOLDED  (BIT(KEY_FOLDED) | BIT(KEY_FOLDED_PREFIX) | BIT(KEY_FOLDED_SUFFIX))
#define BUT_TEXT(c) ((c) & ~(BIT(KEY_TEXT) | BIT(KEY_NUMBER)))

static void see_string(struct walk *w, const struct lookup *l, const struct operand *left)
{
	if (has_class(l, KEY_TEXT))
		find_whole(w, l, KEY_TEXT, left->text, left->len, left, false);
	follow(w, l->string, left, false);
	if (l->regexes != NONE)
		find_regexes(w, l, left);
	if (!BUT_TEXT(l->classes))
		return;
	if (has_class(l, KEY_PREFIX))
		find_beginnings(w, l, KEY_PREFIX, left->text, left->len, left);
	if (has_class(l, KEY_SUFFIX))
		find_endings(w, l, KEY_SUFFIX, left->text, left->len, left);
	if (has_class(l, KEY_GRAM))
		find_grams(w, l, left->text, left->len, left);
	if (l->classes & ALL_FOLDED)
		find_folded(w, l, left);
	if (has_class(l, KEY_ADDRESS))
		find_networks(w, l, left);
}

struct in_interval {
	struct walk *walk;
	const struct operand *left;
};

static void on_interval(uint32_t signal, bool inside, void *arg)
{
	struct in_interval *in = arg;

	follow_link(in->walk, LINK(signal), in->left, !inside);
}

static void see_number(struct walk *w, const struct lookup *l, const struct operand *left)
{
	struct in_interval in = {w, left};
	double number;
	bool check;

	if (!l->numbers)
		return;
	number = number_key(left->text, left->len, &check);
	if (has_class(l, KEY_NUMBER))
		find_whole(w, l, KEY_NUMBER, (const char *)&number, sizeof number, left, check);
	if (l->intervals.n)
		intervals_find(w->m->intervals + l->intervals.first, l->intervals.n, number,
			       on_interval, &in);
}

static void look_up(struct walk *w, const struct lookup *l, const struct operand *left)
{
	switch (left->kind) {
	case KIND_STRING: see_string(w, l, left); break;
	case KIND_NUMBER: see_number(w, l, left); break;
	case KIND_NULL: follow(w, l->null, left, false); break;
	case KIND_TRUE: follow(w, l->yes, left, false); break;
	case KIND_FALSE: follow(w, l->no, left, false); break;
	default: break;
	}
}

/* What a value must not be is found anew for each value. */
void see_leaf(struct walk *w, const struct lookup *l, const struct operand *left)
{
	const struct but *buts = &w->m->buts[l->buts.first];

	follow(w, l->leaf, left, false);
	for (uint32_t i = 0; i < l->buts.n; i++)
		w->memory->stamps[buts[i].plain] = 0;
	look_up(w, l, left);
	for (uint32_t i = 0; i < l->buts.n; i++) {
		if (!is_raised(w, buts[i].plain))
			raise_signal(w, buts[i].signal);
	}
}
