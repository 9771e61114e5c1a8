/*
 * reason - why a rule does not match an event, in words.
 */
#ifndef POINTSMAN_ROUTE_REASON_H
#define POINTSMAN_ROUTE_REASON_H

#include "route/router.h"

/* One line for the rule, by its index, or for each of its inputs, whose `on` the event fits; each
 * ends with a newline:
 *   matches
 *   where data.ref == "refs/heads/main": data.ref is absent
 *   input repo: from site-repo: not so
 * False, and nothing is added, if there is none. */
bool reason_add(const struct plan *p, uint32_t rule, const struct event *ev, struct buf *out);

#endif
