/*
 * service - one request to a journal and its engine, answered in JSON lines.
 *
 * The admin socket of a running daemon and a verb that found no daemon call the same
 * function.  A request is one JSON object with "verb":
 *   status · events {before,limit,unrouted,refused,type,instance} · event {seq} ·
 *   original {seq} · cell {rule,group} · dead {target,after,limit} · letter {seq,target} ·
 *   retry {seq,target,force} · drop {seq,target,why} · send {event} · acknowledge ·
 *   range {first,last,since,until} · history {after,limit} · snapshot {seq,piece} ·
 *   names {after} · again {target,rule,seqs,dry}
 * Loop thread only.
 */
#ifndef POINTSMAN_CLI_SERVICE_H
#define POINTSMAN_CLI_SERVICE_H

#include "engine/engine.h"
#include "http/server.h"
#include "plugin/runtime.h"

struct service {
	struct loop *loop;
	struct world *world;
	const struct config *config;
	struct engine *engine;
	struct runtime *runtime;             /* NULL: no daemon */
	struct http_server *server, *health; /* or NULL */
	int64_t started_at;                  /* wall ms */
	uint64_t refused[200]; /* by status from 400: requests that reached no plugin */
};

struct reply {
	void (*lines)(void *arg, const char *json_lines, size_t len);
	/* Once, at the end: an exit status of sysexits.h, a problem or "", and the number the
	 * next page starts from or 0. */
	void (*end)(void *arg, int status, const char *problem, uint64_t next);
	void *arg;
};

void service_request(struct service *s, const char *request, size_t len, const struct reply *reply);

/* Why it is not ready, as JSON array of {"what","problem"}; empty when ready. */
void service_reasons(struct service *s, struct buf *out);

#endif
