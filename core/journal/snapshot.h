/*
 * snapshot - what the rules held at a moment, so that history can be routed again from there.
 *
 * A text of JSON lines, which the caller makes and reads, kept under the seq after which it
 * holds; a second one for the same seq takes the place of the first.  It is stored in pieces
 * that end with a line, so that nobody need read it at once.  In the journal's space "snapshot"
 * by seq, and its pieces in "snapshot/SEQ" by their number.
 *
 * Used inside the journal's transaction.
 */
#ifndef POINTSMAN_JOURNAL_SNAPSHOT_H
#define POINTSMAN_JOURNAL_SNAPSHOT_H

#include "journal/journal.h"

#define SNAPSHOT_MAX_BYTES (4 * 1024 * 1024) /* of one; nobody should make a longer text */
#define SNAPSHOTS_BYTES    (64 * 1024 * 1024)
#define SNAPSHOTS_MOST     64

struct snapshot {
	uint64_t seq;        /* it holds behind this event */
	int64_t at;          /* the latest time of acceptance by then */
	uint32_t generation; /* whose rules held it */
	uint32_t pieces;     /* filled in by snapshot_put() */
	int64_t bytes;       /* the same */
};

enum journal_status snapshot_put(struct journal *j, struct snapshot *s, const struct buf *lines,
				 struct err *err);
/* The newest with its seq <= `seq`, or ABSENT. */
enum journal_status snapshot_find(struct journal *j, uint64_t seq, struct snapshot *out,
				  struct err *err);
/* Adds piece n, from 0; ABSENT behind the last, and when it was pruned. */
enum journal_status snapshot_piece(struct journal *j, uint64_t seq, uint32_t n, struct buf *out,
				   struct err *err);
/* Drops those that no kept event follows, `first` being the oldest event there is, and the
 * oldest beyond SNAPSHOTS_BYTES and SNAPSHOTS_MOST; never the newest.  *bytes: of the rest. */
enum journal_status snapshot_prune(struct journal *j, uint64_t first, int64_t *bytes,
				   struct err *err);

#endif
