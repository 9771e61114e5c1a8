/*
 * pattern - EventBridge event patterns, as the tree of expr.h.
 *
 * A pattern is a JSON object; its leaves are non-empty arrays of values and operators.  What
 * each means, and where we differ from EventBridge's own engine on purpose, is the table in
 * docs/rules.md.
 *
 * A pattern has at most PATTERN_MAX_BYTES bytes and PATTERN_MAX_TESTS tests, and is nested
 * 64 deep.  `$or` whose branches share nested objects with what stands beside it is
 * multiplied out, to at most PATTERN_MAX_BRANCHES branches.
 */
#ifndef POINTSMAN_RULES_PATTERN_H
#define POINTSMAN_RULES_PATTERN_H

#include "rules/expr.h"

#define PATTERN_MAX_BYTES    (64 * 1024)
#define PATTERN_MAX_TESTS    4096
#define PATTERN_MAX_BRANCHES 1024

enum pattern_root {
	PATTERN_EVENT, /* its fields are type, source, subject, time, id and data */
	PATTERN_DATA,  /* it is about the payload alone: its fields are those below data */
};

/* The paths of the tree begin with `data`, `type`, ..  NULL with *err saying what is wrong
 * and how it is mended, and the offset in *at (may be NULL). */
struct expr *pattern_parse(struct arena *a, enum pattern_root root, const char *text, size_t len,
			   size_t *at, struct err *err);

#endif
