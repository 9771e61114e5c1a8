/*
 * s3answer - what S3 says of an object in the headers of an answer.
 */
#ifndef POINTSMAN_LIB_S3ANSWER_H
#define POINTSMAN_LIB_S3ANSWER_H

#include <pointsman/plugin.h>
#include <stddef.h>

/* The entity tag without its quotes; NULL if there is none, or not of printable ASCII.  Returns
 * out. */
const char *s3answer_etag(const struct pm_message *m, char *out, size_t size);
/* `text` without its quotes. */
const char *s3answer_bare(const char *text, char *out, size_t size);
/* The version id; NULL without versioning, where S3 says none or "null", and if it is no printable
 * ASCII. */
const char *s3answer_version(const struct pm_message *m);

#endif
