/*
 * forms - the small notations of keys: `1d, 1s..15m`, `5/s, burst 10`, `3 in 10m`.
 *
 * Each takes the whole value; false with *err, which says what the form is.
 * Durations are milliseconds, above 0 and at most 100 years.
 */
#ifndef POINTSMAN_CONFIG_FORMS_H
#define POINTSMAN_CONFIG_FORMS_H

#include "base/err.h"
#include "config/config.h"

bool form_duration(const char *text, int64_t *ms, struct err *err);
bool form_size(const char *text, int64_t *bytes, struct err *err);
bool form_number(const char *text, uint32_t min, uint32_t max, uint32_t *n, struct err *err);
bool form_bool(const char *text, bool *yes, struct err *err);
/* `none`, `1d`, `1d, 1s..15m` */
bool form_retry(const char *text, struct retry *out, struct err *err);
/* `5/s`, `5/s, burst 10`, `5/10m, burst 10 per group`; burst is as much as events if not said */
bool form_rate(const char *text, struct rate *out, struct err *err);
/* `90s`, `90s, max 10m`; max is ten times the quiet period if not said */
bool form_coalesce(const char *text, int64_t *quiet_ms, int64_t *max_ms, struct err *err);
/* `3 in 10m` */
bool form_count(const char *text, uint32_t *count, int64_t *ms, struct err *err);
/* `7d`, `7d, max 1G`: *max is left alone if not said */
bool form_keep(const char *text, int64_t *ms, int64_t *max_bytes, struct err *err);
/* `90d`, `90d, max 100k`: a number, in which k and M are thousands and millions */
bool form_keep_count(const char *text, int64_t *ms, int64_t *max, struct err *err);
/* `host:port`, `:port`, `[::1]:port` */
bool form_address(const char *text, struct err *err);
/* `http://host:3128`, `host:3128`; what it says does not repeat a password */
bool form_proxy(const char *text, struct err *err);
/* A level, a format or both: `info`, `debug json` */
bool form_log(const char *text, struct err *err);

#endif
