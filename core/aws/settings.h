/*
 * settings - what environment and shared files say about speaking to AWS.
 *
 * The environment is copied when the settings are made; the files are read when first
 * needed and again by settings_reload().  Texts are good until that.
 */
#ifndef POINTSMAN_AWS_SETTINGS_H
#define POINTSMAN_AWS_SETTINGS_H

#include "aws/profile.h"
#include "base/err.h"

#include <stdbool.h>

struct settings;

struct settings *settings_new(const char *const *environment); /* "NAME=value", NULL-terminated */
void settings_free(struct settings *s);                        /* NULL is fine */
/* False if a file cannot be read or understood; then what was read before stays. */
bool settings_reload(struct settings *s, struct err *err);

const char *settings_env(const struct settings *s, const char *name); /* NULL: unset or empty */
/* The files; NULL with *err filled if they cannot be read. */
const struct profiles *settings_profiles(struct settings *s, struct err *err);
const char *settings_profile(const struct settings *s); /* AWS_PROFILE, or "default" */

/* Variable `env`, else `key` of the profile; either may be NULL.  NULL: not set. */
const char *settings_get(struct settings *s, const char *env, const char *key);
bool settings_flag(struct settings *s, const char *env, const char *key); /* "true" */
const char *settings_region(struct settings *s);                          /* or NULL */
/* The endpoint configured for a service, by its name in variables: "DYNAMODB_STREAMS". */
const char *settings_endpoint(struct settings *s, const char *service);

#endif
