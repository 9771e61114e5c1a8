/*
 * world - everything outside the process, behind one struct.
 *
 * The real one is wired in main; a simulated one owns time, chance, disk and network.
 * Core code reads no clock, draws no random number, opens no journal file and no
 * connection but through this, and waits for its threads by it.
 */
#ifndef POINTSMAN_BASE_WORLD_H
#define POINTSMAN_BASE_WORLD_H

#include <stddef.h>
#include <stdint.h>

struct world_thread;

struct world {
	/* Milliseconds since 1970 UTC; may jump.  For stored times and for people. */
	int64_t (*wall)(struct world *w);
	/* Milliseconds of CLOCK_BOOTTIME; never goes back.  For intervals. */
	int64_t (*boot)(struct world *w);
	void (*random)(struct world *w, void *out, size_t len);
	/* Bytes free for us on the file system that holds `path`; -1 if it cannot be told. */
	int64_t (*disk_free)(struct world *w, const char *path);
	const char *vfs; /* the SQLite VFS the journal uses; NULL: the system's */
	/* The network: NULL in a process that makes no call.  See http/client.h. */
	struct http_client *network;
	/* The journal's thread (blocking plugins have real ones).  A simulated world runs it
	 * while nothing else runs, and decides when.  NULL: the system refused one. */
	struct world_thread *(*start)(struct world *w, void (*run)(void *arg), void *arg);
	/* Returns when `run` has; the thread is gone. */
	void (*join)(struct world *w, struct world_thread *t);
	/* On such a thread: wait until `fd` is readable (-1: there is none), at most `ms` (-1:
	 * for ever).  May return early. */
	void (*wait)(struct world *w, int fd, int64_t ms);
};

struct world *world_real(void); /* one for the process; any thread */
uint64_t world_random64(struct world *w);

#endif
