#include "base/arena.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 4096
#define MOST_BYTES  (1024 * 1024) /* of a block, but for one that holds a single large thing */

struct arena_block {
	struct arena_block *next;
	size_t size; /* of `bytes` */
	alignas(max_align_t) char bytes[];
};

static void begin_block(struct arena *a, struct arena_block *b)
{
	a->at = b->bytes;
	a->end = b->bytes + b->size;
}

static void add_block(struct arena *a, size_t least)
{
	size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BYTES;
	struct arena_block *b;

	size = size > MOST_BYTES ? MOST_BYTES : size;
	size = size < least ? least : size;
	b = mem_zero(sizeof *b + size);
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	a->bytes += size;
	begin_block(a, b);
}

void *arena_take_more(struct arena *a, size_t size)
{
	add_block(a, size);
	return arena_take(a, size);
}

char *arena_text(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_take(a, len + 1);

	if (len)
		memcpy(copy, text, len);
	return copy;
}

void *arena_room(struct arena *a, void *array, size_t n, size_t size)
{
	void *moved;

	if (n & (n - 1))
		return array;
	moved = arena_take(a, (n ? 2 * n : 1) * size);
	if (n)
		memcpy(moved, array, n * size);
	return moved;
}

void arena_reset(struct arena *a)
{
	struct arena_block *kept = a->blocks;

	if (!kept)
		return;
	for (struct arena_block *b = kept->next, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	kept->next = NULL;
	a->bytes = kept->size;
	memset(kept->bytes, 0, (size_t)(a->at - kept->bytes));
	begin_block(a, kept);
}

void arena_free(struct arena *a)
{
	arena_reset(a);
	free(a->blocks);
	*a = (struct arena){0};
}
