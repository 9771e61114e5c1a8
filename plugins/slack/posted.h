/*
 * posted - which message tells of which thing, so that it can be updated.
 *
 * In the instance's saved state; the oldest are forgotten, after a week or beyond 500.
 */
#ifndef SLACK_POSTED_H
#define SLACK_POSTED_H

#include <pointsman/plugin.h>
#include <stddef.h>

#define POSTED_MOST 500

struct posted {
	char channel[64]; /* the id Slack gave, never a name */
	char ts[64];
};

bool posted_find(struct pm_host *h, const char *about, struct posted *p);
void posted_keep(struct pm_host *h, const char *about, const struct posted *p);
void posted_forget(struct pm_host *h, const char *about);

#endif
