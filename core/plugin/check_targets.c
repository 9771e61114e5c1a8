/* Actions and sinks: who delivers to them, and do events have what they ask for? */
#include "base/mem.h"
#include "config/section.h"
#include "plugin/survey.h"

#include <stdlib.h>
#include <string.h>

struct visit { /* a rule that delivers to a target */
	const struct rule_config *rule;
	const struct feed *feed;
};

struct visits {
	struct visit *list;
	size_t n;
};

bool delivers_to(const struct rule_config *r, const char *target)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->duties[i].target, target) == 0 ||
		    (r->duties[i].then && strcmp(r->duties[i].then, target) == 0))
			return true;
	}
	return false;
}

static struct visits visits_of(const struct survey *s, const char *target)
{
	struct visits v = {0};

	for (size_t i = 0; i < s->config->nrules; i++) {
		const struct rule_config *r = &s->config->rules[i];

		if (!r->enabled || !delivers_to(r, target))
			continue;
		v.list = mem_grow(v.list, v.n + 1, sizeof *v.list);
		v.list[v.n++] = (struct visit){r, &s->rules[i]};
	}
	return v;
}

static void check_duty(const struct survey *s, const struct rule_config *r, const char *target)
{
	const struct config *c = s->config;
	const struct instance_config *i = config_instance(c, target);
	const char **names = mem_zero((c->ninstances + 1) * sizeof *names);
	struct place at = ini_place(r->do_key, 0);
	size_t n = 0;

	for (size_t k = 0; k < c->ninstances; k++) {
		if (is_target(&c->instances[k]))
			names[n++] = c->instances[k].name;
	}
	if (!i)
		report_error(s->report, at, "do: no action or sink `%s`%s", target,
			     survey_hint(target, names, n));
	else if (!is_target(i))
		report_error(s->report, at, "do: `%s` is a [%s], which takes no events", target,
			     config_kind_name(i->kind));
	else if (r->enabled && !i->enabled)
		report_warning(s->report, at, "do: `%s` is not enabled: nothing is delivered to it",
			       target);
	free(names);
}

static bool has_windows(const struct rule_config *r)
{
	return r->quiet_ms || r->count;
}

static bool step_is(const struct path *path, size_t i, const char *name)
{
	return i < path->n && strcmp(path->steps[i].name, name) == 0;
}

static bool takes_input(const struct rule_config *r, const char *name)
{
	for (char **in = r->inputs; in && *in; in++) {
		if (strcmp(*in, name) == 0)
			return true;
	}
	return false;
}

static enum field find_input(const struct survey *s, const struct rule_config *r,
			     const struct path *path, bool *all)
{
	const struct input_config *input;

	*all = true;
	if (!r->inputs)
		return FIELD_ABSENT;
	if (path->n == 1)
		return FIELD_THERE;
	if (!takes_input(r, path->steps[1].name))
		return FIELD_ABSENT;
	input = config_input(s->config, path->steps[1].name);
	if (!input || path->n == 2)
		return FIELD_THERE;
	return feed_find(&s->inputs[input - s->config->inputs], path, 2, all);
}

static enum field find_window(const struct rule_config *r, const struct path *path)
{
	if (r->inputs || !has_windows(r))
		return FIELD_ABSENT;
	if (path->n == 1 || (path->n == 2 && step_is(path, 1, "count")))
		return FIELD_THERE;
	return step_is(path, 1, "events") ? FIELD_OPTIONAL : FIELD_ABSENT;
}

static enum field find_delivery(const struct path *path)
{
	static const char *const names[] = {"key", "attempt", "rule", "held"};

	for (size_t i = 0; path->n == 2 && i < sizeof names / sizeof *names; i++) {
		if (step_is(path, 1, names[i]))
			return i == 3 ? FIELD_OPTIONAL : FIELD_THERE;
	}
	return FIELD_ABSENT;
}

/* What a template sees in a delivery that the rule makes; *all as in feed_find(). */
static enum field find_path(const struct survey *s, const struct part *p, const struct visit *v,
			    const struct path *path, bool *all)
{
	*all = true;
	if (step_is(path, 0, "inputs"))
		return find_input(s, v->rule, path, all);
	if (step_is(path, 0, "window"))
		return find_window(v->rule, path);
	if (step_is(path, 0, "delivery"))
		return find_delivery(path);
	if (step_is(path, 0, "event"))
		return path->n == 1 ? FIELD_THERE : FIELD_OPTIONAL;
	if (step_is(path, 0, "config"))
		return path->n == 2 && plugin_key(p->plugin, path->steps[1].name) ? FIELD_THERE
										  : FIELD_ABSENT;
	return v->feed->n ? feed_find(v->feed, path, 0, all) : FIELD_THERE;
}

struct answer {
	size_t none, some; /* visits in which no event, not every event has the path */
	const struct visit *first_none, *first_some;
};

static struct answer ask_all(const struct survey *s, const struct part *p, const struct visits *v,
			     const struct path *path)
{
	struct answer a = {0};

	for (size_t i = 0; i < v->n; i++) {
		bool all;

		if (find_path(s, p, &v->list[i], path, &all) == FIELD_ABSENT) {
			a.first_none = a.none++ ? a.first_none : &v->list[i];
		} else if (!all) {
			a.first_some = a.some++ ? a.first_some : &v->list[i];
		}
	}
	return a;
}

static char *nearest_path(const struct visits *v, const struct path *path)
{
	char *near = NULL;

	if (step_is(path, 0, "inputs") || step_is(path, 0, "window") ||
	    step_is(path, 0, "delivery"))
		return NULL;
	for (size_t i = 0; i < v->n && !near; i++)
		near = feed_nearest(v->list[i].feed, path, 0);
	return near;
}

/* Inputs are the likeliest to be misspelt, or to be missing from the rule. */
static const char *input_hint(const struct visits *v, const struct path *path)
{
	const struct rule_config *r = v->list[0].rule;

	if (!step_is(path, 0, "inputs") || path->n < 2 || !r->inputs)
		return step_is(path, 0, "inputs") ? "; the rule has no `inputs`" : "";
	return takes_input(r, path->steps[1].name)
		       ? ""
		       : survey_hint(path->steps[1].name, (const char *const *)r->inputs,
				     list_length(r->inputs));
}

static void miss_everywhere(const struct survey *s, const struct visits *v, struct place at,
			    const char *key, const struct path *path)
{
	char *near = nearest_path(v, path);

	report_error(s->report, at, "%s: no event of rule %s can have `%s`%s%s%s%s", key,
		     v->list[0].rule->name, path->text, near ? "; did you mean `" : "",
		     near ? near : "", near ? "`?" : "", near ? "" : input_hint(v, path));
	free(near);
}

static void check_path(const struct survey *s, const struct part *p, const struct visits *v,
		       struct place at, const char *key, const struct path *path)
{
	struct answer a = ask_all(s, p, v, path);
	const struct visit *lacking = a.none ? a.first_none : a.first_some;

	if (a.none == v->n)
		miss_everywhere(s, v, at, key, path);
	else if (lacking)
		report_warning(s->report, at,
			       "%s: %s events of rule %s have no `%s`: their deliveries would be "
			       "dead letters; give a default: {{ %s | or(\"..\") }}",
			       key, a.none ? "the" : "some", lacking->rule->name, path->text,
			       path->text);
}

/* With or(..) nothing can go wrong, but a name that never is there is likely misspelt. */
static void check_optional(const struct survey *s, const struct part *p, const struct visits *v,
			   struct place at, const char *key, const struct path *path)
{
	char *near = nearest_path(v, path);

	if (ask_all(s, p, v, path).none == v->n)
		report_warning(
			s->report, at,
			"%s: no event of rule %s can have `%s`: its default always holds%s%s%s",
			key, v->list[0].rule->name, path->text, near ? "; did you mean `" : "",
			near ? near : "", near ? "`?" : "");
	free(near);
}

static struct place path_place(const struct part *p, const struct template_use *use,
			       const struct path *path)
{
	const char *hit = use->setting ? strstr(use->setting->value, path->text) : NULL;

	if (!use->setting)
		return p->section->at;
	return setting_place(use->setting, hit ? (size_t)(hit - use->setting->value) : 0);
}

static void check_template(const struct survey *s, const struct part *p, const struct visits *v,
			   const struct template_use *use)
{
	char *key = mem_format(use->setting ? "%s" : "the default of `%s`", use->key);
	const struct path *path;
	bool has_default;

	for (size_t i = 0; i < template_paths(use->template, 0, NULL, NULL); i++) {
		template_paths(use->template, i, &path, &has_default);
		if (!has_default)
			check_path(s, p, v, path_place(p, use, path), key, path);
		else if (use->setting)
			check_optional(s, p, v, path_place(p, use, path), key, path);
	}
	free(key);
}

static void check_needs(const struct survey *s, const struct part *p, const struct visits *v)
{
	const char *needs = p->plugin->table.needs;
	struct path path;
	size_t used;
	bool all;

	while (needs && *(needs += strspn(needs, " "))) {
		path_parse(needs, strcspn(needs, " "), &path, &used, NULL);
		for (size_t i = 0; i < v->n; i++) {
			const struct visit *one = &v->list[i];

			if (find_path(s, p, one, &path, &all) == FIELD_ABSENT)
				report_error(s->report, ini_place(one->rule->do_key, 0),
					     "do: `%s` needs %s, which no event of rule %s has",
					     p->section->name, path.text, one->rule->name);
		}
		path_free(&path);
		needs += used;
	}
}

static void check_order(const struct survey *s, const struct part *p, const struct visits *v)
{
	const struct instance_config *i = p->section;
	bool groups = i->order_by == ORDER_GROUP || i->rate.per_group;
	struct path path;
	size_t used;

	for (size_t k = 0; k < v->n; k++)
		groups = groups && !v->list[k].rule->group_by;
	if (groups && v->n)
		report_warning(s->report, i->order_key ? ini_place(i->order_key, 0) : i->at,
			       "%s: no rule that delivers to %s has `group-by`",
			       i->order_by == ORDER_GROUP ? "order-by" : "rate", i->name);
	if (i->order_by != ORDER_PATH ||
	    !path_parse(i->order_path, strlen(i->order_path), &path, &used, NULL))
		return;
	if (v->n && ask_all(s, p, v, &path).none == v->n)
		miss_everywhere(s, v, config_place(i->order_key, i->order_path, 0), "order-by",
				&path);
	path_free(&path);
}

static void check_batch(const struct survey *s, const struct part *p)
{
	const struct instance_config *i = p->section;

	if (i->batch > 1 && p->plugin && !p->plugin->table.deliver_many)
		report_error(s->report, ini_place(i->batch_key, 0),
			     "batch: plugin %s takes one event at a time (it has no "
			     "deliver_many()): remove `batch`",
			     i->plugin);
}

static void check_target(const struct survey *s, const struct part *p)
{
	struct visits v = visits_of(s, p->section->name);
	struct template_use use;

	if (v.n == 0 && p->section->enabled)
		report_warning(s->report, p->section->at, "no rule delivers to %s %s",
			       config_kind_name(p->section->kind), p->section->name);
	for (size_t i = 0; p->values && v.n && values_template_use(p->values, i, &use); i++)
		check_template(s, p, &v, &use);
	if (p->plugin) {
		check_needs(s, p, &v);
		check_batch(s, p);
		check_order(s, p, &v);
	}
	free(v.list);
}

static bool keeps_apart(const struct survey *s, const struct rule_config *r)
{
	if (r->inputs || has_windows(r) || r->overlap != OVERLAP_PARALLEL)
		return true;
	for (size_t i = 0; i < s->config->ninstances; i++) {
		const struct instance_config *t = &s->config->instances[i];

		if (is_target(t) && delivers_to(r, t->name) &&
		    (t->order_by == ORDER_GROUP || t->rate.per_group))
			return true;
	}
	return false;
}

static void check_group_path(const struct survey *s, const struct rule_config *r,
			     const struct template *t)
{
	const struct feed *feed = &s->rules[r - s->config->rules];
	const struct path *path;
	bool all;

	if (template_paths(t, 0, &path, NULL) != 1)
		report_error(s->report, ini_place(r->group_key, 0),
			     "group-by: a path, like data.new.algorithm | lower");
	else if (feed->n && feed_find(feed, path, 0, &all) == FIELD_ABSENT)
		report_error(s->report, ini_place(r->group_key, 0),
			     "group-by: no event of rule %s can have `%s`", r->name, path->text);
}

static void check_group(const struct survey *s, const struct rule_config *r)
{
	char *text;
	struct template *t;
	struct err err;
	size_t at;

	if (!r->group_by)
		return;
	text = mem_format("{{ %s }}", r->group_by);
	t = template_parse(TEMPLATE_TEXT, text, &at, &err);
	if (t)
		check_group_path(s, r, t);
	else
		report_error(s->report,
			     config_place(r->group_key, r->group_by, at > 3 ? at - 3 : 0),
			     "group-by: %s", err.text);
	template_free(t);
	free(text);
	if (!keeps_apart(s, r))
		report_error(
			s->report, ini_place(r->group_key, 0),
			"group-by: there is nothing to keep apart: it is for `inputs`, "
			"`coalesce`, `count`, `overlap`, and targets with `order-by = group` or "
			"a rate per group");
}

void check_targets(struct survey *s)
{
	const struct config *c = s->config;

	for (size_t i = 0; i < c->nrules; i++) {
		for (size_t k = 0; k < c->rules[i].n; k++) {
			check_duty(s, &c->rules[i], c->rules[i].duties[k].target);
			if (c->rules[i].duties[k].then)
				check_duty(s, &c->rules[i], c->rules[i].duties[k].then);
		}
		check_group(s, &c->rules[i]);
	}
	for (size_t i = 0; i < c->ninstances; i++) {
		if (is_target(&c->instances[i]))
			check_target(s, &s->parts[i]);
	}
}
