/* What conditions make of the signals, at the end of each element. */
#include "base/mem.h"
#include "matcher/walk.h"
#include "rules/judge.h"

static void add_hit(struct walk *w, uint32_t rule)
{
	struct matching *out = w->out;

	mem_room(out->hits, out->nhits, w->memory->hits_cap);
	out->hits[out->nhits++] = rule;
}

void meet(struct walk *w, const struct condition *c)
{
	if (c->scope == 0)
		add_hit(w, c->out);
	else
		raise_signal(w, c->out);
}

void keep(struct walk *w, const struct lookup *l, struct json_value value, bool plain)
{
	struct kept *k = &w->memory->kept[l->kept];

	mem_room(k->list, k->n, k->cap);
	k->list[k->n++] = (struct kept_value){value, plain, w->memory->tick};
}

/* The first of the values kept for a lookup that belongs to the element. */
static size_t first_kept(const struct kept *k, uint32_t element)
{
	size_t i = k->n;

	while (i > 0 && k->list[i - 1].tick >= element)
		i--;
	return i;
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
	size_t first = first_kept(others, element);

	for (size_t i = first; i < others->n; i++) {
		struct operand right = {0};

		operand_of_kept(&others->list[i], &w->memory->right, &right);
		if (operand_compare(left, t->op, &right, &w->memory->iregexp) == OUTCOME_TRUE)
			return true;
	}
	*pairs += others->n - first;
	return false;
}

static bool any_kept(struct walk *w, const struct test *t, uint32_t element)
{
	const struct kept *values = &w->memory->kept[w->m->lookups[t->lookup].kept];
	size_t pairs = 0;

	for (size_t i = first_kept(values, element); i < values->n; i++) {
		struct operand left = {0};

		operand_of_kept(&values->list[i], &w->memory->left, &left);
		if (t->other == NONE ? test_holds(w, t, &left)
				     : any_other(w, t, element, &left, &pairs))
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

void enter(struct walk *w, uint32_t scope)
{
	w->memory->elements[scope] = ++w->memory->tick;
	w->memory->heads[scope] = NONE;
}

/* What an earlier element has told already is not asked again. */
static void decide_condition(struct walk *w, uint32_t number)
{
	const struct condition *c = &w->m->conditions[number];

	if (c->scope != 0 && is_raised(w, c->out))
		return;
	if (decide(w, w->m->code + c->code))
		meet(w, c);
}

void leave(struct walk *w, uint32_t scope)
{
	const struct span *always = &w->m->always[scope];

	for (uint32_t c = w->memory->heads[scope]; c != NONE; c = w->memory->next[c])
		decide_condition(w, c);
	for (uint32_t i = 0; i < always->n; i++)
		decide_condition(w, w->m->constants[always->first + i]);
}
