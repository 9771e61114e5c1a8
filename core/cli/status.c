#include "cli/status.h"

#include "base/units.h"
#include "cli/jsonline.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {"source", "action", "sink", "secrets"};

static void add_lane(struct service *s, const char *name, json_t *o)
{
	struct lane_stats lane;
	char text[32];

	if (!engine_lane_stats(s->engine, name, &lane))
		return;
	json_object_update_new(
		o, json_pack("{si si si si sb sI sI sI sI}", "waiting", (int)lane.waiting, "called",
			     (int)lane.called, "held", (int)lane.held, "retry", (int)lane.retry,
			     "breaker_open", (int)lane.open, "done", (json_int_t)lane.done, "dead",
			     (json_int_t)lane.dead, "attempts", (json_int_t)lane.attempts, "cursor",
			     (json_int_t)engine_lane_cursor(s->engine, name)));
	if (lane.open)
		json_object_set_new(o, "breaker_since",
				    json_string(units_time_text(lane.opened_at, text)));
}

struct listing {
	struct service *service;
	struct buf *out;
};

static void add_instance(const struct instance_config *section, const char *problem,
			 int64_t silent_ms, void *arg)
{
	struct listing *l = arg;
	json_t *o = json_pack("{ss ss ss sb ss}", "instance", section->name, "kind",
			      kinds[section->kind], "plugin", section->plugin, "ready",
			      (int)!*problem, "problem", problem);

	if (section->kind == INSTANCE_SOURCE)
		json_object_set_new(o, "silent_ms", json_integer(silent_ms));
	else
		add_lane(l->service, section->name, o);
	jsonline_add(l->out, o);
}

static void add_address(json_t *daemon, const char *key, const struct http_server *server,
			const char *address)
{
	const char *colon = address ? strrchr(address, ':') : NULL;

	if (server && colon)
		json_object_set_new(daemon, key,
				    json_sprintf("%.*s:%d", (int)(colon - address), address,
						 http_server_port(server)));
}

static json_t *daemon_json(struct service *s)
{
	struct engine_stats e = engine_stats(s->engine);
	int64_t now = s->world->wall(s->world);
	json_t *o = json_pack(
		"{sb sb sI sI sI sI sI si sI sb ss}", "running", (int)(s->runtime != NULL), "ready",
		(int)(s->runtime && runtime_ready(s->runtime) && !e.full), "pid",
		(json_int_t)getpid(), "last_seq", (json_int_t)e.last_seq, "accepted",
		(json_int_t)e.accepted, "duplicates", (json_int_t)e.duplicates, "refused",
		(json_int_t)e.refused, "generation", (int)e.generation, "journal_bytes",
		(json_int_t)e.journal_bytes, "full", (int)e.full, "full_because", e.full_because);

	if (s->runtime)
		json_object_set_new(o, "uptime_ms", json_integer(now - s->started_at));
	json_object_set_new(o, "state", json_string(s->config->state));
	if (e.damaged)
		json_object_set_new(o, "damaged", json_string(e.damaged));
	add_address(o, "listen", s->server, s->config->listen);
	add_address(o, "metrics", s->health, s->config->metrics);
	return o;
}

/* Without a daemon nobody is ready or not; the journal knows what waits for whom. */
static void add_targets(struct service *s, struct buf *out)
{
	for (size_t n = 0; n < s->config->ninstances; n++) {
		const struct instance_config *c = &s->config->instances[n];
		json_t *o;

		if (c->kind != INSTANCE_ACTION && c->kind != INSTANCE_SINK)
			continue;
		o = json_pack("{ss ss ss}", "instance", c->name, "kind", kinds[c->kind], "plugin",
			      c->plugin);
		add_lane(s, c->name, o);
		jsonline_add(out, o);
	}
}

void status_lines(struct service *s, struct buf *out)
{
	struct listing l = {s, out};

	jsonline_add(out, json_pack("{so}", "daemon", daemon_json(s)));
	if (s->runtime)
		runtime_each(s->runtime, add_instance, &l);
	else
		add_targets(s, out);
}

struct reasons {
	json_t *list;
};

static void add_reason(const struct instance_config *section, const char *problem,
		       int64_t silent_ms, void *arg)
{
	struct reasons *r = arg;

	(void)silent_ms;
	if (*problem)
		json_array_append_new(
			r->list, json_pack("{ss ss}", "what", section->name, "problem", problem));
}

void service_reasons(struct service *s, struct buf *out)
{
	struct engine_stats e = engine_stats(s->engine);
	struct reasons r = {json_array()};
	char *text;

	if (s->runtime)
		runtime_each(s->runtime, add_reason, &r);
	if (e.full)
		json_array_append_new(
			r.list, json_pack("{ss ss}", "what", "journal", "problem", e.full_because));
	if (e.damaged)
		json_array_append_new(
			r.list, json_pack("{ss ss}", "what", "journal", "problem", e.damaged));
	text = json_dumps(r.list, JSON_COMPACT);
	buf_text_add(out, text ? text : "[]");
	free(text);
	json_decref(r.list);
}
