/*
 * trail - what became of the attempts of a delivery, as its row keeps it.
 *
 * A JSON array of {"at","ended","result","why"}, times as text: the first attempt and the
 * last nine.
 */
#ifndef POINTSMAN_LANE_TRAIL_H
#define POINTSMAN_LANE_TRAIL_H

#include <stdint.h>

#define TRAIL_MAX 10

/* The trail with one more; frees the old one, which may be NULL.  `why` may be NULL. */
char *trail_add(char *trail, int64_t at, int64_t ended, const char *result, const char *why);

#endif
