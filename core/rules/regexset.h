/*
 * regexset - which of many I-Regexps match a text, found in one walk over it.
 *
 * The expressions become one machine (regnfa.h), and that an automaton in a cache, built as
 * texts need it (regdfa.h).  A character of a text like those before costs one look into a
 * table, whatever the number of expressions; the walk ends where none can match any more.
 *
 * Nothing an expression or a text contains makes more of it.  Where the automaton is too large
 * for the cache, the set is asked in parts from then on, up to 16 of them with a cache of
 * 1 MB; where that of a part is too large still, the rest of the text is walked without it.  So
 * time is at worst linear in the text times the states of the machine, and memory is bounded.
 *
 * A set takes 4 bytes a state and 8 an expression, and once for each class of characters what
 * its ranges need.  It is immutable; several threads may use it, each with its own memory.
 */
#ifndef POINTSMAN_RULES_REGEXSET_H
#define POINTSMAN_RULES_REGEXSET_H

#include "rules/iregexp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGEXSET_MAX_STATES  (4 * 1024 * 1024) /* of all expressions of a set */
#define REGEXSET_CACHE_BYTES (1024 * 1024)

struct regexset;
struct regexset_draft; /* expressions being added */

struct regexset_draft *regexset_draft(void);
/* The expression may be gone afterwards; `id` is the caller's, and need not be unique.  False
 * if the states of all would be too many: nothing was added. */
bool regexset_add(struct regexset_draft *d, const struct iregexp *re, uint32_t id);
struct regexset *regexset_build(struct regexset_draft *d); /* ends the draft */
void regexset_free(struct regexset *s);                    /* NULL is fine */
size_t regexset_bytes(const struct regexset *s);           /* of memory, all of it */

/* What matching needs while it runs: the cache, and 10 bytes a state and 4 an expression.
 * Zero-initialised, one for each set and thread; used with another set it starts anew. */
struct regexset_memory {
	size_t max_bytes; /* of the cache; 0: REGEXSET_CACHE_BYTES */
	struct regexset_cache *cache;
};
void regexset_memory_free(struct regexset_memory *m);

/* How many expressions match the whole text; *ids are theirs in the order they were added,
 * good until `m` is used again.  Takes no memory once the cache is warm. */
size_t regexset_match(const struct regexset *s, struct regexset_memory *m, const char *text,
		      size_t len, const uint32_t **ids);

#endif
