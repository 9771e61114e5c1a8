/*
 * iregexp - what `matches` compares with: I-Regexp, RFC 9485.
 *
 * The whole text must match.  `.` is any character but line feed and carriage return;
 * there are no \d, \w or \s, no captures and no look-around.  A text with a broken character
 * matches nothing.
 *
 * Groups nest 64 deep, a repetition goes up to 1,000, and an expression with over 2,000 states
 * is refused: about one for each character or class, two for each | * + ? and {, after
 * repetitions are written out.  So matching takes time linear in the text, at most some 2,000
 * steps a character, and 9 bytes a state while it runs.  regexset.h asks many at once.
 */
#ifndef POINTSMAN_RULES_IREGEXP_H
#define POINTSMAN_RULES_IREGEXP_H

#include "base/err.h"
#include "rules/regwalk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IREGEXP_MAX_STATES 2000

struct iregexp; /* immutable once compiled */

/* What matching needs while it runs; reused from match to match, one for each thread. */
struct iregexp_memory {
	struct regwalk walk;
};

/* NULL with *err, and the offset of the mistake in *at. */
struct iregexp *iregexp_compile(const char *text, size_t len, size_t *at, struct err *err);
void iregexp_free(struct iregexp *re); /* NULL is fine */
bool iregexp_match(const struct iregexp *re, struct iregexp_memory *m, const char *text,
		   size_t len);
void iregexp_memory_free(struct iregexp_memory *m);
const struct regnfa *iregexp_states(const struct iregexp *re);

#endif
