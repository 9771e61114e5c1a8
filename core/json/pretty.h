/*
 * pretty - JSON text laid out for people: a member or element a line, two spaces a level.
 *
 * Of text that json_check() accepts only the blanks between tokens change: numbers and strings
 * stay as they were written.
 */
#ifndef POINTSMAN_JSON_PRETTY_H
#define POINTSMAN_JSON_PRETTY_H

#include "base/buf.h"

void json_pretty(const char *text, size_t len, struct buf *out);

#endif
