#include "rules/iregexp.h"

#include "base/mem.h"
#include "rules/regtree.h"
#include "json/utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STATES 2000
#define MAX_WORK   100000 /* nodes visited in compiling: repetitions of nothing add no state */

/* Thompson's construction: a state either takes a character and goes to the next state,
 * or forks without taking one. */
struct state {
	enum { TAKE_CHARACTER, TAKE_CLASS, FORK, GO, MATCH } op;
	uint32_t a, b; /* character, or where to go */
	const struct regclass *set;
};

struct iregexp {
	struct regtree *tree; /* the classes are its */
	struct state *states;
	size_t n, cap;
	size_t work;
};

static uint32_t add(struct iregexp *re, struct state s)
{
	mem_room(re->states, re->n, re->cap);
	re->states[re->n] = s;
	return (uint32_t)re->n++;
}

static uint32_t here(const struct iregexp *re)
{
	return (uint32_t)re->n;
}

static bool emit(struct iregexp *re, const struct regtree *t);

/* a|b|c: fork to a or on, after a go to the end; .. */
static bool emit_either(struct iregexp *re, const struct regtree *t)
{
	uint32_t last_go = 0, fork;
	bool ok = true;

	for (size_t i = 0; ok && i + 1 < t->n; i++) {
		fork = add(re, (struct state){.op = FORK, .a = here(re) + 1});
		ok = emit(re, t->parts[i]);
		/* The gos form a list through `a` until their target is known. */
		last_go = add(re, (struct state){.op = GO, .a = last_go});
		re->states[fork].b = here(re);
	}
	ok = ok && emit(re, t->parts[t->n - 1]);
	for (uint32_t next; last_go; last_go = next) {
		next = re->states[last_go].a;
		re->states[last_go].a = here(re);
	}
	return ok;
}

static bool emit_optional(struct iregexp *re, const struct regtree *t, uint32_t times)
{
	uint32_t last_fork = UINT32_MAX;
	bool ok = true;

	for (; ok && times > 0; times--) {
		last_fork = add(re, (struct state){.op = FORK, .a = here(re) + 1, .b = last_fork});
		ok = emit(re, t);
	}
	for (uint32_t next; last_fork != UINT32_MAX; last_fork = next) {
		next = re->states[last_fork].b;
		re->states[last_fork].b = here(re);
	}
	return ok;
}

static bool emit_repeat(struct iregexp *re, const struct regtree *t)
{
	uint32_t fork;
	bool ok = true;

	for (uint32_t i = 0; ok && i < t->least; i++)
		ok = emit(re, t->parts[0]);
	if (!ok || t->most != REGTREE_ENDLESS)
		return ok && emit_optional(re, t->parts[0], t->most - t->least);
	fork = add(re, (struct state){.op = FORK, .a = here(re) + 1});
	ok = emit(re, t->parts[0]);
	add(re, (struct state){.op = GO, .a = fork});
	re->states[fork].b = here(re);
	return ok;
}

static bool emit(struct iregexp *re, const struct regtree *t)
{
	bool ok = true;

	if (++re->work > MAX_WORK || re->n > MAX_STATES)
		return false;
	switch (t->kind) {
	case REG_SEQUENCE:
		for (size_t i = 0; ok && i < t->n; i++)
			ok = emit(re, t->parts[i]);
		return ok;
	case REG_EITHER: return emit_either(re, t);
	case REG_REPEAT: return emit_repeat(re, t);
	case REG_CHARACTER:
		add(re, (struct state){.op = TAKE_CHARACTER, .a = t->character});
		return true;
	case REG_CLASS: add(re, (struct state){.op = TAKE_CLASS, .set = &t->set}); return true;
	}
	return false;
}

struct iregexp *iregexp_compile(const char *text, size_t len, size_t *at, struct err *err)
{
	struct iregexp *re = mem_new(struct iregexp);
	size_t ignored;
	bool ok;

	at = at ? at : &ignored;
	re->tree = regtree_parse(text, len, at, err);
	ok = re->tree != NULL;
	if (ok) {
		ok = emit(re, re->tree) && re->n < MAX_STATES;
		add(re, (struct state){.op = MATCH});
		if (!ok) {
			*at = 0;
			err_set(err,
				"in matches: the expression is too large: over %d states with "
				"its repetitions written out",
				MAX_STATES);
		}
	}
	if (ok)
		return re;
	iregexp_free(re);
	return NULL;
}

void iregexp_free(struct iregexp *re)
{
	if (!re)
		return;
	regtree_free(re->tree);
	free(re->states);
	free(re);
}

struct run {
	const struct iregexp *re;
	uint32_t *now, *next, *stack, *marks;
	size_t nnow, nnext;
	uint32_t mark; /* a state in marks[] with this number is in the list being made */
};

static void push(struct run *r, size_t *depth, uint32_t state)
{
	if (r->marks[state] == r->mark)
		return;
	r->marks[state] = r->mark;
	r->stack[(*depth)++] = state;
}

/* Put a state, and what can be reached from it without a character, into the next list. */
static void enter(struct run *r, uint32_t state)
{
	size_t depth = 0;

	push(r, &depth, state);
	while (depth > 0) {
		uint32_t at = r->stack[--depth];
		const struct state *s = &r->re->states[at];

		if (s->op == FORK)
			push(r, &depth, s->b);
		if (s->op == FORK || s->op == GO)
			push(r, &depth, s->a);
		else
			r->next[r->nnext++] = at;
	}
}

/* Marks are never cleared but when their number starts again from 1. */
static void new_mark(struct run *r, struct iregexp_memory *m)
{
	if (m->mark == 0 || m->mark == UINT32_MAX) {
		memset(r->marks, 0, m->cap * sizeof *r->marks);
		m->mark = 0;
	}
	r->mark = ++m->mark;
}

static void turn(struct run *r, struct iregexp_memory *m)
{
	uint32_t *list = r->now;

	r->now = r->next;
	r->nnow = r->nnext;
	r->next = list;
	r->nnext = 0;
	new_mark(r, m);
}

static void step(struct run *r, uint32_t cp)
{
	for (size_t i = 0; i < r->nnow; i++) {
		const struct state *s = &r->re->states[r->now[i]];

		if (s->op == TAKE_CHARACTER ? s->a == cp
					    : s->op == TAKE_CLASS && regclass_has(s->set, cp))
			enter(r, r->now[i] + 1);
	}
}

static struct run begin(const struct iregexp *re, struct iregexp_memory *m)
{
	struct run r = {.re = re};

	if (m->cap < re->n) {
		m->states = mem_grow(m->states, re->n, 4 * sizeof *m->states);
		m->cap = re->n;
		m->mark = 0;
	}
	r.now = m->states;
	r.next = r.now + m->cap;
	r.stack = r.next + m->cap;
	r.marks = r.stack + m->cap;
	new_mark(&r, m);
	enter(&r, 0);
	turn(&r, m);
	return r;
}

bool iregexp_match(const struct iregexp *re, struct iregexp_memory *m, const char *text, size_t len)
{
	struct run r = begin(re, m);

	while (len > 0 && r.nnow > 0) {
		uint32_t cp;
		size_t n = utf8_read(text, len, &cp);

		if (!n)
			return false;
		step(&r, cp);
		turn(&r, m);
		text += n;
		len -= n;
	}
	for (size_t i = 0; i < r.nnow; i++) {
		if (len == 0 && re->states[r.now[i]].op == MATCH)
			return true;
	}
	return false;
}

void iregexp_memory_free(struct iregexp_memory *m)
{
	free(m->states);
	*m = (struct iregexp_memory){0};
}
