/*
 * arena - memory that is given back all at once.
 *
 * For what is built together and dies together: the tree of a rule, the tables of a set.
 * Zero-initialised is empty and valid.  Nothing taken moves.  One thread at a time.
 */
#ifndef POINTSMAN_BASE_ARENA_H
#define POINTSMAN_BASE_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *blocks; /* the newest first */
	char *at, *end;             /* what is free of the newest */
	size_t bytes;               /* of all blocks */
};

void *arena_take(struct arena *a, size_t size); /* zeroed, aligned for anything */
/* A copy of len bytes with a NUL behind. */
char *arena_text(struct arena *a, const char *text, size_t len);
/* Room for one more in an array of `n` elements that grows from nothing: the array, moved if
 * n is 0 or a power of two. */
void *arena_room(struct arena *a, void *array, size_t n, size_t size);
/* Everything is given back but one block, for the next to use. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
