/*
 * github - what the parts of an instance share: it is pm_host.self.
 */
#ifndef GITHUB_GITHUB_H
#define GITHUB_GITHUB_H

#include "api.h"
#include "sweep.h"

struct github {
	struct api *api;
	struct sweep *sweep;
};

static inline struct github *github_of(struct pm_host *h)
{
	return h->self;
}

#endif
