/*
 * powerdisk - the simulated disk: testdisk.h with what a process and its machine add.
 *
 * A sync takes time, in which the rest of the world goes on.  A process that was killed writes
 * nothing more; what it had written stays.
 */
#ifndef POINTSMAN_SIM_POWERDISK_H
#define POINTSMAN_SIM_POWERDISK_H

#include <stdbool.h>
#include <stdint.h>

#define POWERDISK_NAME "powerdisk" /* for struct world.vfs */

void powerdisk_insert(void);
void powerdisk_remove(void);
/* From the n-th write, sync or deletion from now on (0: from now on) none happens. */
void powerdisk_stop(uint32_t n);
bool powerdisk_stopped(void);
void powerdisk_go(void);         /* another process has it now */
void powerdisk_slow(int64_t ms); /* how long a sync takes at most */

#endif
