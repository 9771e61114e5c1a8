/*
 * health - /healthz, /readyz and /metrics on the `metrics` address.
 *
 * /healthz: 200 while the loop turns.  /readyz: 200 "ready", or 503 with the reasons as JSON.
 * /metrics: Prometheus' text format 0.0.4.
 */
#ifndef POINTSMAN_CLI_HEALTH_H
#define POINTSMAN_CLI_HEALTH_H

#include "cli/service.h"

/* Puts the paths on `s->health`, which must be there. */
void health_serve(struct service *s);

#endif
