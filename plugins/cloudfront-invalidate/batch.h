/*
 * batch - what is invalidated: paths, and the name that makes repeats harmless.
 */
#ifndef POINTSMAN_CLOUDFRONT_BATCH_H
#define POINTSMAN_CLOUDFRONT_BATCH_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define BATCH_MAX_PATHS 3000

/* A path as CloudFront wants it: from the root, a `*` at the end only, what URLs cannot hold
 * percent-encoded.  False with *err otherwise. */
bool batch_path(const char *path, struct buf *out, struct err *err);
/* The InvalidationBatch document for `paths`, NULL-terminated, encoded.  The reference is made
 * from `key` and the paths: the same call again gives the earlier invalidation. */
void batch_xml(const char *key, const char *const *paths, struct buf *out);

#endif
