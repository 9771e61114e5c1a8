/*
 * heap - what comes first.
 *
 * A binary heap of nodes that things carry inside them, the lowest rank on top.  A node is
 * in at most one heap.  Zero-initialised is empty and valid.
 */
#ifndef POINTSMAN_BASE_HEAP_H
#define POINTSMAN_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t rank;
	struct heap *heap; /* NULL: in none */
	size_t at;
};

struct heap { /* behind list[i] stand list[2 * i + 1] and list[2 * i + 2] */
	struct heap_node **list;
	size_t n, cap;
};

struct heap_node *heap_top(const struct heap *h); /* or NULL */
/* Into `h` with this rank, out of any other first. */
void heap_put(struct heap *h, struct heap_node *node, int64_t rank);
void heap_remove(struct heap_node *node); /* fine if it is in none */
void heap_free(struct heap *h);           /* the nodes stay */

/* The thing that carries the node. */
#define HEAP_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
