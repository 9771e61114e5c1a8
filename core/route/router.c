#include "route/router_state.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct router_state *router_state_new(void)
{
	struct router_state *s = mem_new(struct router_state);

	s->scratch = mem_new(struct match);
	return s;
}

static void free_cell(void *cell)
{
	cell_free(cell);
}

void router_state_free(struct router_state *s)
{
	if (!s)
		return;
	map_free(&s->cells, free_cell);
	heap_free(&s->due);
	for (size_t i = 0; i < s->nused; i++) {
		if (s->used[i])
			heap_free(s->used[i]);
		free(s->used[i]);
	}
	free(s->used);
	match_free(s->scratch);
	free(s->scratch);
	free(s);
}

#define HASH_BITS 20

/* Something open or new makes a group busier than any that only waits.  Where the times are
 * alike, which they are for all that came in one batch, the names decide, so that the same
 * group is idlest wherever the same happened. */
static int64_t idleness(const struct cell *c)
{
	uint64_t hash = hash64(c->group, strlen(c->group), 0) >> (64 - HASH_BITS);

	return (int64_t)c->open << 62 | c->used << HASH_BITS | (int64_t)hash;
}

static struct heap *cells_of(struct router_state *s, uint32_t rule)
{
	if (rule >= s->nused) {
		size_t n = (size_t)rule + 1;

		s->used = mem_grow(s->used, n, sizeof *s->used);
		memset(s->used + s->nused, 0, (n - s->nused) * sizeof *s->used);
		s->nused = n;
	}
	if (!s->used[rule])
		s->used[rule] = mem_new(struct heap);
	return s->used[rule];
}

const struct cell *router_idlest(const struct router_state *s, uint32_t rule, size_t *n)
{
	const struct heap *h = rule < s->nused ? s->used[rule] : NULL;

	*n = h ? h->n : 0;
	return *n ? HEAP_OWNER(heap_top(h), struct cell, by_use) : NULL;
}

static void enlist(struct router_state *s, struct cell *c)
{
	heap_put(&s->due, &c->by_due, c->due);
	heap_put(cells_of(s, c->rule), &c->by_use, idleness(c));
}

void router_apply(struct router_state *s, struct outcome *o)
{
	for (size_t i = 0; i < o->nchanges; i++) {
		struct cell_change *c = &o->changes[i];
		struct cell *old = c->cell ? map_put(&s->cells, c->key, c->cell)
					   : map_remove(&s->cells, c->key);

		cell_free(old);
		if (c->cell)
			enlist(s, c->cell);
		c->cell = NULL;
	}
}

const char *router_next(const struct router_state *s, size_t *i)
{
	const struct map_entry *e = map_next(&s->cells, i);

	return e ? e->key : NULL;
}

bool router_cell(const struct router_state *s, const char *key, struct buf *out)
{
	const struct cell *c = map_get(&s->cells, key);

	if (c)
		cell_text(c, out);
	return c != NULL;
}

const struct cell *router_peek(const struct router_state *s, uint32_t rule, const char *group)
{
	char *key = cell_key(rule, group);
	const struct cell *c = map_get(&s->cells, key);

	free(key);
	return c;
}

static const struct cell_slot *stored_slot(const struct cell *c, uint32_t input)
{
	for (size_t i = 0; i < c->nslots; i++) {
		if (c->slots[i].input == input)
			return &c->slots[i];
	}
	return NULL;
}

/* The slots of the rule as it is now, filled with what is stored of them. */
static void fit_slots(struct cell *c, const struct plan_rule *r, struct buf *lost)
{
	struct cell_slot *fitted = mem_zero(r->nslots * sizeof *fitted);

	for (size_t i = 0; i < r->nslots; i++) {
		const struct plan_slot *want = &r->slots[i];
		const struct cell_slot *have = stored_slot(c, want->number);

		if (have && have->text == want->text)
			fitted[i] = *have;
		else if (have && have->seq && lost)
			buf_printf(lost,
				   "rule %s: input %s asks for something else now; its slot is "
				   "empty\n",
				   r->config->name, want->name);
		fitted[i].input = want->number;
		fitted[i].text = want->text;
	}
	free(c->slots);
	c->slots = fitted;
	c->nslots = r->nslots;
}

static void tell_gone(const struct cell *c, const struct plan_rule *r, struct buf *lost)
{
	if (!lost)
		return;
	if (r)
		buf_printf(lost, "rule %s: ", r->config->name);
	else
		buf_printf(lost, "a rule that is no more (number %u): ", c->rule);
	buf_printf(lost, "%s of group \"%s\" dropped\n",
		   c->kind == CELL_INPUTS  ? "filled slots"
		   : c->kind == CELL_COUNT ? "an unfinished count"
					   : "an open window",
		   c->group);
}

bool router_load(struct router_state *s, const struct plan *p, const char *key, const char *text,
		 size_t len, struct buf *lost)
{
	struct cell *c = cell_parse(key, text, len);
	const struct plan_rule *r = c ? plan_rule_numbered(p, c->rule) : NULL;

	if (!c && lost)
		buf_printf(lost, "what was stored under \"%s\" cannot be read\n", key);
	if (!c || !r || r->kind != c->kind) {
		if (c && !cell_empty(c))
			tell_gone(c, r, lost);
		cell_free(c);
		return false;
	}
	fit_slots(c, r, lost);
	s->counted = 0;
	cell_free(map_put(&s->cells, key, c));
	enlist(s, c);
	return true;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t cell_due(const struct cell *c, const struct rule_config *r)
{
	int64_t due = INT64_MAX;

	if (c->open)
		due = earlier(c->last + r->quiet_ms, c->opened + r->quiet_max_ms);
	if (c->kind == CELL_COUNT && c->n)
		due = earlier(due, c->members[0].at + r->count_ms + 1);
	for (size_t i = 0; r->reset_ms && i < c->nslots; i++) {
		if (c->slots[i].seq)
			due = earlier(due, c->slots[i].at + r->reset_ms + 1);
	}
	return due;
}

/* A rule that is switched off keeps what it has, and does nothing. */
static void count_due(const struct plan *p, struct router_state *s)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->cells, &i));) {
		struct cell *c = e->value;
		const struct plan_rule *r = plan_rule_numbered(p, c->rule);

		c->due = r && r->config->enabled ? cell_due(c, r->config) : INT64_MAX;
		heap_put(&s->due, &c->by_due, c->due);
	}
	s->counted = p->serial;
}

int64_t router_next_deadline(const struct plan *p, struct router_state *s)
{
	const struct heap_node *first;

	if (s->counted != p->serial)
		count_due(p, s);
	first = heap_top(&s->due);
	return first ? first->rank : INT64_MAX;
}

static int by_seq(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t *router_held(const struct router_state *s, size_t *n)
{
	uint64_t *held = NULL;
	size_t cap = 0;
	const struct map_entry *e;

	*n = 0;
	for (size_t i = 0; (e = map_next(&s->cells, &i));) {
		const struct cell *c = e->value;

		for (size_t k = 0; k < c->nslots + c->n; k++) {
			uint64_t seq =
				k < c->nslots ? c->slots[k].seq : c->members[k - c->nslots].seq;

			if (!seq)
				continue;
			mem_room(held, *n, cap);
			held[(*n)++] = seq;
		}
	}
	if (*n)
		qsort(held, *n, sizeof *held, by_seq);
	return held;
}
