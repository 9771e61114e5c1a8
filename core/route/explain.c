#include "route/explain.h"

#include "base/map.h"
#include "base/mem.h"
#include "route/plan.h"
#include "route/sequencer_inside.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct fired { /* what the event made a rule fire */
	uint32_t rule;
	struct event *event;
	struct outcome outcome;
};

struct explanation {
	const struct plan *plan;
	struct event *ev;
	struct match match;
	const struct plan_rule *source; /* the rule whose firing the event is, or NULL */
	struct router_state *state;
	struct outcome outcome;
	json_t *decided;
	struct fired *fired;
	size_t nfired;
};

static uint32_t number(void *arg, int kind, const char *name, const char *was)
{
	struct explain_numbers *n = arg;
	char *key = mem_format("%d %s", kind, name);
	uintptr_t known = (uintptr_t)map_get(&n->map, key);

	(void)was;
	if (!known) {
		known = ++n->n;
		map_put(&n->map, key, (void *)known);
	}
	free(key);
	return (uint32_t)known;
}

struct plan_numbers explain_numbers(struct explain_numbers *n)
{
	return (struct plan_numbers){number, n};
}

void explain_numbers_free(struct explain_numbers *n)
{
	map_free(&n->map, NULL);
}

static char *text_at(const struct event *ev, const char *name)
{
	struct path path = {0};
	struct buf text = {0}, scratch = {0};
	struct json_value value;
	size_t used;

	path_parse(name, strlen(name), &path, &used, NULL);
	value = event_find(ev, EVENT_ITSELF, &path, &scratch);
	json_text(&value, &text);
	path_free(&path);
	buf_free(&scratch);
	return text.data ? buf_take(&text) : mem_text("");
}

static const struct plan_rule *source_of(const struct plan *p, const struct event *ev)
{
	const struct rule_config *rule;
	char *name;

	if (strcmp(ev->type, EVENT_FIRED) != 0)
		return NULL;
	name = text_at(ev, "data.rule");
	rule = config_rule(p->config, name);
	free(name);
	return rule ? &p->rules[rule - p->config->rules] : NULL;
}

/* All members are the event: from an empty state there is nothing else. */
static void fire(struct explanation *e, const struct firing *f)
{
	struct event **members = mem_zero(f->n * sizeof *members);
	struct fired *fired;

	e->fired = mem_grow(e->fired, e->nfired + 1, sizeof *e->fired);
	fired = &e->fired[e->nfired++];
	for (size_t i = 0; i < f->n; i++)
		members[i] = e->ev;
	fired->rule = f->rule;
	fired->event = own_firing(e->plan, f, members, e->ev->at);
	route_event(e->plan, e->state, fired->event, f, &fired->outcome);
	free(members);
}

struct explanation *explain_event(const struct plan *p, struct event *ev)
{
	struct explanation *e = mem_new(struct explanation);
	struct firing source = {0};

	e->plan = p;
	e->ev = event_ref(ev);
	e->state = router_state_new();
	ruleset_match(p->set, ev, false, &e->match);
	e->source = source_of(p, ev);
	if (e->source) {
		source.rule = (uint32_t)(e->source - p->rules);
		source.group = text_at(ev, "data.group");
	}
	route_event(p, e->state, ev, e->source ? &source : NULL, &e->outcome);
	free(source.group);
	e->decided = json_loads(buf_text(&e->outcome.decided), 0, NULL);
	for (size_t i = 0; i < e->outcome.nfirings; i++)
		fire(e, &e->outcome.firings[i]);
	return e;
}

void explanation_free(struct explanation *e)
{
	for (size_t i = 0; i < e->nfired; i++) {
		event_unref(e->fired[i].event);
		outcome_clear(&e->fired[i].outcome);
	}
	free(e->fired);
	json_decref(e->decided);
	outcome_clear(&e->outcome);
	router_state_free(e->state);
	match_free(&e->match);
	event_unref(e->ev);
	free(e);
}

static json_t *decided_of(const struct explanation *e, const char *rule)
{
	json_t *verdict;
	size_t i;

	json_array_foreach(e->decided, i, verdict)
	{
		if (json_is_true(json_object_get(verdict, "matched")) &&
		    strcmp(json_string_value(json_object_get(verdict, "rule")), rule) == 0)
			return verdict;
	}
	return NULL;
}

static void ask(const struct explanation *e, size_t selector, struct explained *x)
{
	const struct plan_selector *s = &e->plan->selectors[selector];
	const struct plan_rule *rule = &e->plan->rules[s->rule];
	struct explained_ask *a;

	x->asks = mem_grow(x->asks, x->nasks + 1, sizeof *x->asks);
	a = &x->asks[x->nasks++];
	*a = (struct explained_ask){.n = ruleset_conditions(e->plan->set, selector)};
	if (rule->nslots)
		a->input = rule->slots[s->slot].name;
	a->conditions = mem_zero(a->n * sizeof *a->conditions);
	a->seen = mem_zero(a->n * sizeof *a->seen);
	for (size_t c = 0; c < a->n; c++)
		a->conditions[c] = ruleset_condition(e->plan->set, selector, c);
	a->matched = match_has(&e->match, selector);
	ruleset_explain(e->plan->set, selector, e->ev, a->seen);
}

/* Selectors stand in the order of rules. */
static size_t first_selector(const struct plan *p, size_t rule)
{
	size_t low = 0, high = p->nselectors;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->selectors[middle].rule < rule)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_deliveries(const struct plan_rule *rule, const struct outcome *o,
			   struct explained *x)
{
	for (size_t i = 0; i < o->nduties; i++) {
		const struct duty *d = &o->duties[i];
		const struct plan_duty *plan = rule->duties;

		if (d->rule != rule->number)
			continue;
		while (plan->target != d->target)
			plan++;
		x->deliveries = mem_grow(x->deliveries, x->n + 1, sizeof *x->deliveries);
		x->deliveries[x->n++] =
			(struct explained_delivery){plan->name, d->then ? plan->then_name : NULL,
						    d->members ? EVENT_MEMBERS : EVENT_ITSELF};
	}
}

static const struct cell *held_by(const struct outcome *o, uint32_t number)
{
	for (size_t i = 0; i < o->nchanges; i++) {
		if (o->changes[i].cell && o->changes[i].cell->rule == number)
			return o->changes[i].cell;
	}
	return NULL;
}

bool explain_rule(const struct explanation *e, size_t i, struct explained *out)
{
	const struct plan *p = e->plan;
	const struct plan_rule *rule = &p->rules[i];
	struct fired *fired = NULL;

	if (i >= p->nrules)
		return false;
	*out = (struct explained){.rule = rule->config, .fired = rule == e->source, .event = e->ev};
	out->decided = decided_of(e, rule->config->name);
	out->matched = out->decided != NULL;
	for (size_t s = first_selector(p, i);
	     !out->fired && s < p->nselectors && p->selectors[s].rule == i; s++)
		ask(e, s, out);
	for (size_t f = 0; f < e->nfired; f++) {
		if (e->fired[f].rule == i)
			fired = &e->fired[f];
	}
	if (fired)
		out->event = fired->event;
	else
		out->holds = held_by(&e->outcome, rule->number);
	add_deliveries(rule, fired ? &fired->outcome : &e->outcome, out);
	return true;
}

void explained_clear(struct explained *x)
{
	for (size_t i = 0; i < x->nasks; i++) {
		for (size_t c = 0; c < x->asks[i].n; c++)
			seen_clear(&x->asks[i].seen[c]);
		free(x->asks[i].conditions);
		free(x->asks[i].seen);
	}
	free(x->asks);
	free(x->deliveries);
	*x = (struct explained){0};
}
