#include "cli/resolve.h"

#include "base/log.h"
#include "base/mem.h"
#include "plugin/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define LOOK_MS     50

struct resolving {
	struct world *world;
	struct loop *loop;
	struct runtime *runtime;
	struct loop_timer *look;
	int64_t until;
	struct values **values; /* of the sections that hold references */
	size_t n, cap;
};

struct asked {
	bool known;    /* every reference has its value */
	bool answered; /* every one has that, or a reason why not */
};

/* What is unknown is told, if there is a report. */
static struct asked ask_all(struct resolving *r, struct report *report)
{
	struct asked o = {true, true};

	for (size_t v = 0; v < r->n; v++) {
		const struct values_secret *s;

		for (size_t i = 0; (s = values_secret(r->values[v], i)); i++) {
			const char *why;

			if (secrets_get(runtime_secrets(r->runtime), s->section, s->name, &why))
				continue;
			o.known = false;
			o.answered = o.answered && *why;
			if (report)
				report_error(report, s->at, "%s: ${%s:%s}: %s", s->key, s->section,
					     s->name, *why ? why : "no answer within 30 s");
		}
	}
	return o;
}

static void look(void *arg)
{
	struct resolving *r = arg;

	if (ask_all(r, NULL).answered || r->world->boot(r->world) >= r->until)
		loop_stop(r->loop);
	else
		loop_timer_set(r->look, LOOK_MS);
}

static void gather(struct resolving *r, const struct config *c, struct loader *loader)
{
	for (size_t n = 0; n < c->ninstances; n++) {
		const struct plugin *plugin = loader_get(loader, c->instances[n].plugin, NULL);
		struct report ignored = {0};
		struct values *v = plugin ? values_new(plugin, &c->instances[n], &ignored) : NULL;

		report_free(&ignored);
		if (!v)
			continue;
		mem_room(r->values, r->n, r->cap);
		r->values[r->n++] = v;
	}
}

/* The secrets sections alone. */
static struct config secrets_only(const struct config *c, const char *state)
{
	struct config only = *c;

	only.state = (char *)(uintptr_t)state;
	only.nrules = only.ninputs = only.ntests = only.ninstances = 0;
	only.instances = mem_zero(c->ninstances * sizeof *only.instances);
	for (size_t n = 0; n < c->ninstances; n++) {
		if (c->instances[n].kind == INSTANCE_SECRETS)
			only.instances[only.ninstances++] = c->instances[n];
	}
	return only;
}

static void on_failed(int status, const char *why, void *arg)
{
	(void)arg;
	fprintf(stderr, "pointsman: %s\n", why);
	_exit(status);
}

static bool run(struct resolving *r, const struct config *only, struct loader *loader,
		const struct config *all, struct report *report)
{
	struct http_client_options client = {
		.proxy = only->proxy, .ca = only->ca, .agent = "pointsman"};
	struct engine_options engine = {
		.world = r->world, .loop = r->loop, .config = only, .failed = on_failed};
	struct runtime_options o = {
		.world = r->world, .loop = r->loop, .config = only, .loader = loader};
	struct err err = {{0}};
	bool known = false;
	int status;

	r->world->network = http_client_new(loop_base(r->loop), &client, &err);
	o.aws = r->world->network ? aws_new(r->world, loop_base(r->loop)) : NULL;
	o.engine = o.aws ? engine_new(&engine, &status, &err) : NULL;
	if (o.engine) {
		r->runtime = runtime_new(&o);
		gather(r, all, loader);
		engine_start(o.engine);
		runtime_start(r->runtime);
		r->look = loop_timer_new(r->loop, look, r);
		look(r);
		loop_run(r->loop);
		known = ask_all(r, report).known;
		loop_timer_free(r->look);
		runtime_close(r->runtime);
		engine_free(o.engine);
		runtime_free(r->runtime);
	} else {
		fprintf(stderr, "pointsman: %s\n", err.text);
	}
	if (o.aws)
		aws_free(o.aws);
	if (r->world->network)
		r->world->network->free(r->world->network);
	return known;
}

static void remove_directory(const char *directory)
{
	static const char *const files[] = {"journal.db", "journal.db-wal", "journal.db-shm",
					    "lock", "reserve"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *path = mem_format("%s/%s", directory, files[i]);

		unlink(path);
		free(path);
	}
	rmdir(directory);
}

bool resolve_secrets(const struct config *config, struct loader *loader, struct report *report)
{
	struct resolving r = {.world = world_real(), .loop = loop_new()};
	char directory[] = "/tmp/pointsman-check-XXXXXX";
	struct config only;
	bool known = false;

	if (r.loop && mkdtemp(directory)) {
		only = secrets_only(config, directory);
		r.until = r.world->boot(r.world) + PATIENCE_MS;
		known = run(&r, &only, loader, config, report);
		free(only.instances);
		remove_directory(directory);
	}
	for (size_t n = 0; n < r.n; n++)
		values_free(r.values[n]);
	free(r.values);
	loop_free(r.loop);
	return known;
}
