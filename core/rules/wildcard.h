/*
 * wildcard - what `like` compares with: `*` is any run of characters, also none.
 *
 * `\*` is a star and `\\` a backslash; two stars in a row and other escapes are mistakes.
 * Matching takes time linear in the text.
 */
#ifndef POINTSMAN_RULES_WILDCARD_H
#define POINTSMAN_RULES_WILDCARD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct wildcard_run {
	size_t at, len; /* in `text` */
};

struct wildcard {
	char *text;                /* without stars and escapes */
	struct wildcard_run *runs; /* what stands between the stars: one more than those */
	size_t n;
};

bool wildcard_parse(const char *text, size_t len, struct wildcard *out, struct err *err);
void wildcard_free(struct wildcard *w);
bool wildcard_match(const struct wildcard *w, const char *text, size_t len);

#endif
