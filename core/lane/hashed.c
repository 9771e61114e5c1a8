#include "lane/hashed.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of events are dense and hashes are not; the factor spreads both. */
static struct hashed_node **slot_of(const struct hashed *h, uint64_t id)
{
	return &h->slots[(id * 0x9e3779b97f4a7c15u >> 20) & (h->nslots - 1)];
}

struct hashed_node *hashed_find(const struct hashed *h, uint64_t id)
{
	struct hashed_node *node = h->nslots ? *slot_of(h, id) : NULL;

	while (node && node->id != id)
		node = node->next;
	return node;
}

static void push(struct hashed *h, struct hashed_node *node)
{
	struct hashed_node **slot = slot_of(h, node->id);

	node->next = *slot;
	*slot = node;
}

static void grow(struct hashed *h)
{
	struct hashed old = *h;

	h->nslots = old.nslots ? old.nslots * 2 : 16;
	h->slots = mem_zero(h->nslots * sizeof *h->slots);
	for (size_t i = 0; i < old.nslots; i++) {
		struct hashed_node *node = old.slots[i];

		while (node) {
			struct hashed_node *next = node->next;

			push(h, node);
			node = next;
		}
	}
	free(old.slots);
}

void hashed_add(struct hashed *h, struct hashed_node *node, uint64_t id)
{
	if (h->n >= h->nslots)
		grow(h);
	node->id = id;
	push(h, node);
	h->n++;
}

void hashed_remove(struct hashed *h, struct hashed_node *node)
{
	struct hashed_node **at = slot_of(h, node->id);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	h->n--;
}

void hashed_each(struct hashed *h, hashed_fn *fn, void *arg)
{
	for (size_t i = 0; i < h->nslots; i++) {
		struct hashed_node **at = &h->slots[i];

		while (*at) {
			struct hashed_node *next = (*at)->next;

			if (fn(*at, arg)) {
				at = &(*at)->next;
				continue;
			}
			*at = next;
			h->n--;
		}
	}
}

void hashed_free(struct hashed *h)
{
	free(h->slots);
	memset(h, 0, sizeof *h);
}
