/* The walk over an event. */
#include "matcher/matcher.h"

#include "base/mem.h"
#include "matcher/walk.h"
#include "json/escape.h"
#include "json/skip.h"

#include <stdlib.h>

#define CACHE_LINE 64
#define EXPECTED   256  /* bytes of an event in which most of what is wanted stands */
#define KEEP_HERE  4096 /* a longer list of values is given back after the event */

static const struct buf *unescape(struct walk *w, const char *raw, size_t len)
{
	struct buf *plain = &w->memory->plain;

	buf_cut(plain, 0);
	json_string_plain(raw, len, plain);
	return plain;
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
	if (escaped) {
		const struct buf *plain = unescape(w, left.text, left.len);

		left.text = buf_text(plain);
		left.len = plain->len;
	}
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

/* The first bytes of a name, the rest zero; up to `end` memory can be read. */
static uint64_t head_of(const char *name, size_t len, const char *end)
{
	uint64_t head;

	if (end - name < (ptrdiff_t)sizeof head)
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

static const struct child *find_child(const struct matcher *m, const struct field *f,
				      const char *name, size_t len, const char *end)
{
	uint64_t head = head_of(name, len, end);
	const struct child *child = m->children + f->children.first;

	if (f->slots != NONE)
		return hashed_child(m, f, head, name, len);
	for (const struct child *last = child + f->children.n; child < last; child++) {
		if (is_child(child, head, name, len))
			return child;
	}
	return NULL;
}

/* Most members are told apart from all that are wanted by how long their names are. */
static bool may_be_child(const struct field *f, size_t len)
{
	return f->name_lengths >> (len < 63 ? len : 63) & 1;
}

static const struct child *find_escaped(struct walk *w, const struct field *f, const char *name,
					size_t len)
{
	const struct buf *plain = unescape(w, name, len);
	const char *text = buf_text(plain);

	return find_child(w->m, f, text, plain->len, text + plain->len);
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
	const char *p = *at + 1, *const end = w->end;
	unsigned open = 0;

	for (uint32_t left = f->children.n; left > 0;) {
		const struct child *child;
		const char *name, *close;
		bool escaped;

		p = skip_to_item(p, end);
		if (p >= end || *p == '}') {
			*at = p + 1;
			return 0;
		}
		name = p + 1;
		close = skip_to_quote(name, end, &escaped);
		p = skip_colon(close + 1, end);
		child = NULL;
		if (escaped)
			child = find_escaped(w, f, name, (size_t)(close - name));
		else if (may_be_child(f, (size_t)(close - name)))
			child = find_child(w->m, f, name, (size_t)(close - name), end);
		if (!child) {
			p = skip_value(p, end);
			continue;
		}
		open = walk_member(w, child, &p, flattened);
		if (--left > 0 && open > 0)
			p = skip_out(p, end, open);
	}
	*at = p;
	return open + 1;
}

/* Of an element, what paths want that name it.  *next is the first of the specials that is
 * not yet behind the walk. */
static void walk_specials(struct walk *w, const struct field *f, const char *p, long index,
			  uint32_t *next)
{
	const struct special *list = &w->m->specials[f->specials.first];

	for (; *next < f->specials.n && list[*next].index <= index; ++*next) {
		const char *element = p;

		if (list[*next].index == index)
			walk_value(w, list[*next].field, &element, false);
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
	const struct lookup *l = lookup_of_field(w->m, f);
	bool each = f->children.n || f->scope != NONE || (l && l->plural);
	bool special = f->specials.n && !flattened;
	const char *p = *at + 1;
	uint32_t next = 0;
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
			walk_specials(w, f, p, index, &next);
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
	const struct lookup *l = lookup_of_field(w->m, f);
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
	const struct lookup *l = lookup_of_field(w->m, f);
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
	memory->regexes = mem_zero(m->nregexsets * sizeof *memory->regexes);
	memory->nregexes = m->nregexsets;
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

void matcher_expect(const struct event *next)
{
	size_t n = next->data_len < EXPECTED ? next->data_len : EXPECTED;

	for (size_t i = 0; i < n; i += CACHE_LINE)
		__builtin_prefetch(next->data + i);
}

void matching_free(struct matching *out)
{
	struct matching_memory *memory = out->memory;

	if (!memory)
		return;
	for (size_t i = 0; i < memory->nkept; i++)
		free(memory->kept[i].list);
	free(memory->kept);
	for (size_t i = 0; i < memory->nregexes; i++)
		regexset_memory_free(&memory->regexes[i]);
	free(memory->regexes);
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
