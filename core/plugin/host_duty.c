/* What ends deliveries and makes events. */
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "plugin/emission.h"
#include "plugin/host.h"
#include "json/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stale(struct instance *i, const char *call)
{
	host_count_up(i, "late_finish", 1);
	log_warn("%s: %s() on a delivery that has ended already; ignored", i->host.instance, call);
}

void host_end(struct instance *i, pm_delivery d, const struct ending *ending)
{
	struct engine *e = instance_options(i)->engine;

	if (ending->credentials)
		instance_reread(i);
	if (!engine_finish(e, instance_txn(i), d, ending->result, ending->why.text,
			   ending->after_ms, ending->unknown))
		stale(i, "finish");
}

void host_end_many(struct instance *i, const pm_delivery *d, size_t n, const struct ending *ending)
{
	struct engine *e = instance_options(i)->engine;
	enum lane_result result = ending->result;
	size_t late;

	if (ending->credentials)
		instance_reread(i);
	if (result == LANE_REJECT && n > 1)
		result = LANE_SPLIT;
	late = engine_finish_many(e, instance_txn(i), d, n, result, ending->why.text,
				  ending->after_ms, ending->unknown);
	if (late) {
		host_count_up(i, "late_finish", (int64_t)late);
		log_warn(
			"%s: the answer for %zu deliveries came when %zu of them had ended already",
			i->host.instance, n, late);
	}
}

static void host_finish(struct pm_host *h, pm_delivery d, pm_result r, const char *why)
{
	struct ending ending = {.after_ms = -1};

	switch (r) {
	case PM_OK: ending.result = LANE_OK; break;
	case PM_REJECT: ending.result = LANE_REJECT; break;
	default: ending.result = LANE_AGAIN; break;
	}
	err_set(&ending.why, "%s", why ? why : "");
	host_end(instance_of(h), d, &ending);
}

static void host_hold(struct pm_host *h, pm_delivery d, uint32_t ms, const char *state)
{
	struct instance *i = instance_of(h);

	if (!engine_hold(instance_options(i)->engine, instance_txn(i), d, ms, state ? state : ""))
		stale(i, "hold");
}

static bool may_emit(struct instance *i)
{
	if (i->plugin->table.kind & (PM_SOURCE | PM_ACTION))
		return true;
	log_error("%s: plugin %s is a sink and may not emit(): a bug in the plugin",
		  i->host.instance, i->plugin->table.name);
	return false;
}

/* A source that cannot be told keeps its event as a dead letter; a sender at listen() is
 * told instead. */
static pm_result refuse(struct instance *i, const struct pm_emit *e, const char *why)
{
	i->refusal = (struct err){{0}};
	err_set(&i->refusal, "%s", why);
	if (i->answering)
		return PM_REJECT;
	log_limited(&i->refusals, LOG_WARN,
		    "%s: event of type %s refused: %s; kept as a dead letter", i->host.instance,
		    e->type ? e->type : "(none)", why);
	emission_refused(i, e, why);
	return PM_REJECT;
}

/* A source may emit until it is told to wait, all in one call. */
#define ONE_CALL_BYTES (4 << 20)

static enum engine_room room_of(struct instance *i)
{
	if (i->txn && i->txn->weight > ONE_CALL_BYTES && !i->answering)
		return ROOM_SHARE;
	return instance_room(i);
}

/* A request is in memory already, and taken whole or not at all. */
static bool has_room(struct instance *i)
{
	if (i->answering && i->admitted)
		return true;
	i->room = room_of(i);
	i->admitted = i->room == ROOM_FREE;
	if (i->admitted)
		return true;
	i->wants_room = true;
	runtime_wants_room(i->runtime);
	return false;
}

static pm_result host_emit(struct pm_host *h, const struct pm_emit *given)
{
	struct instance *i = instance_of(h);
	struct pm_emit e = {0};
	struct err err = {{0}};
	struct event *event;

	memcpy(&e, given, given->size < sizeof e ? given->size : sizeof e);
	if (!may_emit(i))
		return PM_REJECT;
	if (!e.cause && !has_room(i))
		return PM_RETRY;
	if (e.refuse)
		return refuse(i, &e, e.refuse);
	event = emission_event(i, &e, &err);
	if (!event)
		return refuse(i, &e, err.text);
	txn_emit(instance_txn(i), event);
	event_unref(event);
	return PM_OK;
}

#define SAVED_MAX_BYTES (1024 * 1024)

static const char *host_load(struct pm_host *h, const char *key)
{
	struct instance *i = instance_of(h);
	const char *value = map_get(&i->saved, key);

	return value ? scratch_text(&i->scratch, value, strlen(value)) : NULL;
}

static void host_save(struct pm_host *h, const char *key, const char *value)
{
	struct instance *i = instance_of(h);
	const char *before = map_get(&i->saved, key);
	size_t old = before ? strlen(key) + strlen(before) : 0;
	size_t new = value ? strlen(key) + strlen(value) : 0;

	if (i->saved_bytes - old + new > SAVED_MAX_BYTES) {
		log_error("%s: save(\"%s\") refused: the saved state would grow over 1 MB",
			  h->instance, key);
		return;
	}
	i->saved_bytes = i->saved_bytes - old + new;
	free(value ? map_put(&i->saved, key, mem_text(value)) : map_remove(&i->saved, key));
	txn_save(instance_txn(i), i->number, key, value);
}

/* The keys first: `fn` may save, and so change what is walked. */
static void host_each(struct pm_host *h, const char *prefix,
		      void (*fn)(struct pm_host *h, const char *key, const char *value))
{
	struct instance *i = instance_of(h);
	struct map found = {0};
	struct map_entry *e;

	for (size_t at = 0; (e = map_next(&i->saved, &at));) {
		if (strncmp(e->key, prefix, strlen(prefix)) == 0)
			map_put(&found, e->key, e->key);
	}
	for (size_t at = 0; (e = map_next(&found, &at));) {
		const char *value = host_load(h, e->key);

		if (value)
			fn(h, scratch_text(&i->scratch, e->key, strlen(e->key)), value);
	}
	map_free(&found, NULL);
}

static void host_alive(struct pm_host *h, const char *problem)
{
	struct instance *i = instance_of(h);
	struct world *w = instance_world(i);

	if (problem) {
		err_set(&i->problem, "%s", problem);
		if (!i->alive_at)
			i->alive_at = w->boot(w);
		return;
	}
	if (i->stalled)
		log_info("%s: heard from upstream again", h->instance);
	i->heard = true;
	i->stalled = false;
	i->problem.text[0] = '\0';
	i->alive_at = w->boot(w);
}

static void host_resolved(struct pm_host *h, uint64_t ask, const char *value, uint32_t ttl_ms,
			  const char *why)
{
	runtime_resolved(instance_of(h)->runtime, ask, value, ttl_ms, why ? why : "");
}

static void say(struct instance *i, int32_t level, const char *text)
{
	static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};

	log_line(level >= 0 && level <= 3 ? levels[level] : LOG_ERROR, "%s: %s", i->host.instance,
		 text);
	if (level == PM_ERROR)
		err_set(&i->problem, "%s", text);
}

void host_trouble(struct instance *i, const char *text)
{
	say(i, PM_ERROR, text);
}

static void host_log(struct pm_host *h, int32_t level, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		say(instance_of(h), level, text);
	free(text);
}

void host_count_up(struct instance *i, const char *metric, int64_t by)
{
	int64_t *n = map_get(&i->counters, metric);

	if (!n) {
		n = mem_new(int64_t);
		map_put(&i->counters, metric, n);
	}
	*n += by;
}

static void host_count(struct pm_host *h, const char *metric, int64_t by)
{
	host_count_up(instance_of(h), metric, by);
}

static const void *host_extension(struct pm_host *h, const char *id)
{
	(void)h;
	(void)id;
	return NULL;
}

void host_fill_duty(struct pm_host *h)
{
	h->finish = host_finish;
	h->hold = host_hold;
	h->emit = host_emit;
	h->load = host_load;
	h->save = host_save;
	h->each = host_each;
	h->alive = host_alive;
	h->resolved = host_resolved;
	h->log = host_log;
	h->count = host_count;
	h->extension = host_extension;
}
