/*
 * credentials - the keys requests are signed with, and their renewal.
 *
 * From 15 minutes before they expire they are renewed in the background, from 10 minutes
 * before that requests wait for the new ones; if there are none, the old ones serve to
 * their end.  One renewal at a time; whoever asks meanwhile queues behind it.  A failure is
 * remembered for a few seconds, so that a machine without credentials does not ask the
 * metadata service once a request.
 */
#ifndef POINTSMAN_AWS_CREDENTIALS_H
#define POINTSMAN_AWS_CREDENTIALS_H

#include "aws/aws.h"
#include "aws/keys.h"
#include "aws/settings.h"

struct credentials;

struct credentials *credentials_new(struct aws *a, struct world *world, struct settings *settings);
/* Nobody who still waits is told. */
void credentials_free(struct credentials *c);

/* keys NULL: there are none, `why` says so.  Both are good until the callback returns. */
typedef void credentials_fn(const struct keys *keys, const char *why, void *arg);

/* `fn` runs once, possibly from inside this call. */
void credentials_ask(struct credentials *c, credentials_fn *fn, void *arg);
/* Wait no longer: `fn` will not run for this `arg`. */
void credentials_leave(struct credentials *c, void *arg);
/* A service says that the keys with this id have expired: they are not given out again. */
void credentials_expired(struct credentials *c, const char *id);

#endif
