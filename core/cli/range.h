/*
 * range - a stretch of kept history, walked in a process that does not own it.
 *
 * Page by page, so that what is in memory does not grow with its length, and nobody holds the
 * journal meanwhile.
 */
#ifndef POINTSMAN_CLI_RANGE_H
#define POINTSMAN_CLI_RANGE_H

#include "cli/client.h"
#include "journal/journal.h"

struct range {
	struct client_connection *client;
	uint64_t first, last; /* numbers of events; 0: there are none */
	/* The newest snapshot from before `first`; pieces 0: none. */
	uint64_t snapshot;
	int64_t snapshot_at;
	uint32_t pieces;
};

/* From `since` to `until`: an age (24h), a time (RFC 3339) or an event's number; `until` NULL is
 * the end.  Both ends belong to it.  An exit status; what is wrong has been said. */
int range_find(struct range *r, struct client_connection *c, const char *since, const char *until);
/* Events with seq > after, in order, until there are no more or `fn` returns false; it may take
 * the row's content, and may ask the client. */
typedef bool range_fn(struct journal_event *row, void *arg);
int range_walk(const struct range *r, uint64_t after, range_fn *fn, void *arg);
/* The lines of the snapshot, as objects. */
int range_snapshot(const struct range *r, client_line_fn *line, void *arg);
/* One event, one reference, or NULL. */
struct event *range_event(const struct range *r, uint64_t seq);

#endif
