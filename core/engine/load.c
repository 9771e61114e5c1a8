/* Opening an engine: what the journal holds becomes lanes. */
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "engine/announce.h"
#include "engine/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define DEAD_LOOKED_AT 100000 /* keep-dead's default */

static bool delivers(const struct instance_config *c)
{
	return c->kind == INSTANCE_ACTION || c->kind == INSTANCE_SINK;
}

static bool read_small(struct engine *e, const char *space, uint32_t number, struct buf *out)
{
	char key[16];

	snprintf(key, sizeof key, "%u", number);
	return journal_get(e->journal, space, key, out, NULL) == JOURNAL_OK;
}

static uint64_t read_cursor(struct engine *e, uint32_t number)
{
	struct buf text = {0};
	int64_t seq = 0;

	if (read_small(e, "cursor", number, &text))
		units_integer(buf_text(&text), &seq);
	buf_free(&text);
	return (uint64_t)seq;
}

static void read_breaker(struct engine *e, struct target *t)
{
	struct buf text = {0};

	if (read_small(e, "breaker", t->number, &text))
		lane_breaker_load(t->lane, buf_text(&text), engine_now(e));
	buf_free(&text);
}

static bool recall(const struct delivery *row, void *arg)
{
	struct target *t = arg;
	struct engine *e = t->engine;
	struct journal_event event;

	if (journal_event(e->journal, row->seq, &event, NULL) != JOURNAL_OK) {
		log_error("%s: delivery %llu: its event is lost; it stays as it is",
			  t->section->name, (unsigned long long)row->seq);
		return true;
	}
	target_recall(t, row, event.event, e->options.visiting ? NULL : e->first_txn);
	journal_event_clear(&event);
	return true;
}

static bool recall_untold(const struct delivery *row, void *arg)
{
	return row->told || row->own || recall(row, arg);
}

static void know_number(struct engine *e, struct target *t)
{
	if (t->number >= e->nnumbers) {
		size_t n = (size_t)t->number + 1;

		e->by_number = mem_grow(e->by_number, n, sizeof *e->by_number);
		memset(e->by_number + e->nnumbers, 0, (n - e->nnumbers) * sizeof *e->by_number);
		e->nnumbers = n;
	}
	e->by_number[t->number] = t;
}

static bool load_untold(struct target *t, struct err *err)
{
	struct engine *e = t->engine;

	if (journal_dead(e->journal, t->number, 0, DEAD_LOOKED_AT, recall_untold, t, err) ==
	    JOURNAL_FAILED)
		return false;
	target_cursor(t, e->first_txn);
	return true;
}

/* A visitor reads what there is, so that it can tell of it; deaths and announcements are the
 * daemon's. */
static bool load_target(struct engine *e, const struct instance_config *c, struct err *err)
{
	uint32_t number = engine_instance(e, c->name);
	struct target *t = target_new(e, c, number, read_cursor(e, number), err);

	if (!t)
		return false;
	map_put(&e->targets, c->name, t);
	know_number(e, t);
	lane_pause(t->lane, true, engine_now(e), &e->effects);
	if (e->unclean && !e->options.visiting)
		lane_careful(t->lane, e->last_seq);
	read_breaker(e, t);
	if (journal_live(e->journal, number, recall, t, err) == JOURNAL_FAILED)
		return false;
	return e->options.visiting || load_untold(t, err);
}

/* Copies, because the journal thread owns the table of names from now on. */
static void know_names(struct engine *e)
{
	const struct config *c = e->options.config;
	const struct names *names = sequencer_names(e->sequencer);

	for (size_t n = 0; n < c->ninstances; n++) {
		struct known *known = mem_new(struct known);

		known->number = names_find(names, NAME_INSTANCE, c->instances[n].name);
		known->first = mem_text(names_first(names, known->number));
		map_put(&e->numbers, c->instances[n].name, known);
	}
	for (size_t n = 0; n < c->nrules; n++) {
		uint32_t number = names_find(names, NAME_RULE, c->rules[n].name);

		if (number >= e->nrules) {
			e->rules = mem_grow(e->rules, (size_t)number + 1, sizeof *e->rules);
			memset(e->rules + e->nrules, 0,
			       (number + 1 - e->nrules) * sizeof *e->rules);
			e->nrules = (size_t)number + 1;
		}
		free(e->rules[number]);
		e->rules[number] = mem_text(c->rules[n].name);
	}
}

static bool count_one(const struct delivery *row, void *arg)
{
	(void)row;
	++*(size_t *)arg;
	return true;
}

/* What a section left behind that is gone from the configuration is easily forgotten. */
static void warn_of_stranded(struct engine *e)
{
	const struct names *names = sequencer_names(e->sequencer);

	for (uint32_t n = 1; strcmp(names_text(names, n), "?") != 0; n++) {
		size_t waiting = 0;

		if (n < e->nnumbers && e->by_number[n])
			continue;
		if (journal_live(e->journal, n, count_one, &waiting, NULL) == JOURNAL_OK && waiting)
			log_warn("%s is not in the configuration, and %zu deliveries to it wait: "
				 "they go on when it is back, or under a new name with `was = %s`",
				 names_text(names, n), waiting, names_text(names, n));
	}
}

static bool load_journal(struct engine *e, int *status, struct err *err)
{
	const struct config *c = e->options.config;
	struct journal_opened found = {0};

	*status = EX_CANTCREAT;
	e->journal = journal_open(e->options.world, c->state, &found, err);
	if (!e->journal)
		return false;
	e->unclean = found.unclean;
	e->damaged = found.damaged;
	if (e->unclean && !e->options.visiting)
		log_warn("the last process was not stopped in order; what may have been under way "
			 "comes again, one at a time");
	e->sequencer = sequencer_new(e->journal, c, err);
	if (!e->sequencer) {
		*status = journal_had_trouble(e->journal) ? EX_IOERR : EX_CONFIG;
		return false;
	}
	e->last_seq = journal_last_seq(e->journal);
	e->generation = sequencer_generation(e->sequencer);
	return true;
}

static bool load(struct engine *e, int *status, struct err *err)
{
	const struct config *c = e->options.config;

	if (!load_journal(e, status, err))
		return false;
	*status = EX_IOERR;
	know_names(e);
	for (size_t n = 0; n < c->ninstances; n++) {
		if (delivers(&c->instances[n]) && !load_target(e, &c->instances[n], err))
			return false;
	}
	if (!e->options.visiting)
		warn_of_stranded(e);
	return true;
}

struct engine *engine_new(const struct engine_options *options, int *status, struct err *err)
{
	struct engine *e = mem_new(struct engine);

	e->options = *options;
	e->flights_end = &e->flights;
	e->first_txn = txn_new();
	e->ahead = options->world->wall(options->world) - options->world->boot(options->world);
	e->room = room_new(options->world, options->loop, options->config);
	e->timer = loop_timer_new(options->loop, engine_on_timer, e);
	e->intake.timer = loop_timer_new(options->loop, announce_gathered, e);
	e->housekeeping = loop_timer_new(options->loop, engine_on_housekeeping, e);
	if (load(e, status, err))
		return e;
	engine_unload(e);
	return NULL;
}

static void target_destroy(void *target)
{
	target_free(target);
}

static void known_destroy(void *value)
{
	struct known *known = value;

	free(known->first);
	free(known);
}

void engine_unload(struct engine *e)
{
	txn_free(e->first_txn);
	engine_drop_flights(e);
	calls_free(&e->calls);
	map_free(&e->targets, target_destroy);
	map_free(&e->numbers, known_destroy);
	for (size_t n = 0; n < e->nrules; n++)
		free(e->rules[n]);
	free(e->rules);
	free(e->by_number);
	lane_effects_clear(&e->effects);
	loop_timer_free(e->timer);
	loop_timer_free(e->housekeeping);
	loop_timer_free(e->intake.timer);
	event_unref(e->intake.first);
	free(e->intake.why);
	loop_timer_free(e->drain_timer);
	room_free(e->room);
	sequencer_free(e->sequencer);
	if (e->journal && e->options.visiting)
		journal_leave(e->journal);
	else if (e->journal)
		journal_close(e->journal);
	free(e->damaged);
	free(e);
}
