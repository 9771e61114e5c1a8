/* From trees to fields, signals and conditions. */
#include "matcher/draft.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void words_add(struct words *w, uint32_t word)
{
	mem_room(w->list, w->n, w->cap);
	w->list[w->n++] = word;
}

static uint32_t add_field(struct matcher_draft *d, uint32_t parent, const char *name, size_t len,
			  long index)
{
	mem_room(d->fields, d->nfields, d->fields_cap);
	d->fields[d->nfields] = (struct draft_field){parent, name, (uint32_t)len, index, NONE};
	return (uint32_t)d->nfields++;
}

struct matcher_draft *matcher_draft(void)
{
	static const char *const tops[] = {"data", "type", "source",  "subject",
					   "time", "id",   "instance"};
	struct matcher_draft *d = mem_new(struct matcher_draft);

	for (size_t i = 0; i < TOPS; i++)
		add_field(d, NONE, tops[i], strlen(tops[i]), -1);
	d->nscopes = 1;
	return d;
}

void draft_free(struct matcher_draft *d)
{
	arena_free(&d->arena);
	keytable_free(&d->paths);
	free(d->fields);
	free(d->signals);
	free(d->slots);
	free(d->conditions);
	free(d->code.list);
	free(d->scratch.list);
	free(d);
}

/* A number that is the last step counts elements; elsewhere it is the name it looks like. */
static uint32_t child_field(struct matcher_draft *d, uint32_t parent, const struct path_step *step,
			    bool first_in_element, bool last)
{
	long index = first_in_element || (step->index == PATH_COUNT && !last) ? -1 : step->index;
	struct key *k =
		keytable_put(&d->paths, parent * 2 + (index != -1), step->name, step->len, NONE);

	if (k->value == NONE)
		k->value = add_field(d, parent, arena_text(&d->arena, step->name, step->len),
				     step->len, index);
	return k->value;
}

/* Where a path of a tree leads: from the top, or, inside `any`, from its field on. */
static uint32_t field_of(struct matcher_draft *d, uint32_t base, const struct path *path)
{
	uint32_t field = base;
	size_t i = 0;

	if (base == NONE) {
		for (field = 0; strcmp(d->fields[field].name, path->steps[0].name) != 0;)
			field++;
		i = 1;
	}
	for (; i < path->n; i++)
		field = child_field(d, field, &path->steps[i], base != NONE && i == 0,
				    i + 1 == path->n);
	return field;
}

static uint32_t scope_of(struct matcher_draft *d, uint32_t field)
{
	if (d->fields[field].scope == NONE)
		d->fields[field].scope = (uint32_t)d->nscopes++;
	return d->fields[field].scope;
}

static uint64_t hash_asked(uint32_t home, const struct asked *a)
{
	uint64_t hash = key_mix(((uint64_t)home << 32 | a->field) ^ 0x9e3779b97f4a7c15U,
				((uint64_t)a->other << 32 | (uint64_t)a->op << 3 |
				 (uint64_t)a->but << 2 | (uint64_t)a->above << 1 | a->below) ^
					0xa0761d6478bd642fU);

	for (size_t i = 0; i < a->n; i++)
		hash = key_mix(hash ^ (uint64_t)a->literals[i].kind,
			       key_hash(0, a->literals[i].text, a->literals[i].len));
	return hash;
}

static bool same_literals(const struct asked *a, const struct asked *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct literal *x = &a->literals[i], *y = &b->literals[i];

		if (x->kind != y->kind || x->len != y->len || memcmp(x->text, y->text, x->len) != 0)
			return false;
	}
	return true;
}

static bool same_change(const struct change *a, const struct change *b)
{
	return a == b || (a && b && strcmp(a->now.text, b->now.text) == 0);
}

static bool same_asked(const struct asked *a, const struct asked *b)
{
	return a->op == b->op && a->field == b->field && a->other == b->other && a->but == b->but &&
	       a->above == b->above && a->below == b->below && a->n == b->n &&
	       same_change(a->change, b->change) && same_literals(a, b);
}

static const struct change *keep_change(struct arena *a, const struct change *change)
{
	struct change *kept = arena_take(a, sizeof *kept);

	kept->now = expr_path(a, &change->now);
	kept->before = expr_path(a, &change->before);
	return kept;
}

/* All of it in one piece. */
static const struct asked *keep_asked(struct matcher_draft *d, const struct asked *a)
{
	size_t size = sizeof(struct asked) + a->n * sizeof(struct literal);
	struct asked *kept;
	struct literal *literals;
	char *text;

	for (size_t i = 0; i < a->n; i++)
		size += a->literals[i].len + 1;
	kept = arena_take(&d->arena, size);
	literals = (struct literal *)(void *)(kept + 1);
	text = (char *)(literals + a->n);
	*kept = *a;
	kept->literals = literals;
	for (size_t i = 0; i < a->n; i++) {
		literals[i] = a->literals[i];
		literals[i].text = memcpy(text, a->literals[i].text, a->literals[i].len);
		text += a->literals[i].len + 1;
	}
	if (a->change)
		kept->change = keep_change(&d->arena, a->change);
	return kept;
}

static uint32_t new_signal(struct matcher_draft *d, uint32_t home, uint32_t hash,
			   const struct asked *asked)
{
	mem_room(d->signals, d->nsignals, d->signals_cap);
	d->signals[d->nsignals] = (struct draft_signal){.home = home, .hash = hash, .asked = asked};
	return (uint32_t)d->nsignals++;
}

static void grow_slots(struct matcher_draft *d)
{
	free(d->slots);
	d->nslots = d->nslots ? d->nslots * 2 : 64;
	d->slots = mem_zero(d->nslots * sizeof *d->slots);
	for (size_t s = 0; s < d->nsignals; s++) {
		size_t i = d->signals[s].hash & (d->nslots - 1);

		if (!d->signals[s].asked)
			continue;
		while (d->slots[i])
			i = (i + 1) & (d->nslots - 1);
		d->slots[i] = (uint32_t)s + 1;
	}
}

uint32_t draft_signal(struct matcher_draft *d, uint32_t home, const struct asked *asked)
{
	uint32_t hash = (uint32_t)hash_asked(home, asked);
	size_t i;

	if (d->nsignals * 2 >= d->nslots)
		grow_slots(d);
	for (i = hash & (d->nslots - 1); d->slots[i]; i = (i + 1) & (d->nslots - 1)) {
		const struct draft_signal *s = &d->signals[d->slots[i] - 1];

		if (s->hash == hash && s->home == home && s->asked && same_asked(s->asked, asked))
			return d->slots[i] - 1;
	}
	d->slots[i] = (uint32_t)d->nsignals + 1;
	return new_signal(d, home, hash, keep_asked(d, asked));
}

uint32_t draft_own_signal(struct matcher_draft *d, uint32_t home, const struct asked *asked)
{
	return new_signal(d, home, 0, asked ? keep_asked(d, asked) : NULL);
}

/* Where a part of a tree stands: in which scope, and where its paths begin. */
struct around {
	uint32_t scope;
	uint32_t base; /* field of the innermost `any`; NONE: the top */
};

static void put(struct matcher_draft *d, const struct expr *e, struct around in);

static void put_signal(struct matcher_draft *d, uint32_t signal)
{
	d->signals[signal].uses++;
	words_add(&d->scratch, CODE(CODE_SIGNAL, signal));
}

/* Begin a node whose length is told by end_node(). */
static size_t begin_node(struct matcher_draft *d)
{
	words_add(&d->scratch, 0);
	return d->scratch.n - 1;
}

static void end_node(struct matcher_draft *d, size_t at, uint32_t op)
{
	d->scratch.list[at] = CODE(op, d->scratch.n - at - 1);
}

static struct literal literal_of(const struct expr_value *v)
{
	static const enum json_kind kinds[] = {
		[VALUE_STRING] = KIND_STRING, [VALUE_NUMBER] = KIND_NUMBER,
		[VALUE_TRUE] = KIND_TRUE,     [VALUE_FALSE] = KIND_FALSE,
		[VALUE_NULL] = KIND_NULL,
	};

	return (struct literal){kinds[v->kind], v->text ? v->text : "", v->len};
}

/* The test without its `not`. */
static uint32_t plain_signal(struct matcher_draft *d, const struct expr *e, struct around in)
{
	struct asked a = {.op = e->op == EXPR_NE ? EXPR_EQ : e->op,
			  .but = e->but,
			  .above = e->above,
			  .below = e->below,
			  .field = NONE,
			  .other = NONE,
			  .change = e->change};
	struct literal few[8], *many = NULL;
	uint32_t signal;

	if (e->op != EXPR_CHANGED)
		a.field = field_of(d, in.base, &e->path);
	if (e->value.kind == VALUE_PATH) {
		a.other = field_of(d, in.base, &e->value.path);
	} else if (e->value.kind == VALUE_LIST) {
		a.n = e->value.n;
		many = a.n > 8 ? mem_zero(a.n * sizeof *many) : few;
		for (size_t i = 0; i < a.n; i++)
			many[i] = literal_of(&e->value.items[i]);
		a.literals = many;
	} else if (e->value.kind != VALUE_NONE) {
		few[0] = literal_of(&e->value);
		a.literals = few;
		a.n = 1;
	}
	signal = draft_signal(d, in.scope, &a);
	if (many != few)
		free(many);
	return signal;
}

/* `!=` and `not like` are true where the field exists and the plain form is not. */
static void put_test(struct matcher_draft *d, const struct expr *e, struct around in)
{
	struct asked there = {.op = EXPR_EXISTS, .other = NONE};
	size_t both, not ;

	if (!e->negated && e->op != EXPR_NE) {
		put_signal(d, plain_signal(d, e, in));
		return;
	}
	there.field = field_of(d, in.base, &e->path);
	both = begin_node(d);
	put_signal(d, draft_signal(d, in.scope, &there));
	not = begin_node(d);
	put_signal(d, plain_signal(d, e, in));
	end_node(d, not, CODE_NOT);
	end_node(d, both, CODE_AND);
}

/* What was put since `from` becomes a condition. */
static void cut_condition(struct matcher_draft *d, size_t from, uint32_t scope, uint32_t out)
{
	size_t words = d->scratch.n - from;

	mem_room(d->conditions, d->nconditions, d->conditions_cap);
	d->conditions[d->nconditions++] = (struct draft_condition){scope, out, d->code.n, words};
	for (size_t i = 0; i < words; i++)
		words_add(&d->code, d->scratch.list[from + i]);
	d->scratch.n = from;
}

static void put_any(struct matcher_draft *d, const struct expr *e, struct around in)
{
	struct around inside = {.base = field_of(d, in.base, &e->path)};
	size_t from = d->scratch.n;
	uint32_t signal;

	inside.scope = scope_of(d, inside.base);
	put(d, e->parts[0], inside);
	signal = draft_own_signal(d, in.scope, NULL);
	cut_condition(d, from, inside.scope, signal);
	put_signal(d, signal);
}

static void put(struct matcher_draft *d, const struct expr *e, struct around in)
{
	static const uint32_t ops[] = {
		[EXPR_OR] = CODE_OR, [EXPR_AND] = CODE_AND, [EXPR_NOT] = CODE_NOT};
	size_t node;

	if (e->kind == EXPR_TEST) {
		put_test(d, e, in);
	} else if (e->kind == EXPR_ANY) {
		put_any(d, e, in);
	} else if (e->nparts == 1 && e->kind != EXPR_NOT) {
		put(d, e->parts[0], in);
	} else {
		node = begin_node(d);
		for (size_t i = 0; i < e->nparts; i++)
			put(d, e->parts[i], in);
		end_node(d, node, ops[e->kind]);
	}
}

void matcher_add(struct matcher_draft *d, const struct expr *tree)
{
	put(d, tree, (struct around){0, NONE});
	cut_condition(d, 0, 0, (uint32_t)d->nrules++);
}
