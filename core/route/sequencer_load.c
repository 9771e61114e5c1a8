#include "route/sequencer_inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "route/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct numbering {
	struct names *names;
	struct journal *j;
	struct err *err;
};

static uint32_t number_name(void *arg, int kind, const char *name, const char *was)
{
	struct numbering *n = arg;

	return names_number(n->names, n->j, (enum name_kind)kind, name, was, n->err);
}

/* Instances that no rule names have saved state and cursors, too. */
static bool number_instances(struct numbering *n, const struct config *config)
{
	for (size_t i = 0; i < config->ninstances; i++) {
		const struct instance_config *one = &config->instances[i];

		if (!number_name(n, NAME_INSTANCE, one->name, one->was))
			return false;
	}
	for (size_t i = 0; i < config->ninputs; i++) {
		if (!number_name(n, NAME_INPUT, config->inputs[i].name, config->inputs[i].was))
			return false;
	}
	return true;
}

/* Counts configurations that ran: the same one again is the same generation. */
static enum journal_status find_generation(struct journal *j, const struct config *config,
					   uint32_t *generation, struct err *err)
{
	uint64_t fingerprint = config_fingerprint(config), last = 0;
	struct buf text = {0};
	char now[64];
	int len;
	enum journal_status status = journal_get(j, "journal", "generation", &text, err);

	*generation = 0;
	if (status == JOURNAL_OK &&
	    sscanf(text.data, "%" SCNu32 " %" SCNx64, generation, &last) == 2 &&
	    last == fingerprint) {
		buf_free(&text);
		return JOURNAL_OK;
	}
	buf_free(&text);
	if (status != JOURNAL_OK && status != JOURNAL_ABSENT)
		return status;
	len = snprintf(now, sizeof now, "%" PRIu32 " %" PRIx64, ++*generation, fingerprint);
	return journal_put(j, "journal", "generation", now, (size_t)len, err);
}

struct loading {
	struct sequencer *s;
	enum journal_status status;
	struct err *err;
};

static void log_lines(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) && *line)
		log_warn("%s", line);
}

/* What does not fit any more is stored as it then is, so that it is said once. */
static bool load_cell(const char *key, const void *value, size_t len, void *arg)
{
	struct loading *l = arg;
	struct buf lost = {0}, text = {0};
	bool kept = router_load(l->s->state, l->s->plan, key, value, len, &lost);

	if (kept && lost.len)
		router_cell(l->s->state, key, &text);
	if (!kept || lost.len)
		l->status = journal_put(l->s->j, "cell", key, kept ? text.data : NULL, text.len,
					l->err);
	if (lost.len)
		log_lines(lost.data);
	buf_free(&lost);
	buf_free(&text);
	return l->status == JOURNAL_OK;
}

enum journal_status sequencer_load_cells(struct sequencer *s, struct err *err)
{
	struct loading l = {.s = s, .status = JOURNAL_OK, .err = err};
	enum journal_status status;

	router_state_free(s->state);
	s->state = router_state_new();
	status = journal_values(s->j, "cell", "", load_cell, &l, err);
	return status == JOURNAL_OK ? l.status : status;
}

static bool number_plan(struct sequencer *s, struct plan *plan, struct err *err)
{
	struct numbering n = {.names = s->names, .j = s->j, .err = err};
	struct plan_numbers numbers = {number_name, &n};
	uint32_t generation;

	return number_instances(&n, plan->config) &&
	       find_generation(s->j, plan->config, &generation, err) == JOURNAL_OK &&
	       plan_number(plan, generation, &numbers);
}

/* What they hold, as it then is; with other rules, a snapshot of it. */
static enum journal_status fit_cells(struct sequencer *s, struct err *err)
{
	enum journal_status status = sequencer_load_cells(s, err);

	if (status == JOURNAL_OK && !(s->snapped && s->snapshot.generation == s->plan->generation))
		status = sequencer_snapshot(s, err);
	if (status == JOURNAL_OK)
		status = journal_commit(s->j, err);
	return status;
}

static enum journal_status take_plan(struct sequencer *s, struct plan *plan, struct err *err)
{
	struct plan *before = s->plan;
	enum journal_status status;

	s->plan = plan;
	status = fit_cells(s, err);
	if (status != JOURNAL_OK) {
		s->plan = before;
		return status;
	}
	plan_free(before);
	s->config = plan->config;
	s->generation = plan->generation;
	dedupe_configure(s->dedupe, s->config->dedupe_ms, s->config->dedupe_count);
	dedupe_hold_back(s->dedupe, s->config->max_journal / 8);
	return JOURNAL_OK;
}

/* After a failure everything is as it was, with the rules there were. */
bool sequencer_configure(struct sequencer *s, struct plan *plan, struct err *err)
{
	struct err ignored;

	if (journal_begin(s->j, err) == JOURNAL_OK && number_plan(s, plan, err) &&
	    take_plan(s, plan, err) == JOURNAL_OK)
		return true;
	plan_free(plan);
	journal_rollback(s->j);
	names_reload(s->names, s->j, &ignored);
	sequencer_load_snapshots(s, &ignored);
	if (s->plan)
		sequencer_load_cells(s, &ignored);
	return false;
}

static bool note_at(const struct journal_event *row, void *arg)
{
	struct sequencer *s = arg;

	s->at = row->event->at;
	return false;
}

struct sequencer *sequencer_new(struct journal *j, const struct config *config, struct err *err)
{
	struct sequencer *s = mem_new(struct sequencer);
	struct plan *plan;

	s->j = j;
	s->names = names_load(j, err);
	if (s->names)
		s->dedupe = dedupe_load(j, s->names, config->dedupe_ms, config->dedupe_count, err);
	if (s->dedupe && journal_events(j, UINT64_MAX, true, 1, note_at, s, err) == JOURNAL_OK &&
	    sequencer_load_snapshots(s, err) == JOURNAL_OK && (plan = plan_prepare(config, err)) &&
	    sequencer_configure(s, plan, err))
		return s;
	sequencer_free(s);
	return NULL;
}

void sequencer_free(struct sequencer *s)
{
	if (!s)
		return;
	router_state_free(s->state);
	plan_free(s->plan);
	dedupe_free(s->dedupe);
	names_free(s->names);
	map_free(&s->dirty, NULL);
	free(s);
}
