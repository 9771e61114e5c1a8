/*
 * jsonline - one JSON object, one line.
 */
#ifndef POINTSMAN_CLI_JSONLINE_H
#define POINTSMAN_CLI_JSONLINE_H

#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>

void jsonline_add(struct buf *out, json_t *object); /* takes the object */
json_t *jsonline_text(const char *text);            /* NULL gives null */
json_t *jsonline_time(int64_t ms);                  /* RFC 3339; 0 gives null */
/* JSON as a tree; numbers that a tree cannot hold (integers over 64 bits, 1e400) become text.
 * NULL if it is no JSON. */
json_t *jsonline_json(const char *text, size_t len);

#endif
