/*
 * targets - what puppet-sink and puppet-action do with a delivery, well or badly.
 */
#ifndef POINTSMAN_SIM_TARGETS_H
#define POINTSMAN_SIM_TARGETS_H

#include <stdint.h>

struct pm_host;

void targets_deliver(struct pm_host *h, uint64_t d);
void targets_cancel(struct pm_host *h, uint64_t d);
void targets_step(void); /* after each step: what was taken back is over */
void targets_life_over(void);

#endif
