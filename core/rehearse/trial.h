/*
 * trial - one [test NAME]: its events are rehearsed, and what came of them is held against what
 * it expects.
 */
#ifndef POINTSMAN_REHEARSE_TRIAL_H
#define POINTSMAN_REHEARSE_TRIAL_H

#include "plugin/loader.h"
#include "plugin/preview.h"
#include "rehearse/rehearsal.h"

#define TRIAL_MOST_MS (400 * (int64_t)86400000) /* what passes at most after the last event */

struct trials; /* what the tests of a configuration share */

/* `config` and `loader` must outlive it; check_config() has found no mistake in them. */
struct trials *trials_new(const struct config *config, struct loader *loader);
void trials_free(struct trials *t);

struct trial_lines {
	char **list;
	size_t n, cap;
};

struct trial {
	const struct test_config *test;
	struct trials *of;
	struct trial_lines problems; /* none: it passed */
	struct trial_lines reasons;  /* why what is missing did not come about */
	struct rehearsal *rehearsal; /* its deliveries, for showing; NULL: it could not begin */
	struct trial_lines unfit;    /* by delivery: the key that cannot be filled in, or NULL */
	uint32_t *left;              /* of test->answers, how often each is still given */
};

void trial_run(struct trials *of, const struct test_config *test, struct trial *out);
void trial_clear(struct trial *t);

/* What the keys of a delivery's target became at its first attempt: to be shown with
 * preview_make().  Borrows from both. */
struct scope trial_scope(const struct trial *t, const struct rehearsed *d);

#endif
