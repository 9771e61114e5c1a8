/*
 * same - are two JSON values equal?
 *
 * Numbers by value (json_number_compare), strings with their escapes resolved, objects
 * whatever the order of their members.  For text that json_check() accepts.
 */
#ifndef POINTSMAN_JSON_SAME_H
#define POINTSMAN_JSON_SAME_H

#include "json/find.h"

#include <stdbool.h>

bool json_same(const struct json_value *a, const struct json_value *b);

#endif
