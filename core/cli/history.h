/*
 * history - kept history as it is, page by page, and read back in another process.
 *
 * The first four run on the journal thread, between two batches (engine_ask()); each page is
 * bounded, and nothing is held from one to the next.  The rest is for who asked.
 *
 * An event is the line {"head":{..},"event":{..}}: `event` the CloudEvents object with the
 * payload's bytes as they came in, `head` what the journal has beside it: seq at generation
 * refused cause origin caused_by hops decided, and `duties`, each as [target, rule, then,
 * group, overlap, members] by number.
 */
#ifndef POINTSMAN_CLI_HISTORY_H
#define POINTSMAN_CLI_HISTORY_H

#include "journal/journal.h"
#include "journal/names.h"

struct history_bounds {       /* 0: none */
	uint64_t first, last; /* numbers */
	int64_t since, until; /* times of acceptance, ms */
};
/* One line: "first" and "last", the numbers of the events inside all bounds, 0 if there are none;
 * and if there is one to begin with, "snapshot": {seq, at, pieces}, the newest from before
 * `first`. */
bool history_range(struct journal *j, const struct history_bounds *b, struct buf *out,
		   struct err *err);
/* Events behind `after`; *next is the `after` of the next page, 0 at the end. */
bool history_events(struct journal *j, uint64_t after, size_t limit, struct buf *out,
		    uint64_t *next, struct err *err);
/* Piece `n` of the snapshot `seq`: its lines (sequencer_snapshot.c). */
bool history_snapshot(struct journal *j, uint64_t seq, uint32_t n, struct buf *out,
		      struct err *err);
/* Sections that ever were, one a line: number kind name; *next as above. */
void history_names(const struct names *names, uint32_t after, struct buf *out, uint64_t *next);

/* A line of an event, read back; false if it is none. */
bool history_parse(const char *line, size_t len, struct journal_event *out);
/* The bytes of its CloudEvents object, inside `line`. */
bool history_object(const char *line, size_t len, const char **text, size_t *n);

#endif
