/*
 * status - how the daemon is, as JSON lines: one {"daemon":..}, then one for each instance.
 */
#ifndef POINTSMAN_CLI_STATUS_H
#define POINTSMAN_CLI_STATUS_H

#include "cli/service.h"

void status_lines(struct service *s, struct buf *out);

#endif
