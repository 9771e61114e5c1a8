#include "matcher/ruleset.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "matcher/matcher.h"
#include "rules/change.h"
#include "rules/judge.h"
#include "rules/pattern.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct words { /* a list of patterns or names, and the list as text */
	char **list;
	size_t n;
	char *text;
};

struct rule {
	struct words on, from;
	bool has_from;
	char *where_text, *pattern_text;
	struct judge *where;    /* of both, or NULL */
	size_t where_tests;     /* the judge's first ones; the others are the pattern's */
	struct change *changed; /* or NULL */
	struct expr *tree;      /* all that it asks */
	size_t first, conditions;
};

#define LOOK_AT_MOST 256 /* rules, for near misses of one event */

struct bucket { /* of rules whose `on` names a type, or has a star; ascending */
	uint32_t *rules;
	size_t n, cap;
};

struct ruleset {
	struct arena trees;
	struct rule *rules;
	size_t n, conditions;
	struct matcher *matcher;
	struct map by_type; /* to buckets */
	struct bucket wild;
	atomic_uint_fast64_t *matches, *mismatches; /* by selector */
};

struct memory { /* what struct match has for its own */
	struct judge_memory judge;
	struct matching matching;
	size_t verdicts, firsts, near_verdicts; /* how many there is room for */
};

static struct words words_copy(const char *const *list, const char *fallback)
{
	struct words w = {0};
	struct buf text = {0};

	for (; list && list[w.n]; w.n++) {
		w.list = mem_grow(w.list, w.n + 1, sizeof *w.list);
		w.list[w.n] = mem_text(list[w.n]);
		buf_printf(&text, "%s%s", w.n ? ", " : "", list[w.n]);
	}
	if (!list) {
		w.list = mem_zero(sizeof *w.list);
		w.list[w.n++] = mem_text(fallback);
		buf_text_add(&text, fallback);
	}
	w.text = buf_take(&text);
	return w;
}

static void words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->list[i]);
	free(w->list);
	free(w->text);
}

/* Words of a-z 0-9 _ - or a star alone, joined by dots. */
static bool pattern_fit(const char *p)
{
	size_t n;

	for (;; p += n + 1) {
		n = *p == '*' ? 1 : strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_-");
		if (n == 0 || (p[n] && p[n] != '.'))
			return false;
		if (!p[n])
			return true;
	}
}

static bool compile_on(struct rule *r, const struct selector *s, struct err *err)
{
	r->on = words_copy(s->on, "*");
	if (r->on.n == 0) {
		err_set(err, "on: no event type is given");
		return false;
	}
	for (size_t i = 0; i < r->on.n; i++) {
		if (!pattern_fit(r->on.list[i])) {
			err_set(err,
				"on: \"%.100s\" is no event type: lower-case words joined by dots, "
				"where * may stand for a word, like dynamodb.item.*",
				r->on.list[i]);
			return false;
		}
	}
	return true;
}

/* A test of an attribute against one of a list of texts. */
static struct expr *attribute_test(struct arena *trees, const char *name, enum expr_op op,
				   const struct words *texts, bool stars)
{
	struct expr *e = expr_new(trees, EXPR_TEST);
	struct path_step step = {(char *)(uintptr_t)name, strlen(name), -1};
	const struct path path = {(char *)(uintptr_t)name, &step, 1};

	e->op = op;
	e->path = expr_path(trees, &path);
	e->value.kind = VALUE_LIST;
	for (size_t i = 0; i < texts->n; i++) {
		const char *text = texts->list[i];
		struct expr_value v = {.kind = VALUE_STRING, .len = strlen(text)};

		if ((strchr(text, '*') != NULL) != stars)
			continue;
		v.text = arena_text(trees, text, v.len);
		e->value.items = arena_room(trees, e->value.items, e->value.n, sizeof v);
		e->value.items[e->value.n++] = v;
	}
	return e;
}

static struct expr *on_tree(struct arena *trees, const struct rule *r)
{
	struct expr *exact = attribute_test(trees, "type", EXPR_IN, &r->on, false);
	struct expr *wild = attribute_test(trees, "type", EXPR_FITS, &r->on, true);
	struct expr *either = expr_new(trees, EXPR_OR);

	if (exact->value.n)
		expr_adopt(trees, either, exact);
	if (wild->value.n)
		expr_adopt(trees, either, wild);
	return either;
}

/* All that the rule asks, as one tree. */
static struct expr *whole_tree(struct arena *trees, const struct rule *r, struct expr *where)
{
	struct expr *all = expr_new(trees, EXPR_AND), *changed;

	expr_adopt(trees, all, on_tree(trees, r));
	if (r->has_from)
		expr_adopt(trees, all, attribute_test(trees, "instance", EXPR_IN, &r->from, false));
	if (where)
		expr_adopt(trees, all, where);
	if (r->changed) {
		changed = expr_new(trees, EXPR_TEST);
		changed->op = EXPR_CHANGED;
		changed->change = r->changed;
		changed->path = r->changed->now;
		expr_adopt(trees, all, changed);
	}
	return all;
}

/* The tests of `e` are numbered from `from` on instead of 0; how many there are. */
static size_t number_from(struct expr *e, size_t from)
{
	size_t n = e->kind == EXPR_TEST;

	e->number += (uint32_t)from;
	for (size_t i = 0; i < e->nparts; i++)
		n += number_from(e->parts[i], from);
	return n;
}

static struct expr *both(struct arena *trees, struct expr *where, struct expr *pattern)
{
	struct expr *all;

	if (!where || !pattern)
		return where ? where : pattern;
	all = expr_new(trees, EXPR_AND);
	expr_adopt(trees, all, where);
	expr_adopt(trees, all, pattern);
	return all;
}

/* `where` and `pattern` together, in *tree, which stays NULL without them. */
static bool compile_where(struct rule *r, struct arena *trees, const struct selector *s, size_t *at,
			  struct expr **tree, struct err *err)
{
	enum pattern_root root = s->pattern_data ? PATTERN_DATA : PATTERN_EVENT;
	struct expr *where = NULL, *pattern = NULL;

	if (s->where) {
		where = expr_parse(trees, s->where, at, err);
		if (!where)
			return false;
		r->where_text = mem_text(s->where);
		r->where_tests = number_from(where, 0);
	}
	if (s->pattern) {
		pattern = pattern_parse(trees, root, s->pattern, strlen(s->pattern), at, err);
		if (!pattern)
			return false;
		r->pattern_text = mem_text(s->pattern);
		number_from(pattern, r->where_tests);
	}
	*tree = both(trees, where, pattern);
	if (*tree)
		r->where = judge_new(*tree);
	return true;
}

static size_t tests_of(const struct rule *r)
{
	return r->where ? judge_tests(r->where) : 0;
}

static bool compile_rule(struct rule *r, struct arena *trees, struct matcher_draft *draft,
			 const struct selector *s, size_t *at, struct err *err)
{
	struct expr *where = NULL;

	*at = 0;
	if (!compile_on(r, s, err))
		return false;
	r->has_from = s->from != NULL;
	if (r->has_from)
		r->from = words_copy(s->from, NULL);
	if (!compile_where(r, trees, s, at, &where, err))
		return false;
	if (s->changed) {
		r->changed = change_parse(trees, s->changed, err);
		if (!r->changed)
			return false;
	}
	r->conditions = 1U + r->has_from + tests_of(r) + (r->changed != NULL);
	r->tree = whole_tree(trees, r, where);
	matcher_add(draft, r->tree);
	return true;
}

static void rule_free(struct rule *r)
{
	words_free(&r->on);
	words_free(&r->from);
	judge_free(r->where);
	free(r->where_text);
	free(r->pattern_text);
}

static void add_to(struct bucket *b, size_t rule)
{
	if (b->n && b->rules[b->n - 1] == rule)
		return;
	mem_room(b->rules, b->n, b->cap);
	b->rules[b->n++] = (uint32_t)rule;
}

static void index_rule(struct ruleset *set, size_t rule)
{
	const struct words *on = &set->rules[rule].on;

	if (strchr(on->text, '*')) {
		add_to(&set->wild, rule);
		return;
	}
	for (size_t i = 0; i < on->n; i++) {
		struct bucket *b = map_get(&set->by_type, on->list[i]);

		if (!b) {
			b = mem_new(struct bucket);
			map_put(&set->by_type, on->list[i], b);
		}
		add_to(b, rule);
	}
}

struct ruleset *ruleset_compile(const struct selector *selectors, size_t n, size_t *which,
				size_t *at, struct err *err)
{
	struct ruleset *set = mem_new(struct ruleset);
	struct matcher_draft *draft = matcher_draft();
	bool ok = true;
	size_t ignored;

	set->rules = mem_zero(n * sizeof *set->rules);
	set->matches = mem_zero(n * sizeof *set->matches);
	set->mismatches = mem_zero(n * sizeof *set->mismatches);
	while (ok && set->n < n) {
		struct rule *r = &set->rules[set->n];

		ok = compile_rule(r, &set->trees, draft, &selectors[set->n], at ? at : &ignored,
				  err);
		if (!ok && which)
			*which = set->n;
		r->first = set->conditions;
		set->conditions += r->conditions;
		index_rule(set, set->n++);
	}
	set->matcher = matcher_compile(draft);
	if (ok)
		return set;
	ruleset_free(set);
	return NULL;
}

static void bucket_free(void *value)
{
	struct bucket *b = value;

	free(b->rules);
	free(b);
}

void ruleset_free(struct ruleset *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		rule_free(&set->rules[i]);
	free(set->rules);
	free(set->matches);
	free(set->mismatches);
	matcher_free(set->matcher);
	map_free(&set->by_type, bucket_free);
	free(set->wild.rules);
	arena_free(&set->trees);
	free(set);
}

size_t ruleset_conditions(const struct ruleset *set, size_t i)
{
	return set->rules[i].conditions;
}

static struct condition condition_of_test(const struct rule *r, size_t i)
{
	const struct expr *e = judge_test(r->where, i);
	bool where = i < r->where_tests;

	return (struct condition){.kind = where ? CONDITION_WHERE : CONDITION_PATTERN,
				  .text = (where ? r->where_text : r->pattern_text) + e->at,
				  .len = e->end - e->at,
				  .path = &e->path,
				  .any = judge_any(r->where, i),
				  .turned = where && judge_turned(r->where, i)};
}

struct condition ruleset_condition(const struct ruleset *set, size_t i, size_t c)
{
	const struct rule *r = &set->rules[i];
	size_t tests = tests_of(r);

	if (c == 0)
		return (struct condition){
			.kind = CONDITION_ON, .text = r->on.text, .len = strlen(r->on.text)};
	c--;
	if (r->has_from && c == 0)
		return (struct condition){
			.kind = CONDITION_FROM, .text = r->from.text, .len = strlen(r->from.text)};
	c -= r->has_from;
	if (c < tests)
		return condition_of_test(r, c);
	return (struct condition){.kind = CONDITION_CHANGED,
				  .text = r->changed->now.text,
				  .len = strlen(r->changed->now.text),
				  .path = &r->changed->now};
}

static bool on_fits(const struct rule *r, const struct event *ev)
{
	for (size_t i = 0; i < r->on.n; i++) {
		if (event_type_fits(r->on.list[i], ev->type))
			return true;
	}
	return false;
}

static bool from_fits(const struct rule *r, const struct event *ev)
{
	for (size_t i = 0; i < r->from.n; i++) {
		if (strcmp(r->from.list[i], ev->instance) == 0)
			return true;
	}
	return false;
}

static enum verdict changed(const struct rule *r, const struct event *ev, struct buf *scratch)
{
	static const enum verdict verdicts[] = {
		[CHANGED_YES] = VERDICT_PASS,
		[CHANGED_NO] = VERDICT_FAIL,
		[CHANGED_ABSENT] = VERDICT_ABSENT,
	};

	return verdicts[change_of(r->changed, ev, scratch)];
}

/* Of everything but `on`, up to the first that fails. */
static void explain_rule(const struct ruleset *set, size_t i, const struct event *ev,
			 struct memory *m, uint8_t *verdicts)
{
	const struct rule *r = &set->rules[i];
	size_t tests = tests_of(r);
	uint64_t mismatches = 0;
	bool passed = true;

	if (r->has_from) {
		passed = from_fits(r, ev);
		*verdicts++ = passed ? VERDICT_PASS : VERDICT_FAIL;
	}
	if (passed && r->where)
		passed = judge_event(r->where, ev, &m->judge, verdicts, &mismatches);
	if (mismatches)
		atomic_fetch_add_explicit(&set->mismatches[i], mismatches, memory_order_relaxed);
	if (passed && r->changed)
		verdicts[tests] = (uint8_t)changed(r, ev, &m->judge.find_left);
}

static struct memory *memory_of(struct match *m)
{
	if (!m->scratch)
		m->scratch = mem_new(struct memory);
	return m->scratch;
}

static void explain(const struct ruleset *set, const struct event *ev, struct match *match,
		    struct memory *m)
{
	if (m->verdicts < set->conditions) {
		match->verdicts = mem_grow(match->verdicts, set->conditions, 1);
		m->verdicts = set->conditions;
	}
	if (m->firsts < set->n) {
		match->first = mem_grow(match->first, set->n, sizeof *match->first);
		m->firsts = set->n;
	}
	for (size_t i = 0; i < set->n; i++) {
		const struct rule *r = &set->rules[i];
		uint8_t *verdicts = match->verdicts + r->first;
		bool fits = on_fits(r, ev);

		match->first[i] = r->first;
		memset(verdicts, VERDICT_UNASKED, r->conditions);
		verdicts[0] = fits ? VERDICT_PASS : VERDICT_FAIL;
		if (fits)
			explain_rule(set, i, ev, m, verdicts + 1);
	}
}

void ruleset_match(const struct ruleset *set, const struct event *ev, bool explained,
		   struct match *m)
{
	struct memory *memory = memory_of(m);

	matcher_match(set->matcher, ev, &memory->matching);
	m->hits = memory->matching.hits;
	m->nhits = memory->matching.nhits;
	for (size_t i = 0; i < m->nhits; i++)
		atomic_fetch_add_explicit(&set->matches[m->hits[i]], 1, memory_order_relaxed);
	if (explained)
		explain(set, ev, m, memory);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool match_has(const struct match *m, size_t selector)
{
	uint32_t wanted = (uint32_t)selector;

	return m->nhits && bsearch(&wanted, m->hits, m->nhits, sizeof *m->hits, by_number);
}

/* False if there are too many. */
static bool gather_near(const struct ruleset *set, const struct event *ev, struct match *m,
			const struct bucket *b)
{
	for (size_t k = 0; b && k < b->n; k++) {
		const struct rule *r = &set->rules[b->rules[k]];

		if (!on_fits(r, ev) || (r->has_from && !from_fits(r, ev)))
			continue;
		if (match_has(m, b->rules[k]))
			continue;
		if (m->nnear == RULESET_NEAR)
			return false;
		m->near[m->nnear++] = b->rules[k];
	}
	return true;
}

static void explain_near(const struct ruleset *set, const struct event *ev, struct match *m,
			 struct memory *memory)
{
	size_t n = 0;

	for (size_t k = 0; k < m->nnear; k++) {
		m->near_first[k] = n;
		n += set->rules[m->near[k]].conditions;
	}
	if (memory->near_verdicts < n) {
		m->near_verdicts = mem_grow(m->near_verdicts, n, 1);
		memory->near_verdicts = n;
	}
	memset(m->near_verdicts, VERDICT_UNASKED, n);
	for (size_t k = 0; k < m->nnear; k++) {
		uint8_t *verdicts = m->near_verdicts + m->near_first[k];

		verdicts[0] = VERDICT_PASS;
		explain_rule(set, m->near[k], ev, memory, verdicts + 1);
	}
}

void ruleset_near(const struct ruleset *set, const struct event *ev, struct match *m)
{
	const struct bucket *exact = map_get(&set->by_type, ev->type);

	m->nnear = 0;
	if (set->wild.n + (exact ? exact->n : 0) > LOOK_AT_MOST)
		return;
	if (!m->near)
		m->near = mem_zero(RULESET_NEAR * sizeof *m->near);
	if (!gather_near(set, ev, m, exact) || !gather_near(set, ev, m, &set->wild)) {
		m->nnear = 0;
		return;
	}
	qsort(m->near, m->nnear, sizeof *m->near, by_number);
	if (m->nnear)
		explain_near(set, ev, m, memory_of(m));
}

void match_free(struct match *m)
{
	struct memory *memory = m->scratch;

	if (memory) {
		judge_memory_free(&memory->judge);
		matching_free(&memory->matching);
		free(memory);
	}
	free(m->verdicts);
	free(m->first);
	free(m->near);
	free(m->near_verdicts);
	*m = (struct match){0};
}

static bool see_word(struct seen *seen, const char *word, bool fits)
{
	*seen = SEEN_NOTHING;
	seen->verdict = fits ? VERDICT_PASS : VERDICT_FAIL;
	buf_json_string(&seen->value, word, strlen(word));
	return fits;
}

static bool see_changed(const struct rule *r, const struct event *ev, struct seen *seen)
{
	struct buf scratch = {0};
	struct json_value now, before;

	*seen = SEEN_NOTHING;
	seen->verdict = changed(r, ev, &scratch);
	now = event_find(ev, EVENT_ITSELF, &r->changed->now, &scratch);
	seen_put(&seen->value, &now);
	before = event_find(ev, EVENT_ITSELF, &r->changed->before, &scratch);
	seen_put(&seen->other, &before);
	buf_free(&scratch);
	return seen->verdict == VERDICT_PASS;
}

/* The text of a pattern's test has its `not` in it: {"exists": false}. */
static void turn_patterns(const struct rule *r, struct seen *seen)
{
	for (size_t i = r->where_tests; i < tests_of(r); i++) {
		if (judge_turned(r->where, i))
			seen[i].verdict =
				seen[i].verdict == VERDICT_PASS ? VERDICT_FAIL : VERDICT_PASS;
	}
}

bool ruleset_explain(const struct ruleset *set, size_t i, const struct event *ev, struct seen *seen)
{
	const struct rule *r = &set->rules[i];
	struct judge_memory memory = {0};
	bool hit = see_word(seen, ev->type, on_fits(r, ev));

	for (size_t c = 1; c < r->conditions; c++)
		seen[c] = SEEN_NOTHING;
	if (!hit)
		return false;
	if (r->has_from)
		hit = see_word(++seen, ev->instance, from_fits(r, ev));
	if (r->where) {
		hit = judge_explain(r->where, ev, &memory, ++seen) && hit;
		turn_patterns(r, seen);
		seen += tests_of(r) - 1;
	}
	if (r->changed)
		hit = see_changed(r, ev, ++seen) && hit;
	judge_memory_free(&memory);
	return hit;
}

void ruleset_costs(const struct ruleset *set, struct matcher_cost *costs)
{
	struct matcher_draft *draft = matcher_draft();

	for (size_t i = 0; i < set->n; i++)
		matcher_add(draft, set->rules[i].tree);
	matcher_free(matcher_compile_costs(draft, costs));
}

size_t ruleset_bytes(const struct ruleset *set)
{
	return matcher_bytes(set->matcher);
}

uint64_t ruleset_matches(const struct ruleset *set, size_t i)
{
	return atomic_load_explicit(&set->matches[i], memory_order_relaxed);
}

uint64_t ruleset_type_mismatches(const struct ruleset *set, size_t i)
{
	return atomic_load_explicit(&set->mismatches[i], memory_order_relaxed);
}
