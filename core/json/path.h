/*
 * path - `data.new.phase`, `data.items.0.id`, `data.items.count`, `data."a.b"`.
 *
 * Names of a-z A-Z 0-9 _ -, others quoted with JSON's escapes, joined by dots.  A number
 * names one element of an array (or a member of that name), `count` the number of elements
 * of an array (or a member of that name); in quotes both are names only.  A path has at
 * most 64 names.
 */
#ifndef POINTSMAN_JSON_PATH_H
#define POINTSMAN_JSON_PATH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PATH_COUNT (-2)

struct path_step {
	char *name; /* unescaped */
	size_t len;
	long index; /* the name, unless quoted, read as a number; PATH_COUNT; else -1 */
};

struct path {
	char *text; /* as written */
	struct path_step *steps;
	size_t n;
};

/* Parse the longest path at the start of `text`; *used tells how many bytes it took.  On
 * failure false, *used is where it went wrong, and `out` is empty. */
bool path_parse(const char *text, size_t len, struct path *out, size_t *used, struct err *err);
void path_free(struct path *p);
/* `b`, which begins where `a` ends; a copy. */
void path_join(const struct path *a, const struct path *b, struct path *out);

/* Is this name written in a path as it stands, or must it be quoted? */
bool path_name_bare(const char *name, size_t len);

#endif
