#include "route/replay.h"

#include "base/mem.h"
#include "route/router_state.h"
#include "route/sequencer_inside.h"
#include "json/escape.h"

#include <stdlib.h>
#include <string.h>

/* Firings that were never recorded have numbers no event will have. */
#define FIRST_MADE (UINT64_C(1) << 62)

struct recorded {
	struct recorded *next;
	struct journal_event row;
	bool gap;                  /* the one before it is not there */
	bool fired, other_members; /* `by` was computed, and this is its event */
	struct firing by;
};

struct replay {
	struct replay_options options;
	struct router_state *state;
	bool *known; /* by rule */
	int64_t begun, at;
	uint64_t before; /* the last event before it began */
	uint64_t fed;    /* the last one */
	struct recorded *first, **end;
	size_t n, bytes;
	uint64_t made;
};

/* What rules hold is not known, if it is not known to be nothing. */
static void begin(struct replay *r, uint64_t after, int64_t at)
{
	const struct plan *p = r->options.plan;

	router_state_free(r->state);
	r->state = router_state_new();
	r->begun = at;
	r->before = after;
	for (size_t i = 0; i < p->nrules; i++)
		r->known[i] = !after || p->rules[i].kind == CELL_NONE;
}

struct replay *replay_new(const struct replay_options *options, uint64_t after, int64_t at)
{
	struct replay *r = mem_new(struct replay);

	r->options = *options;
	r->at = at;
	r->fed = after;
	r->end = &r->first;
	r->known = mem_zero(options->plan->nrules * sizeof *r->known);
	begin(r, after, at);
	return r;
}

static void firing_free(struct firing *f)
{
	free(f->group);
	free(f->members);
}

static void recorded_free(struct recorded *e)
{
	journal_event_clear(&e->row);
	firing_free(&e->by);
	free(e);
}

static struct recorded *take_first(struct replay *r)
{
	struct recorded *e = r->first;

	r->first = e->next;
	if (!r->first)
		r->end = &r->first;
	r->n--;
	r->bytes -= event_size(e->row.event);
	return e;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	while (r->first)
		recorded_free(take_first(r));
	router_state_free(r->state);
	free(r->known);
	free(r);
}

static size_t index_of(const struct replay *r, const struct plan_rule *rule)
{
	return (size_t)(rule - r->options.plan->rules);
}

void replay_rule(struct replay *r, uint32_t number, uint64_t text)
{
	const struct plan_rule *rule = plan_rule_numbered(r->options.plan, number);

	if (rule && rule->text == text)
		r->known[index_of(r, rule)] = true;
}

void replay_cell(struct replay *r, const char *key, const char *text, size_t len)
{
	router_load(r->state, r->options.plan, key, text, len, NULL);
}

/* From then on a window or a count holds what has been seen. */
static int64_t known_from(const struct replay *r, const struct plan_rule *rule)
{
	return r->begun +
	       (rule->kind == CELL_COUNT ? rule->config->count_ms : rule->config->quiet_max_ms);
}

static bool is_unknown(const struct replay *r, const struct plan_rule *rule)
{
	return !r->known[index_of(r, rule)] && r->at < known_from(r, rule);
}

/* The newer of what the cell holds was not consumed by the firing. */
static void consume_members(struct cell *c, uint64_t newest)
{
	size_t n = 0;

	while (n < c->n && c->members[n].seq <= newest)
		n++;
	cell_forget(c, n);
	if (!c->n)
		c->bytes = 0;
	for (size_t i = 0; i < c->nslots; i++)
		c->slots[i].fresh = c->slots[i].fresh && c->slots[i].seq > newest;
	c->open = c->open && c->n;
}

/* What rules hold that is not known yet follows what is recorded of them, so that windows and
 * counts come into step. */
static void follow(struct replay *r, const struct plan_rule *rule, const char *group,
		   uint64_t newest)
{
	struct cell_change change = {.key = cell_key(rule->number, group)};
	struct outcome o = {.changes = &change, .nchanges = 1};
	const struct cell *c = map_get(&r->state->cells, change.key);

	if (c) {
		change.cell = cell_copy(c);
		consume_members(change.cell, newest);
		change.cell->due = cell_due(change.cell, rule->config);
		if (cell_empty(change.cell)) {
			cell_free(change.cell);
			change.cell = NULL;
		}
		router_apply(r->state, &o);
	}
	free(change.key);
}

static bool is_firing(const struct event *ev)
{
	return strcmp(ev->type, EVENT_FIRED) == 0 && strcmp(ev->instance, "pointsman") == 0;
}

static const char *group_of(const struct event *firing)
{
	return firing->subject ? firing->subject : "";
}

static bool is_rule(const struct plan_rule *rule, const char *name)
{
	const struct rule_config *c = rule->config;

	return strcmp(c->name, name) == 0 || (c->was && strcmp(c->was, name) == 0);
}

static bool has_name(const struct json_value *name, const char *text)
{
	return json_string_is(name->text + 1, name->len - 2, text, strlen(text));
}

static struct json_value member(const struct json_value *object, const char *wanted)
{
	struct json_value name, value;

	for (size_t at = 0; json_next(object, &at, &name, &value);) {
		if (has_name(&name, wanted))
			return value;
	}
	return (struct json_value){0};
}

static uint64_t sequence_of(const struct json_value *event)
{
	struct json_value sequence = member(event, "sequence");
	struct buf text = {0};
	uint64_t seq;

	json_text(&sequence, &text);
	seq = strtoull(buf_text(&text), NULL, 10);
	buf_free(&text);
	return seq;
}

/* Inputs by name, or events of a window. */
static struct json_value members_of(const struct event *recorded)
{
	struct json_value root = json_root(recorded->data, recorded->data_len);
	struct json_value list = member(&root, "inputs");

	if (list.kind == KIND_ABSENT) {
		list = member(&root, "window");
		list = member(&list, "events");
	}
	return list;
}

/* Members that were lost when it was recorded are missing there. */
static bool same_members(const struct event *recorded, const struct firing *f)
{
	struct json_value list = members_of(recorded), name, value;
	size_t n = 0;

	for (size_t at = 0; json_next(&list, &at, &name, &value); n++) {
		if (n >= f->n || sequence_of(&value) != f->members[n].seq)
			return false;
		if (f->members[n].input && list.kind == KIND_OBJECT &&
		    !has_name(&name, f->members[n].input))
			return false;
	}
	return n == f->n;
}

/* Is it of an event from before it was known what the rule held? */
static bool is_older(const struct replay *r, const struct plan_rule *rule,
		     const struct event *recorded)
{
	struct json_value list = members_of(recorded), name, value;

	if (r->known[index_of(r, rule)])
		return false;
	for (size_t at = 0; json_next(&list, &at, &name, &value);) {
		if (sequence_of(&value) <= r->before)
			return true;
	}
	return false;
}

static struct recorded *find_recorded(struct replay *r, const struct plan_rule *rule,
				      const struct firing *f)
{
	for (struct recorded *e = r->first; e; e = e->next) {
		const struct event *ev = e->row.event;

		if (ev->cause == f->newest && !e->fired && is_firing(ev) &&
		    is_rule(rule, ev->source) && strcmp(group_of(ev), f->group) == 0)
			return e;
	}
	return NULL;
}

static void tell(struct replay *r, const struct replay_result *result)
{
	uint64_t seq = result->was ? result->event->seq : r->options.from;

	if (seq >= r->options.from && seq <= r->options.until)
		r->options.result(result, r->options.arg);
}

static void take_outcome(struct replay *r, struct outcome *o, bool telling);

static struct event *make_firing(struct replay *r, const struct firing *f)
{
	struct event **members = mem_zero(f->n * sizeof *members), *made, *accepted;
	size_t bytes = 0;

	for (size_t i = f->n; i-- > 0;)
		members[i] =
			firing_member(f->members[i].seq < FIRST_MADE
					      ? r->options.event(f->members[i].seq, r->options.arg)
					      : NULL,
				      &bytes);
	made = own_firing(r->options.plan, f, members, r->at);
	accepted = event_accepted(made, FIRST_MADE + r->made++, r->at);
	event_unref(made);
	for (size_t i = 0; i < f->n; i++)
		event_unref(members[i]);
	free(members);
	return accepted;
}

/* A firing that there was not. */
static void fire_anew(struct replay *r, const struct firing *f, bool telling)
{
	struct event *ev = make_firing(r, f);
	struct outcome o;

	if (ev->hops <= EVENT_MAX_HOPS) {
		route_event(r->options.plan, r->state, ev, f, &o);
		if (telling)
			tell(r, &(struct replay_result){.event = ev, .now = &o});
		take_outcome(r, &o, telling);
	}
	event_unref(ev);
}

static void expect(struct replay *r, struct firing *f, bool telling)
{
	const struct plan_rule *rule = &r->options.plan->rules[f->rule];
	struct recorded *e = find_recorded(r, rule, f);

	if (e) {
		e->fired = true;
		e->by = *f;
		e->other_members = !same_members(e->row.event, f);
		*f = (struct firing){0};
	} else if (!is_unknown(r, rule)) {
		fire_anew(r, f, telling);
	}
}

static void take_outcome(struct replay *r, struct outcome *o, bool telling)
{
	router_apply(r->state, o);
	for (size_t i = 0; i < o->nfirings; i++)
		expect(r, &o->firings[i], telling);
	outcome_clear(o);
}

static void pass_time(struct replay *r, int64_t at, bool telling)
{
	int64_t due;

	while ((due = router_next_deadline(r->options.plan, r->state)) <= at) {
		struct outcome o;

		r->at = due > r->at ? due : r->at;
		route_deadline(r->options.plan, r->state, r->at, &o);
		take_outcome(r, &o, telling);
	}
	r->at = at > r->at ? at : r->at;
}

static const struct plan_rule *rule_named(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->nrules; i++) {
		if (is_rule(&p->rules[i], name))
			return &p->rules[i];
	}
	return NULL;
}

/* Recorded, but nothing fires now: either nothing could be known of it, and it is taken as it
 * happened, or it would not be there. */
static bool take_as_recorded(struct replay *r, struct recorded *e)
{
	const struct event *ev = e->row.event;
	const struct plan_rule *rule = rule_named(r->options.plan, ev->source);
	const char *group = group_of(ev);

	if (!rule || rule->kind == CELL_NONE || !(is_unknown(r, rule) || is_older(r, rule, ev)))
		return false;
	follow(r, rule, group, ev->cause);
	e->by = (struct firing){.rule = (uint32_t)index_of(r, rule),
				.group = mem_text(group),
				.newest = ev->cause,
				.number = ev->cause};
	return true;
}

static void route_recorded(struct replay *r, struct recorded *e, bool telling)
{
	const struct event *ev = e->row.event;
	struct replay_result result = {.event = ev, .was = &e->row};
	const struct plan_rule *rule;
	struct outcome o;

	if (is_firing(ev) && !e->fired) {
		result.unknown = take_as_recorded(r, e);
		if (!result.unknown) {
			tell(r, &result);
			return;
		}
	} else if (e->fired) {
		rule = &r->options.plan->rules[e->by.rule];
		result.other_members = e->other_members;
		result.unknown = e->other_members && (is_unknown(r, rule) || is_older(r, rule, ev));
	}
	route_event(r->options.plan, r->state, ev, is_firing(ev) ? &e->by : NULL, &o);
	result.now = &o;
	tell(r, &result);
	take_outcome(r, &o, telling);
}

/* What time brings about before the first event may be that event. */
static void step(struct replay *r)
{
	const struct journal_event *row = &r->first->row;
	bool routed = row->event->seq <= r->options.until && !row->refused &&
		      row->event->hops <= EVENT_MAX_HOPS;
	bool telling = row->event->seq >= r->options.from;
	struct recorded *e;

	if (r->first->gap)
		begin(r, row->event->seq - 1, row->event->at);
	if (routed)
		pass_time(r, row->event->at, telling);
	e = take_first(r);
	if (routed)
		route_recorded(r, e, telling);
	recorded_free(e);
}

void replay_feed(struct replay *r, struct journal_event *row)
{
	struct recorded *e = mem_new(struct recorded);

	e->row = *row;
	*row = (struct journal_event){0};
	e->gap = e->row.event->seq != r->fed + 1;
	r->fed = e->row.event->seq;
	*r->end = e;
	r->end = &e->next;
	r->n++;
	r->bytes += event_size(e->row.event);
	while (r->n > REPLAY_AHEAD || (r->n > 1 && r->bytes > REPLAY_AHEAD_BYTES))
		step(r);
}

void replay_end(struct replay *r)
{
	while (r->first)
		step(r);
}

bool replay_unknown(const struct replay *r, size_t i, const char **rule, int64_t *until)
{
	const struct plan *p = r->options.plan;

	for (size_t n = 0; n < p->nrules; n++) {
		if (r->known[n] || !p->rules[n].config->enabled || i-- > 0)
			continue;
		*rule = p->rules[n].config->name;
		*until = p->rules[n].kind == CELL_INPUTS ? 0 : known_from(r, &p->rules[n]);
		return true;
	}
	return false;
}
