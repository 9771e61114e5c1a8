/*
 * explaining - an event against a configuration, as JSON: one object a rule.
 *
 * docs/operations.md describes them.  Keys of targets are filled in, secrets masked, nobody
 * is contacted.
 */
#ifndef POINTSMAN_CLI_EXPLAINING_H
#define POINTSMAN_CLI_EXPLAINING_H

#include "config/config.h"
#include "event/event.h"
#include "plugin/loader.h"

#include <jansson.h>

struct explaining;

/* `ev` is accepted (seq and at set); all three must outlive it.  NULL with *err if the rules
 * cannot be routed by. */
struct explaining *explaining_new(const struct config *config, struct loader *loader,
				  struct event *ev, struct err *err);
void explaining_free(struct explaining *x); /* NULL is fine */

/* The i-th rule, the caller's; NULL after the last. */
json_t *explaining_rule(const struct explaining *x, size_t i);

#endif
