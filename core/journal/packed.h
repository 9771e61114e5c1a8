/*
 * packed - numbers and texts one behind the other in bytes, for rows of the journal.
 *
 * Each is what it takes and no more; so a row costs a column, not twenty.  What is read is
 * whatever the disk gave back: reading past the end or nonsense sets `bad`, and everything
 * after it is 0 or NULL.
 */
#ifndef POINTSMAN_JOURNAL_PACKED_H
#define POINTSMAN_JOURNAL_PACKED_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* In groups of seven bits, lowest first. */
void packed_add(struct buf *out, uint64_t n);
/* Eight bytes, for what is as good as random. */
void packed_add_hash(struct buf *out, uint64_t hash);
void packed_add_text(struct buf *out, const char *text); /* or NULL */

struct packed { /* what is left to read */
	const char *at, *end;
	bool bad;
};

uint64_t packed_number(struct packed *p);
uint32_t packed_number32(struct packed *p); /* a larger one is bad */
uint64_t packed_hash(struct packed *p);
const char *packed_text(struct packed *p); /* in the bytes that are read; or NULL */

#endif
