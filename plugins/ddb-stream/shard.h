/*
 * shard - the shards of one stream: who comes after whom, and how far each was read.
 *
 * A shard's place is durable text, written with shard_place() after each page and read back
 * with shard_resume().  A shard is ready when its parent has been read to its end; a parent
 * that is not known any more was trimmed, and nothing of it can come.
 */
#ifndef POINTSMAN_DDB_SHARD_H
#define POINTSMAN_DDB_SHARD_H

#include "base/buf.h"
#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

struct shard {
	char *id, *parent; /* parent: or NULL */
	uint32_t number;   /* index in shards.all */
	uint64_t seen;     /* the listing it was last in */
	bool closed;       /* nothing more is written to it */
	bool has_child;    /* one was listed */

	/* its place */
	char *after;      /* sequence number of the last record handled, or NULL */
	int64_t from;     /* skip what happened before; 0: nothing */
	int64_t finished; /* when it was read to its end; 0: not yet */

	/* of this process only */
	char *iterator;    /* or NULL: ask for one */
	bool latest;       /* the next iterator begins at the newest record */
	bool busy;         /* a request or a timer of it is out */
	bool paused;       /* waits for room */
	unsigned failures; /* in a row */
	unsigned limit;    /* records in a page */
};

struct shards {
	struct map by_id;
	struct shard **all; /* with holes */
	size_t n, cap;
};

#define SHARD_PAGE 500 /* handled in one call, so not the 1000 the service would give */

struct shard *shards_get(const struct shards *s, const char *id); /* or NULL */
struct shard *shards_at(const struct shards *s, uint32_t number); /* or NULL */
struct shard *shards_add(struct shards *s, const char *id);       /* finds or makes it */
void shards_remove(struct shards *s, struct shard *shard);
void shards_free(struct shards *s); /* leaves an empty table */
/* for (size_t i = 0; (shard = shards_next(s, &i));) */
struct shard *shards_next(const struct shards *s, size_t *i);

/* May it be read now? */
bool shards_ready(const struct shards *s, const struct shard *shard);
bool shards_drained(const struct shards *s); /* all finished, or none there */

void shard_place(const struct shard *shard, struct buf *out);
void shard_resume(struct shard *shard, const char *place);
void shard_parent(struct shard *shard, const char *parent);     /* or NULL */
void shard_iterator(struct shard *shard, const char *iterator); /* or NULL */
void shard_handled(struct shard *shard, const char *sequence);  /* NULL: back to the start */

#endif
