/*
 * testdisk - a disk in memory, for tests: fails when told, and loses power when told.
 *
 * An SQLite VFS.  What was written and not synced is gone after a power cut, all of it or
 * any part of it; a sync that fails loses what it should have made durable, as Linux does.
 * One disk at a time.
 */
#ifndef POINTSMAN_JOURNAL_TESTDISK_H
#define POINTSMAN_JOURNAL_TESTDISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_trouble {
	DISK_GOOD,
	DISK_FULL,   /* a write fails: no room */
	DISK_BROKEN, /* a write or sync fails: I/O error */
	DISK_CUT,    /* a write or sync is the first that does not happen, nor does any after it */
};

#define DISK_NAME "testdisk" /* for struct world.vfs */

void disk_insert(void);                                 /* an empty one */
void disk_fail(enum disk_trouble trouble, uint32_t at); /* the at-th write or sync from now */
bool disk_failed(void);                                 /* did it come to that? */
void disk_stay_full(bool full);                         /* every write fails until false */
/* 0: nothing unsynced survives; else some of it does, another part for each seed. */
void disk_power_cut(uint32_t seed);
uint32_t disk_writes(void); /* writes and syncs so far */
void disk_remove(void);

#endif
