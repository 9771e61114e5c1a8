/*
 * check - is this text one JSON value, strictly?
 *
 * One pass over the bytes, no tree: RFC 8259, UTF-8 without surrogates or overlong forms,
 * no duplicate member names (compared after unescaping), bounded depth.  What passed here
 * may be read by json/find.h without further checks.
 */
#ifndef POINTSMAN_JSON_CHECK_H
#define POINTSMAN_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 128

struct json_fault {
	size_t offset;         /* of the first byte that cannot be */
	uint32_t line, column; /* from 1; columns count bytes */
	const char *what;      /* "duplicate member name", "broken UTF-8", .. */
};

/* `fault` may be NULL. */
bool json_check(const char *text, size_t len, unsigned max_depth, struct json_fault *fault);
/* The same, but a member name may stand twice in an object. */
bool json_check_repeats(const char *text, size_t len, unsigned max_depth, struct json_fault *fault);

#endif
