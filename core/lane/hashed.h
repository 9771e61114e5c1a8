/*
 * hashed - things found by a 64-bit number.
 *
 * Intrusive: a thing carries its node and belongs to whoever put it in.  Zero-initialised is
 * empty and valid.  Numbers are unique within one table.
 */
#ifndef POINTSMAN_LANE_HASHED_H
#define POINTSMAN_LANE_HASHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hashed_node {
	uint64_t id;
	struct hashed_node *next;
};

struct hashed {
	struct hashed_node **slots;
	size_t nslots, n;
};

struct hashed_node *hashed_find(const struct hashed *h, uint64_t id); /* or NULL */
void hashed_add(struct hashed *h, struct hashed_node *node, uint64_t id);
void hashed_remove(struct hashed *h, struct hashed_node *node);
/* Calls `fn` for each, in any order; those for which it says false are taken out, and may have
 * been freed by it.  It adds and removes none itself. */
typedef bool hashed_fn(struct hashed_node *node, void *arg);
void hashed_each(struct hashed *h, hashed_fn *fn, void *arg);
void hashed_free(struct hashed *h); /* the nodes stay */

#endif
