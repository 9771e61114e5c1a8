/*
 * notify - tell systemd how we are (sd_notify's protocol).  Nothing without NOTIFY_SOCKET.
 */
#ifndef POINTSMAN_CLI_NOTIFY_H
#define POINTSMAN_CLI_NOTIFY_H

#include <stdint.h>

void notify(const char *state); /* "READY=1", "STOPPING=1", "STATUS=..", "WATCHDOG=1" */
/* How often "WATCHDOG=1" is wanted, in ms: half of what systemd allows; 0: not at all. */
int64_t notify_watchdog_ms(void);

#endif
