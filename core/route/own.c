#include "route/own.h"

#include "base/mem.h"
#include "base/units.h"
#include "route/sequencer_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_TOLD 8

static const struct event *newest_member(const struct firing *f, struct event *const *members)
{
	const struct event *newest = NULL;

	for (size_t i = 0; i < f->n; i++) {
		if (members[i] && (!newest || members[i]->seq > newest->seq))
			newest = members[i];
	}
	return newest;
}

static uint32_t most_hops(const struct firing *f, struct event *const *members)
{
	uint32_t hops = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (members[i] && members[i]->hops > hops)
			hops = members[i]->hops;
	}
	return hops;
}

static uint64_t origin_of(const struct event *ev)
{
	return ev->origin ? ev->origin : ev->seq;
}

/* Its cause is the newest member, even when that one's row is lost. */
struct event *own_firing(const struct plan *p, const struct firing *f, struct event *const *members,
			 int64_t at)
{
	const struct event *newest = newest_member(f, members);
	const char *rule = plan_rule_name(p, f->rule);
	char *id = mem_format("%s/%s/%llu", rule, f->group, (unsigned long long)f->number);
	char time[32];
	struct buf payload = {0};
	struct event ev = {
		.id = id,
		.source = rule,
		.type = EVENT_FIRED,
		.subject = *f->group ? f->group : NULL,
		.traceparent = newest ? newest->traceparent : NULL,
		.time = units_time_text(at, time),
		.instance = "pointsman",
		.cause = f->newest,
		.origin = newest ? origin_of(newest) : f->newest,
		.hops = most_hops(f, members) + 1,
	};
	struct event *made;

	firing_payload(p, f, members, &payload);
	ev.data = payload.data;
	ev.data_len = payload.len;
	made = event_create(&ev);
	buf_free(&payload);
	free(id);
	return made;
}

struct event *own_group_dropped(const struct plan *p, const struct group_dropped *d,
				const struct event *cause)
{
	const char *rule = plan_rule_name(p, d->rule);
	char *id = mem_format("%s/%s/%llu", rule, d->group, (unsigned long long)cause->seq);
	char time[32];
	struct buf data = {0};
	struct event *made;

	buf_text_add(&data, "{\"rule\":");
	buf_json_string(&data, rule, strlen(rule));
	buf_text_add(&data, ",\"group\":");
	buf_json_string(&data, d->group, strlen(d->group));
	buf_char(&data, '}');
	made = event_create(&(struct event){
		.id = id,
		.source = rule,
		.type = "pointsman.group.dropped",
		.subject = rule,
		.traceparent = cause->traceparent,
		.time = units_time_text(cause->at, time),
		.instance = "pointsman",
		.data = data.data,
		.data_len = data.len,
		.cause = cause->seq,
		.origin = origin_of(cause),
		.hops = cause->hops + 1,
	});
	buf_free(&data);
	free(id);
	return made;
}

/* The rule by which the cause was delivered to the target that made the event. */
static const char *rule_between(const struct journal_event *cause, const struct names *names,
				const char *target)
{
	uint32_t number = names_find(names, NAME_INSTANCE, target);

	for (size_t i = 0; i < cause->nduties; i++) {
		const struct duty *d = &cause->duties[i];

		if (number && (d->target == number || d->then == number))
			return names_text(names, d->rule);
	}
	return "?";
}

void own_chain(struct journal *j, const struct names *names, const struct event *ev,
	       struct buf *out)
{
	struct event *at = event_create(ev);
	struct journal_event cause;
	int told = 0;

	for (; told < CHAIN_TOLD && journal_event(j, at->cause, &cause, NULL) == JOURNAL_OK;
	     told++) {
		buf_printf(out, "%s%s", told ? " <- " : "", at->type);
		if (strcmp(at->type, EVENT_FIRED) == 0)
			buf_printf(out, " of rule %s", at->source);
		else if (at->caused_by)
			buf_printf(out, " from %s by rule %s", at->caused_by,
				   rule_between(&cause, names, at->caused_by));
		event_unref(at);
		at = event_ref(cause.event);
		journal_event_clear(&cause);
	}
	buf_printf(out, "%s%s%s", told ? " <- " : "", at->type, told == CHAIN_TOLD ? " <- .." : "");
	event_unref(at);
}

struct event *own_event(const struct own *own)
{
	const struct event *cause = own->cause;
	char id[96], time[32];
	struct event ev = {
		.type = own->type,
		.subject = own->subject,
		.source = "pointsman",
		.instance = "pointsman",
		.id = id,
		.time = units_time_text(own->at, time),
		.data = own->json,
		.data_len = strlen(own->json),
		.caused_by = own->caused_by,
	};

	snprintf(id, sizeof id, "%s/%016" PRIx64, own->type, own->number);
	if (cause) {
		ev.cause = cause->seq;
		ev.origin = origin_of(cause);
		ev.hops = cause->hops + 1;
		ev.traceparent = cause->traceparent;
	}
	return event_create(&ev);
}

static void add_text(struct buf *json, const char *name, const char *text)
{
	buf_printf(json, ",\"%s\":", name);
	if (text)
		buf_json_string(json, text, strlen(text));
	else
		buf_text_add(json, "null");
}

static void add_target(struct buf *json, const char *target)
{
	buf_text_add(json, "{\"target\":");
	buf_json_string(json, target, strlen(target));
}

void own_dead_json(struct buf *json, const char *target, uint32_t count, const char *why,
		   uint64_t seq, const struct event *ev)
{
	add_target(json, target);
	buf_printf(json, ",\"count\":%u", count);
	add_text(json, "reason", why ? why : "");
	buf_printf(json, ",\"event\":{\"seq\":%" PRIu64, seq);
	if (ev) {
		add_text(json, "id", ev->id);
		add_text(json, "type", ev->type);
		add_text(json, "subject", ev->subject);
	}
	buf_text_add(json, "}}");
}

void own_breaker_json(struct buf *json, const char *target, const char *why)
{
	add_target(json, target);
	add_text(json, "reason", why ? why : "");
	buf_char(json, '}');
}
