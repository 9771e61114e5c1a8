/* [test] sections: do their files hold events, and are there the rules and targets they name? */
#include "base/mem.h"
#include "event/eventfile.h"
#include "plugin/survey.h"

#include <stdlib.h>
#include <string.h>

struct names {
	const char **list;
	size_t n;
};

static void add_name(struct names *names, const char *name)
{
	names->list = mem_grow(names->list, names->n + 1, sizeof *names->list);
	names->list[names->n++] = name;
}

static struct names instances(const struct config *c,
			      bool (*wanted)(const struct instance_config *i))
{
	struct names names = {0};

	for (size_t i = 0; i < c->ninstances; i++) {
		if (wanted(&c->instances[i]))
			add_name(&names, c->instances[i].name);
	}
	return names;
}

static const char *nearest(struct names names, const char *word)
{
	const char *hint = survey_hint(word, names.list, names.n);

	free(names.list);
	return hint;
}

static const char *nearest_rule(const struct config *c, const char *word)
{
	struct names names = {0};

	for (size_t i = 0; i < c->nrules; i++)
		add_name(&names, c->rules[i].name);
	return nearest(names, word);
}

static const char *nearest_target(const struct rule_config *r, const char *word)
{
	struct names names = {0};

	for (size_t i = 0; i < r->n; i++) {
		add_name(&names, r->duties[i].target);
		if (r->duties[i].then)
			add_name(&names, r->duties[i].then);
	}
	return nearest(names, word);
}

static const char *nearest_emitter(const struct config *c, const char *word)
{
	struct names names = instances(c, is_emitter);

	add_name(&names, "send");
	add_name(&names, "pointsman");
	return nearest(names, word);
}

/* What comes from outside the sections comes through these. */
static bool is_ours(const char *instance)
{
	return strcmp(instance, "send") == 0 || strcmp(instance, "pointsman") == 0;
}

static void check_event(const struct survey *s, const struct test_step *step,
			const struct filed *one)
{
	const struct place at = {step->file, one->line, 1};
	struct event ev = *one->event;
	const struct instance_config *from = config_instance(s->config, ev.instance);
	struct err err;

	ev.attributes = NULL;
	ev.time = ev.time ? ev.time : "1970-01-01T00:00:00Z";
	if (!event_check(&ev, &err))
		report_error(s->report, at, "%s", err.text);
	else if (!from && !is_ours(ev.instance))
		report_error(s->report, at, "instance: there is no source or action `%s`%s",
			     ev.instance, nearest_emitter(s->config, ev.instance));
	else if (from && !is_emitter(from))
		report_error(s->report, at, "instance: `%s` is a [%s], no event comes from it",
			     ev.instance, config_kind_name(from->kind));
}

static void check_step(const struct survey *s, const struct test_step *step)
{
	struct eventfile_fault fault;
	struct eventfile events;

	if (!step->file)
		return;
	if (!eventfile_read(step->file, "send", &events, &fault)) {
		if (fault.line)
			report_error(s->report,
				     (struct place){step->file, fault.line, fault.column}, "%s",
				     fault.why.text);
		else
			report_error(s->report, step->at, "given: %s: %s", step->file,
				     fault.why.text);
		return;
	}
	for (size_t i = 0; i < events.n; i++)
		check_event(s, step, &events.list[i]);
	eventfile_clear(&events);
}

static void check_answer(const struct survey *s, const struct test_answer *a)
{
	const struct instance_config *target = config_instance(s->config, a->target);

	if (!target || !is_target(target))
		report_error(s->report, a->at, "answer: no action or sink `%s`%s", a->target,
			     nearest(instances(s->config, is_target), a->target));
}

static void check_expected(const struct survey *s, const struct test_expected *e)
{
	const struct rule_config *r = config_rule(s->config, e->rule);

	if (!r)
		report_error(s->report, e->at, "expect: no rule `%s`%s", e->rule,
			     nearest_rule(s->config, e->rule));
	else if (!delivers_to(r, e->target))
		report_error(s->report, e->at, "expect: rule %s does not deliver to `%s`%s",
			     e->rule, e->target, nearest_target(r, e->target));
}

static bool is_expected(const struct test_config *t, const char *target)
{
	for (size_t i = 0; i < t->nexpected; i++) {
		if (strcmp(t->expected[i].target, target) == 0)
			return true;
	}
	return false;
}

static void check_key(const struct survey *s, const struct setting *value, const char *target,
		      const char *key)
{
	const struct part *p = survey_part(s, target);
	struct names names = {0};

	if (!p || !p->plugin || plugin_key(p->plugin, key) || config_is_host_key(key))
		return;
	for (size_t i = 0; i < p->plugin->nkeys; i++)
		add_name(&names, p->plugin->keys[i].name);
	report_error(s->report, value->key->at, "expect.%s: %s has no key `%s`%s", value->name,
		     target, key, nearest(names, key));
}

static void check_value(const struct survey *s, const struct test_config *t,
			const struct setting *value)
{
	const char *key, *target = test_value_target(s->config, t, value, &key);

	if (!target)
		report_error(
			s->report, value->key->at, "expect.%s: of which target? %s", value->name,
			t->nexpected ? "write expect.TARGET.KEY" : "the test expects no delivery");
	else if (!is_expected(t, target))
		report_error(s->report, value->key->at,
			     "expect.%s: the test expects no delivery to %s", value->name, target);
	else
		check_key(s, value, target, key);
}

void check_tests(const struct survey *s)
{
	for (size_t i = 0; i < s->config->ntests; i++) {
		const struct test_config *t = &s->config->tests[i];

		for (size_t k = 0; k < t->nsteps; k++)
			check_step(s, &t->steps[k]);
		for (size_t k = 0; k < t->nanswers; k++)
			check_answer(s, &t->answers[k]);
		for (size_t k = 0; k < t->nexpected; k++)
			check_expected(s, &t->expected[k]);
		for (size_t k = 0; k < t->n; k++)
			check_value(s, t, &t->values[k]);
	}
}
