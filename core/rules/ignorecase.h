/*
 * ignorecase - what `ieq`, `istarts` and `iends` compare with.
 *
 * Character by character: the text has the character of the pattern or its lower or upper
 * form.  `ß` in the pattern is also SS; a final sigma in the text is not a sigma.
 */
#ifndef POINTSMAN_RULES_IGNORECASE_H
#define POINTSMAN_RULES_IGNORECASE_H

#include <stdbool.h>
#include <stddef.h>

bool ignorecase_equal(const char *text, size_t len, const char *pattern, size_t pattern_len);
bool ignorecase_starts(const char *text, size_t len, const char *pattern, size_t pattern_len);
bool ignorecase_ends(const char *text, size_t len, const char *pattern, size_t pattern_len);

#endif
