/*
 * fields - what a type's table says of its events' `data`.
 *
 * "project seconds:number ?version new:object *": names separated by blanks, a leading `?`
 * for one that may be absent, an optional type behind a colon (text if none; number bool
 * object array any), dots for members that are named one by one, and `*` if there may be
 * more.
 */
#ifndef POINTSMAN_PLUGIN_FIELDS_H
#define POINTSMAN_PLUGIN_FIELDS_H

#include "base/err.h"
#include "json/path.h"

#include <stdbool.h>
#include <stddef.h>

enum field { FIELD_ABSENT, FIELD_OPTIONAL, FIELD_THERE };

bool fields_check(const char *fields, struct err *err);
/* May `data` have what is at steps [from..] of the path? */
enum field fields_find(const char *fields, const struct path *path, size_t from);
enum field_type {
	FIELD_ANY, /* nothing is certain: not said, below an object, in an array */
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_BOOL,
	FIELD_OBJECT,
};
/* What is at steps [from..] of the path, where there is something. */
enum field_type fields_type(const char *fields, const struct path *path, size_t from);

struct field_word { /* one of the names, in place */
	const char *name;
	size_t name_len;
	const char *type; /* as written; NULL: none is said, so text */
	size_t type_len;
	bool optional;
	bool star; /* `*`: there may be more */
};
/* The next one at *rest; false after the last. */
bool fields_next(const char **rest, struct field_word *out);
/* Calls fn with each name, for messages; texts are good until it returns. */
void fields_each(const char *fields, void (*fn)(const char *name, void *arg), void *arg);

#endif
