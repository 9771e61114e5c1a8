/*
 * runs - sorted runs of ids in the journal, each with a filter in memory.
 *
 * The older part of dedupe.h.  An id that is in no run costs no read, but for one in some
 * three hundred per run.  In the journal's space "dedupe": "r N" describes run N, "f N" is
 * its filter, "c N M" its chunk M: the entries whose first bits are M.
 */
#ifndef POINTSMAN_JOURNAL_RUNS_H
#define POINTSMAN_JOURNAL_RUNS_H

#include "journal/journal.h"

#define RUNS_MERGED 16 /* so many small runs become a large one */

struct id { /* as stored, too */
	uint64_t hash[2];
	uint64_t seq;
	int64_t at;
};

struct runs;

struct runs *runs_new(void);
void runs_free(struct runs *r);
/* Load what the journal has; also after a rollback. */
enum journal_status runs_load(struct runs *r, struct journal *j, struct err *err);

/* Store n > 0 ids as a run, in any order, which changes.  Many small ones are merged first;
 * what was accepted before `expired` is left out then. */
enum journal_status runs_add(struct runs *r, struct journal *j, struct id *ids, size_t n,
			     int64_t expired, struct err *err);
/* OK: *found is the id's latest entry. */
enum journal_status runs_find(struct runs *r, struct journal *j, const uint64_t hash[2],
			      struct id *found, struct err *err);
/* Drop the oldest runs that were over before `expired`, or whose ids are not among the last
 * `max`, given that `newer` younger ones are kept elsewhere. */
enum journal_status runs_trim(struct runs *r, struct journal *j, int64_t expired, int64_t max,
			      int64_t newer, struct err *err);
size_t runs_count(const struct runs *r);
int64_t runs_bytes(const struct runs *r); /* in the journal, about */

#endif
