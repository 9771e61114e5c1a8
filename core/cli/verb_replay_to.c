/* replay --to: events of history, delivered again. */
#include "base/mem.h"
#include "cli/numbering.h"
#include "cli/print.h"
#include "cli/range.h"
#include "cli/verbs.h"
#include "config/report.h"
#include "engine/engine.h"
#include "route/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define PAUSE_NS 200000000 /* before a busy target is asked again */

struct delivering {
	const struct options *options;
	struct client_connection *client;
	struct range range;
	struct numbering names;
	uint32_t target;
	struct plan *plan; /* with --rule */
	const struct plan_rule *rule;
	struct router_state *nothing; /* what a rule holds does not matter to what it matches */
	json_t *batch;                /* numbers of events, not yet asked for */
	json_t *answers;
	bool told_busy;
	int status;
	unsigned long long begun, live;
};

static void keep_answer(json_t *line, void *arg)
{
	json_array_append(arg, line);
}

static bool is_busy(json_t *answers)
{
	return json_is_true(json_object_get(json_array_get(answers, 0), "busy"));
}

/* Waits until the target has room; without a daemon nobody makes any. */
static bool wait_for_room(struct delivering *d)
{
	struct timespec pause = {0, PAUSE_NS};

	if (!client_has_daemon(d->client)) {
		fprintf(stderr,
			"pointsman: %s has %d deliveries to do, and no daemon runs to do them; "
			"start "
			"it, and go on from event %lld\n",
			d->options->to, ENGINE_AGAIN_BACKLOG,
			(long long)json_integer_value(json_array_get(d->batch, 0)));
		d->status = EX_TEMPFAIL;
		return false;
	}
	if (!d->told_busy)
		fprintf(stderr, "pointsman: %s has %d deliveries to do; waiting\n", d->options->to,
			ENGINE_AGAIN_BACKLOG);
	d->told_busy = true;
	nanosleep(&pause, NULL);
	return true;
}

/* A line for each event in --json and --dry-run, else for what was left alone. */
static void print_answer(struct delivering *d, json_t *line)
{
	const char *what = json_string_value(json_object_get(line, "what"));
	long long seq = json_integer_value(json_object_get(line, "seq"));
	bool begun = strcmp(what, "begun") == 0;

	d->begun += begun;
	d->live += strcmp(what, "live") == 0;
	if (d->options->json)
		print_json(line);
	else if (begun && d->options->dry_run)
		printf("event %lld would be delivered again\n", seq);
	else if (!begun)
		printf("event %lld: %s\n", seq,
		       strcmp(what, "live") == 0 ? "its delivery has not ended; left alone"
						 : "no longer in the journal");
}

static json_t *batch_request(const struct delivering *d)
{
	json_t *request = json_pack("{ss ss sO sb}", "verb", "again", "target", d->options->to,
				    "seqs", d->batch, "dry", (int)d->options->dry_run);

	if (d->rule)
		json_object_set_new(request, "rule", json_string(d->rule->config->name));
	return request;
}

static bool ask_batch(struct delivering *d)
{
	json_t *line;
	size_t i;

	do {
		json_array_clear(d->answers);
		d->status = client_ask(d->client, batch_request(d), keep_answer, d->answers, NULL);
	} while (d->status == EX_OK && is_busy(d->answers) && wait_for_room(d));
	if (d->status != EX_OK)
		return false;
	json_array_foreach(d->answers, i, line)
	{
		print_answer(d, line);
	}
	json_array_clear(d->batch);
	return true;
}

static bool has_duty(const struct delivering *d, const struct duty *duties, size_t n, uint32_t rule)
{
	for (size_t i = 0; i < n; i++) {
		if ((duties[i].target == d->target || duties[i].then == d->target) &&
		    (!rule || duties[i].rule == rule))
			return true;
	}
	return false;
}

static bool lists(json_t *verdict, const char *key, const char *target)
{
	json_t *list = json_object_get(verdict, key), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (strcmp(json_string_value(one), target) == 0)
			return true;
	}
	return false;
}

/* Another rule may have had the target first, or the rule be a shadow. */
static bool names_it(const struct delivering *d, const char *decided)
{
	json_t *list = decided ? json_loads(decided, 0, NULL) : NULL, *v;
	bool named = false;
	size_t i;

	json_array_foreach(list, i, v)
	{
		const char *rule = json_string_value(json_object_get(v, "rule"));

		if (strcmp(rule, d->rule->config->name) == 0)
			named = lists(v, "taken", d->options->to) ||
				lists(v, "shadow", d->options->to);
	}
	json_decref(list);
	return named;
}

static bool rule_gives(const struct delivering *d, const struct event *ev)
{
	struct outcome o;
	bool given;

	if (d->rule->kind != CELL_NONE)
		return strcmp(ev->type, EVENT_FIRED) == 0 &&
		       strcmp(ev->source, d->rule->config->name) == 0;
	route_event(d->plan, d->nothing, ev, NULL, &o);
	given = has_duty(d, o.duties, o.nduties, d->rule->number) ||
		names_it(d, o.decided.len ? o.decided.data : NULL);
	outcome_clear(&o);
	return given;
}

static bool take_event(struct journal_event *row, void *arg)
{
	struct delivering *d = arg;
	const struct event *ev = row->event;

	if (ev->seq > d->range.last)
		return false;
	if (row->refused ||
	    !(d->rule ? rule_gives(d, ev) : has_duty(d, row->duties, row->nduties, 0)))
		return true;
	json_array_append_new(d->batch, json_integer((json_int_t)ev->seq));
	return json_array_size(d->batch) < ENGINE_AGAIN_MOST || ask_batch(d);
}

static bool does(const struct plan_rule *rule, const char *target)
{
	for (size_t i = 0; i < rule->config->n; i++) {
		const struct plan_duty *duty = &rule->duties[i];

		if (strcmp(duty->name, target) == 0 ||
		    (duty->then_name && strcmp(duty->then_name, target) == 0))
			return true;
	}
	return false;
}

static int unknown_rule(const struct config *c, const char *wanted)
{
	const char **names = mem_zero((c->nrules + 1) * sizeof *names), *near;

	for (size_t i = 0; i < c->nrules; i++)
		names[i] = c->rules[i].name;
	near = report_nearest(wanted, names, c->nrules);
	fprintf(stderr, "pointsman: there is no rule %s%s%s%s\n", wanted,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	free(names);
	return EX_DATAERR;
}

static int find_rule(struct delivering *d, const struct config *c)
{
	struct plan_numbers numbers = numbering_for_plan(&d->names);
	const struct rule_config *rule = config_rule(c, d->options->rule);
	struct err err = {{0}};

	if (!rule)
		return unknown_rule(c, d->options->rule);
	d->plan = plan_prepare(c, &err);
	if (!d->plan || !plan_number(d->plan, 0, &numbers)) {
		fprintf(stderr, "pointsman: %s\n", err.text);
		return EX_CONFIG;
	}
	d->rule = &d->plan->rules[rule - c->rules];
	if (does(d->rule, d->options->to))
		return EX_OK;
	fprintf(stderr, "pointsman: rule %s does not name %s in its `do`\n", rule->name,
		d->options->to);
	return EX_DATAERR;
}

static void print_summary(const struct delivering *d)
{
	if (d->options->json)
		printf("{\"target\":\"%s\",\"begun\":%llu,\"live\":%llu}\n", d->options->to,
		       d->begun, d->live);
	else
		printf("%llu event%s %s again to %s%s\n", d->begun, d->begun == 1 ? "" : "s",
		       d->options->dry_run ? "would be delivered" : "delivered", d->options->to,
		       d->live ? "; those not yet ended were left alone" : "");
}

static int deliver(struct delivering *d, const struct config *config)
{
	int status = range_find(&d->range, d->client, d->options->since, d->options->until);

	if (status == EX_OK)
		status = numbering_load(&d->names, d->client);
	/* An empty batch first: is there such a target? */
	if (status == EX_OK && !ask_batch(d))
		status = d->status;
	if (status == EX_OK && d->options->rule)
		status = find_rule(d, config);
	d->target = numbering_find(&d->names, NAME_INSTANCE, d->options->to);
	if (status == EX_OK && d->range.first)
		status = range_walk(&d->range, d->range.first - 1, take_event, d);
	if (status == EX_OK && d->status == EX_OK && json_array_size(d->batch))
		ask_batch(d);
	if (status == EX_OK)
		status = d->status;
	if (status == EX_OK)
		print_summary(d);
	return status;
}

int replay_to(const struct options *o)
{
	struct delivering d = {.options = o, .nothing = router_state_new()};
	struct config *config = o->rule ? options_config(o, true) : NULL;
	int status = EX_CONFIG;

	d.batch = json_array();
	d.answers = json_array();
	if (config || !o->rule)
		d.client = client_open(o, &status);
	if (d.client) {
		status = deliver(&d, config);
		client_close(d.client);
	}
	json_decref(d.batch);
	json_decref(d.answers);
	router_state_free(d.nothing);
	plan_free(d.plan);
	numbering_free(&d.names);
	config_free(config);
	return status;
}
