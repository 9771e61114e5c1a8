/*
 * testdisk - a disk in memory, for tests: fails when told, and loses power when told.
 *
 * An SQLite VFS.  What was written and not synced is gone after a power cut, all of it or
 * any part of it, names of files (made, deleted, renamed) as well as their bytes and sizes.
 * A sync that fails loses what it should have made durable though a later one succeeds, as
 * Linux does.  One disk at a time.
 *
 * It can record all that happens to it.  One recorded run is then cut anywhere, as often as
 * one likes, without being run again.
 */
#ifndef POINTSMAN_JOURNAL_TESTDISK_H
#define POINTSMAN_JOURNAL_TESTDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_trouble {
	DISK_GOOD,
	DISK_FULL,   /* a write fails: no room */
	DISK_BROKEN, /* a write or sync fails: I/O error */
	DISK_CUT,    /* a write or sync is the first that does not happen, nor does any after it */
};

/* What a power cut takes of all that was not synced. */
enum disk_loss {
	DISK_LOSE_ALL,
	DISK_LOSE_LATEST, /* what was done first is there, up to some moment */
	DISK_LOSE_ANY,    /* any 512 bytes, any size, any name, whatever its age */
	DISK_LOSE_BYTES,  /* any bytes, and what is half written ends in bytes nobody wrote */
};
#define DISK_LOSSES 4

#define DISK_NAME "testdisk" /* for struct world.vfs */

void disk_insert(void);                                 /* an empty one */
void disk_fail(enum disk_trouble trouble, uint32_t at); /* the at-th write or sync from now */
bool disk_failed(void);                                 /* did it come to that? */
void disk_stay_full(bool full);                         /* every write fails until false */
/* Another part survives for each seed.  Nothing may be open on it. */
void disk_lose_power(enum disk_loss loss, uint32_t seed);
/* 0: nothing unsynced survives; else any of it. */
void disk_power_cut(uint32_t seed);
uint32_t disk_writes(void); /* writes and syncs so far */
/* Spoils what is in a file, durably.  False: there is none of that name. */
bool disk_damage(const char *name, size_t at, const void *bytes, size_t len);
size_t disk_count(const char *part); /* files with this in their names */
uint64_t disk_hash(void);            /* the same for the same content */
void disk_remove(void);

/* Files that are made, moved and removed in other ways than SQLite's; a program that is linked
 * with testdisk_calls.c does so by itself.  0, or an errno. */
int disk_make(const char *name); /* empty; nothing if it is there */
int disk_find(const char *name, int64_t *size);
int disk_rename(const char *from, const char *to);
int disk_unlink(const char *name);
int disk_sync_names(void);

/* From now on all is recorded; what is there counts as durable. */
void disk_record(void);
/* A remark between two operations, from any thread: say, what was acknowledged just now. */
void disk_mark(uint64_t remark);
struct disk_tape *disk_stop(void); /* the caller frees it */
void disk_tape_free(struct disk_tape *tape);

/* One can cut before each operation and behind the last: `at` from 0 to the length. */
size_t disk_tape_length(const struct disk_tape *tape);
/* Is the operation at `at` one that makes something durable? */
bool disk_tape_syncs(const struct disk_tape *tape, size_t at);
/* Insert a disk as it is when power fails at `at`; fastest with `at` never going back. */
void disk_play(struct disk_tape *tape, size_t at, enum disk_loss loss, uint32_t seed);
/* Operations, or of them those on names, not yet durable where it was last played to. */
size_t disk_tape_unsynced(const struct disk_tape *tape, bool names);
/* The remarks made before `at`, in order. */
void disk_tape_marks(const struct disk_tape *tape, size_t at,
		     void (*fn)(uint64_t remark, void *arg), void *arg);

#endif
