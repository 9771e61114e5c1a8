/*
 * arena - memory that is given back all at once.
 *
 * For what is built together and dies together: the tree of a rule, the tables of a set.
 * Zero-initialised is empty and valid.  Nothing taken moves.  One thread at a time.
 */
#ifndef POINTSMAN_BASE_ARENA_H
#define POINTSMAN_BASE_ARENA_H

#include <stdalign.h>
#include <stddef.h>

struct arena {
	struct arena_block *blocks; /* the newest first */
	char *at, *end;             /* what is free of the newest */
	size_t bytes;               /* of all blocks */
};

/* What arena_take() falls back on: as it, from a new block. */
void *arena_take_more(struct arena *a, size_t size);

/* Zeroed, aligned for anything. */
static inline void *arena_take(struct arena *a, size_t size)
{
	const size_t unit = alignof(max_align_t);
	size_t rounded = size ? (size + unit - 1) & ~(unit - 1) : unit;
	void *taken = a->at;

	if (rounded > (size_t)(a->end - a->at))
		return arena_take_more(a, rounded);
	a->at += rounded;
	return taken;
}

/* A copy of len bytes with a NUL behind. */
char *arena_text(struct arena *a, const char *text, size_t len);
/* Room for one more in an array of `n` elements that grows from nothing: the array, moved if
 * n is 0 or a power of two. */
void *arena_room(struct arena *a, void *array, size_t n, size_t size);
/* Everything is given back but one block, for the next to use. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
