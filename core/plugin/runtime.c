#include "plugin/runtime.h"

#include "base/log.h"
#include "base/mem.h"
#include "plugin/blocking.h"
#include "plugin/instance.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY_MS 5000

struct runtime {
	struct runtime_options options;
	struct instance **instances;
	size_t n, cap;
	struct secrets *secrets;
	struct loop_timer *look;
};

const struct runtime_options *runtime_options(const struct runtime *r)
{
	return &r->options;
}

const struct runtime_options *instance_options(const struct instance *i)
{
	return &i->runtime->options;
}

struct world *instance_world(const struct instance *i)
{
	return i->runtime->options.world;
}

struct secrets *runtime_secrets(struct runtime *r)
{
	return r->secrets;
}

static struct instance *find(struct runtime *r, const char *name)
{
	for (size_t n = 0; n < r->n; n++) {
		if (strcmp(r->instances[n]->host.instance, name) == 0)
			return r->instances[n];
	}
	return NULL;
}

struct asking {
	uint64_t ask;
	char *name;
};

static void asking_free(void *arg)
{
	struct asking *a = arg;

	free(a->name);
	free(a);
}

static void call_resolve(struct instance *i, void *arg)
{
	struct asking *a = arg;

	blocking_release(i);
	i->plugin->table.resolve(&i->host, a->ask, a->name);
	blocking_take(i);
	asking_free(a);
}

/* A section that is not ready yet does not answer; it is asked again when it is. */
static void on_ask(void *arg, const char *section, const char *name, uint64_t ask)
{
	struct runtime *r = arg;
	struct instance *i = find(r, section);
	struct asking *a;

	if (!i || i->state != INSTANCE_READY)
		return;
	a = mem_new(struct asking);
	a->ask = ask;
	a->name = mem_text(name);
	instance_run(i, "resolve()", call_resolve, asking_free, a);
}

static void on_changed(void *arg)
{
	struct runtime *r = arg;

	for (size_t n = 0; n < r->n; n++)
		instance_secrets(r->instances[n]);
}

void runtime_resolved(struct runtime *r, uint64_t ask, const char *value, uint32_t ttl_ms,
		      const char *why)
{
	secrets_answer(r->secrets, ask, value, ttl_ms, why);
}

void runtime_became_ready(struct runtime *r, struct instance *i)
{
	log_info("%s: ready", i->host.instance);
	if (i->plugin->table.kind & PM_SECRETS)
		secrets_ask_again(r->secrets, i->host.instance);
}

static void call_resume(struct instance *i, void *arg)
{
	(void)arg;
	blocking_release(i);
	i->plugin->table.resume(&i->host);
	blocking_take(i);
}

static void on_room(void *arg)
{
	struct runtime *r = arg;

	for (size_t n = 0; n < r->n; n++) {
		struct instance *i = r->instances[n];

		if (!i->wants_room)
			continue;
		if (instance_room(i) != ROOM_FREE) {
			runtime_wants_room(r);
			continue;
		}
		i->wants_room = false;
		if (i->state == INSTANCE_READY && i->plugin->table.resume)
			instance_run(i, "resume()", call_resume, NULL, NULL);
	}
}

void runtime_wants_room(struct runtime *r)
{
	engine_when_room(r->options.engine, on_room, r);
}

static void announce_stalled(struct instance *i, int64_t silent)
{
	struct engine *e = instance_options(i)->engine;
	const char *reason = *i->problem.text ? i->problem.text : "nothing was heard from upstream";
	struct txn *t = txn_new();
	struct buf json = {0};

	i->stalled = true;
	log_error("source %s: silent for %lld s: %s; it goes on trying", i->host.instance,
		  (long long)silent / 1000, reason);
	buf_text_add(&json, "{\"instance\":");
	buf_json_string(&json, i->host.instance, strlen(i->host.instance));
	buf_printf(&json, ",\"seconds\":%lld,\"reason\":", (long long)silent / 1000);
	buf_json_string(&json, reason, strlen(reason));
	buf_char(&json, '}');
	engine_emit_own(e, t, "pointsman.source.stalled", i->host.instance, buf_text(&json));
	engine_submit(e, t);
	buf_free(&json);
}

static void look(void *arg)
{
	struct runtime *r = arg;

	for (size_t n = 0; n < r->n; n++) {
		struct instance *i = r->instances[n];

		if (i->section->kind == INSTANCE_SOURCE && i->state == INSTANCE_READY &&
		    !i->stalled && instance_silence(i) > i->section->stalled_ms)
			announce_stalled(i, instance_silence(i));
	}
	loop_timer_set(r->look, LOOK_EVERY_MS);
}

struct runtime *runtime_new(const struct runtime_options *options)
{
	struct runtime *r = mem_new(struct runtime);

	r->options = *options;
	r->secrets = secrets_new(
		&(struct secrets_options){options->world, options->loop, on_ask, on_changed, r});
	r->look = loop_timer_new(options->loop, look, r);
	return r;
}

static void add_instance(struct runtime *r, const struct instance_config *section)
{
	struct report report = {0};
	struct err err = {{0}};
	const struct plugin *plugin = loader_get(r->options.loader, section->plugin, &err);
	struct values *values = plugin ? values_new(plugin, section, &report) : NULL;

	/* The configuration was checked: only a file that changed since gets here. */
	if (!values) {
		log_error("%s: not started: %s", section->name,
			  plugin ? report.n ? report.remarks[0].text : "bad keys" : err.text);
		report_free(&report);
		return;
	}
	report_free(&report);
	mem_room(r->instances, r->n, r->cap);
	r->instances[r->n++] = instance_new(r, section, plugin, values);
}

/* Secrets first: the others may need them. */
void runtime_start(struct runtime *r)
{
	const struct config *c = r->options.config;

	for (int secrets = 1; secrets >= 0; secrets--) {
		for (size_t n = 0; n < c->ninstances; n++) {
			if (c->instances[n].enabled &&
			    (c->instances[n].kind == INSTANCE_SECRETS) == secrets)
				add_instance(r, &c->instances[n]);
		}
	}
	loop_timer_set(r->look, LOOK_EVERY_MS);
}

void runtime_stop(struct runtime *r)
{
	loop_timer_stop(r->look);
	for (size_t n = 0; n < r->n; n++) {
		if (r->instances[n]->section->kind == INSTANCE_SOURCE)
			instance_stop(r->instances[n]);
	}
}

void runtime_close(struct runtime *r)
{
	for (size_t n = 0; n < r->n; n++)
		instance_stop(r->instances[n]);
	for (size_t n = 0; n < r->n; n++)
		instance_close(r->instances[n]);
}

void runtime_free(struct runtime *r)
{
	if (!r)
		return;
	for (size_t n = 0; n < r->n; n++)
		instance_free(r->instances[n]);
	free(r->instances);
	secrets_free(r->secrets);
	loop_timer_free(r->look);
	free(r);
}

void runtime_each(struct runtime *r,
		  void (*fn)(const struct instance_config *section, const char *problem,
			     int64_t silent_ms, void *arg),
		  void *arg)
{
	for (size_t n = 0; n < r->n; n++) {
		struct instance *i = r->instances[n];

		fn(i->section, instance_problem(i), instance_silence(i), arg);
	}
}

bool runtime_ready(struct runtime *r)
{
	for (size_t n = 0; n < r->n; n++) {
		if (*instance_problem(r->instances[n]))
			return false;
	}
	return true;
}

void runtime_counters(struct runtime *r,
		      void (*fn)(const char *instance, const char *metric, int64_t value,
				 void *arg),
		      void *arg)
{
	struct map_entry *e;

	for (size_t n = 0; n < r->n; n++) {
		for (size_t at = 0; (e = map_next(&r->instances[n]->counters, &at));)
			fn(r->instances[n]->host.instance, e->key, *(int64_t *)e->value, arg);
	}
}
