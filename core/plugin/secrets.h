/*
 * secrets - values that a secrets plugin knows.
 *
 * Keeps what was asked for by (section, name), asks again when its time to live is over, and
 * tells the instances that use it.  An old value stays in use until a new one is there.
 * Loop thread only.
 */
#ifndef POINTSMAN_PLUGIN_SECRETS_H
#define POINTSMAN_PLUGIN_SECRETS_H

#include "base/loop.h"
#include "base/world.h"

#include <stdbool.h>
#include <stdint.h>

struct secrets;

struct secrets_options {
	struct world *world;
	struct loop *loop;
	/* Ask the instance `section` for `name`; secrets_answer() follows, at once or later. */
	void (*ask)(void *arg, const char *section, const char *name, uint64_t ask);
	/* A value came or changed, or one that is waited for failed to come. */
	void (*changed)(void *arg);
	void *arg;
};

struct secrets *secrets_new(const struct secrets_options *options);
void secrets_free(struct secrets *s);

/* The value, or NULL while there is none (then it has been asked for, and *why tells the
 * last problem, "" at first).  Good until the next call. */
const char *secrets_get(struct secrets *s, const char *section, const char *name, const char **why);
/* value NULL: it failed, asked again with growing pauses.  ttl_ms 0: for good. */
void secrets_answer(struct secrets *s, uint64_t ask, const char *value, uint32_t ttl_ms,
		    const char *why);
/* The instance `section` is ready now: what it was asked before goes to it again. */
void secrets_ask_again(struct secrets *s, const char *section);
/* A peer refused the credentials: ask for everything of `section` again, at most once a
 * minute. */
void secrets_refresh(struct secrets *s, const char *section);

#endif
