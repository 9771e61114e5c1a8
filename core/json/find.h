/*
 * find - values inside JSON text, without a tree.
 *
 * Works on text that json_check() accepts, reading no further than it must; on other text
 * it finds nothing or something, but stays inside `len`.
 */
#ifndef POINTSMAN_JSON_FIND_H
#define POINTSMAN_JSON_FIND_H

#include "base/buf.h"
#include "json/path.h"

#include <stdint.h>

enum json_kind {
	KIND_ABSENT,
	KIND_NULL,
	KIND_FALSE,
	KIND_TRUE,
	KIND_NUMBER,
	KIND_STRING,
	KIND_OBJECT,
	KIND_ARRAY,
	KIND_COUNT, /* made by a final `count`: `number` holds it, text is NULL */
};

struct json_value {
	enum json_kind kind;
	const char *text; /* the raw bytes, quotes included; points into the document */
	size_t len;
	uint64_t number;
};

/* The value at steps [from..] of `path`; through an array without an index: the first
 * element that has the rest.  KIND_ABSENT if there is none. */
struct json_value json_find(const char *text, size_t len, const struct path *path, size_t from);

/* Every value at the path, in document order, arrays gone through at each step (a final
 * array's elements count one by one).  Stops when `fn` returns false; returns false then. */
typedef bool json_each_fn(const struct json_value *value, void *arg);
bool json_each(const char *text, size_t len, const struct path *path, size_t from, json_each_fn *fn,
	       void *arg);

/* A scalar as plain text: strings unescaped, numbers as written; objects and arrays as
 * their JSON.  Nothing is added for KIND_ABSENT and KIND_NULL. */
void json_text(const struct json_value *value, struct buf *out);

/* Walk an object's members or an array's elements: *at starts at 0. */
bool json_next(const struct json_value *container, size_t *at, struct json_value *name,
	       struct json_value *value);
/* The value that makes up the whole text (leading and trailing blanks skipped). */
struct json_value json_root(const char *text, size_t len);

/* The double nearest to a number. */
double json_number_double(const char *text, size_t len);
/* Compare two numbers: integers of any length exactly, others as doubles.  <0 0 >0. */
int json_number_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
