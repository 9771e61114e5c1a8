/*
 * lastcall - which plugin was being called when the process ended.
 *
 * A plugin runs in our process and can end it.  Whoever is on call then needs its name:
 * lastcall_watch() has it written to standard error when a signal of a crash arrives
 * (SIGABRT too, which is what systemd's watchdog sends), and makes of a plugin's exit()
 * status 70, because an exit that looks wanted is not restarted.
 *
 * Each thread has a call of its own.  A handler that was there before (a sanitizer's) stays.
 */
#ifndef POINTSMAN_PLUGIN_LASTCALL_H
#define POINTSMAN_PLUGIN_LASTCALL_H

struct lastcall { /* texts that outlive the call */
	const char *section, *plugin, *call;
	const struct lastcall *outer; /* kept by lastcall_enter() */
};

void lastcall_watch(void);               /* once, at start */
void lastcall_enter(struct lastcall *c); /* `c` is the caller's until lastcall_leave() */
void lastcall_leave(struct lastcall *c);

#endif
