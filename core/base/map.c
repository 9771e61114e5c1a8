#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Open addressing with linear probing over `slots`, which stays at most half full. */
static size_t find_slot(const struct map *m, const char *key, size_t len, uint64_t hash)
{
	size_t i = hash & (m->nslots - 1);

	for (; m->slots[i]; i = (i + 1) & (m->nslots - 1)) {
		const struct map_entry *e = &m->entries[m->slots[i] - 1];

		if (e->key && e->hash == hash && strncmp(e->key, key, len) == 0 && !e->key[len])
			return i;
	}
	return i;
}

static void rebuild(struct map *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->used; i++) {
		if (m->entries[i].key)
			m->entries[kept++] = m->entries[i];
	}
	m->used = kept;
	m->nslots = 16;
	while (m->nslots < m->count * 4)
		m->nslots *= 2;
	free(m->slots);
	m->slots = mem_zero(m->nslots * sizeof *m->slots);
	for (size_t i = 0; i < m->used; i++) {
		size_t s = m->entries[i].hash & (m->nslots - 1);

		while (m->slots[s])
			s = (s + 1) & (m->nslots - 1);
		m->slots[s] = (uint32_t)i + 1;
	}
}

void *map_get_n(const struct map *m, const char *key, size_t len)
{
	uint32_t at;

	if (!m->nslots)
		return NULL;
	at = m->slots[find_slot(m, key, len, hash64(key, len, 0))];
	return at ? m->entries[at - 1].value : NULL;
}

void *map_get(const struct map *m, const char *key)
{
	return map_get_n(m, key, strlen(key));
}

void *map_put(struct map *m, const char *key, void *value)
{
	size_t len = strlen(key), slot;
	uint64_t hash = hash64(key, len, 0);

	if ((m->used + 1) * 2 > m->nslots)
		rebuild(m);
	slot = find_slot(m, key, len, hash);
	if (m->slots[slot]) {
		struct map_entry *e = &m->entries[m->slots[slot] - 1];
		void *old = e->value;

		e->value = value;
		return old;
	}
	mem_room(m->entries, m->used, m->cap);
	m->entries[m->used++] = (struct map_entry){mem_text(key), hash, value};
	m->slots[slot] = (uint32_t)m->used;
	m->count++;
	return NULL;
}

/* A removed entry keeps its slot, so that probing goes on past it, until the next
 * rebuild; removed ones count against `used` and so bring that about. */
void *map_remove(struct map *m, const char *key)
{
	size_t len = strlen(key);
	struct map_entry *e;
	uint32_t at;
	void *old;

	if (!m->nslots)
		return NULL;
	at = m->slots[find_slot(m, key, len, hash64(key, len, 0))];
	if (!at)
		return NULL;
	e = &m->entries[at - 1];
	old = e->value;
	free(e->key);
	*e = (struct map_entry){0};
	m->count--;
	return old;
}

struct map_entry *map_next(const struct map *m, size_t *i)
{
	while (*i < m->used) {
		struct map_entry *e = &m->entries[(*i)++];

		if (e->key)
			return e;
	}
	return NULL;
}

void map_free(struct map *m, void (*destroy)(void *value))
{
	struct map_entry *e;

	if (!m)
		return;
	for (size_t i = 0; (e = map_next(m, &i));) {
		free(e->key);
		if (destroy)
			destroy(e->value);
	}
	free(m->entries);
	free(m->slots);
	*m = (struct map){0};
}
