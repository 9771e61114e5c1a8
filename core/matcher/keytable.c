#include "matcher/keytable.h"

#include "base/mem.h"

#include <stdlib.h>

#define FEWEST_SLOTS 16

static void fill_slot(struct keytable *t, uint64_t hash, size_t key)
{
	size_t i = hash & t->mask;

	t->filter[i / KEYTABLE_IN_WORD] |= key_bits(hash);
	while (t->tags[i])
		i = (i + 1) & t->mask;
	t->tags[i] = (uint8_t)(hash >> 56) | 1;
	t->slots[i] = (uint32_t)key;
}

static void fill_slots(struct keytable *t, size_t slots)
{
	free(t->tags);
	free(t->slots);
	free(t->filter);
	t->filter = mem_zero(slots / KEYTABLE_IN_WORD * sizeof *t->filter);
	t->tags = mem_zero(slots);
	t->slots = mem_grow(NULL, slots, sizeof *t->slots);
	t->mask = slots - 1;
	for (size_t k = 0; k < t->n; k++) {
		const struct key *key = &t->keys[k];

		fill_slot(t, key_hash(key->place, t->text + key->at, key->len), k);
	}
}

void keytable_reserve(struct keytable *t, size_t keys)
{
	size_t slots = FEWEST_SLOTS;

	while (slots < 2 * keys)
		slots *= 2;
	if (slots > t->mask + 1)
		fill_slots(t, slots);
}

static uint32_t add_text(struct keytable *t, const char *text, size_t len)
{
	uint32_t at = (uint32_t)t->text_len;

	if (t->text_len + len >= t->text_cap) {
		t->text_cap = (t->text_len + len) * 2 + 64;
		t->text = mem_grow(t->text, t->text_cap, 1);
	}
	if (len)
		memcpy(t->text + at, text, len);
	t->text_len += len;
	return at;
}

struct key *keytable_put(struct keytable *t, uint32_t place, const char *text, size_t len,
			 uint32_t fresh)
{
	uint64_t hash = key_hash(place, text, len);
	const struct key *found = keytable_find(t, hash, place, text, len);

	if (found)
		return &t->keys[found - t->keys];
	keytable_reserve(t, t->n + 1);
	mem_room(t->keys, t->n, t->cap);
	t->keys[t->n] = (struct key){add_text(t, text, len), (uint32_t)len, place, fresh};
	fill_slot(t, hash, t->n);
	return &t->keys[t->n++];
}

void keytable_trim(struct keytable *t)
{
	if (!t->n)
		return;
	t->keys = mem_grow(t->keys, t->n, sizeof *t->keys);
	t->cap = t->n;
	t->text = mem_grow(t->text, t->text_len + 1, 1);
	t->text_cap = t->text_len + 1;
}

size_t keytable_bytes(const struct keytable *t)
{
	return t->text_cap + t->cap * sizeof *t->keys + (t->mask ? (t->mask + 1) * 11 / 2 : 0);
}

void keytable_free(struct keytable *t)
{
	free(t->text);
	free(t->keys);
	free(t->tags);
	free(t->slots);
	free(t->filter);
	*t = (struct keytable){0};
}
