/* Rules and inputs: who may trigger them, and do the fields they ask for exist? */
#include "base/mem.h"
#include "matcher/ruleset.h"
#include "plugin/survey.h"
#include "rules/pattern.h"

#include <stdlib.h>
#include <string.h>

struct place testing_place(const struct testing *t, size_t at)
{
	const struct selector_config *s = t->asking->select;

	return t->text == s->where ? config_place(s->where_key, s->where, at)
				   : setting_place(s->pattern, at);
}

static struct place key_place(const struct asking *a, const struct ini_key *key)
{
	return key ? ini_place(key, 0) : a->at;
}

/* Where an element of a list of names stands. */
static struct place element_place(const struct ini_key *key, const char *element)
{
	const char *hit = key->value, *end;
	size_t len = strlen(element);

	while ((hit = strstr(hit, element))) {
		end = hit + len;
		if ((hit == key->value || strchr(", \t", hit[-1])) &&
		    (!*end || strchr(", \t", *end)))
			return ini_place(key, (size_t)(hit - key->value));
		hit = end;
	}
	return ini_place(key, 0);
}

static void check_from(const struct asking *a)
{
	const struct config *c = a->s->config;
	const char **names = mem_zero((c->ninstances + 1) * sizeof *names);
	size_t n = 0;

	for (size_t i = 0; i < c->ninstances; i++) {
		if (is_emitter(&c->instances[i]))
			names[n++] = c->instances[i].name;
	}
	for (char **from = a->select->from; from && *from; from++) {
		const struct instance_config *i = config_instance(c, *from);
		struct place at = element_place(a->select->from_key, *from);

		if (!i && (strcmp(*from, "pointsman") == 0 || strcmp(*from, "send") == 0))
			continue;
		if (!i)
			report_error(a->s->report, at, "from: no source or action `%s`%s", *from,
				     survey_hint(*from, names, n));
		else if (!is_emitter(i))
			report_error(a->s->report, at,
				     "from: `%s` is a [%s], which emits no events", *from,
				     config_kind_name(i->kind));
	}
	free(names);
}

static bool anybody_emits(const struct survey *s, const char *pattern)
{
	for (size_t i = 0; i < s->nrows; i++) {
		if (!s->rows[i].if_named && row_fits(pattern, s->rows[i].type))
			return true;
	}
	return false;
}

static const char *type_hint(const struct survey *s, const char *pattern)
{
	const char **names = mem_zero((s->nrows + 1) * sizeof *names), *hint;

	for (size_t i = 0; i < s->nrows; i++)
		names[i] = s->rows[i].type;
	hint = survey_hint(pattern, names, s->nrows);
	free(names);
	return hint;
}

static bool all_from_exist(const struct asking *a)
{
	for (char **from = a->select->from; from && *from; from++) {
		if (strcmp(*from, "pointsman") != 0 && strcmp(*from, "send") != 0 &&
		    !config_instance(a->s->config, *from))
			return false;
	}
	return true;
}

static bool feed_has(const struct feed *f, const char *pattern)
{
	for (size_t i = 0; i < f->n; i++) {
		if (row_fits(pattern, f->rows[i]->type))
			return true;
	}
	return false;
}

static void check_on(const struct asking *a, const struct feed *feed)
{
	struct report *r = a->s->report;

	for (char **on = a->select->on; on && *on; on++) {
		if (feed_has(feed, *on))
			continue;
		if (!anybody_emits(a->s, *on))
			report_error(r, element_place(a->select->on_key, *on),
				     "on: no source or action here emits `%s`%s", *on,
				     type_hint(a->s, *on));
		else if (all_from_exist(a))
			report_error(r, element_place(a->select->on_key, *on),
				     "on: nobody in `from` emits `%s`", *on);
	}
	if (!a->select->on && feed->n == 0 && all_from_exist(a))
		report_error(r, key_place(a, a->select->from_key),
			     "%s %s: no event can come: nobody who emits one is named", a->kind,
			     a->name);
}

static void check_enabled(const struct asking *a, const struct feed *feed)
{
	for (size_t i = 0; i < feed->n; i++) {
		if (!feed->rows[i]->from || feed->rows[i]->from->enabled)
			return;
	}
	if (feed->n)
		report_warning(a->s->report, a->at, "%s %s: waits for `%s`, which is not enabled",
			       a->kind, a->name, feed->rows[0]->from->name);
}

static void miss_path(const struct asking *a, struct place at, const char *key,
		      const struct feed *feed, const struct path *path)
{
	char *near = feed_nearest(feed, path, 0);

	report_error(a->s->report, at, "%s: no event of %s %s can have `%s`%s%s%s", key, a->kind,
		     a->name, path->text, near ? "; did you mean `" : "", near ? near : "",
		     near ? "`?" : "");
	free(near);
}

/* What the rule asks of an event. */
struct tests {
	struct testing where, pattern;
};

static void check_use(const struct testing *t, const struct feed *feed, const struct expr_use *use)
{
	struct path joined = {0};
	const struct path *path = use->path;
	bool all;

	if (use->prefix) {
		if (feed_find(feed, use->prefix, 0, &all) == FIELD_ABSENT)
			return; /* told once, at the `any` */
		path_join(use->prefix, use->path, &joined);
		path = &joined;
	}
	if (feed_find(feed, path, 0, &all) == FIELD_ABSENT)
		miss_path(t->asking, testing_place(t, use->at), t->key, feed, path);
	path_free(&joined);
}

static void check_uses(const struct testing *t, const struct feed *feed)
{
	struct expr_use use;
	size_t n = t->e ? expr_uses(t->e, 0, NULL) : 0;

	for (size_t i = 0; i < n && feed->n; i++) {
		expr_uses(t->e, i, &use);
		check_use(t, feed, &use);
	}
}

/* Every test asks for a field that exists; only `not (..)` is true without. */
static bool may_pass(const struct expr *e, const struct row *row)
{
	bool any = e->nparts == 0;

	switch (e->kind) {
	case EXPR_OR:
		for (size_t i = 0; i < e->nparts; i++)
			any = any || may_pass(e->parts[i], row);
		return any;
	case EXPR_AND:
		for (size_t i = 0; i < e->nparts; i++) {
			if (!may_pass(e->parts[i], row))
				return false;
		}
		return true;
	case EXPR_NOT: return true;
	case EXPR_ANY: return row_find(row, &e->whole, 0) != FIELD_ABSENT;
	case EXPR_TEST: break;
	}
	return row_find(row, &e->path, 0) != FIELD_ABSENT &&
	       (e->value.kind != VALUE_PATH || row_find(row, &e->value.path, 0) != FIELD_ABSENT);
}

static struct expr *parse_pattern(const struct asking *a, struct arena *arena)
{
	const struct setting *p = a->select->pattern;
	enum pattern_root root = a->select->pattern_data ? PATTERN_DATA : PATTERN_EVENT;
	struct expr *e;
	struct err err;
	size_t at = 0;

	if (!p)
		return NULL;
	e = pattern_parse(arena, root, p->value, strlen(p->value), &at, &err);
	if (!e)
		report_error(a->s->report, setting_place(p, at), "pattern: %s%s", err.text,
			     !p->file && p->key->comment.line ? " (` ;` starts a comment; a "
								"semicolon is `\\;`)"
							      : "");
	return e;
}

static struct expr *parse_where(const struct asking *a, struct arena *arena)
{
	const struct selector select = {.where = a->select->where};
	const struct ini_key *key = a->select->where_key;
	struct ruleset *set;
	struct err err;
	size_t which, at = 0;

	if (!a->select->where)
		return NULL;
	set = ruleset_compile(&select, 1, &which, &at, &err);
	if (!set) {
		report_error(a->s->report, config_place(key, a->select->where, at), "where: %s%s",
			     err.text,
			     key->comment.line ? " (` ;` starts a comment; a semicolon is `\\;`)"
					       : "");
		return NULL;
	}
	ruleset_free(set);
	return expr_parse(arena, a->select->where, &at, &err);
}

/* Does the row have the path of `changed`, in both images? */
static bool may_change(const struct selector_config *select, const struct row *row)
{
	struct path path = {0};
	size_t used;
	bool now, before = false;

	if (!select->changed ||
	    !path_parse(select->changed, strlen(select->changed), &path, &used, NULL) || path.n < 3)
		return true; /* told when it was read */
	now = row_find(row, &path, 0) != FIELD_ABSENT;
	if (now) {
		free(path.steps[1].name);
		path.steps[1].name = mem_text("old");
		before = row_find(row, &path, 0) != FIELD_ABSENT;
	}
	path_free(&path);
	return now && before;
}

static void check_changed(const struct asking *a, const struct feed *feed)
{
	for (size_t i = 0; i < feed->n; i++) {
		if (may_change(a->select, feed->rows[i]))
			return;
	}
	if (feed->n)
		report_error(a->s->report, key_place(a, a->select->changed_key),
			     "changed: no event of %s %s has both data.new and data.old for `%s`",
			     a->kind, a->name, a->select->changed);
}

/* New items have no old image, so `changed` narrows by the new one alone. */
static bool may_have_new(const struct selector_config *select, const struct row *row)
{
	struct path path = {0};
	size_t used;
	bool found;

	if (!select->changed ||
	    !path_parse(select->changed, strlen(select->changed), &path, &used, NULL))
		return true;
	found = row_find(row, &path, 0) != FIELD_ABSENT;
	path_free(&path);
	return found;
}

static void narrow(const struct asking *a, struct feed *feed, const struct tests *t)
{
	const struct ini_key *key = t->where.e     ? a->select->where_key
				    : t->pattern.e ? a->select->pattern->key
						   : NULL;
	size_t n = 0, before = a->s->report->errors;

	check_uses(&t->where, feed);
	check_uses(&t->pattern, feed);
	check_changed(a, feed);
	for (size_t i = 0; i < feed->n; i++) {
		if ((!t->where.e || may_pass(t->where.e, feed->rows[i])) &&
		    (!t->pattern.e || may_pass(t->pattern.e, feed->rows[i])) &&
		    may_have_new(a->select, feed->rows[i]))
			feed->rows[n++] = feed->rows[i];
	}
	if (feed->n && n == 0 && a->s->report->errors == before)
		report_error(a->s->report, key_place(a, key),
			     "%s: no single event type of %s %s has all the fields it asks for",
			     key ? key->name : "changed", a->kind, a->name);
	feed->n = n ? n : feed->n; /* what follows shall not repeat the mistake */
}

static void ask(const struct asking *a, struct feed *feed)
{
	struct arena arena = {0};
	const struct tests tests = {
		{a, "where", parse_where(a, &arena), a->select->where},
		{a, "pattern", parse_pattern(a, &arena),
		 a->select->pattern ? a->select->pattern->value : NULL},
	};

	for (size_t i = 0; i < a->s->nrows; i++) {
		if (!row_may_come(&a->s->rows[i], a->select))
			continue;
		feed->rows = mem_grow(feed->rows, feed->n + 1, sizeof *feed->rows);
		feed->rows[feed->n++] = &a->s->rows[i];
	}
	check_from(a);
	check_on(a, feed);
	check_enabled(a, feed);
	narrow(a, feed, &tests);
	check_compare(&tests.where, feed);
	check_compare(&tests.pattern, feed);
	arena_free(&arena);
}

static void check_inputs(const struct survey *s, const struct rule_config *r)
{
	const struct config *c = s->config;
	const char **names = mem_zero((c->ninputs + 1) * sizeof *names);

	for (size_t i = 0; i < c->ninputs; i++)
		names[i] = c->inputs[i].name;
	for (size_t i = 0; r->inputs[i]; i++) {
		if (!config_input(c, r->inputs[i]))
			report_error(s->report, element_place(r->inputs_key, r->inputs[i]),
				     "inputs: no section [input %s]%s", r->inputs[i],
				     survey_hint(r->inputs[i], names, c->ninputs));
		for (size_t k = 0; k < i; k++) {
			if (strcmp(r->inputs[k], r->inputs[i]) == 0)
				report_error(s->report, element_place(r->inputs_key, r->inputs[i]),
					     "inputs: `%s` is named twice", r->inputs[i]);
		}
	}
	free(names);
}

static void check_unused_inputs(const struct survey *s)
{
	const struct config *c = s->config;
	struct map used = {0};

	for (size_t i = 0; i < c->nrules; i++) {
		for (char **in = c->rules[i].inputs; in && *in; in++)
			map_put(&used, *in, *in);
	}
	for (size_t i = 0; i < c->ninputs; i++) {
		if (!map_get(&used, c->inputs[i].name))
			report_warning(s->report, c->inputs[i].at, "no rule waits for input `%s`",
				       c->inputs[i].name);
	}
	map_free(&used, NULL);
}

void check_rules(struct survey *s)
{
	const struct config *c = s->config;

	for (size_t i = 0; i < c->ninputs; i++) {
		const struct input_config *in = &c->inputs[i];
		const struct asking a = {s, &in->select, "input", in->name, in->at};

		ask(&a, &s->inputs[i]);
	}
	for (size_t i = 0; i < c->nrules; i++) {
		const struct rule_config *r = &c->rules[i];
		const struct asking a = {s, &r->select, "rule", r->name, r->at};

		if (r->inputs) {
			check_inputs(s, r);
			s->rules[i] = feed_join(s, r->inputs);
		} else if (!r->inputs_key) {
			ask(&a, &s->rules[i]);
		}
	}
	check_unused_inputs(s);
}
