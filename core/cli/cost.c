#include "cli/cost.h"

#include "cli/jsonline.h"
#include "route/router.h"

#include <stdio.h>
#include <stdlib.h>

static const char *way_name(enum matcher_way way)
{
	static const char *const names[] = {
		[MATCHER_LOOKED_UP] = "looked up", [MATCHER_SEARCHED] = "searched",
		[MATCHER_ORDERED] = "ordered",     [MATCHER_MATCHED] = "matched",
		[MATCHER_PRESENT] = "present",     [MATCHER_COMPARED] = "compared",
		[MATCHER_ASKED] = "asked",
	};

	return names[way];
}

static void print_row(const struct plan_cost *row)
{
	const struct matcher_cost *c = &row->cost;
	char name[120];

	snprintf(name, sizeof name, "%s%s%s", row->rule, row->input ? " " : "",
		 row->input ? row->input : "");
	printf("%-28s %-10s %-32s %3zu test%s", name, way_name(c->way),
	       *c->field ? c->field : "every event", c->tests, c->tests == 1 ? " " : "s");
	if (c->left)
		printf(", %zu once found", c->left);
	if (c->states)
		printf(", %zu states", c->states);
	putchar('\n');
}

static void print_row_json(const struct plan_cost *row)
{
	const struct matcher_cost *c = &row->cost;
	struct buf line = {0};

	jsonline_add(&line,
		     json_pack("{ss so ss ss sI sI sI sI}", "rule", row->rule, "input",
			       jsonline_text(row->input), "way", way_name(c->way), "field",
			       c->field, "ways", (json_int_t)c->ways, "tests", (json_int_t)c->tests,
			       "left", (json_int_t)c->left, "states", (json_int_t)c->states));
	fputs(buf_text(&line), stdout);
	buf_free(&line);
}

bool cost_print(const struct config *config, bool json)
{
	struct err err = {{0}};
	struct plan *plan = plan_prepare(config, &err);
	struct plan_cost *rows;
	size_t n;

	if (!plan) {
		fprintf(stderr, "pointsman: %s\n", err.text);
		return false;
	}
	rows = plan_costs(plan, &n);
	for (size_t i = 0; i < n; i++) {
		if (json)
			print_row_json(&rows[i]);
		else
			print_row(&rows[i]);
	}
	if (json)
		printf("{\"rules\":%zu,\"bytes\":%zu}\n", config->nrules, plan_bytes(plan));
	else
		printf("all: %zu bytes\n", plan_bytes(plan));
	free(rows);
	plan_free(plan);
	return true;
}
