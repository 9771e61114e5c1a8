#include "cli/view.h"

#include "cli/jsonline.h"

#include <stdlib.h>
#include <string.h>

/* Pages look at so many rows at most, so that a search for a rare event cannot hold the
 * journal thread. */
/* Intake waits while a page is read: it takes some milliseconds, whatever events there are. */
#define LOOK_AT_MOST 1000
#define LOOK_BYTES   (4 * 1024 * 1024)
#define MOST_TARGETS 1000 /* with a dead letter of the same event */

static const char *target_name(const struct names *names, uint32_t target)
{
	return target == DELIVERY_INTAKE ? "intake" : names_text(names, target);
}

static json_t *event_head(const struct event *ev)
{
	return json_pack("{sI so ss so ss ss ss}", "seq", (json_int_t)ev->seq, "at",
			 jsonline_time(ev->at), "type", ev->type, "subject",
			 jsonline_text(ev->subject), "source", ev->source, "id", ev->id, "instance",
			 ev->instance);
}

static json_t *event_object(const struct event *ev)
{
	struct buf text = {0};
	json_t *object;

	event_json(ev, &text);
	object = jsonline_json(text.data, text.len);
	buf_free(&text);
	return object ? object : event_head(ev);
}

static json_t *delivery_json(const struct names *names, const struct delivery *d)
{
	json_t *trail = d->trail ? json_loads(d->trail, 0, NULL) : NULL;
	json_t *o = json_pack(
		"{ss ss ss sI sb so so}", "target", target_name(names, d->duty.target), "rule",
		d->duty.rule ? names_text(names, d->duty.rule) : "", "state",
		delivery_state_name(d->state), "attempts", (json_int_t)d->attempt, "unknown",
		(int)d->unknown, "why", jsonline_text(d->why), "ended", jsonline_time(d->ended_at));

	if (d->state == DELIVERY_HELD || d->state == DELIVERY_RETRY)
		json_object_set_new(o, "due", jsonline_time(d->due));
	if (d->held)
		json_object_set_new(o, "held", json_string(d->held));
	if (d->by)
		json_object_set_new(o, "by", json_integer((json_int_t)d->by));
	if (d->round)
		json_object_set_new(o, "round", json_integer((json_int_t)d->round));
	if (d->replay)
		json_object_set_new(o, "replay", json_true());
	json_object_set_new(o, "trail", trail ? trail : json_array());
	return o;
}

struct rows {
	const struct names *names;
	json_t *list;
};

static bool add_row(const struct delivery *d, void *arg)
{
	struct rows *rows = arg;

	json_array_append_new(rows->list, delivery_json(rows->names, d));
	return true;
}

static bool listed(json_t *list, const char *target)
{
	size_t i;
	json_t *d;

	json_array_foreach(list, i, d)
	{
		if (strcmp(json_string_value(json_object_get(d, "target")), target) == 0)
			return true;
	}
	return false;
}

static void add_duty(const struct names *names, json_t *list, uint32_t target, uint32_t rule,
		     const char *state)
{
	const char *name = names_text(names, target);

	if (target && !listed(list, name))
		json_array_append_new(list, json_pack("{ss ss ss si s[]}", "target", name, "rule",
						      names_text(names, rule), "state", state,
						      "attempts", 0, "trail"));
}

/* Rows, and the duties that have none: those still wait for their turn, or, behind a `then`,
 * for the end of the one before. */
static json_t *deliveries(struct journal *j, const struct names *names,
			  const struct journal_event *row, struct err *err)
{
	struct rows rows = {names, json_array()};

	if (journal_deliveries(j, row->event->seq, add_row, &rows, err) == JOURNAL_FAILED) {
		json_decref(rows.list);
		return NULL;
	}
	for (size_t n = 0; n < row->nduties; n++) {
		const struct duty *duty = &row->duties[n];

		add_duty(names, rows.list, duty->target, duty->rule, "waiting");
		add_duty(names, rows.list, duty->then, duty->rule, "not started");
	}
	return rows.list;
}

static json_t *count_states(json_t *list)
{
	json_t *counts = json_object(), *d;
	size_t i;

	json_array_foreach(list, i, d)
	{
		const char *state = json_string_value(json_object_get(d, "state"));
		json_int_t n = json_integer_value(json_object_get(counts, state));

		json_object_set_new(counts, state, json_integer(n + 1));
	}
	return counts;
}

void view_rules(const struct plan *p, struct buf *out)
{
	struct rule_count count;

	for (size_t i = 0; plan_count(p, i, &count); i++)
		jsonline_add(out, json_pack("{ss sb sI sI}", "rule", count.name, "shadow",
					    (int)count.shadow, "matched", (json_int_t)count.matches,
					    "mismatches", (json_int_t)count.mismatches));
}

static json_t *slots_json(const struct cell *c, const struct names *names)
{
	json_t *slots = json_object();

	for (size_t i = 0; i < c->nslots; i++) {
		const struct cell_slot *s = &c->slots[i];

		json_object_set_new(slots, names_text(names, s->input),
				    s->seq ? json_pack("{sI so sb}", "seq", (json_int_t)s->seq,
						       "at", jsonline_time(s->at), "new",
						       (int)s->fresh)
					   : json_null());
	}
	return slots;
}

void view_cell(const struct cell *c, const struct names *names, struct buf *out)
{
	static const struct cell nothing;

	c = c ? c : &nothing;
	jsonline_add(out, json_pack("{so sI sb}", "inputs", slots_json(c, names), "events",
				    (json_int_t)c->n, "open", (int)c->open));
}

struct page {
	struct journal *journal;
	const struct names *names;
	const struct view_query *query;
	struct buf *out;
	struct err *err;
	size_t lines;
	uint64_t last;
	uint64_t looked;
	size_t bytes;
};

static bool is_full(const struct page *p)
{
	return p->lines >= p->query->limit || p->looked >= LOOK_AT_MOST || p->bytes >= LOOK_BYTES;
}

/* How often this stands in the verdicts; not in a text of theirs, where quotes are escaped. */
static size_t count_in(const struct journal_event *row, const char *words)
{
	const char *at = row->decided ? row->decided : "";
	size_t n = 0;

	for (; (at = strstr(at, words)); at++)
		n++;
	return n;
}

/* It waits in an input or a window, or did: its firing has the duties.  What a shadow rule
 * gathers is nobody's. */
static bool is_gathered(const struct journal_event *row)
{
	return !row->nduties && count_in(row, "\"matched\":true") > count_in(row, "\"shadow\":[") &&
	       !count_in(row, "\"spared\":");
}

static bool wanted(const struct view_query *q, const struct journal_event *row)
{
	if (q->refused && !row->refused)
		return false;
	if (q->unrouted && (row->nduties || row->refused || is_gathered(row)))
		return false;
	if (q->type && !event_type_fits(q->type, row->event->type))
		return false;
	return !q->instance || strcmp(q->instance, row->event->instance) == 0;
}

static bool add_event(const struct journal_event *row, void *arg)
{
	struct page *page = arg;
	json_t *list, *head;

	page->last = row->event->seq;
	page->looked++;
	page->bytes += event_size(row->event);
	if (!wanted(page->query, row))
		return !is_full(page);
	list = deliveries(page->journal, page->names, row, page->err);
	if (!list)
		return false;
	head = event_head(row->event);
	json_object_set_new(head, "deliveries", count_states(list));
	json_object_set_new(head, "refused", json_boolean(row->refused));
	json_object_set_new(head, "gathered", json_boolean(is_gathered(row)));
	json_object_set_new(head, "shadow", json_boolean(count_in(row, "\"shadow\":[") > 0));
	json_decref(list);
	jsonline_add(page->out, head);
	page->lines++;
	return !is_full(page);
}

bool view_events(struct journal *j, const struct names *names, const struct view_query *q,
		 struct buf *out, uint64_t *next, struct err *err)
{
	struct page page = {j, names, q, out, err, 0, 0, 0, 0};
	uint64_t before = q->before ? q->before : UINT64_MAX;
	enum journal_status status =
		journal_events(j, before, true, LOOK_AT_MOST, add_event, &page, err);

	*next = is_full(&page) ? page.last : 0;
	return status == JOURNAL_OK || status == JOURNAL_ABSENT;
}

static bool add_effect(const struct journal_event *row, void *arg)
{
	json_t *list = arg;

	json_array_append_new(list, event_head(row->event));
	return json_array_size(list) < 1000;
}

static json_t *cause_json(struct journal *j, uint64_t seq)
{
	struct journal_event row;
	json_t *head;

	if (!seq)
		return json_null();
	if (journal_event(j, seq, &row, NULL) != JOURNAL_OK)
		return json_pack("{sI sn}", "seq", (json_int_t)seq, "type");
	head = event_head(row.event);
	journal_event_clear(&row);
	return head;
}

static bool load_event(struct journal *j, uint64_t seq, struct journal_event *row, struct err *err)
{
	enum journal_status status = journal_event(j, seq, row, err);

	if (status == JOURNAL_ABSENT)
		err_set(err,
			"there is no event %llu: never accepted, or already forgotten (`keep`)",
			(unsigned long long)seq);
	return status == JOURNAL_OK;
}

bool view_event(struct journal *j, const struct names *names, uint64_t seq, struct buf *out,
		struct err *err)
{
	json_t *effects = json_array(), *list, *decided, *o;
	struct journal_event row;

	if (!load_event(j, seq, &row, err)) {
		json_decref(effects);
		return false;
	}
	list = deliveries(j, names, &row, err);
	decided = row.decided ? json_loads(row.decided, 0, NULL) : NULL;
	journal_effects(j, seq, add_effect, effects, err);
	o = json_pack("{sI so so so so so so so si so sI sb}", "seq", (json_int_t)seq, "at",
		      jsonline_time(row.event->at), "event", event_object(row.event), "decided",
		      decided ? decided : json_array(), "deliveries", list ? list : json_array(),
		      "cause", cause_json(j, row.event->cause), "caused_by",
		      jsonline_text(row.event->caused_by), "effects", effects, "seen_again",
		      (int)row.seen, "seen_at", jsonline_time(row.seen_at), "generation",
		      (json_int_t)row.generation, "refused", (int)row.refused);
	json_object_set_new(o, "gathered", json_boolean(is_gathered(&row)));
	journal_event_clear(&row);
	jsonline_add(out, o);
	return true;
}

bool view_original(struct journal *j, uint64_t seq, struct buf *out, struct err *err)
{
	struct journal_event row;
	const struct event *ev;
	struct buf text = {0};

	if (!load_event(j, seq, &row, err))
		return false;
	ev = row.event;
	event_json(ev, &text);
	jsonline_add(out, json_pack("{ss% sI sI so sI sI sb}", "event", text.data, text.len, "at",
				    (json_int_t)ev->at, "cause", (json_int_t)ev->cause, "caused_by",
				    jsonline_text(ev->caused_by), "origin", (json_int_t)ev->origin,
				    "hops", (json_int_t)ev->hops, "refused", (int)row.refused));
	buf_free(&text);
	journal_event_clear(&row);
	return true;
}

struct letters {
	struct journal *journal;
	const struct names *names;
	struct buf *out;
	size_t lines, limit;
	uint64_t last;
};

static json_t *letter_json(struct journal *j, const struct names *names, const struct delivery *d,
			   bool whole)
{
	json_t *o = delivery_json(names, d);
	struct journal_event row;

	json_object_set_new(o, "id",
			    json_sprintf("%llu/%s", (unsigned long long)d->seq,
					 target_name(names, d->duty.target)));
	json_object_set_new(o, "seq", json_integer((json_int_t)d->seq));
	if (journal_event(j, d->seq, &row, NULL) == JOURNAL_OK) {
		json_object_set_new(o, "type", json_string(row.event->type));
		json_object_set_new(o, "subject", jsonline_text(row.event->subject));
		if (whole)
			json_object_set_new(o, "event", event_object(row.event));
		journal_event_clear(&row);
	}
	if (!whole)
		json_object_del(o, "trail");
	return o;
}

static bool add_letter(const struct delivery *d, void *arg)
{
	struct letters *letters = arg;
	json_t *o;

	/* A page ends between two events, because the next one starts after one. */
	if (letters->lines >= letters->limit && d->seq != letters->last)
		return false;
	o = letter_json(letters->journal, letters->names, d, false);
	jsonline_add(letters->out, o);
	letters->last = d->seq;
	letters->lines++;
	return true;
}

bool view_dead(struct journal *j, const struct names *names, uint32_t target, uint64_t after,
	       size_t limit, struct buf *out, uint64_t *next, struct err *err)
{
	struct letters letters = {j, names, out, 0, limit, 0};
	enum journal_status status =
		journal_dead(j, target, after, limit + MOST_TARGETS, add_letter, &letters, err);

	*next = letters.lines >= limit ? letters.last : 0;
	return status == JOURNAL_OK || status == JOURNAL_ABSENT;
}

bool view_letter(struct journal *j, const struct names *names, uint64_t seq, uint32_t target,
		 struct buf *out, struct err *err)
{
	struct delivery d;
	bool dead;

	if (journal_delivery(j, seq, target, &d, err) != JOURNAL_OK) {
		err_set(err, "there is no dead letter %llu/%s", (unsigned long long)seq,
			target_name(names, target));
		return false;
	}
	dead = d.state == DELIVERY_DEAD;
	if (dead)
		jsonline_add(out, letter_json(j, names, &d, true));
	else
		err_set(err, "the delivery %llu/%s is not dead: it is %s", (unsigned long long)seq,
			target_name(names, target), delivery_state_name(d.state));
	delivery_clear(&d);
	return dead;
}
