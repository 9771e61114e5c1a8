/*
 * log - one line an event, on standard error.
 *
 * Text (`2026-11-24T01:02:03.456Z warn  sink ops-slack: 503 ...`; under systemd `<4>` takes
 * the place of the time) or JSON (`{"ts","level","msg",..}`).  Every secret told to
 * log_secret() is replaced by *** wherever it would appear, here and in whatever passes
 * log_mask().  A line that repeats is counted and said once in ten seconds.
 * Any thread.
 */
#ifndef POINTSMAN_BASE_LOG_H
#define POINTSMAN_BASE_LOG_H

#include "base/buf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_setup(enum log_level least, bool json);
bool log_level_parse(const char *word, enum log_level *level); /* debug info warn error */

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* For lines that whatever arrives may bring about: LOG_BURST of one limit in a minute, then
 * only a count, which the first of a later minute tells.  Zero-initialised; of one thread. */
#define LOG_BURST 20
struct log_limit {
	int64_t until; /* boot time: the end of the minute */
	uint32_t said, more;
};
void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* From now on `value` is never printed.  Values under 4 bytes are too common to mask and
 * are ignored. */
void log_secret(const char *value);
/* `value` is no secret any more: it was replaced by another. */
void log_forget(const char *value);
/* Replace every known secret in `b`. */
void log_mask(struct buf *b);
/* Tests: lines go to `sink` instead of standard error; NULL restores. */
void log_capture(void (*sink)(enum log_level level, const char *line, void *arg), void *arg);

#endif
