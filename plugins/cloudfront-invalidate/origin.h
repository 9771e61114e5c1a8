/*
 * origin - does an origin's host name stand for a bucket?
 */
#ifndef POINTSMAN_CLOUDFRONT_ORIGIN_H
#define POINTSMAN_CLOUDFRONT_ORIGIN_H

#include <stdbool.h>

/* Exactly one of the names S3 gives the bucket, in any letter case: REST and website
 * endpoints, with and without region, dual-stack; never a part of a longer name. */
bool origin_is_bucket(const char *host, const char *bucket);

#endif
