#include "cli/explaining.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/jsonline.h"
#include "journal/delivery.h"
#include "plugin/preview.h"
#include "route/explain.h"

#include <stdlib.h>
#include <string.h>

struct section { /* one with a plugin */
	struct values *values;
	char *problem; /* why there are none */
};

struct explaining {
	const struct config *config;
	struct event *ev;
	struct explain_numbers numbers;
	struct plan *plan;
	struct explanation *explanation;
	struct section *sections; /* as in the configuration */
};

static char *first_error(const struct report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!r->remarks[i].warning)
			return mem_text(r->remarks[i].text);
	}
	return mem_text("its keys cannot be read");
}

static void read_section(struct section *s, const struct instance_config *config,
			 struct loader *loader)
{
	struct report report = {0};
	struct err err = {{0}};
	const struct plugin *plugin = loader_get(loader, config->plugin, &err);

	if (!plugin) {
		s->problem = mem_text(err.text);
		return;
	}
	s->values = values_new(plugin, config, &report);
	if (!s->values)
		s->problem = first_error(&report);
	report_free(&report);
}

struct explaining *explaining_new(const struct config *config, struct loader *loader,
				  struct event *ev, struct err *err)
{
	struct explaining *x = mem_new(struct explaining);
	struct plan_numbers numbers = explain_numbers(&x->numbers);

	x->config = config;
	x->ev = ev;
	x->plan = plan_prepare(config, err);
	if (!x->plan || !plan_number(x->plan, 0, &numbers)) {
		explaining_free(x);
		return NULL;
	}
	/* All of them, so that every secret is known and masked. */
	x->sections = mem_zero(config->ninstances * sizeof *x->sections);
	for (size_t i = 0; i < config->ninstances; i++)
		read_section(&x->sections[i], &config->instances[i], loader);
	x->explanation = explain_event(x->plan, ev);
	return x;
}

void explaining_free(struct explaining *x)
{
	if (!x)
		return;
	if (x->explanation)
		explanation_free(x->explanation);
	for (size_t i = 0; x->sections && i < x->config->ninstances; i++) {
		values_free(x->sections[i].values);
		free(x->sections[i].problem);
	}
	free(x->sections);
	plan_free(x->plan);
	explain_numbers_free(&x->numbers);
	free(x);
}

/* Null for an empty one. */
static json_t *masked(const char *text, size_t len)
{
	struct buf b = {0};
	json_t *value;

	buf_add(&b, text, len);
	log_mask(&b);
	value = b.len ? json_stringn(b.data, b.len) : json_null();
	buf_free(&b);
	return value;
}

static json_t *masked_buf(const struct buf *b)
{
	return masked(buf_text(b), b->len);
}

static json_t *ordinal(long n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static const char *kind_name(enum condition_kind kind)
{
	switch (kind) {
	case CONDITION_ON: return "on";
	case CONDITION_FROM: return "from";
	case CONDITION_WHERE: return "where";
	case CONDITION_PATTERN: return "pattern";
	case CONDITION_CHANGED: return "changed";
	}
	return "";
}

static json_t *condition_json(const struct condition *c, const struct seen *seen)
{
	static const char *const verdicts[] = {
		[VERDICT_UNASKED] = "unasked", [VERDICT_PASS] = "pass", [VERDICT_FAIL] = "fail",
		[VERDICT_ABSENT] = "absent",   [VERDICT_TYPE] = "type",
	};

	return json_pack("{ss so ss so sI so so so so sb}", "kind", kind_name(c->kind), "text",
			 masked(c->text, c->len), "verdict", verdicts[seen->verdict], "value",
			 masked_buf(&seen->value), "more", (json_int_t)seen->more, "element",
			 ordinal(seen->element), "other", masked_buf(&seen->other), "any",
			 jsonline_text(c->any ? c->any->text : NULL), "any_element",
			 ordinal(seen->any), "not", (int)c->turned);
}

static json_t *asks_json(const struct explained *x)
{
	json_t *asks = json_array();

	for (size_t i = 0; i < x->nasks; i++) {
		const struct explained_ask *a = &x->asks[i];
		json_t *conditions = json_array();

		for (size_t c = 0; c < a->n; c++)
			json_array_append_new(conditions,
					      condition_json(&a->conditions[c], &a->seen[c]));
		json_array_append_new(asks, json_pack("{so sb so}", "input",
						      jsonline_text(a->input), "matched",
						      (int)a->matched, "conditions", conditions));
	}
	return asks;
}

static json_t *inputs_json(const struct explained *x)
{
	json_t *inputs = json_object();

	for (size_t i = 0; i < x->holds->nslots; i++)
		json_object_set_new(inputs, x->rule->inputs[i],
				    json_boolean(x->holds->slots[i].seq != 0));
	return inputs;
}

/* What the rule gathers the event in. */
static json_t *holds_json(const struct explained *x)
{
	const struct rule_config *r = x->rule;

	if (!x->holds)
		return json_null();
	if (x->holds->kind == CELL_INPUTS)
		return json_pack("{so sb sI}", "inputs", inputs_json(x), "open",
				 (int)x->holds->open, "quiet_ms", (json_int_t)r->quiet_ms);
	if (x->holds->kind == CELL_COUNT)
		return json_pack("{sI sI sI}", "events", (json_int_t)x->holds->n, "count",
				 (json_int_t)r->count, "within_ms", (json_int_t)r->count_ms);
	return json_pack("{sI sI sI}", "events", (json_int_t)x->holds->n, "quiet_ms",
			 (json_int_t)r->quiet_ms, "max_ms", (json_int_t)r->quiet_max_ms);
}

static const char *first_name(const struct explaining *x, const char *name)
{
	const struct instance_config *i = config_instance(x->config, name);

	return i && i->was ? i->was : name;
}

static json_t *keys_json(struct scope *scope)
{
	json_t *keys = json_array();
	struct preview p;

	preview_make(scope, &p);
	for (size_t i = 0; i < p.n; i++)
		json_array_append_new(keys, json_pack("{ss so so}", "key", p.keys[i].key, "text",
						      jsonline_text(p.keys[i].text), "problem",
						      jsonline_text(p.keys[i].problem)));
	preview_clear(&p);
	return keys;
}

/* Null for no target. */
static json_t *target_json(const struct explaining *x, const struct explained *rule,
			   const struct explained_delivery *d, const char *target)
{
	const struct instance_config *section = target ? config_instance(x->config, target) : NULL;
	const struct section *s = section ? &x->sections[section - x->config->instances] : NULL;
	const struct event *ev = rule->event;
	char key[33];
	struct scope scope = {
		.event = ev, .view = d->view, .key = key, .rule = rule->rule->name, .attempt = 1};

	if (!target)
		return json_null();
	delivery_key(first_name(x, ev->instance), ev->source, ev->id, first_name(x, target), 0,
		     key);
	scope.values = s ? s->values : NULL;
	return json_pack("{ss so so}", "target", target, "keys",
			 scope.values ? keys_json(&scope) : json_array(), "problem",
			 !s           ? json_string("there is no such section")
			 : s->problem ? masked(s->problem, strlen(s->problem))
				      : json_null());
}

static json_t *deliveries_json(const struct explaining *x, const struct explained *rule)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rule->n; i++) {
		const struct explained_delivery *d = &rule->deliveries[i];
		json_t *delivery = target_json(x, rule, d, d->target);

		json_object_set_new(delivery, "then", target_json(x, rule, d, d->then));
		json_array_append_new(list, delivery);
	}
	return list;
}

static json_t *names_json(const json_t *decided, const char *key)
{
	json_t *names = json_object_get(decided, key);

	return names ? json_incref(names) : json_array();
}

/* `do`, in its order. */
static json_t *targets_json(const struct rule_config *r)
{
	json_t *targets = json_array();

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(targets, json_pack("{ss so}", "target", r->duties[i].target,
							 "then", jsonline_text(r->duties[i].then)));
	return targets;
}

static bool conditions_hold(const struct explained *x)
{
	for (size_t i = 0; i < x->nasks; i++) {
		if (x->asks[i].matched)
			return true;
	}
	return false;
}

static const char *verdict_of(const struct explained *x)
{
	if (x->fired)
		return "fired";
	if (!x->rule->enabled)
		return "disabled";
	if (x->matched)
		return "matched";
	return conditions_hold(x) ? "not asked" : "not matched";
}

json_t *explaining_rule(const struct explaining *x, size_t i)
{
	struct explained rule;
	const char *group;
	json_t *line;

	if (!explain_rule(x->explanation, i, &rule))
		return NULL;
	group = json_string_value(json_object_get(rule.decided, "group"));
	line = json_pack("{ss ss si ss so so so so sb so so so}", "rule", rule.rule->name, "file",
			 rule.rule->at.file ? rule.rule->at.file : "", "line",
			 (int)rule.rule->at.line, "verdict", verdict_of(&rule), "group",
			 group ? masked(group, strlen(group)) : json_null(), "asks",
			 asks_json(&rule), "do", targets_json(rule.rule), "holds",
			 holds_json(&rule), "fires", (int)(rule.event != x->ev), "deliveries",
			 deliveries_json(x, &rule), "taken", names_json(rule.decided, "taken"),
			 "spared", names_json(rule.decided, "spared"));
	explained_clear(&rule);
	return line;
}
