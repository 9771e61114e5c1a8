/*
 * webhook - what GitHub tells us.
 */
#ifndef GITHUB_WEBHOOK_H
#define GITHUB_WEBHOOK_H

#include <pointsman/plugin.h>

int32_t webhook_received(struct pm_host *h, const struct pm_message *m, uint64_t arg);

#endif
