/*
 * Rules that other rules leave nothing to do.
 *
 * One event makes at most one delivery per target, so a rule is in vain if another matches
 * whatever it matches and delivers to all its targets.  Certain are those cases only in which
 * the other one's conditions are all among its own.
 *
 * Each rule is kept under one of its tests, the rarest, and is looked for by those who have
 * that test too: ten thousand rules are not compared with each other.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "plugin/survey.h"
#include "rules/pattern.h"

#include <stdlib.h>
#include <string.h>

struct shape { /* a rule or input as its conditions see it */
	const struct rule_config *rule;
	const struct selector_config *select;
	const struct expr **tests; /* joined by `and` */
	uint64_t *hashes;          /* of each */
	size_t n, cap;
	bool broken; /* one does not parse, which is told */
};

struct bucket {
	const struct shape **list;
	size_t n, cap;
};

struct shapes {
	const struct survey *survey;
	struct arena trees;
	struct shape *list;
	size_t n;
	struct map counts;  /* how many rules have a test, by its hash */
	struct map buckets; /* by type of event and hash of the rarest test */
};

static uint64_t hash_text(const char *text, size_t len, uint64_t seed)
{
	return hash64(text ? text : "", text ? len : 0, seed);
}

static uint64_t hash_path(const struct path *p, uint64_t seed)
{
	for (size_t i = 0; i < p->n; i++)
		seed = hash_text(p->steps[i].name, p->steps[i].len,
				 seed ^ (uint64_t)p->steps[i].index);
	return seed;
}

static uint64_t hash_value(const struct expr_value *v, uint64_t seed)
{
	seed = hash_path(&v->path, hash_text(v->text, v->len, seed + (uint64_t)v->kind));
	for (size_t i = 0; i < v->n; i++)
		seed = hash_value(&v->items[i], seed);
	return seed;
}

static uint64_t hash_expr(const struct expr *e, uint64_t seed)
{
	seed = hash_value(&e->value, hash_path(&e->path, seed * 31 + (uint64_t)e->kind * 64 +
								 (uint64_t)e->op));
	for (size_t i = 0; i < e->nparts; i++)
		seed = hash_expr(e->parts[i], seed);
	return seed;
}

static bool same_path(const struct path *a, const struct path *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (a->steps[i].index != b->steps[i].index || a->steps[i].len != b->steps[i].len ||
		    memcmp(a->steps[i].name, b->steps[i].name, a->steps[i].len) != 0)
			return false;
	}
	return true;
}

static bool same_value(const struct expr_value *a, const struct expr_value *b)
{
	if (a->kind != b->kind || a->len != b->len || a->n != b->n ||
	    (a->len && memcmp(a->text, b->text, a->len) != 0) || !same_path(&a->path, &b->path))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!same_value(&a->items[i], &b->items[i]))
			return false;
	}
	return true;
}

static bool same_expr(const struct expr *a, const struct expr *b)
{
	if (a->kind != b->kind || a->op != b->op || a->negated != b->negated || a->but != b->but ||
	    a->above != b->above || a->below != b->below || a->nparts != b->nparts ||
	    !same_path(&a->path, &b->path) || !same_value(&a->value, &b->value))
		return false;
	for (size_t i = 0; i < a->nparts; i++) {
		if (!same_expr(a->parts[i], b->parts[i]))
			return false;
	}
	return true;
}

static void add_tests(struct shape *s, const struct expr *e)
{
	if (e->kind == EXPR_AND) {
		for (size_t i = 0; i < e->nparts; i++)
			add_tests(s, e->parts[i]);
		return;
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4;
		s->tests = mem_grow(s->tests, s->cap, sizeof *s->tests);
		s->hashes = mem_grow(s->hashes, s->cap, sizeof *s->hashes);
	}
	s->hashes[s->n] = hash_expr(e, 0);
	s->tests[s->n++] = e;
}

static void hash_name(uint64_t hash, char out[17])
{
	unsigned char bytes[8];

	memcpy(bytes, &hash, sizeof bytes);
	hash_hex(bytes, sizeof bytes, out);
}

static void count(struct shapes *all, const struct shape *s)
{
	char name[17];

	for (size_t i = 0; i < s->n; i++) {
		hash_name(s->hashes[i], name);
		map_put(&all->counts, name, (void *)((uintptr_t)map_get(&all->counts, name) + 1));
	}
}

static uintptr_t counted(const struct shapes *all, uint64_t hash)
{
	char name[17];

	hash_name(hash, name);
	return (uintptr_t)map_get(&all->counts, name);
}

static void add_parsed(struct shape *s, const struct expr *e)
{
	s->broken = s->broken || !e;
	if (e)
		add_tests(s, e);
}

static void add_shape(struct shapes *all, const struct rule_config *rule,
		      const struct selector_config *select)
{
	struct shape *s = &all->list[all->n++];
	const struct setting *pattern = select->pattern;
	enum pattern_root root = select->pattern_data ? PATTERN_DATA : PATTERN_EVENT;
	size_t at;

	*s = (struct shape){.rule = rule, .select = select};
	if (select->where)
		add_parsed(s, expr_parse(&all->trees, select->where, &at, NULL));
	if (pattern)
		add_parsed(s, pattern_parse(&all->trees, root, pattern->value,
					    strlen(pattern->value), &at, NULL));
	count(all, s);
}

static void add_shapes(struct shapes *all)
{
	const struct config *c = all->survey->config;
	size_t most = c->nrules;

	for (size_t i = 0; i < c->nrules; i++) {
		for (char **in = c->rules[i].inputs; in && *in; in++)
			most++;
	}
	all->list = mem_zero(most * sizeof *all->list);
	for (size_t i = 0; i < c->nrules; i++) {
		const struct rule_config *r = &c->rules[i];

		if (r->enabled && !r->inputs && !r->inputs_key)
			add_shape(all, r, &r->select);
		for (char **in = r->inputs; r->enabled && in && *in; in++) {
			if (config_input(c, *in))
				add_shape(all, r, &config_input(c, *in)->select);
		}
	}
}

static bool is_last(const char *word)
{
	return word[strcspn(word, ".")] == '\0';
}

static bool is_star(const char *word)
{
	return word[0] == '*' && (word[1] == '.' || !word[1]);
}

/* The next word but stars at *rest, and its length; NULL after the last. */
static const char *next_word(const char **rest, size_t *len)
{
	const char *word;

	while (**rest) {
		word = *rest;
		*len = strcspn(word, ".");
		*rest += *len + !is_last(word);
		if (!is_star(word))
			return word;
	}
	return NULL;
}

static char *bucket_name(const char *mark, const char *word, size_t len, uint64_t hash)
{
	char name[17];

	hash_name(hash, name);
	return mem_format("%s%.*s %s", mark, (int)len, word, name);
}

/* A type with stars is found by its last other word, which what it covers must have, too. */
static char *own_bucket(const char *type, uint64_t hash)
{
	const char *word, *last = "";
	size_t len = 0, last_len = 0;

	if (!strchr(type, '*'))
		return bucket_name("", type, strlen(type), hash);
	while ((word = next_word(&type, &len))) {
		last = word;
		last_len = len;
	}
	return bucket_name("*", last, last_len, hash);
}

static void put(struct shapes *all, const char *type, uint64_t hash, const struct shape *s)
{
	char *name = own_bucket(type, hash);
	struct bucket *b = map_get(&all->buckets, name);

	if (!b) {
		b = mem_new(struct bucket);
		map_put(&all->buckets, name, b);
	}
	if (!b->n || b->list[b->n - 1] != s) {
		mem_room(b->list, b->n, b->cap);
		b->list[b->n++] = s;
	}
	free(name);
}

static uint64_t rarest(const struct shapes *all, const struct shape *s)
{
	size_t best = 0;

	for (size_t i = 1; i < s->n; i++) {
		if (counted(all, s->hashes[i]) < counted(all, s->hashes[best]))
			best = i;
	}
	return s->n ? s->hashes[best] : 0;
}

static void fill_buckets(struct shapes *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct shape *s = &all->list[i];
		uint64_t hash;

		if (s->broken)
			continue;
		hash = rarest(all, s);
		for (char **on = s->select->on; on && *on; on++)
			put(all, *on, hash, s);
		if (!s->select->on)
			put(all, "*", hash, s);
	}
}

static bool is_own(const char *type)
{
	return strncmp(type, "pointsman.", 10) == 0;
}

/* Does every type that fits `b` fit `a`? */
static bool type_covers(const char *a, const char *b)
{
	if (is_own(a) != is_own(b))
		return false;
	for (;;) {
		size_t n = strcspn(a, "."), m = strcspn(b, ".");

		if (is_star(a) && is_last(a))
			return true;
		if (is_star(b) && is_last(b))
			return false;
		if (!is_star(a) && (n != m || memcmp(a, b, n) != 0))
			return false;
		if (is_last(a) || is_last(b))
			return is_last(a) && is_last(b);
		a += n + 1;
		b += m + 1;
	}
}

static bool some_covers(char **list, const char *type)
{
	if (!list)
		return type_covers("*", type);
	for (; *list; list++) {
		if (type_covers(*list, type))
			return true;
	}
	return false;
}

static bool types_cover(char **a, char **b)
{
	if (!b)
		return some_covers(a, "*");
	for (; *b; b++) {
		if (!some_covers(a, *b))
			return false;
	}
	return true;
}

static bool listed(char **list, const char *name)
{
	for (; *list; list++) {
		if (strcmp(*list, name) == 0)
			return true;
	}
	return false;
}

static bool instances_cover(char **a, char **b)
{
	if (!a || !b)
		return !a;
	for (; *b; b++) {
		if (!listed(a, *b))
			return false;
	}
	return true;
}

static bool has_test(const struct shape *s, const struct expr *test, uint64_t hash)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->hashes[i] == hash && same_expr(s->tests[i], test))
			return true;
	}
	return false;
}

/* Does `a` match whatever `b` does? */
static bool covers(const struct shape *a, const struct shape *b)
{
	const struct selector_config *x = a->select, *y = b->select;

	if (!types_cover(x->on, y->on) || !instances_cover(x->from, y->from))
		return false;
	if (x->changed && (!y->changed || strcmp(x->changed, y->changed) != 0))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!has_test(b, a->tests[i], a->hashes[i]))
			return false;
	}
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool delivers_at_once(const struct rule_config *r)
{
	return !r->inputs && !r->quiet_ms && !r->count;
}

/* The first rule that names a target has the delivery.  One that comes later leaves nothing
 * of an earlier rule's only if the delivery would be the same. */
static bool has_targets(const struct rule_config *a, const struct rule_config *b)
{
	bool first = a < b;

	if (!first && (a->overlap != b->overlap || !same_text(a->group_by, b->group_by)))
		return false;
	for (size_t i = 0; i < b->n; i++) {
		const struct duty_config *d = &b->duties[i];
		bool found = false;

		for (size_t k = 0; k < a->n && !found; k++)
			found = strcmp(a->duties[k].target, d->target) == 0 &&
				(first || same_text(a->duties[k].then, d->then));
		if (!found)
			return false;
	}
	return b->n > 0;
}

static bool takes_all(const struct shape *a, const struct shape *b)
{
	return a->rule != b->rule && a->rule->otherwise == b->rule->otherwise &&
	       delivers_at_once(a->rule) && has_targets(a->rule, b->rule) && covers(a, b);
}

/* Of two that are the same, the later one is in vain. */
static bool shadows(const struct shape *a, const struct shape *b)
{
	return takes_all(a, b) && (a->rule < b->rule || !takes_all(b, a));
}

static bool forestalls(const struct shape *a, const struct shape *b)
{
	return !a->rule->otherwise && covers(a, b);
}

typedef bool relation_fn(const struct shape *a, const struct shape *b);

/* Takes the name. */
static const struct shape *find_in(const struct shapes *all, char *name, const struct shape *s,
				   relation_fn *fits)
{
	const struct bucket *b = map_get(&all->buckets, name);

	free(name);
	for (size_t i = 0; b && i < b->n; i++) {
		if (fits(b->list[i], s))
			return b->list[i];
	}
	return NULL;
}

static const struct shape *find_with(const struct shapes *all, const char *type, uint64_t hash,
				     const struct shape *s, relation_fn *fits)
{
	const struct shape *found = find_in(all, bucket_name("*", "", 0, hash), s, fits);
	const char *word;
	size_t len;

	if (!found && !strchr(type, '*'))
		found = find_in(all, own_bucket(type, hash), s, fits);
	while (!found && (word = next_word(&type, &len)))
		found = find_in(all, bucket_name("*", word, len, hash), s, fits);
	return found;
}

/* Whatever covers the rule covers its first type, and has its rarest test from among the
 * rule's. */
static const struct shape *find(const struct shapes *all, const struct shape *s, relation_fn *fits)
{
	const char *type = s->select->on ? *s->select->on : "*";
	const struct shape *found = find_with(all, type, 0, s, fits);

	for (size_t i = 0; i < s->n && !found; i++)
		found = find_with(all, type, s->hashes[i], s, fits);
	return found;
}

static void check_shape(const struct shapes *all, const struct shape *s)
{
	const struct rule_config *r = s->rule;
	const struct shape *other = r->otherwise ? find(all, s, forestalls) : NULL;

	if (other) {
		report_warning(all->survey->report, r->at,
			       "rule %s: is never asked: rule %s (%s:%u) matches whatever it "
			       "could, and `else` waits for what no other rule matches",
			       r->name, other->rule->name, other->rule->at.file,
			       other->rule->at.line);
		return;
	}
	other = delivers_at_once(r) ? find(all, s, shadows) : NULL;
	if (other)
		report_warning(all->survey->report, r->at,
			       "rule %s: never adds a delivery: rule %s (%s:%u) matches whatever "
			       "it does, and has all its targets",
			       r->name, other->rule->name, other->rule->at.file,
			       other->rule->at.line);
}

static void free_bucket(void *value)
{
	struct bucket *b = value;

	free(b->list);
	free(b);
}

/* Of a rule that nothing can reach that is told, and enough. */
static bool is_reached(const struct survey *s, const struct rule_config *r)
{
	return s->rules[r - s->config->rules].n > 0;
}

void check_shadow(const struct survey *s)
{
	struct shapes all = {.survey = s};

	add_shapes(&all);
	fill_buckets(&all);
	for (size_t i = 0; i < all.n; i++) {
		const struct shape *one = &all.list[i];

		if (!one->broken && !one->rule->inputs && is_reached(s, one->rule))
			check_shape(&all, one);
	}
	for (size_t i = 0; i < all.n; i++) {
		free(all.list[i].tests);
		free(all.list[i].hashes);
	}
	free(all.list);
	map_free(&all.counts, NULL);
	map_free(&all.buckets, free_bucket);
	arena_free(&all.trees);
}
