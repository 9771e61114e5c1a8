/*
 * iregexp - what `matches` compares with: I-Regexp, RFC 9485.
 *
 * The whole text must match.  `.` is any character but line feed and carriage return;
 * there are no \d, \w or \s, no captures and no look-around.  Matching takes time linear
 * in the text for a given expression and memory for its states alone; an expression with
 * over 2,000 states is refused.
 */
#ifndef POINTSMAN_RULES_IREGEXP_H
#define POINTSMAN_RULES_IREGEXP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iregexp; /* immutable once compiled */

/* What matching needs while it runs; reused from match to match, one for each thread. */
struct iregexp_memory {
	uint32_t *states; /* two lists, a stack, and marks */
	size_t cap;
	uint32_t mark;
};

/* NULL with *err, and the offset of the mistake in *at. */
struct iregexp *iregexp_compile(const char *text, size_t len, size_t *at, struct err *err);
void iregexp_free(struct iregexp *re); /* NULL is fine */
bool iregexp_match(const struct iregexp *re, struct iregexp_memory *m, const char *text,
		   size_t len);
void iregexp_memory_free(struct iregexp_memory *m);

#endif
