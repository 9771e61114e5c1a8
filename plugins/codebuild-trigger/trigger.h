/*
 * trigger - one instance: the builds it starts and follows.
 *
 * A delivery is begun (codebuild-trigger.c), which may first look for a build that an earlier
 * attempt started (search.c); then it is held, looked at again and again together with
 * all others (follow.c), and ends with the event that tells of the build (report.c).
 * Saved state: `start/<delivery key>`, "<ms> <token>" from before StartBuild is sent until
 * the build's id is held.
 */
#ifndef POINTSMAN_CODEBUILD_TRIGGER_H
#define POINTSMAN_CODEBUILD_TRIGGER_H

#include <jansson.h>
#include <pointsman/plugin.h>
#include <stdbool.h>
#include <stdint.h>

struct follow; /* a delivery whose build is running */
struct search; /* a delivery whose build may exist */

struct trigger {
	struct follow *follows;
	struct search *searches;
	uint64_t batch;    /* number of the last BatchGetBuilds */
	bool looking;      /* the timer for the next one runs */
	int64_t next_look; /* when held deliveries come back, all at once */
	unsigned failures; /* of BatchGetBuilds, in a row */
	bool odd;          /* an unknown build status was told of */
};

static inline struct trigger *trigger_of(struct pm_host *h)
{
	return h->self;
}

/* Set in every build's environment: by it a build is known to be ours. */
#define TRIGGER_MARKER "POINTSMAN_DELIVERY"

#define TRIGGER_BUILD_KB 8192 /* a hundred builds with all their phases */

void trigger_ask(struct pm_host *h, const char *operation, json_t *body, pm_delivery d,
		 uint32_t max_kb, pm_done_fn *done, uint64_t arg);
/* StartBuild. */
void trigger_start(struct pm_host *h, pm_delivery d);
/* This build is the delivery's: tell of it, hold it. */
void trigger_adopt(struct pm_host *h, pm_delivery d, const json_t *build);

/* Look for the delivery's build; ends in trigger_adopt(), trigger_start() or a finish. */
void search_begin(struct pm_host *h, pm_delivery d, int64_t since);
void search_free(struct trigger *t);

/* The held delivery is back: look at its build soon. */
void follow_build(struct pm_host *h, pm_delivery d, const char *build);
/* Its deadline is over: stop the build. */
void follow_stop(struct pm_host *h, pm_delivery d);
/* How long to hold, so that all come back together. */
uint32_t follow_pause(struct pm_host *h);
void follow_free(struct trigger *t);

/* Has the build ended?  Unknown statuses have not. */
bool report_ended(struct pm_host *h, const json_t *build);
void report_started(struct pm_host *h, pm_delivery d, const json_t *build);
/* Emit how it ended.  `reason`: NULL, or ours for stopping it. */
void report_end(struct pm_host *h, pm_delivery d, const json_t *build, const char *reason);

#endif
