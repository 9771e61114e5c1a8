/*
 * record - one record of a DynamoDB stream as an event.
 */
#ifndef POINTSMAN_DDB_RECORD_H
#define POINTSMAN_DDB_RECORD_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct record_place { /* where it was found */
	const char *stream, *table, *shard;
	const char *hash, *range; /* names of the key attributes, or NULL */
};

struct record {
	const char *type; /* "dynamodb.item.modified" */
	char *id, *subject;
	char *sequence; /* decimal text, or NULL */
	char time[32];  /* milliseconds as text, or "" */
	struct buf data;
};

/* When it happened, in ms; 0 if it does not say. */
int64_t record_time(const json_t *json);
const char *record_sequence(const json_t *json); /* or NULL */

/* False with *err if it has another shape than records have.  Free `out` either way. */
bool record_read(const json_t *json, const struct record_place *place, struct record *out,
		 struct err *err);
/* Make `out` the event of one that could not be read: where it stood, why, and its bytes. */
void record_unreadable(const char *bytes, size_t len, const char *sequence, const char *reason,
		       const struct record_place *place, struct record *out);
void record_free(struct record *r);

#endif
