/*
 * map - text to pointer, in the order of insertion.
 *
 * Keys are copied; values belong to the caller.  Zero-initialised is empty and valid.
 * A value is never NULL: NULL means "absent".
 */
#ifndef POINTSMAN_BASE_MAP_H
#define POINTSMAN_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
	char *key; /* NULL: removed */
	uint64_t hash;
	void *value;
};

struct map {
	struct map_entry *entries; /* `used` of them, in order of insertion */
	size_t used, cap, count;   /* count: without the removed ones */
	uint32_t *slots;           /* 1 + index into entries; 0: free */
	size_t nslots;
};

void *map_get(const struct map *m, const char *key);               /* or NULL */
void *map_get_n(const struct map *m, const char *key, size_t len); /* or NULL */
void *map_put(struct map *m, const char *key, void *value);        /* the old value or NULL */
void *map_remove(struct map *m, const char *key);                  /* the old value or NULL */
/* for (size_t i = 0; (e = map_next(m, &i));) walks in order of insertion. */
struct map_entry *map_next(const struct map *m, size_t *i);
/* Free the map; `destroy`, if not NULL, gets every value. */
void map_free(struct map *m, void (*destroy)(void *value));

#endif
