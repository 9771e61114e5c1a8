/* The walk over an event, and what it decides. */
#include "rules/matcher.h"

#include "base/mem.h"
#include "rules/ignorecase.h"
#include "rules/judge.h"
#include "rules/matcher_inside.h"
#include "json/escape.h"
#include "json/skip.h"

#include <math.h>
#include <stdlib.h>

#define FEW_DIGITS 15   /* numbers of so many are told apart by their doubles */
#define KEEP_HERE  4096 /* a longer list of values is given back after the event */

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
	size_t nkept;
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

static void raise_signal(struct walk *w, uint32_t signal);

static void add_hit(struct walk *w, uint32_t rule)
{
	struct matching *out = w->out;

	mem_room(out->hits, out->nhits, w->memory->hits_cap);
	out->hits[out->nhits++] = rule;
}

static void meet(struct walk *w, const struct condition *c)
{
	if (c->scope == 0)
		add_hit(w, c->out);
	else
		raise_signal(w, c->out);
}

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

static bool is_raised(const struct walk *w, uint32_t signal)
{
	return w->memory->stamps[signal] == w->memory->elements[w->m->signals[signal].home];
}

static void raise_signal(struct walk *w, uint32_t signal)
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

/* Against what the test itself brings. */
static bool holds(struct walk *w, const struct test *t, const struct operand *left)
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
	    !holds(w, &w->m->tests[w->m->signals[signal].test], left))
		return;
	raise_signal(w, signal);
}

/* A number that stands for one link, several, or none. */
static void follow(struct walk *w, uint32_t links, const struct operand *left, bool check)
{
	const uint32_t *list;

	if (links == NONE)
		return;
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

#define BIT(class)  (1U << (class))
#define ALL_FOLDED  (BIT(KEY_FOLDED) | BIT(KEY_FOLDED_PREFIX) | BIT(KEY_FOLDED_SUFFIX))
#define BUT_TEXT(c) ((c) & ~(BIT(KEY_TEXT) | BIT(KEY_NUMBER)))

static void see_string(struct walk *w, const struct lookup *l, const struct operand *left)
{
	if (has_class(l, KEY_TEXT))
		find_whole(w, l, KEY_TEXT, left->text, left->len, left, false);
	follow(w, l->string, left, false);
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

	if (!l->numbers)
		return;
	number = json_number_double(left->text, left->len);
	number = number == 0 ? 0 : number; /* without its sign */
	if (has_class(l, KEY_NUMBER))
		find_whole(w, l, KEY_NUMBER, (const char *)&number, sizeof number, left,
			   left->len > FEW_DIGITS || isinf(number));
	if (l->intervals.n)
		intervals_find(w->m->intervals + l->intervals.first, l->intervals.n, number,
			       on_interval, &in);
}

static void see_leaf(struct walk *w, const struct lookup *l, const struct operand *left)
{
	follow(w, l->leaf, left, false);
	switch (left->kind) {
	case KIND_STRING: see_string(w, l, left); break;
	case KIND_NUMBER: see_number(w, l, left); break;
	case KIND_NULL: follow(w, l->null, left, false); break;
	case KIND_TRUE: follow(w, l->yes, left, false); break;
	case KIND_FALSE: follow(w, l->no, left, false); break;
	default: break;
	}
}

static void keep(struct walk *w, const struct lookup *l, struct json_value value, bool plain)
{
	struct kept *k = &w->memory->kept[l->kept];

	mem_room(k->list, k->n, k->cap);
	k->list[k->n++] = (struct kept_value){value, plain, w->memory->tick};
}

static void unescape(struct operand *o, struct buf *plain)
{
	buf_cut(plain, 0);
	json_string_plain(o->text, o->len, plain);
	o->text = buf_text(plain);
	o->len = plain->len;
}

static const char *see_text(struct walk *w, const struct lookup *l, const char *p)
{
	bool escaped;
	const char *close = skip_to_quote(p + 1, w->end, &escaped);
	struct operand left;

	if (!l)
		return close + 1;
	left.kind = KIND_STRING;
	left.value = NULL;
	left.text = p + 1;
	left.len = (size_t)(close - p) - 1;
	if (l->keep)
		keep(w, l, (struct json_value){KIND_STRING, p, left.len + 2, 0}, false);
	if (escaped)
		unescape(&left, &w->memory->plain);
	see_leaf(w, l, &left);
	return close + 1;
}

static enum json_kind kind_of(char c)
{
	switch (c) {
	case 't': return KIND_TRUE;
	case 'f': return KIND_FALSE;
	case 'n': return KIND_NULL;
	default: return KIND_NUMBER;
	}
}

static const char *see_bare(struct walk *w, const struct lookup *l, const char *p)
{
	const char *end = skip_bare(p, w->end);
	struct operand left;

	if (!l)
		return end;
	left.kind = kind_of(*p);
	left.value = NULL;
	left.text = p;
	left.len = (size_t)(end - p);
	if (l->keep)
		keep(w, l, (struct json_value){left.kind, p, left.len, 0}, false);
	see_leaf(w, l, &left);
	return end;
}

static void see_count(struct walk *w, const struct lookup *l, uint64_t count)
{
	struct json_value value = {.kind = KIND_COUNT, .number = count};
	struct operand left = {0};

	follow(w, l->there, NULL, false);
	if (l->keep)
		keep(w, l, value, false);
	operand_of_value(&value, NULL, &left);
	see_leaf(w, l, &left);
}

/* The first of the values kept for a lookup that belongs to the element. */
static const struct kept_value *first_kept(const struct kept *k, uint32_t element)
{
	size_t i = k->n;

	while (i > 0 && k->list[i - 1].tick >= element)
		i--;
	return k->list + i;
}

static void operand_of_kept(const struct kept_value *v, struct buf *plain, struct operand *out)
{
	if (v->plain)
		*out = (struct operand){
			.kind = KIND_STRING, .text = v->value.text, .len = v->value.len};
	else
		operand_of_value(&v->value, plain, out);
}

/* Against the values of the path on the right. */
static bool any_other(struct walk *w, const struct test *t, uint32_t element,
		      const struct operand *left, size_t *pairs)
{
	const struct kept *others = &w->memory->kept[w->m->lookups[t->other].kept];
	const struct kept_value *first = first_kept(others, element);
	const struct kept_value *end = others->list + others->n;

	for (const struct kept_value *v = first; v < end; v++) {
		struct operand right = {0};

		operand_of_kept(v, &w->memory->right, &right);
		if (operand_compare(left, t->op, &right, &w->memory->iregexp) == OUTCOME_TRUE)
			return true;
	}
	*pairs += (size_t)(end - first);
	return false;
}

static bool any_kept(struct walk *w, const struct test *t, uint32_t element)
{
	const struct kept *values = &w->memory->kept[w->m->lookups[t->lookup].kept];
	const struct kept_value *end = values->list + values->n;
	size_t pairs = 0;

	for (const struct kept_value *v = first_kept(values, element); v < end; v++) {
		struct operand left = {0};

		operand_of_kept(v, &w->memory->left, &left);
		if (t->other == NONE ? holds(w, t, &left) : any_other(w, t, element, &left, &pairs))
			return true;
		if (pairs > JUDGE_MAX_PAIRS)
			return false;
	}
	return false;
}

static bool ask(struct walk *w, uint32_t number, uint32_t element)
{
	const struct test *t = &w->m->tests[number];
	struct matching_memory *memory = w->memory;

	if (memory->asked[number] == element)
		return memory->answers[number];
	memory->asked[number] = element;
	memory->answers[number] =
		t->change ? change_of(t->change, w->ev, &memory->left) == CHANGED_YES
			  : any_kept(w, t, element);
	return memory->answers[number];
}

static bool is_true(struct walk *w, uint32_t signal)
{
	const struct signal *s = &w->m->signals[signal];

	if (s->test != NONE && w->m->tests[s->test].lazy)
		return ask(w, s->test, w->memory->elements[s->home]);
	return is_raised(w, signal);
}

static bool decide(struct walk *w, const uint32_t *code)
{
	const uint32_t *end = code + 1 + CODE_N(*code);
	bool either = CODE_OP(*code) == CODE_OR;

	if (CODE_OP(*code) == CODE_SIGNAL)
		return is_true(w, CODE_N(*code));
	if (CODE_OP(*code) == CODE_NOT)
		return !decide(w, code + 1);
	for (const uint32_t *p = code + 1; p < end;) {
		if (decide(w, p) == either)
			return either;
		p += CODE_OP(*p) == CODE_SIGNAL ? 1 : 1 + CODE_N(*p);
	}
	return !either;
}

static void enter(struct walk *w, uint32_t scope)
{
	w->memory->elements[scope] = ++w->memory->tick;
	w->memory->heads[scope] = NONE;
}

static void decide_condition(struct walk *w, uint32_t number)
{
	const struct condition *c = &w->m->conditions[number];

	if (decide(w, w->m->code + c->code))
		meet(w, c);
}

static void leave(struct walk *w, uint32_t scope)
{
	const struct span *always = &w->m->always[scope];

	for (uint32_t c = w->memory->heads[scope]; c != NONE; c = w->memory->next[c])
		decide_condition(w, c);
	for (uint32_t i = 0; i < always->n; i++)
		decide_condition(w, w->m->constants[always->first + i]);
}

/* The first bytes of a name in the text, the rest zero. */
static uint64_t head_of(const struct walk *w, const char *name, size_t len)
{
	uint64_t head;

	if (w->end - name < (ptrdiff_t)sizeof head)
		return name_head(name, len);
	memcpy(&head, name, sizeof head);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return len < sizeof head ? head & ((1ULL << 8 * len) - 1) : head;
#else
	return name_head(name, len);
#endif
}

static bool is_child(const struct child *child, uint64_t head, const char *name, size_t len)
{
	return child->head == head && child->len == len &&
	       (len <= sizeof head || memcmp(child->name, name, len) == 0);
}

static const struct child *hashed_child(const struct matcher *m, const struct field *f,
					uint64_t head, const char *name, size_t len)
{
	for (uint32_t at = name_slot(head, len) & f->slot_mask; m->slots[f->slots + at];
	     at = (at + 1) & f->slot_mask) {
		const struct child *child = &m->children[m->slots[f->slots + at] - 1];

		if (is_child(child, head, name, len))
			return child;
	}
	return NULL;
}

static const struct child *find_child(const struct walk *w, const struct field *f, const char *name,
				      size_t len)
{
	uint64_t head = head_of(w, name, len);
	const struct child *child = w->m->children + f->children.first;

	if (f->slots != NONE)
		return hashed_child(w->m, f, head, name, len);
	for (const struct child *end = child + f->children.n; child < end; child++) {
		if (is_child(child, head, name, len))
			return child;
	}
	return NULL;
}

static const struct child *find_escaped(struct walk *w, const struct field *f, const char *name,
					size_t len)
{
	struct buf *plain = &w->memory->plain;
	struct walk of_plain = *w;

	buf_cut(plain, 0);
	json_string_plain(name, len, plain);
	of_plain.end = buf_text(plain) + plain->len;
	return find_child(&of_plain, f, buf_text(plain), plain->len);
}

/*
 * Every function of the walk moves *at and returns how many brackets are still open there:
 * none, if *at is behind the value; one or more if nothing that is left of the value is wanted
 * and the walk stopped inside.
 */
static unsigned walk_value(struct walk *w, uint32_t field, const char **at, bool flattened);

static unsigned walk_member(struct walk *w, const struct child *child, const char **at,
			    bool flattened)
{
	const char *again = *at;
	unsigned open = 0;

	if (child->field != NONE)
		open = walk_value(w, child->field, at, false);
	if (child->twin == NONE || flattened) {
		if (child->field == NONE)
			*at = skip_value(*at, w->end);
		return open;
	}
	*at = again;
	return walk_value(w, child->twin, at, false);
}

static unsigned walk_object(struct walk *w, const struct field *f, const char **at, bool flattened)
{
	const char *p = *at + 1;
	uint32_t left = f->children.n;
	unsigned open = 0;

	while (left > 0) {
		const struct child *child;
		const char *name, *close;
		bool escaped;

		p = skip_to_item(p, w->end);
		if (p >= w->end || *p == '}') {
			*at = p + 1;
			return 0;
		}
		name = p + 1;
		close = skip_to_quote(name, w->end, &escaped);
		p = skip_blanks(close + 1, w->end);
		p = skip_blanks(p + 1, w->end);
		child = escaped ? find_escaped(w, f, name, (size_t)(close - name))
				: find_child(w, f, name, (size_t)(close - name));
		if (!child) {
			p = skip_value(p, w->end);
			continue;
		}
		open = walk_member(w, child, &p, flattened);
		if (--left > 0 && open > 0)
			p = skip_out(p, w->end, open);
		if (left > 0)
			open = 0;
	}
	*at = p;
	return open + 1;
}

static void walk_specials(struct walk *w, const struct field *f, const char *p, long index)
{
	for (uint32_t i = 0; i < f->specials.n; i++) {
		const struct special *s = &w->m->specials[f->specials.first + i];
		const char *element = p;

		if (s->index == index)
			walk_value(w, s->field, &element, false);
	}
}

static void see_counts(struct walk *w, const struct field *f, uint64_t count)
{
	for (uint32_t i = 0; i < f->specials.n; i++) {
		const struct special *s = &w->m->specials[f->specials.first + i];
		const struct field *number = &w->m->fields[s->field];

		if (s->index != PATH_COUNT)
			continue;
		if (number->scope != NONE)
			enter(w, number->scope);
		if (number->lookup != NONE)
			see_count(w, &w->m->lookups[number->lookup], count);
		if (number->scope != NONE)
			leave(w, number->scope);
	}
}

/* An array counts element by element, but where a path names one, or their number. */
static unsigned walk_array(struct walk *w, uint32_t field, const char **at, bool flattened)
{
	const struct field *f = &w->m->fields[field];
	const struct lookup *l = f->lookup == NONE ? NULL : &w->m->lookups[f->lookup];
	bool each = f->children.n || f->scope != NONE || (l && l->plural);
	bool special = f->specials.n && !flattened;
	const char *p = *at + 1;
	long index = 0;

	if (!each && !special) {
		*at = p;
		return 1;
	}
	for (;; index++) {
		unsigned open = 0;

		p = skip_to_item(p, w->end);
		if (p >= w->end || *p == ']')
			break;
		if (special)
			walk_specials(w, f, p, index);
		if (each)
			open = walk_value(w, field, &p, true);
		else
			p = skip_value(p, w->end);
		if (open > 0)
			p = skip_out(p, w->end, open);
	}
	if (special)
		see_counts(w, f, (uint64_t)index);
	*at = p + 1;
	return 0;
}

static void keep_object(struct walk *w, const struct lookup *l, const char *p)
{
	size_t len = (size_t)(skip_value(p, w->end) - p);

	keep(w, l, (struct json_value){KIND_OBJECT, p, len, 0}, false);
}

static unsigned walk_value(struct walk *w, uint32_t field, const char **at, bool flattened)
{
	const struct field *f = &w->m->fields[field];
	const struct lookup *l = f->lookup == NONE ? NULL : &w->m->lookups[f->lookup];
	unsigned open = 0;

	if (l)
		follow(w, l->there, NULL, false);
	if (**at == '[')
		return walk_array(w, field, at, flattened);
	if (f->scope != NONE)
		enter(w, f->scope);
	if (**at == '{') {
		if (l && l->keep)
			keep_object(w, l, *at);
		open = walk_object(w, f, at, flattened);
	} else if (**at == '"') {
		*at = see_text(w, l, *at);
	} else {
		*at = see_bare(w, l, *at);
	}
	if (f->scope != NONE)
		leave(w, f->scope);
	return open;
}

static void see_attribute(struct walk *w, enum top top, const char *text)
{
	const struct field *f = &w->m->fields[top];
	const struct lookup *l = f->lookup == NONE ? NULL : &w->m->lookups[f->lookup];
	struct operand left;

	if (f->scope != NONE)
		enter(w, f->scope);
	if (l) {
		left.kind = KIND_STRING;
		left.value = NULL;
		left.text = text;
		left.len = strlen(text);
		follow(w, l->there, NULL, false);
		if (l->keep)
			keep(w, l, (struct json_value){KIND_STRING, text, left.len, 0}, true);
		see_leaf(w, l, &left);
	}
	if (f->scope != NONE)
		leave(w, f->scope);
}

static void walk_event(struct walk *w)
{
	static const size_t offsets[] = {
		[TOP_TYPE] = offsetof(struct event, type),
		[TOP_SOURCE] = offsetof(struct event, source),
		[TOP_SUBJECT] = offsetof(struct event, subject),
		[TOP_TIME] = offsetof(struct event, time),
		[TOP_ID] = offsetof(struct event, id),
		[TOP_INSTANCE] = offsetof(struct event, instance),
	};
	const char *p = w->ev->data, *text;

	for (unsigned left = w->m->attributes; left; left &= left - 1) {
		enum top top = (enum top)__builtin_ctz(left);

		memcpy(&text, (const char *)w->ev + offsets[top], sizeof text);
		if (text)
			see_attribute(w, top, text);
	}
	if (!p)
		return;
	w->end = p + w->ev->data_len;
	p = skip_blanks(p, w->end);
	if (p < w->end)
		walk_value(w, TOP_DATA, &p, false);
}

static struct matching_memory *memory_new(const struct matcher *m)
{
	struct matching_memory *memory = mem_new(struct matching_memory);

	memory->serial = m->serial;
	memory->stamps = mem_zero(m->nsignals * sizeof *memory->stamps);
	memory->elements = mem_zero(m->nscopes * sizeof *memory->elements);
	memory->heads = mem_zero(m->nscopes * sizeof *memory->heads);
	memory->next = mem_zero(m->nconditions * sizeof *memory->next);
	memory->noticed = mem_zero(m->nconditions * sizeof *memory->noticed);
	memory->asked = mem_zero(m->ntests * sizeof *memory->asked);
	memory->answers = mem_zero(m->ntests);
	memory->kept = mem_zero(m->nkept * sizeof *memory->kept);
	memory->nkept = m->nkept;
	return memory;
}

/* Ticks have come to their end: whatever bears one is forgotten. */
static void forget_ticks(const struct matcher *m, struct matching_memory *memory)
{
	memset(memory->stamps, 0, m->nsignals * sizeof *memory->stamps);
	memset(memory->noticed, 0, m->nconditions * sizeof *memory->noticed);
	memset(memory->asked, 0, m->ntests * sizeof *memory->asked);
	memory->tick = 0;
}

static void forget_values(struct matching_memory *memory)
{
	for (size_t i = 0; i < memory->nkept; i++) {
		struct kept *k = &memory->kept[i];

		k->n = 0;
		if (k->cap > KEEP_HERE) {
			free(k->list);
			*k = (struct kept){0};
		}
	}
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void mark_in_order(const struct matcher *m, struct matching *out)
{
	size_t words = m->nrules / 64 + 1, n = 0;
	struct matching_memory *memory = out->memory;

	if (!memory->marks)
		memory->marks = mem_zero(words * sizeof *memory->marks);
	for (size_t i = 0; i < out->nhits; i++)
		memory->marks[out->hits[i] / 64] |= 1ULL << out->hits[i] % 64;
	for (size_t word = 0; word < words; word++) {
		for (uint64_t left = memory->marks[word]; left; left &= left - 1)
			out->hits[n++] = (uint32_t)(word * 64 + (size_t)__builtin_ctzll(left));
		memory->marks[word] = 0;
	}
}

static void put_in_order(const struct matcher *m, struct matching *out)
{
	size_t i = 1;

	while (i < out->nhits && out->hits[i - 1] < out->hits[i])
		i++;
	if (i >= out->nhits)
		return;
	if (out->nhits > m->nrules / 64)
		mark_in_order(m, out);
	else
		qsort(out->hits, out->nhits, sizeof *out->hits, by_number);
}

void matching_free(struct matching *out)
{
	struct matching_memory *memory = out->memory;

	if (!memory)
		return;
	for (size_t i = 0; i < memory->nkept; i++)
		free(memory->kept[i].list);
	free(memory->kept);
	buf_free(&memory->plain);
	buf_free(&memory->folded);
	buf_free(&memory->backwards);
	buf_free(&memory->left);
	buf_free(&memory->right);
	iregexp_memory_free(&memory->iregexp);
	free(memory->stamps);
	free(memory->elements);
	free(memory->heads);
	free(memory->next);
	free(memory->noticed);
	free(memory->asked);
	free(memory->answers);
	free(memory->marks);
	free(memory);
	free(out->hits);
	*out = (struct matching){0};
}

void matcher_match(const struct matcher *m, const struct event *ev, struct matching *out)
{
	struct walk w = {.m = m, .out = out, .ev = ev};

	if (out->memory && out->memory->serial != m->serial)
		matching_free(out);
	if (!out->memory)
		out->memory = memory_new(m);
	w.memory = out->memory;
	out->nhits = 0;
	if (w.memory->tick > UINT32_MAX / 2)
		forget_ticks(m, w.memory);
	enter(&w, 0);
	walk_event(&w);
	leave(&w, 0);
	put_in_order(m, out);
	forget_values(w.memory);
}
