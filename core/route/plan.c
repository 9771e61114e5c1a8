#include "route/plan.h"

#include "base/hash.h"
#include "base/mem.h"
#include "journal/names.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_text(const char *text, uint64_t seed)
{
	return text ? hash64(text, strlen(text) + 1, seed) : hash64("", 0, seed);
}

static uint32_t number_of(const struct plan_numbers *numbers, enum name_kind kind, const char *name,
			  const char *was)
{
	return numbers->number(numbers->arg, (int)kind, name, was);
}

static uint32_t number_of_instance(const struct config *c, const struct plan_numbers *numbers,
				   const char *name)
{
	const struct instance_config *i = config_instance(c, name);

	return number_of(numbers, NAME_INSTANCE, name, i ? i->was : NULL);
}

/* Instances count by their number: a source that was renamed is the same source. */
static uint64_t hash_selector(const struct config *c, const struct selector_config *s,
			      const struct plan_numbers *numbers)
{
	uint64_t hash = hash_text(s->changed, hash_text(s->where, 1));

	if (s->pattern)
		hash = hash_text(s->pattern->value, hash ^ (s->pattern_data ? 2 : 1));
	for (char *const *on = s->on; on && *on; on++)
		hash = hash_text(*on, hash);
	hash = hash64("", 0, hash);
	for (char *const *from = s->from; from && *from; from++)
		hash = hash64(NULL, 0, hash ^ number_of_instance(c, numbers, *from));
	return hash;
}

static void list_duties(struct plan_rule *r)
{
	const struct rule_config *rule = r->config;

	r->duties = mem_zero(rule->n * sizeof *r->duties);
	for (size_t i = 0; i < rule->n; i++) {
		r->duties[i].name = rule->duties[i].target;
		r->duties[i].then_name = rule->duties[i].then;
	}
}

static bool list_slots(struct plan_rule *r, const struct config *c, struct err *err)
{
	char *const *names = r->config->inputs;

	while (names && names[r->nslots])
		r->nslots++;
	r->slots = mem_zero(r->nslots * sizeof *r->slots);
	for (size_t i = 0; i < r->nslots; i++) {
		if (!config_input(c, names[i])) {
			err_set(err, "rule %s: there is no [input %s]", r->config->name, names[i]);
			return false;
		}
		r->slots[i].name = names[i];
	}
	return true;
}

static enum cell_kind kind_of(const struct rule_config *r)
{
	if (r->inputs)
		return CELL_INPUTS;
	if (r->count)
		return CELL_COUNT;
	return r->quiet_ms ? CELL_WINDOW : CELL_NONE;
}

static bool prepare_rule(struct plan *p, size_t i, struct err *err)
{
	struct plan_rule *r = &p->rules[i];

	r->config = &p->config->rules[i];
	r->kind = kind_of(r->config);
	list_duties(r);
	return list_slots(r, p->config, err);
}

static void add_selector(struct plan *p, struct selector *list, size_t rule, size_t slot,
			 const struct selector_config *s)
{
	list[p->nselectors] = (struct selector){.on = (const char *const *)s->on,
						.from = (const char *const *)s->from,
						.where = s->where,
						.pattern = s->pattern ? s->pattern->value : NULL,
						.pattern_data = s->pattern_data,
						.changed = s->changed};
	p->selectors[p->nselectors++] = (struct plan_selector){(uint32_t)rule, (uint32_t)slot};
}

/* A rule that is switched off has no selector: nothing matches it. */
static bool compile(struct plan *p, struct err *err)
{
	size_t most = p->nrules, which = 0, at = 0;
	struct selector *list;

	for (size_t i = 0; i < p->nrules; i++)
		most += p->rules[i].nslots;
	list = mem_zero(most * sizeof *list);
	p->selectors = mem_zero(most * sizeof *p->selectors);
	for (size_t i = 0; i < p->nrules; i++) {
		const struct plan_rule *r = &p->rules[i];

		if (r->config->enabled && !r->nslots)
			add_selector(p, list, i, 0, &r->config->select);
		for (size_t k = 0; r->config->enabled && k < r->nslots; k++)
			add_selector(p, list, i, k,
				     &config_input(p->config, r->slots[k].name)->select);
	}
	p->set = ruleset_compile(list, p->nselectors, &which, &at, err);
	if (!p->set)
		err_prefix(err, "rule %s", p->rules[p->selectors[which].rule].config->name);
	free(list);
	return p->set != NULL;
}

struct plan *plan_prepare(const struct config *config, struct err *err)
{
	static atomic_uint_fast64_t plans;
	struct plan *p = mem_new(struct plan);
	bool good = true;

	p->serial = atomic_fetch_add(&plans, 1) + 1;
	p->config = config;
	p->nrules = config->nrules;
	p->rules = mem_zero(p->nrules * sizeof *p->rules);
	for (size_t i = 0; i < p->nrules && good; i++)
		good = prepare_rule(p, i, err);
	if (good && compile(p, err))
		return p;
	plan_free(p);
	return NULL;
}

static void index_number(struct plan *p, uint32_t number, size_t rule)
{
	if (number >= p->nnumbers) {
		p->by_number = mem_grow(p->by_number, number + 1, sizeof *p->by_number);
		memset(p->by_number + p->nnumbers, 0,
		       (number + 1 - p->nnumbers) * sizeof *p->by_number);
		p->nnumbers = number + 1;
	}
	p->by_number[number] = (uint32_t)rule + 1;
}

static bool number_slots(struct plan_rule *r, const struct config *c,
			 const struct plan_numbers *numbers)
{
	for (size_t i = 0; i < r->nslots; i++) {
		struct plan_slot *s = &r->slots[i];
		const struct input_config *input = config_input(c, s->name);

		s->number = number_of(numbers, NAME_INPUT, s->name, input->was);
		s->text = hash_selector(c, &input->select, numbers);
		if (!s->number)
			return false;
	}
	return true;
}

static bool number_duties(struct plan_rule *r, const struct config *c,
			  const struct plan_numbers *numbers)
{
	for (size_t i = 0; i < r->config->n; i++) {
		struct plan_duty *d = &r->duties[i];

		d->target = number_of_instance(c, numbers, d->name);
		d->then = d->then_name ? number_of_instance(c, numbers, d->then_name) : 0;
		if (!d->target || (d->then_name && !d->then))
			return false;
	}
	return true;
}

static uint64_t hash_number(uint64_t n, uint64_t hash)
{
	return hash64(NULL, 0, hash ^ n);
}

/* Of everything that decides what is in the rule's cells. */
static uint64_t hash_rule(const struct plan_rule *r, const struct config *c,
			  const struct plan_numbers *numbers)
{
	const struct rule_config *rule = r->config;
	uint64_t hash = hash_text(rule->group_by, hash_selector(c, &rule->select, numbers));

	for (size_t i = 0; i < r->nslots; i++)
		hash = hash_number(r->slots[i].text, hash_number(r->slots[i].number, hash));
	hash = hash_number((uint64_t)rule->quiet_max_ms,
			   hash_number((uint64_t)rule->quiet_ms, hash));
	hash = hash_number((uint64_t)rule->count_ms, hash_number(rule->count, hash));
	hash = hash_number(rule->groups, hash_number((uint64_t)rule->reset_ms, hash));
	return hash_number(rule->otherwise, hash_number(rule->enabled, hash));
}

bool plan_number(struct plan *p, uint32_t generation, const struct plan_numbers *numbers)
{
	p->generation = generation;
	for (size_t i = 0; i < p->nrules; i++) {
		struct plan_rule *r = &p->rules[i];

		r->number = number_of(numbers, NAME_RULE, r->config->name, r->config->was);
		if (!r->number || !number_slots(r, p->config, numbers) ||
		    !number_duties(r, p->config, numbers))
			return false;
		r->text = hash_rule(r, p->config, numbers);
		index_number(p, r->number, i);
	}
	return true;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->nrules; i++) {
		free(p->rules[i].slots);
		free(p->rules[i].duties);
	}
	free(p->rules);
	free(p->selectors);
	free(p->by_number);
	ruleset_free(p->set);
	free(p);
}

const char *plan_rule_name(const struct plan *p, uint32_t rule)
{
	return p->rules[rule].config->name;
}

bool plan_count(const struct plan *p, size_t i, struct rule_count *out)
{
	if (i >= p->nrules)
		return false;
	*out = (struct rule_count){.name = p->rules[i].config->name,
				   .shadow = p->rules[i].config->shadow};
	for (size_t s = 0; s < p->nselectors; s++) {
		if (p->selectors[s].rule != i)
			continue;
		out->matches += ruleset_matches(p->set, s);
		out->mismatches += ruleset_type_mismatches(p->set, s);
	}
	return true;
}

struct plan_cost *plan_costs(const struct plan *p, size_t *n)
{
	struct plan_cost *rows = mem_zero(p->nselectors * sizeof *rows);
	struct matcher_cost *costs = mem_zero(p->nselectors * sizeof *costs);

	ruleset_costs(p->set, costs);
	for (size_t i = 0; i < p->nselectors; i++) {
		const struct plan_rule *rule = &p->rules[p->selectors[i].rule];

		rows[i].rule = rule->config->name;
		rows[i].input = rule->nslots ? rule->slots[p->selectors[i].slot].name : NULL;
		rows[i].cost = costs[i];
	}
	free(costs);
	*n = p->nselectors;
	return rows;
}

size_t plan_bytes(const struct plan *p)
{
	return ruleset_bytes(p->set);
}

const struct plan_rule *plan_rule_numbered(const struct plan *p, uint32_t number)
{
	uint32_t at = number < p->nnumbers ? p->by_number[number] : 0;

	return at ? &p->rules[at - 1] : NULL;
}
