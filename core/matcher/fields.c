/* The trie of fields. */
#include "base/mem.h"
#include "matcher/draft.h"

#include <stdlib.h>

#define FEW_NAMES 6 /* children that are compared one by one; more get a hash table */

struct place_of_child { /* so that the children of a field come together, elements in order */
	uint32_t parent, field;
	long index;
};

static int by_parent(const void *a, const void *b)
{
	const struct place_of_child *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
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
	parent->name_lengths |= 1ULL << (len < 63 ? len : 63);
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

/* Plain children first: those of elements stand beside them. */
static size_t add_children(struct compiling *c, const struct place_of_child *first, size_t left,
			   size_t *children, size_t *specials)
{
	struct field *parent = &c->m->fields[first->parent];
	size_t n = 0;

	parent->children.first = (uint32_t)*children;
	for (; n < left && first[n].parent == first->parent; n++) {
		const struct draft_field *f = &c->d->fields[first[n].field];

		if (f->index == -1)
			add_child(c, parent, f->name, f->len)->field = first[n].field;
	}
	for (size_t i = 0; i < n; i++) {
		if (first[i].index != -1)
			add_special(c, parent, first[i].field, specials);
	}
	*children += parent->children.n;
	return n;
}

static void add_all_children(struct compiling *c)
{
	size_t n = c->m->nfields, specials = 0, children = 0;
	struct place_of_child *order = mem_grow(NULL, n, sizeof *order);

	for (uint32_t i = 0; i < n; i++)
		order[i] =
			(struct place_of_child){c->d->fields[i].parent, i, c->d->fields[i].index};
	qsort(order, n, sizeof *order, by_parent);
	for (size_t i = 0; i < n && order[i].parent != NONE;)
		i += add_children(c, &order[i], n - i, &children, &specials);
	free(order);
}

void compile_fields(struct compiling *c)
{
	struct matcher *m = c->m;
	size_t n = c->d->nfields;
	struct words slots = {0};

	m->nfields = n;
	m->fields = mem_zero(n * sizeof *m->fields);
	m->children = mem_grow(NULL, n, sizeof *m->children);
	m->specials = mem_grow(NULL, n, sizeof *m->specials);
	for (uint32_t i = 0; i < n; i++) {
		m->fields[i].scope = c->d->fields[i].scope;
		m->fields[i].lookup = c->lookup_of[i];
	}
	add_all_children(c);
	for (size_t i = 0; i < n; i++)
		hash_children(c, &m->fields[i], &slots);
	for (unsigned i = TOP_DATA + 1; i < TOPS; i++) {
		if (m->fields[i].lookup != NONE || m->fields[i].scope != NONE)
			m->attributes |= 1U << i;
	}
	m->slots = slots.list;
	m->bytes += n * (sizeof *m->fields + sizeof *m->children + sizeof *m->specials) +
		    slots.n * sizeof *m->slots;
}
