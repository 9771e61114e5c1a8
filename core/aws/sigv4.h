/*
 * sigv4 - AWS Signature Version 4, on libcrypto.
 *
 * One encoder makes both what is signed and what is put on the wire, so the two cannot
 * differ.  Pure: no clock, no environment, no network.
 */
#ifndef POINTSMAN_AWS_SIGV4_H
#define POINTSMAN_AWS_SIGV4_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct sigv4_credentials {
	const char *key_id, *secret, *token; /* token: NULL or "" for lasting ones */
};

struct sigv4_request {
	const char *method, *host;  /* host with a port that is not the scheme's own */
	const char *path;           /* decoded */
	const char *const *query;   /* name, value, .., NULL; decoded; NULL: none */
	const char *const *headers; /* "Name: value"; content-type, x-amz-*, if-match and
				       if-none-match are signed, others only sent */
	const char *also_signed;    /* more of them: "range date", or NULL */
	const void *body;
	size_t body_len;
	const char *service, *region; /* of the scope: "dynamodb", not "streams.dynamodb" */
	int64_t time;                 /* ms since 1970 UTC, clock correction included */
	bool path_once;               /* S3: signed as sent; others normalise the path and
					 encode it again */
	bool send_body_hash;          /* S3: as x-amz-content-sha256 */
};

struct sigv4_signed {
	struct buf target;    /* encoded path and query, exactly as to be sent */
	struct buf headers;   /* "Name: value\n" to add: Authorization, X-Amz-Date, .. */
	struct buf canonical; /* the canonical request: for tests and debugging */
	struct buf to_sign;   /* the string to sign, likewise */
};

void sigv4_sign(const struct sigv4_request *rq, const struct sigv4_credentials *cr,
		struct sigv4_signed *out);
void sigv4_free(struct sigv4_signed *s);

#endif
