/*
 * utf8 - characters as RFC 3629 writes them: no overlong forms, no surrogates.
 */
#ifndef POINTSMAN_BASE_UTF8_H
#define POINTSMAN_BASE_UTF8_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at the start of `text`: how many bytes it has, 0 if it is broken or len
 * is 0.  `cp` may be NULL. */
size_t utf8_read(const char *text, size_t len, uint32_t *cp);
/* The bytes of a character; how many they are. */
size_t utf8_write(uint32_t cp, char out[4]);
void utf8_add(struct buf *out, uint32_t cp);
bool utf8_valid(const char *text, size_t len);

#endif
