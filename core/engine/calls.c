#include "engine/calls.h"

#include "base/mem.h"

#include <stdlib.h>

struct call_slot {
	struct call *call; /* stays for the next one */
	bool open;
	uint32_t generation;
	size_t next_free; /* 1 + index */
};

/* Slot in the low half, from 1, so that 0 is never a number. */
static uint64_t number_of(size_t slot, uint32_t generation)
{
	return (uint64_t)generation << 32 | (slot + 1);
}

static size_t free_slot(struct calls *c)
{
	size_t slot = c->free;

	if (slot) {
		c->free = c->slots[slot - 1].next_free;
		return slot - 1;
	}
	mem_room(c->slots, c->n, c->cap);
	c->slots[c->n] = (struct call_slot){.call = mem_new(struct call)};
	return c->n++;
}

struct call *calls_begin(struct calls *c)
{
	size_t slot = free_slot(c);
	struct call *call = c->slots[slot].call;

	c->slots[slot].open = true;
	c->slots[slot].generation++;
	c->open++;
	*call = (struct call){.public.number = number_of(slot, c->slots[slot].generation)};
	return call;
}

static struct call_slot *slot_of(struct calls *c, uint64_t number)
{
	size_t slot = (size_t)(number & UINT32_MAX);

	if (slot == 0 || slot > c->n)
		return NULL;
	if (c->slots[slot - 1].generation != number >> 32 || !c->slots[slot - 1].open)
		return NULL;
	return &c->slots[slot - 1];
}

struct call *calls_find(struct calls *c, uint64_t number)
{
	struct call_slot *slot = slot_of(c, number);

	return slot ? slot->call : NULL;
}

struct call *calls_of(struct calls *c, const struct target *target, uint64_t seq)
{
	for (size_t i = 0; i < c->n; i++) {
		struct call *call = c->slots[i].call;

		if (c->slots[i].open && call->target == target && call->seq == seq)
			return call;
	}
	return NULL;
}

static void call_clear(struct call *call)
{
	event_unref(call->public.event);
	free((char *)(uintptr_t)call->public.held);
}

void calls_end(struct calls *c, uint64_t number)
{
	struct call_slot *slot = slot_of(c, number);

	if (!slot)
		return;
	call_clear(slot->call);
	slot->open = false;
	slot->next_free = c->free;
	c->free = (size_t)(slot - c->slots) + 1;
	c->open--;
}

void calls_free(struct calls *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->slots[i].open)
			call_clear(c->slots[i].call);
		free(c->slots[i].call);
	}
	free(c->slots);
	*c = (struct calls){0};
}
