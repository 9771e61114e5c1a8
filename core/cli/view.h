/*
 * view - what the journal tells, as JSON.
 *
 * Run on the journal thread, between two batches (engine_ask()).  Each object is one line;
 * docs/operations.md describes them.
 */
#ifndef POINTSMAN_CLI_VIEW_H
#define POINTSMAN_CLI_VIEW_H

#include "journal/cell.h"
#include "journal/journal.h"
#include "journal/names.h"
#include "route/router.h"

struct view_query {
	uint64_t before; /* newest first: events with seq < before; 0: from the newest */
	size_t limit;    /* lines */
	bool unrouted;   /* only events that became nobody's duty */
	bool refused;    /* only events refused at intake */
	const char *type, *instance; /* only these; NULL: all */
};

/* One line a rule: rule shadow matched mismatches. */
void view_rules(const struct plan *p, struct buf *out);
/* What a rule holds for a group (`c` may be NULL), one object: inputs (by name: seq at new;
 * null: empty), events, open. */
void view_cell(const struct cell *c, const struct names *names, struct buf *out);
/* One line an event: seq at type subject source id instance, and its deliveries by state.
 * *next is the `before` of the next page, 0 at the end. */
bool view_events(struct journal *j, const struct names *names, const struct view_query *q,
		 struct buf *out, uint64_t *next, struct err *err);
/* One event's timeline, one object: event, decided, deliveries, cause, effects. */
bool view_event(struct journal *j, const struct names *names, uint64_t seq, struct buf *out,
		struct err *err);
/* One event as it was accepted, to the byte: `event` (its CloudEvents object as text), and what
 * that does not hold: at cause caused_by origin hops refused. */
bool view_original(struct journal *j, uint64_t seq, struct buf *out, struct err *err);
/* Dead letters after `after`, oldest first; target 0xffffffff: of all. */
bool view_dead(struct journal *j, const struct names *names, uint32_t target, uint64_t after,
	       size_t limit, struct buf *out, uint64_t *next, struct err *err);
/* One dead letter with its event and its attempts. */
bool view_letter(struct journal *j, const struct names *names, uint64_t seq, uint32_t target,
		 struct buf *out, struct err *err);

#endif
