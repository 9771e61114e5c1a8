/*
 * endpoint - where a request goes, and how it is signed there.
 *
 * AWS's own hosts by region and partition, dual-stack and FIPS variants, S3's two ways of
 * naming a bucket; or a configured address, which gets the path as it is.  Pure.
 */
#ifndef POINTSMAN_AWS_ENDPOINT_H
#define POINTSMAN_AWS_ENDPOINT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct endpoint_question {
	const char *service;  /* as in aws_request */
	const char *region;   /* or NULL: none is known */
	const char *path;     /* decoded */
	const char *override; /* a configured address, or NULL */
	bool dual_stack, fips;
	const char *s3_style; /* "path", "virtual", or NULL: as fits the bucket */
};

struct endpoint {
	char *base;     /* "https://host[:port]" */
	char *host;     /* as in the Host header */
	char *path;     /* decoded; what is to be signed and sent */
	char *service;  /* of the signature's scope */
	char *region;   /* likewise */
	char *bucket;   /* S3: the bucket, "" if there is none; else NULL */
	bool is_custom; /* `override` was used */
};

/* False with *err filled: no region, or a variant that does not exist.  endpoint_free()
 * in any case. */
bool endpoint_find(const struct endpoint_question *q, struct endpoint *e, struct err *err);
void endpoint_free(struct endpoint *e);

/* The service's name in AWS_ENDPOINT_URL_<..>: "DYNAMODB_STREAMS". */
void endpoint_variable(const char *service, char *out, size_t size);

#endif
