/*
 * errand - an HTTP request whose sender may go away.
 *
 * A call of the client is always answered, also after it was cancelled; an errand that was
 * dropped takes that answer itself.  Frees itself once it is over.
 */
#ifndef POINTSMAN_AWS_ERRAND_H
#define POINTSMAN_AWS_ERRAND_H

#include "http/client.h"

struct errand;

/* `done` runs once, never before this returns; after that the errand is gone. */
struct errand *errand_send(struct http_client *client, const struct http_request *rq,
			   http_done_fn *done, void *arg);
void errand_drop(struct errand *e); /* `done` will not run; NULL is fine */

#endif
