#include "base/heap.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void place(struct heap *h, struct heap_node *node, size_t at)
{
	h->list[at] = node;
	node->at = at;
}

static void rise(struct heap *h, struct heap_node *node, size_t at)
{
	while (at > 0 && h->list[(at - 1) / 2]->rank > node->rank) {
		place(h, h->list[(at - 1) / 2], at);
		at = (at - 1) / 2;
	}
	place(h, node, at);
}

static void sink(struct heap *h, struct heap_node *node, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < h->n && h->list[child + 1]->rank < h->list[child]->rank)
			child++;
		if (child >= h->n || h->list[child]->rank >= node->rank)
			break;
		place(h, h->list[child], at);
		at = child;
	}
	place(h, node, at);
}

struct heap_node *heap_top(const struct heap *h)
{
	return h->n ? h->list[0] : NULL;
}

void heap_put(struct heap *h, struct heap_node *node, int64_t rank)
{
	heap_remove(node);
	mem_room(h->list, h->n, h->cap);
	node->heap = h;
	node->rank = rank;
	rise(h, node, h->n++);
}

void heap_remove(struct heap_node *node)
{
	struct heap *h = node->heap;
	struct heap_node *last;

	if (!h)
		return;
	node->heap = NULL;
	last = h->list[--h->n];
	if (last == node)
		return;
	if (node->at > 0 && h->list[(node->at - 1) / 2]->rank > last->rank)
		rise(h, last, node->at);
	else
		sink(h, last, node->at);
}

void heap_free(struct heap *h)
{
	free(h->list);
	memset(h, 0, sizeof *h);
}
