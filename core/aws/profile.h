/*
 * profile - the shared configuration and credentials files of AWS's tools.
 *
 * Both files are read into one table: `[profile x]` and `[default]` of the configuration
 * file, `[x]` of the credentials file (which wins), `[services x]`.  A key under an empty
 * one is named with a dot: "s3.endpoint_url".  A file that is absent is empty.
 */
#ifndef POINTSMAN_AWS_PROFILE_H
#define POINTSMAN_AWS_PROFILE_H

#include "base/err.h"

#include <stdbool.h>

struct profiles;

/* NULL, with *err naming file and line, if a file cannot be read or understood.  A path
 * may be NULL. */
struct profiles *profiles_read(const char *config_path, const char *credentials_path,
			       struct err *err);
void profiles_free(struct profiles *p); /* NULL is fine */

bool profiles_has(const struct profiles *p, const char *profile);
/* NULL if it is not set. */
const char *profiles_get(const struct profiles *p, const char *profile, const char *key);
/* Of `[services NAME]`. */
const char *profiles_service(const struct profiles *p, const char *services, const char *key);

#endif
