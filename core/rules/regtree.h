/*
 * regtree - an I-Regexp as a tree: the parser's result, the compiler's input.
 */
#ifndef POINTSMAN_RULES_REGTREE_H
#define POINTSMAN_RULES_REGTREE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGTREE_ENDLESS UINT32_MAX

struct regclass { /* a set of characters */
	bool negated;
	struct regrange {
		uint32_t first, last;
	} * ranges; /* ascending, with gaps between them */
	size_t n;
	uint32_t categories;
};

enum regkind { REG_SEQUENCE, REG_EITHER, REG_REPEAT, REG_CHARACTER, REG_CLASS };

struct regtree {
	enum regkind kind;
	struct regtree **parts; /* of SEQUENCE, EITHER; REPEAT has one */
	size_t n;
	uint32_t least, most; /* of REPEAT; most may be REGTREE_ENDLESS */
	uint32_t character;
	struct regclass set;
};

struct regtree *regtree_parse(const char *text, size_t len, size_t *at, struct err *err);
void regtree_free(struct regtree *t); /* NULL is fine */
bool regclass_has(const struct regclass *c, uint32_t cp);

#endif
