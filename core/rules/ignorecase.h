/*
 * ignorecase - what `ieq`, `istarts` and `iends` compare with.
 *
 * Character by character: the text has the character of the pattern or its lower or upper
 * form.  `ß` in the pattern is also SS; a final sigma in the text is not a sigma.
 */
#ifndef POINTSMAN_RULES_IGNORECASE_H
#define POINTSMAN_RULES_IGNORECASE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

bool ignorecase_equal(const char *text, size_t len, const char *pattern, size_t pattern_len);
bool ignorecase_starts(const char *text, size_t len, const char *pattern, size_t pattern_len);
bool ignorecase_ends(const char *text, size_t len, const char *pattern, size_t pattern_len);

/*
 * For tables: a form of the text that is the same for all texts a pattern is equal to, so
 * that they can be looked up.  Texts of one form are not always equal, but for ASCII.
 */
void ignorecase_fold(const char *text, size_t len, struct buf *out);
/* The form of a pattern's texts; false if they have several. */
bool ignorecase_fold_pattern(const char *pattern, size_t len, struct buf *out);

#endif
