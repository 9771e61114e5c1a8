#include "aws/credentials.h"

#include "aws/provider.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADVISORY_MS  (15 * 60000)
#define MANDATORY_MS (10 * 60000)
#define PAUSE_MS     60000 /* between two renewals, whatever the keys say of themselves */
#define FAILURE_MS   5000  /* for which a failure is remembered */

struct waiter {
	struct waiter *next;
	credentials_fn *fn;
	void *arg;
};

struct credentials {
	struct aws *aws;
	struct world *world;
	struct settings *settings;
	struct keys keys;                  /* id NULL: none yet */
	bool is_stale;                     /* a service has refused them as expired */
	int64_t advisory_at, mandatory_at; /* wall; of keys that expire */
	struct provider *running;
	struct waiter *waiters, **end;
	char failure[sizeof(struct err)];
	int64_t failed_at; /* boot; 0: not */
};

struct credentials *credentials_new(struct aws *a, struct world *world, struct settings *settings)
{
	struct credentials *c = mem_new(struct credentials);

	*c = (struct credentials){.aws = a, .world = world, .settings = settings};
	c->end = &c->waiters;
	return c;
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	provider_drop(c->running);
	while (c->waiters) {
		struct waiter *w = c->waiters;

		c->waiters = w->next;
		free(w);
	}
	keys_free(&c->keys);
	free(c);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool is_good(const struct credentials *c)
{
	return c->keys.id && !c->is_stale &&
	       (!c->keys.expires || c->world->wall(c->world) < c->keys.expires);
}

/* Whoever waits may ask anew from inside its callback: that is for the next round. */
static void serve(struct credentials *c, const struct keys *keys, const char *why)
{
	struct waiter *w = c->waiters, *next;

	c->waiters = NULL;
	c->end = &c->waiters;
	for (; w; w = next) {
		next = w->next;
		w->fn(keys, why, w->arg);
		free(w);
	}
}

static void fail(struct credentials *c, const char *why)
{
	int64_t now = c->world->wall(c->world);
	char until[32];

	if (is_good(c)) {
		c->advisory_at = now + PAUSE_MS;
		c->mandatory_at = later(c->keys.expires - MANDATORY_MS, now + PAUSE_MS);
		log_warn("%s; the old ones go on until %s", why,
			 units_time_text(c->keys.expires, until));
		serve(c, &c->keys, "");
		return;
	}
	snprintf(c->failure, sizeof c->failure, "%s", why);
	c->failed_at = later(c->world->boot(c->world), 1);
	serve(c, NULL, c->failure);
}

static void succeed(struct credentials *c, const struct keys *keys)
{
	int64_t now = c->world->wall(c->world);
	char at[32], *why;

	if (keys->expires && keys->expires <= now) {
		why = mem_format(
			"no credentials for AWS: those just handed out expired at %s; is the "
			"clock of this machine right?",
			units_time_text(keys->expires, at));
		fail(c, why);
		free(why);
		return;
	}
	if (c->keys.id) {
		log_forget(c->keys.secret);
		log_forget(c->keys.token);
	}
	keys_free(&c->keys);
	keys_copy(&c->keys, keys);
	log_secret(c->keys.secret);
	log_secret(c->keys.token);
	c->is_stale = false;
	c->failed_at = 0;
	c->advisory_at = later(keys->expires - ADVISORY_MS, now + PAUSE_MS);
	c->mandatory_at = later(keys->expires - MANDATORY_MS, now + PAUSE_MS);
	serve(c, &c->keys, "");
}

static void on_provided(const struct keys *keys, const char *why, void *arg)
{
	struct credentials *c = arg;

	c->running = NULL;
	if (keys)
		succeed(c, keys);
	else
		fail(c, why);
}

/* Files and variables answer at once, everything else over the network.  A file that has
 * become unreadable leaves what was read before; if there was nothing, the chain says so. */
static void renew(struct credentials *c)
{
	struct http_client *network = c->world->network;
	struct chain chain;
	struct err err;

	settings_reload(c->settings, NULL);
	if (!chain_find(c->settings, &chain, &err)) {
		fail(c, err.text);
	} else if (chain.source == CHAIN_KEYS && chain.nroles == 0) {
		struct keys keys = {chain.key_id, chain.secret, chain.token, 0};

		succeed(c, &keys);
	} else {
		c->running = provider_start(c->aws, network, &chain, on_provided, c, &err);
		if (!c->running)
			fail(c, err.text);
	}
	chain_free(&chain);
}

static bool is_due(const struct credentials *c, int64_t at)
{
	return c->keys.expires && c->world->wall(c->world) >= at;
}

void credentials_ask(struct credentials *c, credentials_fn *fn, void *arg)
{
	struct waiter *w;

	if (is_good(c) && !is_due(c, c->mandatory_at)) {
		if (is_due(c, c->advisory_at) && !c->running)
			renew(c);
		fn(&c->keys, "", arg);
		return;
	}
	if (c->failed_at && c->world->boot(c->world) < c->failed_at + FAILURE_MS) {
		fn(NULL, c->failure, arg);
		return;
	}
	w = mem_new(struct waiter);
	*w = (struct waiter){NULL, fn, arg};
	*c->end = w;
	c->end = &w->next;
	if (!c->running)
		renew(c);
}

void credentials_leave(struct credentials *c, void *arg)
{
	for (struct waiter **at = &c->waiters; *at; at = &(*at)->next) {
		struct waiter *w = *at;

		if (w->arg != arg)
			continue;
		*at = w->next;
		if (!*at)
			c->end = at;
		free(w);
		return;
	}
}

void credentials_expired(struct credentials *c, const char *id)
{
	if (c->keys.id && strcmp(c->keys.id, id) == 0)
		c->is_stale = true;
}
