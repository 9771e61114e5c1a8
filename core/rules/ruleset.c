#include "rules/ruleset.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "rules/judge.h"
#include "json/same.h"

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
	char *where_text;
	struct judge *where;     /* or NULL */
	struct path now, before; /* of `changed`; empty without */
	size_t first, conditions;
};

struct bucket { /* the rules that have one pattern in their `on` */
	uint32_t *rules;
	size_t n, cap;
};

struct ruleset {
	struct arena trees;
	struct rule *rules;
	size_t n, conditions;
	struct map exact, wild;                     /* `on` pattern to bucket */
	atomic_uint_fast64_t *matches, *mismatches; /* by selector */
};

struct memory { /* what struct match has for its own */
	struct judge_memory judge;
	uint64_t *marks;                      /* a bit for each rule whose `on` fits */
	size_t words, hits, verdicts, firsts; /* how many there is room for */
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

static bool step_is(const struct path *p, size_t i, const char *name)
{
	return i < p->n && strcmp(p->steps[i].name, name) == 0;
}

static bool compile_changed(struct rule *r, const char *text, struct err *err)
{
	size_t used;
	struct path *old = &r->before;

	if (!path_parse(text, strlen(text), &r->now, &used, err)) {
		err_prefix(err, "changed");
		return false;
	}
	if (text[used] || !step_is(&r->now, 0, "data") || !step_is(&r->now, 1, "new") ||
	    r->now.n < 3) {
		err_set(err, "changed: \"%.100s\" is no path under data.new, like data.new.phase",
			text);
		return false;
	}
	path_parse(text, strlen(text), old, &used, NULL);
	free(old->steps[1].name);
	old->steps[1].name = mem_text("old");
	return true;
}

static bool compile_where(struct rule *r, struct arena *trees, const char *text, size_t *at,
			  struct err *err)
{
	struct expr *e = expr_parse(trees, text, at, err);

	if (!e)
		return false;
	r->where_text = mem_text(text);
	r->where = judge_new(e);
	return true;
}

static bool compile_rule(struct rule *r, struct arena *trees, const struct selector *s, size_t *at,
			 struct err *err)
{
	*at = 0;
	if (!compile_on(r, s, err))
		return false;
	r->has_from = s->from != NULL;
	if (r->has_from)
		r->from = words_copy(s->from, NULL);
	if (s->where && !compile_where(r, trees, s->where, at, err))
		return false;
	if (s->changed && !compile_changed(r, s->changed, err))
		return false;
	r->conditions = 1U + r->has_from + (r->where ? judge_tests(r->where) : 0) + (r->now.n > 0);
	return true;
}

static void rule_free(struct rule *r)
{
	words_free(&r->on);
	words_free(&r->from);
	judge_free(r->where);
	free(r->where_text);
	path_free(&r->now);
	path_free(&r->before);
}

static void index_rule(struct ruleset *set, size_t i)
{
	const struct words *on = &set->rules[i].on;

	for (size_t k = 0; k < on->n; k++) {
		struct map *m = strchr(on->list[k], '*') ? &set->wild : &set->exact;
		struct bucket *b = map_get(m, on->list[k]);

		if (!b) {
			b = mem_new(struct bucket);
			map_put(m, on->list[k], b);
		}
		mem_room(b->rules, b->n, b->cap);
		b->rules[b->n++] = (uint32_t)i;
	}
}

struct ruleset *ruleset_compile(const struct selector *selectors, size_t n, size_t *which,
				size_t *at, struct err *err)
{
	struct ruleset *set = mem_new(struct ruleset);
	size_t ignored;

	set->rules = mem_zero(n * sizeof *set->rules);
	set->matches = mem_zero(n * sizeof *set->matches);
	set->mismatches = mem_zero(n * sizeof *set->mismatches);
	for (; set->n < n; set->n++) {
		struct rule *r = &set->rules[set->n];

		if (!compile_rule(r, &set->trees, &selectors[set->n], at ? at : &ignored, err)) {
			if (which)
				*which = set->n;
			set->n++;
			ruleset_free(set);
			return NULL;
		}
		r->first = set->conditions;
		set->conditions += r->conditions;
		index_rule(set, set->n);
	}
	return set;
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
	map_free(&set->exact, bucket_free);
	map_free(&set->wild, bucket_free);
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

	return (struct condition){.kind = CONDITION_WHERE,
				  .text = r->where_text + e->at,
				  .len = e->end - e->at,
				  .path = &e->path,
				  .any = judge_any(r->where, i),
				  .turned = judge_turned(r->where, i)};
}

struct condition ruleset_condition(const struct ruleset *set, size_t i, size_t c)
{
	const struct rule *r = &set->rules[i];
	size_t tests = r->where ? judge_tests(r->where) : 0;

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
				  .text = r->now.text,
				  .len = strlen(r->now.text),
				  .path = &r->now};
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

/* An item that is new has nothing to differ from, and so has changed in all it has; one
 * that is gone has changed in nothing. */
static enum verdict changed(const struct rule *r, const struct event *ev, struct buf *scratch)
{
	const struct path item = {r->now.text, r->now.steps, 2};
	struct json_value now = event_find(ev, EVENT_ITSELF, &r->now, scratch);
	struct json_value before = event_find(ev, EVENT_ITSELF, &r->before, scratch);

	if (now.kind != KIND_ABSENT && before.kind != KIND_ABSENT)
		return json_same(&now, &before) ? VERDICT_FAIL : VERDICT_PASS;
	if (now.kind != KIND_ABSENT)
		return VERDICT_PASS;
	if (before.kind == KIND_ABSENT)
		return VERDICT_ABSENT;
	now = event_find(ev, EVENT_ITSELF, &item, scratch);
	return now.kind == KIND_OBJECT ? VERDICT_PASS : VERDICT_ABSENT;
}

/* Everything but `on`.  `verdicts` of this rule, behind that of `on`, or NULL. */
static bool rule_fits(const struct ruleset *set, size_t i, const struct event *ev, struct memory *m,
		      uint8_t *verdicts)
{
	const struct rule *r = &set->rules[i];
	size_t tests = r->where ? judge_tests(r->where) : 0;
	uint64_t mismatches = 0;
	enum verdict v;

	if (r->has_from) {
		v = from_fits(r, ev) ? VERDICT_PASS : VERDICT_FAIL;
		if (verdicts)
			*verdicts++ = (uint8_t)v;
		if (v != VERDICT_PASS)
			return false;
	}
	v = VERDICT_PASS;
	if (r->where && !judge_event(r->where, ev, &m->judge, verdicts, &mismatches))
		v = VERDICT_FAIL;
	if (mismatches)
		atomic_fetch_add_explicit(&set->mismatches[i], mismatches, memory_order_relaxed);
	if (v == VERDICT_PASS && r->now.n) {
		v = changed(r, ev, &m->judge.find_left);
		if (verdicts)
			verdicts[tests] = (uint8_t)v;
	}
	return v == VERDICT_PASS;
}

static struct memory *memory_of(struct match *m)
{
	if (!m->scratch)
		m->scratch = mem_new(struct memory);
	return m->scratch;
}

static void mark(struct memory *m, const struct bucket *b)
{
	for (size_t i = 0; b && i < b->n; i++)
		m->marks[b->rules[i] / 64] |= 1ULL << (b->rules[i] % 64);
}

/* The rules whose `on` fits; each different pattern is looked at once. */
static void mark_candidates(const struct ruleset *set, const struct event *ev, struct memory *m)
{
	size_t words = set->n / 64 + 1;
	struct map_entry *e;

	if (m->words < words) {
		m->marks = mem_grow(m->marks, words, sizeof *m->marks);
		m->words = words;
	}
	memset(m->marks, 0, words * sizeof *m->marks);
	mark(m, map_get(&set->exact, ev->type));
	for (size_t i = 0; (e = map_next(&set->wild, &i));) {
		if (event_type_fits(e->key, ev->type))
			mark(m, e->value);
	}
}

static void add_hit(const struct ruleset *set, struct match *match, size_t i)
{
	match->hits[match->nhits++] = (uint32_t)i;
	atomic_fetch_add_explicit(&set->matches[i], 1, memory_order_relaxed);
}

static void match_candidates(const struct ruleset *set, const struct event *ev, struct match *match,
			     struct memory *m)
{
	mark_candidates(set, ev, m);
	for (size_t w = 0; w < set->n / 64 + 1; w++) {
		for (uint64_t left = m->marks[w]; left; left &= left - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(left);

			if (rule_fits(set, i, ev, m, NULL))
				add_hit(set, match, i);
		}
	}
}

static void match_explained(const struct ruleset *set, const struct event *ev, struct match *match,
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
		if (fits && rule_fits(set, i, ev, m, verdicts + 1))
			add_hit(set, match, i);
	}
}

void ruleset_match(const struct ruleset *set, const struct event *ev, bool explain, struct match *m)
{
	struct memory *memory = memory_of(m);

	if (memory->hits < set->n) {
		m->hits = mem_grow(m->hits, set->n, sizeof *m->hits);
		memory->hits = set->n;
	}
	m->nhits = 0;
	if (explain)
		match_explained(set, ev, m, memory);
	else
		match_candidates(set, ev, m, memory);
}

void match_free(struct match *m)
{
	struct memory *memory = m->scratch;

	if (memory) {
		judge_memory_free(&memory->judge);
		free(memory->marks);
		free(memory);
	}
	free(m->hits);
	free(m->verdicts);
	free(m->first);
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
	now = event_find(ev, EVENT_ITSELF, &r->now, &scratch);
	seen_put(&seen->value, &now);
	before = event_find(ev, EVENT_ITSELF, &r->before, &scratch);
	seen_put(&seen->other, &before);
	buf_free(&scratch);
	return seen->verdict == VERDICT_PASS;
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
		seen += judge_tests(r->where) - 1;
	}
	if (r->now.n)
		hit = see_changed(r, ev, ++seen) && hit;
	judge_memory_free(&memory);
	return hit;
}

uint64_t ruleset_matches(const struct ruleset *set, size_t i)
{
	return atomic_load_explicit(&set->matches[i], memory_order_relaxed);
}

uint64_t ruleset_type_mismatches(const struct ruleset *set, size_t i)
{
	return atomic_load_explicit(&set->mismatches[i], memory_order_relaxed);
}
