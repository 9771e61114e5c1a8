/*
 * scan - the text of an expression, word by word, and complaints about it.
 */
#ifndef POINTSMAN_RULES_SCAN_H
#define POINTSMAN_RULES_SCAN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct scan {
	const char *text;
	size_t len, at;
	struct err *err;
};

struct word {
	const char *text;
	size_t len;
};

/* Say what is wrong, and stay there.  Always false. */
bool scan_fail(struct scan *s, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Something else was wanted than what stands here: said with what would be right, if that
 * can be guessed.  Always false. */
bool scan_unexpected(struct scan *s, const char *wanted);

/* Blanks are skipped before each of these. */
char scan_next(struct scan *s); /* the next character, 0 at the end; not taken */
bool scan_take(struct scan *s, char c);
struct word scan_word(struct scan *s); /* empty if it begins a path; not taken */
bool scan_take_word(struct scan *s, const char *text);
struct word scan_shown(struct scan *s); /* what stands here, for a message or as operator */

bool scan_word_is(struct word w, const char *text);
bool scan_in_name(char c);

#endif
