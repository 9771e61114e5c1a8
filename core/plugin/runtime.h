/*
 * runtime - the instances of a configuration, running.
 *
 * Creates an instance of its plugin for every enabled section once its saved state is
 * loaded and its secrets are known, starts it, connects it to its lane, to HTTP both ways
 * and to time, and tells who is not ready, and why.
 * Loop thread only.
 */
#ifndef POINTSMAN_PLUGIN_RUNTIME_H
#define POINTSMAN_PLUGIN_RUNTIME_H

#include "aws/aws.h"
#include "engine/engine.h"
#include "http/server.h"
#include "plugin/loader.h"
#include "plugin/secrets.h"
#include "plugin/values.h"

struct runtime;

struct runtime_options {
	struct world *world; /* `network` set */
	struct loop *loop;
	const struct config *config; /* checked; for the life of the runtime */
	struct loader *loader;
	struct engine *engine;
	struct http_server *server; /* NULL: nothing may listen() */
	struct aws *aws;
};

struct runtime *runtime_new(const struct runtime_options *options);
/* Create what can be created. */
void runtime_start(struct runtime *r);
/* Sources emit no more; deliveries may still finish. */
void runtime_stop(struct runtime *r);
/* Ends every instance: outstanding requests are answered "cancelled", then destroy(). */
void runtime_close(struct runtime *r);
/* After runtime_close() and engine_free(). */
void runtime_free(struct runtime *r);

struct instance;
/* For instances: */
const struct runtime_options *runtime_options(const struct runtime *r);
struct secrets *runtime_secrets(struct runtime *r);
void runtime_became_ready(struct runtime *r, struct instance *i);
/* An emit() found no room: resume() follows when there is. */
void runtime_wants_room(struct runtime *r);
/* A secrets plugin answered. */
void runtime_resolved(struct runtime *r, uint64_t ask, const char *value, uint32_t ttl_ms,
		      const char *why);

/* Calls fn for every enabled instance: `problem` is "" for one that is ready. */
void runtime_each(struct runtime *r,
		  void (*fn)(const struct instance_config *section, const char *problem,
			     int64_t silent_ms, void *arg),
		  void *arg);
bool runtime_ready(struct runtime *r); /* all of them */
/* Counters that plugins keep (count()): for metrics and status. */
void runtime_counters(struct runtime *r,
		      void (*fn)(const char *instance, const char *metric, int64_t value,
				 void *arg),
		      void *arg);

#endif
