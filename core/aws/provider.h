/*
 * provider - fetches the credentials a chain leads to.
 *
 * Asks container endpoint, instance metadata (IMDSv2) or STS, and assumes the chain's roles
 * one after the other.
 */
#ifndef POINTSMAN_AWS_PROVIDER_H
#define POINTSMAN_AWS_PROVIDER_H

#include "aws/aws.h"
#include "aws/chain.h"
#include "aws/keys.h"

struct provider;

/* keys NULL: there are none, `why` says so.  Both are good until the callback returns. */
typedef void provider_done_fn(const struct keys *keys, const char *why, void *arg);

/* Takes over what is in `chain`.  `done` runs once, never before this returns; the provider
 * is gone afterwards.  NULL with *err filled if it cannot even ask. */
struct provider *provider_start(struct aws *a, struct http_client *network, struct chain *chain,
				provider_done_fn *done, void *arg, struct err *err);
void provider_drop(struct provider *p); /* `done` will not run; NULL is fine */

#endif
