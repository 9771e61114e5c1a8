/*
 * emission - from what a plugin gave to emit() to an event.
 */
#ifndef POINTSMAN_PLUGIN_EMISSION_H
#define POINTSMAN_PLUGIN_EMISSION_H

#include "plugin/instance.h"

/* The event, complete: id, source, time, cause, hops and trace filled in.  NULL with *err if
 * it is not fit: undeclared type, payload no JSON object, too large, too deep. */
struct event *emission_event(struct instance *i, const struct pm_emit *e, struct err *err);

/* Keep it as a dead letter instead: an event of type pointsman.event.refused with the
 * reason and what can be kept of the bytes. */
void emission_refused(struct instance *i, const struct pm_emit *e, const char *why);

#endif
