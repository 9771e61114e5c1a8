/*
 * request - one line of the admin socket, taken apart.
 */
#ifndef POINTSMAN_CLI_REQUEST_H
#define POINTSMAN_CLI_REQUEST_H

#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>

/* The object without its event, which is null in it; the caller's.  The event's bytes are added to
 * `event` as they came: a tree would not hold every number.  NULL if it is not one JSON
 * object. */
json_t *request_read(const char *line, size_t len, struct buf *event);
/* 0 if it is absent, negative or no integer. */
uint64_t request_number(const json_t *ask, const char *key);

#endif
