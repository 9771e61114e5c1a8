/*
 * report - all that is wrong with a configuration, each with its place.
 *
 * `file:line:column: message`, sorted by place, errors and warnings.
 */
#ifndef POINTSMAN_CONFIG_REPORT_H
#define POINTSMAN_CONFIG_REPORT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
	const char *file;      /* as the user named it; NULL: no file */
	uint32_t line, column; /* from 1; columns count bytes; 0: unknown */
};

struct remark {
	struct place at; /* with a file name of its own */
	bool warning;
	char *text;
};

struct report {
	struct remark *remarks;
	size_t n, cap;
	size_t errors; /* those that are no warnings */
};

void report_error(struct report *r, struct place at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void report_warning(struct report *r, struct place at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* One line each, sorted, secrets masked. */
void report_print(struct report *r, struct buf *out);
void report_free(struct report *r);

/* The candidate nearest to `word` by edit distance, or NULL if none is near. */
const char *report_nearest(const char *word, const char *const *candidates, size_t n);

#endif
