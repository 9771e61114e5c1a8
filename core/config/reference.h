/*
 * reference - `${env:N}`, `${env:N:-default}`, `${file:P}`, `${credential:N}`, `${NAME:..}`.
 *
 * A value with references is split into pieces.  Local ones are resolved here (env from
 * the environment, file from a path, credential from $CREDENTIALS_DIRECTORY; one final
 * newline is dropped); those of a secrets section are asked for by plugin/secrets.h.
 */
#ifndef POINTSMAN_CONFIG_REFERENCE_H
#define POINTSMAN_CONFIG_REFERENCE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define REFERENCE_MAX_BYTES (1024 * 1024) /* of a file */

enum reference_kind {
	REFERENCE_TEXT,
	REFERENCE_ENV,
	REFERENCE_FILE,
	REFERENCE_CREDENTIAL,
	REFERENCE_REMOTE
};

struct reference {
	enum reference_kind kind;
	size_t at;      /* offset in the value */
	char *section;  /* REMOTE: the secrets section */
	char *text;     /* the literal, the variable, the path, the name */
	char *fallback; /* ENV: or NULL */
};

struct references {
	struct reference *pieces;
	size_t n;
};

/* False with *err and *at if a `${` is malformed. */
bool references_parse(const char *value, struct references *out, size_t *at, struct err *err);
void references_free(struct references *r);
bool references_any(const struct references *r);    /* one that is not TEXT */
bool references_remote(const struct references *r); /* one that is REMOTE */
/* Relative paths of FILE are relative to the configuration file `file`. */
void references_relative_to(struct references *r, const char *file);

/* Append the value of a local reference or text; false with *err if it is not there. */
bool reference_resolve(const struct reference *r, struct buf *out, struct err *err);

/* `path` as seen from the configuration file `file`; the caller's. */
char *reference_path(const char *path, const char *file);
/* Append a file of at most REFERENCE_MAX_BYTES without its final newline; false with *err if
 * it cannot be read or is no text. */
bool reference_read(const char *path, struct buf *out, struct err *err);

#endif
