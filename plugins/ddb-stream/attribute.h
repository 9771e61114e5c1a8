/*
 * attribute - DynamoDB's typed values as plain JSON.
 *
 * {"S":"a"} is "a", {"N":"1.50"} is 1.50 (the digits as they came), sets are sorted arrays
 * (numbers by value), binary is base64 text, {"NULL":true} is null.
 */
#ifndef POINTSMAN_DDB_ATTRIBUTE_H
#define POINTSMAN_DDB_ATTRIBUTE_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Append one value; false with *err naming what is odd about it. */
bool attribute_json(const json_t *value, struct buf *out, struct err *err);
/* Append an item, or a key: an object of values. */
bool attribute_item_json(const json_t *item, struct buf *out, struct err *err);
/* The text of a key attribute (S, N or B), or NULL. */
const char *attribute_text(const json_t *value);

/* Is it a number as JSON writes them? */
bool attribute_is_number(const char *text);
/* Two such numbers by value, however many digits: <0 0 >0. */
int attribute_compare(const char *a, const char *b);

#endif
