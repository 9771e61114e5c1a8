/*
 * error - what an answer of AWS says went wrong.
 *
 * Every form in use: JSON bodies (`__type`, `code`, `Code`), the headers x-amzn-errortype
 * and x-amzn-query-error, XML bodies (`Error`, also inside `ErrorResponse`), and 200 with
 * an error inside.  Pure; memory is bounded whatever the body holds.  Depends on base,
 * jansson and expat alone, so that plugins can link it.
 */
#ifndef POINTSMAN_AWS_ERROR_H
#define POINTSMAN_AWS_ERROR_H

#include <stdbool.h>
#include <stddef.h>

struct aws_reply {
	int status;              /* 0: no answer */
	const char *error_type;  /* header x-amzn-errortype, or NULL */
	const char *query_error; /* header x-amzn-query-error, or NULL */
	const void *body;
	size_t body_len;
};

/* How an answer is to be read. */
enum aws_verdict {
	AWS_OK,    /* 2xx without an error inside */
	AWS_AGAIN, /* throttling, 5xx, no answer, credentials that may come back */
	AWS_NEVER, /* the request is wrong */
};

struct aws_error {
	char name[128];    /* "ConditionalCheckFailedException", "NoSuchKey", or "" */
	char message[256]; /* or "" */
	char region[32];   /* S3: where the bucket is, or "" */
	bool down;         /* AWS_AGAIN because the target is down, not because of us */
};

/* `error` is always filled; error may be NULL. */
enum aws_verdict aws_error_read(const struct aws_reply *reply, struct aws_error *error);

/* Kinds of names, for those who retry. */
bool aws_error_is_throttling(const char *name);
bool aws_error_is_expiry(const char *name);      /* of the credentials: get new ones */
bool aws_error_is_credentials(const char *name); /* they are wrong, or have expired */
bool aws_error_is_clock(const char *name);       /* the signature's date may be at fault */

#endif
