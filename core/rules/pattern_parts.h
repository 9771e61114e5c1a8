/*
 * pattern_parts - a pattern as it was read, before it becomes a tree.
 *
 * Objects are gone through here: what is left of them is the path of each leaf.  All lives
 * in the arena of the pattern.
 */
#ifndef POINTSMAN_RULES_PATTERN_PARTS_H
#define POINTSMAN_RULES_PATTERN_PARTS_H

#include "rules/expr.h"

struct pattern_leaf {            /* "name": [value, {"operator": ..}, ..] */
	struct path_step *steps; /* from the top of the event */
	size_t nsteps;
	size_t at;          /* of the name in the text: later ones replace earlier ones */
	struct expr *tests; /* any of them will do; their paths are not set */
	size_t ntests;
	struct expr *absent; /* EXPR_LEAF: {"exists": false} is among them; or NULL */
};

struct pattern_part { /* one of the two */
	struct pattern_leaf *leaf;
	struct pattern_choice *choice;
};

struct pattern_parts { /* all of them; in the order of the text */
	struct pattern_part *list;
	size_t n;
	bool choices; /* is there any? */
};

struct pattern_choice { /* "$or": any of the branches */
	size_t at;
	struct pattern_parts *branches;
	size_t n;
};

/* NULL with *err, and the offset in *at. */
struct expr *pattern_tree(struct arena *a, const struct pattern_parts *parts, size_t *at,
			  struct err *err);

#endif
