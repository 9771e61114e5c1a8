/* replay: what another configuration would change of history. */
#include "base/units.h"
#include "cli/difference.h"
#include "cli/jsonline.h"
#include "cli/print.h"
#include "cli/range.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct against {
	const struct options *options;
	struct range range;
	struct config *config;
	struct numbering names;
	struct plan *plan;
	struct replay *replay;
	unsigned long long events, changed, firings;
};

static struct event *find_event(uint64_t seq, void *arg)
{
	struct against *a = arg;

	return range_event(&a->range, seq);
}

static void on_result(const struct replay_result *r, void *arg)
{
	struct against *a = arg;
	json_t *d = difference_of(r, a->plan, &a->names, a->options->verdicts);

	a->events += r->was != NULL;
	if (!d)
		return;
	*(r->was ? &a->changed : &a->firings) += 1;
	if (a->options->json)
		print_json(d);
	else
		difference_print(d);
	json_decref(d);
}

static void begin(struct against *a, uint64_t after, int64_t at)
{
	struct replay_options options = {.plan = a->plan,
					 .from = a->range.first,
					 .until = a->range.last,
					 .event = find_event,
					 .result = on_result,
					 .arg = a};

	a->replay = replay_new(&options, after, at);
}

/* {"rule":7,"text":"HASH"} or {"key":KEY,"cell":CELL} */
static void take_held(json_t *line, void *arg)
{
	struct against *a = arg;
	const char *hash = json_string_value(json_object_get(line, "text"));
	const char *key = json_string_value(json_object_get(line, "key"));
	char *cell = json_dumps(json_object_get(line, "cell"), JSON_COMPACT);

	if (hash)
		replay_rule(a->replay, (uint32_t)json_integer_value(json_object_get(line, "rule")),
			    strtoull(hash, NULL, 16));
	else if (key && cell)
		replay_cell(a->replay, key, cell, strlen(cell));
	free(cell);
}

/* Events behind the last one are only searched for firings that belong to those before. */
static bool take_event(struct journal_event *row, void *arg)
{
	struct against *a = arg;
	bool wanted = row->event->seq <= a->range.last + REPLAY_AHEAD;

	if (!a->replay)
		begin(a, row->event->seq - 1, row->event->at);
	if (wanted)
		replay_feed(a->replay, row);
	return wanted;
}

static int route_history(struct against *a)
{
	uint64_t after = a->range.first - 1;
	int status = EX_OK;

	if (a->range.pieces) {
		after = a->range.snapshot;
		begin(a, after, a->range.snapshot_at);
		status = range_snapshot(&a->range, take_held, a);
	}
	if (status == EX_OK)
		status = range_walk(&a->range, after, take_event, a);
	if (status == EX_OK && a->replay)
		replay_end(a->replay);
	return status;
}

static void print_unknown(const struct against *a, const char *rule, int64_t until)
{
	char time[32];

	if (a->options->json) {
		json_t *line = json_pack("{ss so}", "unknown", rule, "until", jsonline_time(until));

		print_json(line);
		json_decref(line);
		return;
	}
	printf("rule %s: unknown until %s\n", rule,
	       until ? units_time_text(until, time) : "its inputs were all filled");
}

static void print_summary(const struct against *a)
{
	if (a->options->json) {
		printf("{\"changed\":%llu,\"events\":%llu,\"firings\":%llu}\n", a->changed,
		       a->events, a->firings);
		return;
	}
	printf("%llu of %llu events change", a->changed, a->events);
	if (a->firings)
		printf(", %llu firing%s more", a->firings, a->firings == 1 ? "" : "s");
	putchar('\n');
}

static void print_end(const struct against *a)
{
	const char *rule;
	int64_t until;

	for (size_t i = 0; a->replay && replay_unknown(a->replay, i, &rule, &until); i++)
		print_unknown(a, rule, until);
	print_summary(a);
}

static int compile(struct against *a)
{
	struct plan_numbers numbers = numbering_for_plan(&a->names);
	struct err err = {{0}};

	a->plan = plan_prepare(a->config, &err);
	if (a->plan && plan_number(a->plan, 0, &numbers))
		return EX_OK;
	fprintf(stderr, "pointsman: %s: %s\n", a->options->against, err.text);
	return EX_CONFIG;
}

static int compare(struct against *a, struct client_connection *c)
{
	int status = range_find(&a->range, c, a->options->since, a->options->until);

	if (status == EX_OK)
		status = numbering_load(&a->names, c);
	if (status == EX_OK)
		status = compile(a);
	if (status == EX_OK && a->range.first)
		status = route_history(a);
	if (status != EX_OK)
		return status;
	print_end(a);
	return a->changed || a->firings ? 1 : EX_OK;
}

static int against(const struct options *o)
{
	struct options other = {.paths = (const char *[]){o->against}, .npaths = 1};
	struct against a = {.options = o, .config = options_config(&other, true)};
	struct client_connection *c = NULL;
	int status = EX_CONFIG;

	if (a.config)
		c = client_open(o, &status);
	if (c) {
		status = compare(&a, c);
		client_close(c);
	}
	replay_free(a.replay);
	plan_free(a.plan);
	numbering_free(&a.names);
	config_free(a.config);
	return status;
}

int verb_replay(const struct options *o)
{
	if (o->since && o->against && !o->to && !o->nwords)
		return against(o);
	if (o->since && o->to && !o->against && !o->nwords)
		return replay_to(o);
	fputs("pointsman: replay --since AGE|TIME|NUMBER, and either --against FILE|DIR or --to "
	      "TARGET\n",
	      stderr);
	return EX_USAGE;
}
