/*
 * sweep - asking GitHub's API where refs stand, and emitting what it says and we did not know.
 *
 * Regularly, if the key `sweep` says so, and for one ref at once after a hint: a webhook that
 * does not fit what we know, or is too large to be an event.  A hint is kept in the saved
 * state until it is answered.  One request at a time, conditional where that is possible, and
 * none while GitHub's limit is used up.
 */
#ifndef GITHUB_SWEEP_H
#define GITHUB_SWEEP_H

#include <pointsman/plugin.h>

struct sweep;

struct sweep *sweep_new(void);
void sweep_free(struct sweep *s); /* NULL is fine */
void sweep_start(struct pm_host *h);
void sweep_stop(struct pm_host *h);
void sweep_resume(struct pm_host *h); /* there is room for events again */

/* May the API be asked at all? */
bool sweep_can_ask(struct pm_host *h);
/* Ask about this ref soon. */
void sweep_hint(struct pm_host *h, const char *ref);
/* A webhook moved this ref: what the API is saying just now may be older. */
void sweep_overtaken(struct pm_host *h, const char *ref);

/* {"ref", "before", "after", "repository", "head_commit", ..}, as much as a push and the API
 * have in common; the caller's.  `commit` is the id of the commit, or NULL. */
char *sweep_payload(const char *repository, const char *ref, const char *before, const char *after,
		    const char *commit, bool first);

#endif
