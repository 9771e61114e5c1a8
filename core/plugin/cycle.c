/* Rules that feed each other through what their actions emit. */
#include "base/mem.h"
#include "plugin/survey.h"

#include <stdlib.h>
#include <string.h>

struct link { /* an action emits what a rule takes */
	size_t rule;
	const char *type;
	bool conditional;
};

struct reach { /* of an instance; empty for all but actions */
	struct link *links;
	size_t n;
};

struct step { /* how the search came to a rule */
	size_t from;
	const char *action, *type;
	bool seen, told;
	bool fed; /* by some action: only such a rule can be on a cycle */
};

struct graph {
	const struct survey *s;
	struct reach *reach; /* as config->instances */
	struct step *steps;  /* as config->rules */
	size_t *queue;
};

static bool has_condition(const struct selector_config *s)
{
	return s->where || s->pattern || s->changed;
}

static bool feed_holds(const struct feed *f, const struct row *row)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->rows[i] == row)
			return true;
	}
	return false;
}

/* Does the row reach the rule, and if so, whatever it holds?  An input that waits for others
 * makes the rule fire in the end. */
static bool reaches(const struct survey *s, const struct row *row, size_t rule, bool *conditional)
{
	const struct rule_config *r = &s->config->rules[rule];
	bool any = false;

	*conditional = true;
	if (!r->inputs) {
		*conditional = has_condition(&r->select);
		return feed_holds(&s->rules[rule], row);
	}
	for (char **in = r->inputs; *in; in++) {
		const struct input_config *input = config_input(s->config, *in);

		if (!input || !feed_holds(&s->inputs[input - s->config->inputs], row))
			continue;
		any = true;
		*conditional = *conditional && has_condition(&input->select);
	}
	return any;
}

static void build_reach(struct graph *g, const struct row *row)
{
	const struct config *c = g->s->config;
	struct reach *r = &g->reach[row->from - c->instances];

	for (size_t i = 0; i < c->nrules; i++) {
		struct link l = {i, row->type, false};

		if (!c->rules[i].enabled || !reaches(g->s, row, i, &l.conditional))
			continue;
		r->links = mem_grow(r->links, r->n + 1, sizeof *r->links);
		r->links[r->n++] = l;
		g->steps[i].fed = true;
	}
}

static void tell(struct graph *g, size_t start, const struct step *last, bool conditional)
{
	const struct rule_config *rules = g->s->config->rules;
	struct buf chain = {0};
	const struct step *step = last;
	size_t n = 0;

	g->queue[n++] = start; /* the search is over: room for the way back */
	for (size_t i = last->from; i != start; i = g->steps[i].from)
		g->queue[n++] = i;
	g->steps[start].told = true;
	buf_text_add(&chain, rules[start].name);
	while (n-- > 0) {
		step = n > 0 ? &g->steps[g->queue[n]] : last;
		buf_printf(&chain, " -> %s emits %s -> %s", step->action, step->type,
			   rules[g->queue[n]].name);
		g->steps[g->queue[n]].told = true;
	}
	if (conditional)
		report_warning(g->s->report, rules[start].at,
			       "rules feed each other unless a condition stops them: %s",
			       buf_text(&chain));
	else
		report_error(g->s->report, rules[start].at,
			     "rules feed each other for ever: %s; give one of them a `where` or a "
			     "`from` that leaves this out",
			     buf_text(&chain));
	buf_free(&chain);
}

/* Goes on from one action that rule `from` delivers to.  True when back at the start. */
static bool follow(struct graph *g, size_t start, size_t from, const char *action, size_t *tail,
		   bool conditional)
{
	const struct config *c = g->s->config;
	const struct instance_config *i = action ? config_instance(c, action) : NULL;
	const struct reach *r = i && i->enabled ? &g->reach[i - c->instances] : NULL;

	for (size_t k = 0; r && k < r->n; k++) {
		const struct link *l = &r->links[k];
		const struct step step = {from, action, l->type, true, g->steps[l->rule].told,
					  true};

		if (l->conditional && !conditional)
			continue;
		if (l->rule == start) {
			tell(g, start, &step, conditional);
			return true;
		}
		if (g->steps[l->rule].seen)
			continue;
		g->steps[l->rule] = step;
		g->queue[(*tail)++] = l->rule;
	}
	return false;
}

/* Breadth first: the shortest way back. */
static void search(struct graph *g, size_t start, bool conditional)
{
	const struct config *c = g->s->config;
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < c->nrules; i++)
		g->steps[i].seen = false;
	g->queue[tail++] = start;
	while (head < tail) {
		size_t at = g->queue[head++];
		const struct rule_config *r = &c->rules[at];

		for (size_t k = 0; r->enabled && k < r->n; k++) {
			if (follow(g, start, at, r->duties[k].target, &tail, conditional) ||
			    follow(g, start, at, r->duties[k].then, &tail, conditional))
				return;
		}
	}
}

static void search_all(struct graph *g, bool conditional)
{
	for (size_t i = 0; i < g->s->config->nrules; i++) {
		if (g->steps[i].fed && !g->steps[i].told)
			search(g, i, conditional);
	}
}

void check_cycles(struct survey *s)
{
	const struct config *c = s->config;
	struct graph g = {s, mem_zero((c->ninstances + 1) * sizeof *g.reach),
			  mem_zero((c->nrules + 1) * sizeof *g.steps),
			  mem_zero((c->nrules + 1) * sizeof *g.queue)};

	for (size_t i = 0; i < s->nrows; i++) {
		if (s->rows[i].from && s->rows[i].from->kind == INSTANCE_ACTION)
			build_reach(&g, &s->rows[i]);
	}
	search_all(&g, false);
	search_all(&g, true);
	for (size_t i = 0; i < c->ninstances; i++)
		free(g.reach[i].links);
	free(g.reach);
	free(g.steps);
	free(g.queue);
}
