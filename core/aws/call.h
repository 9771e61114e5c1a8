/*
 * call - what the rest of aws/ needs of a request beyond aws_send().
 */
#ifndef POINTSMAN_AWS_CALL_H
#define POINTSMAN_AWS_CALL_H

#include "aws/aws.h"
#include "aws/keys.h"

/* As aws_send(), but signed with `keys`, or not at all if that is NULL. */
uint64_t aws_send_as(struct aws *a, const struct aws_request *rq, const struct keys *keys,
		     http_done_fn *done, void *arg);
/* Forget the request: `done` will not run.  Unknown numbers are ignored. */
void aws_drop(struct aws *a, uint64_t number);

#endif
