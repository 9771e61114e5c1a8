/*
 * chain - where this machine's credentials are to be had.
 *
 * In the order of AWS's own tools: environment, a profile that assumes a role, web
 * identity, a profile with keys, container endpoint, instance metadata.  The first that is
 * configured is the one; if it does not work, the others are not asked.  Pure but for the
 * files; nothing is contacted.
 */
#ifndef POINTSMAN_AWS_CHAIN_H
#define POINTSMAN_AWS_CHAIN_H

#include "aws/settings.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum chain_source {
	CHAIN_KEYS,      /* key_id, secret, token */
	CHAIN_WEB,       /* STS, with the token of token_file */
	CHAIN_CONTAINER, /* url */
	CHAIN_INSTANCE,  /* url of the metadata service */
};

struct chain_role {
	char *arn, *session, *external_id; /* external_id may be NULL */
	int64_t seconds;                   /* 0: STS's default */
};

struct chain {
	enum chain_source source;
	char *where; /* for people: "the environment", "profile dev" */
	char *key_id, *secret, *token;
	char *token_file;    /* WEB: the identity; CONTAINER: the authorization, or NULL */
	char *authorization; /* CONTAINER: or NULL */
	char *url;
	struct chain_role web;
	struct chain_role *roles; /* assumed one after the other */
	size_t nroles;
};

/* False with *err saying what is missing or wrong, and what was looked at.  chain_free() in
 * any case. */
bool chain_find(struct settings *s, struct chain *c, struct err *err);
void chain_free(struct chain *c);

#endif
