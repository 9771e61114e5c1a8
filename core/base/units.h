/*
 * units - durations, sizes and times as people write them.
 *
 * Durations: a whole number and a unit, `250ms 30s 5m 1h 7d`; bare "0" is fine.  Result in
 * milliseconds.  Sizes: a whole number and `k M G` (binary) or nothing.  Result in bytes.
 */
#ifndef POINTSMAN_BASE_UNITS_H
#define POINTSMAN_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool units_duration(const char *text, int64_t *ms); /* false: not a duration, or too large */
bool units_size(const char *text, int64_t *bytes);
bool units_integer(const char *text, int64_t *n);
bool units_bool(const char *text, bool *value); /* yes no true false */

/* "1h 2m", "2m 5s", "450ms": at most two units, for people.  Returns out. */
char *units_duration_text(int64_t ms, char *out, size_t size);

/* RFC 3339 in UTC, milliseconds kept: "2026-11-24T01:02:03.456Z".  out has 32 bytes. */
char *units_time_text(int64_t ms, char out[32]);
/* RFC 3339 with any offset, or milliseconds since 1970 as digits. */
bool units_time(const char *text, int64_t *ms);

#endif
