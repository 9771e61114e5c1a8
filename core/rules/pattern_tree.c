/*
 * From the parts of a pattern to its tree.
 *
 * Fields that pass through the same array are about one element of it, and whether a field is
 * absent is asked of the elements that the fields before it, in the order of their paths,
 * are about; if there are none, of all.
 */
#include "base/buf.h"
#include "rules/pattern.h"
#include "rules/pattern_parts.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COPIED (64 * 1024)

struct builder {
	struct arena *arena;
	size_t tests, leaves, branches, copied; /* made so far; copied: parts */
	bool failed;
	size_t at;
	struct err *err;
};

typedef const struct pattern_leaf *leaf_ref;

/* Below `from`, the steps an element is reached by, come the fields; the payload itself is
 * no array, so that at the top those below `data` do. */
static size_t field_step(leaf_ref leaf, size_t from)
{
	return from == 0 && leaf->nsteps > 1 ? 1 : from;
}

static bool same_step(const struct path_step *a, const struct path_step *b)
{
	return a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}

static bool same_field(leaf_ref a, leaf_ref b, size_t from)
{
	size_t i = field_step(a, from);

	return i == field_step(b, from) && same_step(&a->steps[i], &b->steps[i]);
}

static void fail(struct builder *b, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct builder *b, size_t at, const char *fmt, ...)
{
	va_list ap;

	if (b->failed)
		return;
	b->failed = true;
	b->at = at;
	va_start(ap, fmt);
	err_vset(b->err, fmt, ap);
	va_end(ap);
}

static void fail_multiplied(struct builder *b, size_t at)
{
	fail(b, at,
	     "multiplied out, the pattern has more than %d tests: $or beside fields of the same "
	     "object, and {\"exists\": false} beside values, do that; use several rules",
	     PATTERN_MAX_TESTS);
}

/* How two names compare where the shorter one ends, if it is a start of the other: the dot
 * between two steps comes before a dot in a name. */
static int order_at_end(bool more_steps, char next)
{
	return more_steps && (unsigned char)next < '.' ? 1 : -1;
}

/* The order of the paths, written with dots. */
static int path_order(leaf_ref a, leaf_ref b)
{
	for (size_t i = 0; i < a->nsteps && i < b->nsteps; i++) {
		const struct path_step *x = &a->steps[i], *y = &b->steps[i];
		size_t least = x->len < y->len ? x->len : y->len;
		int order = memcmp(x->name, y->name, least);

		if (order)
			return order;
		if (x->len < y->len)
			return order_at_end(i + 1 < a->nsteps, y->name[least]);
		if (x->len > y->len)
			return -order_at_end(i + 1 < b->nsteps, x->name[least]);
	}
	return (a->nsteps > b->nsteps) - (a->nsteps < b->nsteps);
}

static int by_path(const void *a, const void *b)
{
	leaf_ref x = *(const leaf_ref *)a, y = *(const leaf_ref *)b;
	int order = path_order(x, y);

	return order ? order : (x->at > y->at) - (x->at < y->at);
}

static char *quoted_text(struct arena *a, const struct path_step *steps, size_t n)
{
	struct buf text = {0};
	char *copy;

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(&text, '.');
		if (path_name_bare(steps[i].name, steps[i].len))
			buf_add(&text, steps[i].name, steps[i].len);
		else
			buf_json_string(&text, steps[i].name, steps[i].len);
	}
	copy = arena_text(a, text.data, text.len);
	buf_free(&text);
	return copy;
}

/* A path of `n` steps; they are shared. */
static struct path path_of(struct arena *a, struct path_step *steps, size_t n)
{
	struct path p = {.steps = steps, .n = n};
	size_t len = 0;
	char *to;

	for (size_t i = 0; i < n; i++) {
		if (!path_name_bare(steps[i].name, steps[i].len)) {
			p.text = quoted_text(a, steps, n);
			return p;
		}
		len += steps[i].len + 1;
	}
	p.text = to = arena_take(a, len);
	for (size_t i = 0; i < n; i++) {
		memcpy(to, steps[i].name, steps[i].len);
		to += steps[i].len;
		*to++ = i + 1 < n ? '.' : '\0';
	}
	return p;
}

static struct expr *node(struct builder *b, enum expr_kind kind, size_t at)
{
	struct expr *e = expr_new(b->arena, kind);

	e->at = e->end = at;
	return e;
}

/* A test of the leaf, seen from the element at `from`. */
static struct expr *test(struct builder *b, leaf_ref leaf, const struct expr *as, size_t from)
{
	struct expr *e = expr_new(b->arena, EXPR_TEST);

	*e = *as;
	e->path = path_of(b->arena, leaf->steps + from, leaf->nsteps - from);
	e->number = (uint32_t)b->tests++;
	if (b->tests > PATTERN_MAX_TESTS)
		fail_multiplied(b, leaf->at);
	return e;
}

static struct expr *absence(struct builder *b, leaf_ref leaf, size_t from)
{
	struct expr *e = node(b, EXPR_NOT, leaf->at);

	expr_adopt(b->arena, e, test(b, leaf, leaf->absent, from));
	return e;
}

static struct expr *only_part(struct expr *e)
{
	return e->nparts == 1 ? e->parts[0] : e;
}

static struct expr *leaf_tree(struct builder *b, leaf_ref leaf, size_t from)
{
	struct expr *e;

	if (leaf->ntests == 1 && !leaf->absent)
		return test(b, leaf, leaf->tests, from);
	e = node(b, EXPR_OR, leaf->at);
	for (size_t i = 0; i < leaf->ntests; i++)
		expr_adopt(b->arena, e, test(b, leaf, &leaf->tests[i], from));
	if (leaf->absent)
		expr_adopt(b->arena, e, absence(b, leaf, from));
	return only_part(e);
}

static void add_fields(struct builder *b, const leaf_ref *l, size_t n, size_t from,
		       struct expr *all);

static struct expr *any_node(struct builder *b, leaf_ref leaf, size_t from, size_t to)
{
	struct expr *e = node(b, EXPR_ANY, leaf->at);

	e->path = path_of(b->arena, leaf->steps + from, to - from);
	e->whole = path_of(b->arena, leaf->steps, to);
	return e;
}

/* Leaves of one field, of which the first binds the element. */
static struct expr *bound(struct builder *b, const leaf_ref *l, size_t n, size_t from)
{
	struct expr *any, *all;
	size_t common = field_step(l[0], from) + 1;

	if (n == 1)
		return leaf_tree(b, l[0], from);
	while (same_step(&l[0]->steps[common], &l[n - 1]->steps[common]))
		common++;
	any = any_node(b, l[0], from, common);
	all = node(b, EXPR_AND, l[0]->at);
	add_fields(b, l, n, common, all);
	expr_adopt(b->arena, any, only_part(all));
	return any;
}

static void add_absences(struct builder *b, const leaf_ref *l, size_t n, size_t from,
			 struct expr *all)
{
	for (size_t i = 0; i < n; i++)
		expr_adopt(b->arena, all, absence(b, l[i], from));
}

/* Before the leaf that surely binds an element stand `open` ones, which are absent or, some
 * of them, have a value instead: each of these may be the one that binds. */
static struct expr *unbound(struct builder *b, const leaf_ref *l, size_t n, size_t open,
			    size_t from)
{
	struct expr *either = node(b, EXPR_OR, l[0]->at), *all;

	for (size_t i = 0; i < open && !b->failed; i++) {
		struct pattern_leaf first = *l[i];
		leaf_ref *rest;

		if (!first.ntests)
			continue;
		first.absent = NULL;
		rest = arena_take(b->arena, (n - i) * sizeof *rest);
		memcpy(rest, l + i, (n - i) * sizeof *rest);
		rest[0] = &first;
		all = node(b, EXPR_AND, first.at);
		add_absences(b, l, i, from, all);
		expr_adopt(b->arena, all, bound(b, rest, n - i, from));
		expr_adopt(b->arena, either, only_part(all));
	}
	all = node(b, EXPR_AND, l[0]->at);
	add_absences(b, l, open, from, all);
	if (open < n)
		expr_adopt(b->arena, all, bound(b, l + open, n - open, from));
	expr_adopt(b->arena, either, only_part(all));
	return only_part(either);
}

static struct expr *field_tree(struct builder *b, const leaf_ref *l, size_t n, size_t from)
{
	size_t open = 0;

	if (n == 1)
		return leaf_tree(b, l[0], from);
	while (open < n && l[open]->absent)
		open++;
	return open ? unbound(b, l, n, open, from) : bound(b, l, n, from);
}

/* Leaves in the order of their paths, no path twice. */
static void add_fields(struct builder *b, const leaf_ref *l, size_t n, size_t from,
		       struct expr *all)
{
	for (size_t i = 0, next; i < n && !b->failed; i = next) {
		next = i + 1;
		while (next < n && same_field(l[i], l[next], from))
			next++;
		expr_adopt(b->arena, all, field_tree(b, l + i, next - i, from));
	}
}

/* Is `a` what `b` stands below? */
static bool above(leaf_ref a, leaf_ref b)
{
	for (size_t i = 0; i < a->nsteps; i++) {
		if (i >= b->nsteps || !same_step(&a->steps[i], &b->steps[i]))
			return false;
	}
	return a->nsteps < b->nsteps;
}

static bool begins_like(leaf_ref a, leaf_ref b)
{
	size_t last = a->nsteps - 1;

	for (size_t i = 0; i < last; i++) {
		if (i >= b->nsteps || !same_step(&a->steps[i], &b->steps[i]))
			return false;
	}
	return last < b->nsteps && a->steps[last].len <= b->steps[last].len &&
	       memcmp(a->steps[last].name, b->steps[last].name, a->steps[last].len) == 0;
}

/* No field is both a value and an object. */
static void check_levels(struct builder *b, const leaf_ref *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n && begins_like(l[i], l[k]); k++) {
			if (above(l[i], l[k]))
				fail(b, l[i]->at,
				     "\"%s\" is asked for a value here, and elsewhere for fields "
				     "below it: no event has both; alternatives go into $or",
				     l[i]->steps[l[i]->nsteps - 1].name);
		}
	}
}

static void add_leaves(struct builder *b, const struct pattern_parts *parts, size_t from,
		       struct expr *all)
{
	leaf_ref *l = arena_take(b->arena, parts->n * sizeof *l);
	size_t n = 0;

	for (size_t i = 0; i < parts->n; i++)
		l[i] = parts->list[i].leaf;
	b->leaves += parts->n;
	if (b->leaves > PATTERN_MAX_TESTS)
		fail_multiplied(b, l[0]->at);
	if (parts->n > 1)
		qsort(l, parts->n, sizeof *l, by_path);
	for (size_t i = 0; i < parts->n; i++) {
		if (i + 1 == parts->n || path_order(l[i], l[i + 1]) != 0)
			l[n++] = l[i];
	}
	check_levels(b, l, n);
	add_fields(b, l, n, from, all);
}

/* A part and one of the fields it is about. */
struct claim {
	leaf_ref leaf;
	size_t part, from;
};

struct claims {
	struct claim *list;
	size_t n;
};

static void add_claims(struct builder *b, struct claims *c, const struct pattern_part *part,
		       size_t index, size_t from)
{
	if (part->leaf) {
		c->list = arena_room(b->arena, c->list, c->n, sizeof *c->list);
		c->list[c->n++] = (struct claim){part->leaf, index, from};
		return;
	}
	for (size_t i = 0; i < part->choice->n; i++) {
		const struct pattern_parts *branch = &part->choice->branches[i];

		for (size_t k = 0; k < branch->n; k++)
			add_claims(b, c, &branch->list[k], index, from);
	}
}

static int by_field(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	size_t i = field_step(x->leaf, x->from), k = field_step(y->leaf, y->from);
	const struct path_step *s = &x->leaf->steps[i], *t = &y->leaf->steps[k];

	if (i != k)
		return i < k ? -1 : 1;
	if (s->len != t->len)
		return s->len < t->len ? -1 : 1;
	return memcmp(s->name, t->name, s->len);
}

static size_t leader(size_t *groups, size_t i)
{
	while (groups[i] != i)
		i = groups[i] = groups[groups[i]];
	return i;
}

/* For each part the first of those that have to do with each other by sharing a field. */
static size_t *group(struct builder *b, const struct pattern_parts *parts, size_t from)
{
	size_t *groups = arena_take(b->arena, parts->n * sizeof *groups);
	struct claims c = {0};

	for (size_t i = 0; i < parts->n; i++) {
		groups[i] = i;
		add_claims(b, &c, &parts->list[i], i, from);
	}
	qsort(c.list, c.n, sizeof *c.list, by_field);
	for (size_t i = 1; i < c.n; i++) {
		size_t x = leader(groups, c.list[i - 1].part), y = leader(groups, c.list[i].part);

		if (by_field(&c.list[i - 1], &c.list[i]) == 0)
			groups[x > y ? x : y] = x < y ? x : y;
	}
	for (size_t i = 0; i < parts->n; i++)
		groups[i] = leader(groups, i);
	return groups;
}

static void add_part(struct builder *b, struct pattern_parts *to, const struct pattern_part *part)
{
	to->list = arena_room(b->arena, to->list, to->n, sizeof *to->list);
	to->list[to->n++] = *part;
	to->choices = to->choices || part->choice;
}

static struct expr *parts_tree(struct builder *b, const struct pattern_parts *parts, size_t from);

/* The parts, with one branch in the place of the choice at `at`. */
static struct pattern_parts with_branch(struct builder *b, const struct pattern_parts *parts,
					size_t at, const struct pattern_parts *branch)
{
	struct pattern_parts joined = {0};

	for (size_t i = 0; i < parts->n; i++) {
		for (size_t k = 0; i == at && k < branch->n; k++)
			add_part(b, &joined, &branch->list[k]);
		if (i != at)
			add_part(b, &joined, &parts->list[i]);
	}
	return joined;
}

static void count_branch(struct builder *b, const struct pattern_parts *parts,
			 const struct pattern_choice *choice)
{
	if (parts->n == 1)
		return;
	b->branches++;
	b->copied += parts->n;
	if (b->branches > PATTERN_MAX_BRANCHES || b->copied > MAX_COPIED)
		fail(b, choice->at,
		     "$or and what stands beside it ask about the same objects, and make too many "
		     "branches when multiplied out (at most %d); use several rules",
		     PATTERN_MAX_BRANCHES);
}

/* The first choice is multiplied out with what stands around it. */
static struct expr *multiply(struct builder *b, const struct pattern_parts *parts, size_t from)
{
	const struct pattern_choice *choice;
	struct expr *either;
	size_t at = 0;

	while (!parts->list[at].choice)
		at++;
	choice = parts->list[at].choice;
	either = node(b, EXPR_OR, choice->at);
	for (size_t i = 0; i < choice->n && !b->failed; i++) {
		struct pattern_parts joined;

		count_branch(b, parts, choice);
		joined = with_branch(b, parts, at, &choice->branches[i]);
		expr_adopt(b->arena, either, parts_tree(b, &joined, from));
	}
	return either;
}

/* Are all parts about fields below one object, and none asks whether one is absent?  Then the
 * order in which they are asked does not matter. */
static leaf_ref shared_object(struct builder *b, const struct pattern_parts *parts, size_t from)
{
	struct claims c = {0};

	for (size_t i = 0; i < parts->n; i++)
		add_claims(b, &c, &parts->list[i], i, from);
	for (size_t i = 0; i < c.n; i++) {
		leaf_ref leaf = c.list[i].leaf;

		if (leaf->absent || !same_field(leaf, c.list[0].leaf, from) ||
		    leaf->nsteps <= field_step(leaf, from) + 1)
			return NULL;
	}
	return c.list[0].leaf;
}

/* Parts that have to do with each other. */
static struct expr *group_tree(struct builder *b, const struct pattern_parts *parts, size_t from)
{
	leaf_ref leaf = parts->n > 1 ? shared_object(b, parts, from) : NULL;
	struct expr *any;
	size_t below;

	if (!leaf)
		return multiply(b, parts, from);
	below = field_step(leaf, from) + 1;
	any = any_node(b, leaf, from, below);
	expr_adopt(b->arena, any, parts_tree(b, parts, below));
	return any;
}

static void add_groups(struct builder *b, const struct pattern_parts *parts, size_t from,
		       struct expr *all)
{
	const size_t *groups = group(b, parts, from);

	for (size_t i = 0; i < parts->n && !b->failed; i++) {
		struct pattern_parts one = {0};

		if (groups[i] != i)
			continue;
		for (size_t k = i; k < parts->n; k++) {
			if (groups[k] == i)
				add_part(b, &one, &parts->list[k]);
		}
		if (one.choices)
			expr_adopt(b->arena, all, group_tree(b, &one, from));
		else
			add_leaves(b, &one, from, all);
	}
}

static struct expr *parts_tree(struct builder *b, const struct pattern_parts *parts, size_t from)
{
	struct expr *all = node(b, EXPR_AND, 0);

	if (parts->choices)
		add_groups(b, parts, from, all);
	else
		add_leaves(b, parts, from, all);
	return only_part(all);
}

struct expr *pattern_tree(struct arena *a, const struct pattern_parts *parts, size_t *at,
			  struct err *err)
{
	struct builder b = {.arena = a, .err = err};
	struct expr *e = parts_tree(&b, parts, 0);

	if (b.failed)
		*at = b.at;
	return b.failed ? NULL : e;
}
