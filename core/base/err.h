/*
 * err - one sentence about what went wrong, in the caller's memory.
 *
 * Fixed size, so that reporting needs no allocation.  Every function that takes a
 * `struct err *` accepts NULL.  The text is one line, without a final full stop, fit to
 * be shown to the person on call: what was tried, on what, why it failed.  Whatever is put
 * in, what comes out is UTF-8 without control characters.
 */
#ifndef POINTSMAN_BASE_ERR_H
#define POINTSMAN_BASE_ERR_H

#include <stdarg.h>

struct err {
	char text[512];
};

/* Fill `e`; text that does not fit is cut. */
void err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_vset(struct err *e, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Put "<prefix>: " in front of what `e` says. */
void err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
