/*
 * unique - JSON whose objects have each name once.
 *
 * Of members with the same name (compared after unescaping) the last one stays, where it
 * stands.
 */
#ifndef POINTSMAN_JSON_UNIQUE_H
#define POINTSMAN_JSON_UNIQUE_H

#include "base/buf.h"

/* Adds a copy, without blanks between its parts, of text that json_check_repeats() accepts. */
void json_unique(const char *text, size_t len, struct buf *out);

#endif
