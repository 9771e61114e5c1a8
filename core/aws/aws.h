/*
 * aws - HTTP requests signed for AWS.
 *
 * What the plugin interface calls `aws = "service:region"`: finds the endpoint, gets
 * credentials, signs, sends, reads the error's name, tries again as AWS's standard retry
 * mode says, follows a wrong-region answer by signing anew, corrects the clock.  Knows how
 * AWS is spoken to, nothing of what any service does.
 * Loop thread only.
 */
#ifndef POINTSMAN_AWS_AWS_H
#define POINTSMAN_AWS_AWS_H

#include "aws/error.h"
#include "base/world.h"
#include "http/client.h"

struct aws;
struct event_base;

/* Files are read when first needed, the environment at once. */
struct aws *aws_new(struct world *world, struct event_base *loop);
/* Outstanding requests are answered "cancelled". */
void aws_free(struct aws *a);

struct aws_request {          /* all copied */
	const char *service;  /* "dynamodb", "streams.dynamodb", "s3", "codebuild", "cloudfront",
				 "ssm", "sqs", "sts" */
	const char *region;   /* "" or NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's */
	const char *endpoint; /* of the section, or NULL: AWS_ENDPOINT_URL_<SERVICE>,
				 AWS_ENDPOINT_URL, the profile's, AWS's own */
	const char *method;   /* as in http_request */
	const char *path;     /* decoded: "/bucket/key with space"; the encoder is ours */
	const char *const *query; /* name, value, .., NULL; decoded; or NULL */
	const char *const *headers;
	const void *body;
	size_t body_len;
	uint32_t timeout_ms;
	size_t max_bytes;
};

uint64_t aws_send(struct aws *a, const struct aws_request *rq, http_done_fn *done, void *arg);
void aws_cancel(struct aws *a, uint64_t number);

/* aws_error_read() of an answer. */
enum aws_verdict aws_read(const struct http_answer *answer, struct aws_error *error);

#endif
