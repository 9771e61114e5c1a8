/*
 * escape - what stands between the quotes of a JSON string.
 *
 * "raw" is the text as the document has it, without the quotes; "plain" has the escapes
 * resolved.  Escapes that json_check() would refuse stay as they are.
 */
#ifndef POINTSMAN_JSON_ESCAPE_H
#define POINTSMAN_JSON_ESCAPE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the closing quote stands; `text` begins behind the opening one.  len: nowhere. */
size_t json_string_end(const char *text, size_t len);
/* The escape at the start of `raw`, which is a backslash: how many bytes it has, a pair of
 * surrogates being one; 0 if it is broken. */
size_t json_escape_read(const char *raw, size_t len, uint32_t *cp);
void json_string_plain(const char *raw, size_t len, struct buf *out);
/* Is `raw`, made plain, equal to `plain`? */
bool json_string_is(const char *raw, size_t raw_len, const char *plain, size_t len);

#endif
