/*
 * dedupe - was this (instance, source, id) accepted before?
 *
 * Remembers for `age` or the last `max` ids, whichever is less, apart from history.
 * Ids are forgotten a run at a time, so up to an eighth more than `max` may be known.  Recent ids
 * are in memory and found again from the events' own rows after a crash; older ones in sorted runs
 * in the journal, each with a filter in memory, so that an id that is new costs no read and no
 * write of its own.
 *
 * Used inside the journal's transaction; after a rollback call dedupe_reload().
 */
#ifndef POINTSMAN_JOURNAL_DEDUPE_H
#define POINTSMAN_JOURNAL_DEDUPE_H

#include "journal/journal.h"
#include "journal/names.h"

struct dedupe;

/* `names`: by its first name an instance that was renamed is known. */
struct dedupe *dedupe_load(struct journal *j, const struct names *names, int64_t age_ms,
			   int64_t max_ids, struct err *err);
void dedupe_free(struct dedupe *d);
enum journal_status dedupe_reload(struct dedupe *d, struct err *err);
void dedupe_configure(struct dedupe *d, int64_t age_ms, int64_t max_ids);
/* Recent ids must not keep more than so much history from being pruned; 64 MB in any case. */
void dedupe_hold_back(struct dedupe *d, int64_t bytes);

struct dedupe_mark { /* what an event is known by */
	uint64_t hash[2];
};
struct dedupe_mark dedupe_mark(struct dedupe *d, const struct event *ev);
/* *seq: the earlier event's number, or 0 if there is none younger than `age`. */
enum journal_status dedupe_find(struct dedupe *d, const struct dedupe_mark *mark, int64_t now,
				uint64_t *seq, struct err *err);
/* Remember an event just added.  May write a run. */
enum journal_status dedupe_add(struct dedupe *d, const struct dedupe_mark *mark,
			       const struct event *ev, struct err *err);
/* Put the recent ids into a run now, so that their events may be pruned. */
enum journal_status dedupe_flush(struct dedupe *d, struct err *err);
/* Forget runs that are over age or count; also makes the ids of events about to be pruned
 * durable in a run: events with seq >= the result may not be pruned. */
enum journal_status dedupe_trim(struct dedupe *d, int64_t now, uint64_t *floor, struct err *err);

int64_t dedupe_bytes(const struct dedupe *d); /* what its runs take in the journal, about */

#endif
