#include "journal/testdisk.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct write { /* not yet synced; text.len 0: cut off at `at` */
	sqlite3_int64 at;
	struct buf text;
	bool truncates;
};

struct file {
	struct buf now, synced;
	struct write *writes;
	size_t n, cap;
};

struct handle {
	sqlite3_file base;
	struct file *file;
};

static struct {
	struct map files;
	enum disk_trouble trouble;
	uint32_t countdown, writes;
	bool dead;
	/* A test may ask, or say so, while another thread writes. */
	atomic_bool failed, full;
} disk;

static void put(struct buf *b, sqlite3_int64 at, const void *data, size_t len)
{
	while (b->len < (size_t)at + len)
		buf_char(b, 0);
	memcpy(b->data + at, data, len);
}

static void apply(struct buf *b, const struct write *w)
{
	if (w->truncates)
		buf_cut(b, (size_t)w->at);
	else
		put(b, w->at, w->text.data, w->text.len);
}

static void forget_writes(struct file *f)
{
	for (size_t i = 0; i < f->n; i++)
		buf_free(&f->writes[i].text);
	f->n = 0;
}

static void free_file(void *p)
{
	struct file *f = p;

	forget_writes(f);
	free(f->writes);
	buf_free(&f->now);
	buf_free(&f->synced);
	free(f);
}

/* The result for this write or sync. */
static int meet_trouble(int when_broken)
{
	disk.writes++;
	if (disk.dead)
		return when_broken;
	if (disk.full && when_broken != SQLITE_IOERR_FSYNC)
		return SQLITE_FULL;
	if (!disk.countdown || --disk.countdown)
		return SQLITE_OK;
	if (disk.trouble == DISK_FULL && when_broken == SQLITE_IOERR_FSYNC) {
		disk.countdown = 1; /* the write that follows */
		return SQLITE_OK;
	}
	disk.failed = true;
	disk.dead = disk.trouble == DISK_CUT;
	return disk.trouble == DISK_FULL ? SQLITE_FULL : when_broken;
}

static int disk_close(sqlite3_file *f)
{
	(void)f;
	return SQLITE_OK;
}

static struct file *file_of(sqlite3_file *f)
{
	return ((struct handle *)(void *)f)->file;
}

static int disk_read(sqlite3_file *base, void *out, int len, sqlite3_int64 at)
{
	struct file *f = file_of(base);
	size_t there = (size_t)at < f->now.len ? f->now.len - (size_t)at : 0;

	if (there >= (size_t)len) {
		memcpy(out, f->now.data + at, (size_t)len);
		return SQLITE_OK;
	}
	memset(out, 0, (size_t)len);
	if (there)
		memcpy(out, f->now.data + at, there);
	return SQLITE_IOERR_SHORT_READ;
}

static struct write *note_write(struct file *f, sqlite3_int64 at)
{
	mem_room(f->writes, f->n, f->cap);
	f->writes[f->n] = (struct write){.at = at};
	return &f->writes[f->n++];
}

static int disk_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 at)
{
	struct file *f = file_of(base);
	int rc = meet_trouble(SQLITE_IOERR_WRITE);
	struct write *w;

	if (rc != SQLITE_OK)
		return rc;
	w = note_write(f, at);
	buf_add(&w->text, data, (size_t)len);
	apply(&f->now, w);
	return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct file *f = file_of(base);
	int rc = meet_trouble(SQLITE_IOERR_TRUNCATE);
	struct write *w;

	if (rc != SQLITE_OK)
		return rc;
	w = note_write(f, size);
	w->truncates = true;
	apply(&f->now, w);
	return SQLITE_OK;
}

static int disk_sync(sqlite3_file *base, int flags)
{
	struct file *f = file_of(base);
	int rc = meet_trouble(SQLITE_IOERR_FSYNC);

	(void)flags;
	for (size_t i = 0; i < f->n && rc == SQLITE_OK; i++)
		apply(&f->synced, &f->writes[i]);
	if (!disk.dead)
		forget_writes(f);
	return rc;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)file_of(base)->now.len;
	return SQLITE_OK;
}

static int disk_lock(sqlite3_file *f, int level)
{
	(void)f;
	(void)level;
	return SQLITE_OK;
}

static int disk_reserved(sqlite3_file *f, int *out)
{
	(void)f;
	*out = 0;
	return SQLITE_OK;
}

static int disk_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *f)
{
	(void)f;
	return 512;
}

static int disk_character(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = disk_close,
	.xRead = disk_read,
	.xWrite = disk_write,
	.xTruncate = disk_truncate,
	.xSync = disk_sync,
	.xFileSize = disk_size,
	.xLock = disk_lock,
	.xUnlock = disk_lock,
	.xCheckReservedLock = disk_reserved,
	.xFileControl = disk_control,
	.xSectorSize = disk_sector,
	.xDeviceCharacteristics = disk_character,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
	struct handle *h = (struct handle *)(void *)base;

	(void)vfs;
	h->base.pMethods = &methods;
	h->file = map_get(&disk.files, name ? name : "(temporary)");
	if (!h->file) {
		h->file = mem_new(struct file);
		map_put(&disk.files, name ? name : "(temporary)", h->file);
	}
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct file *f = disk.dead ? NULL : map_remove(&disk.files, name);

	(void)vfs;
	(void)sync;
	if (f)
		free_file(f);
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	(void)flags;
	*out = map_get(&disk.files, name) != NULL;
	return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *vfs, const char *name, int len, char *out)
{
	(void)vfs;
	sqlite3_snprintf(len, out, "%s", name);
	return SQLITE_OK;
}

static void register_vfs(void)
{
	static sqlite3_vfs vfs;
	sqlite3_vfs *system;

	if (vfs.zName)
		return;
	sqlite3_initialize();
	system = sqlite3_vfs_find(NULL);
	vfs = *system;
	vfs.iVersion = 2;
	vfs.szOsFile = sizeof(struct handle);
	vfs.pNext = NULL;
	vfs.zName = DISK_NAME;
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	vfs.xAccess = vfs_access;
	vfs.xFullPathname = vfs_path;
	sqlite3_vfs_register(&vfs, 0);
}

void disk_insert(void)
{
	register_vfs();
	disk_remove();
}

void disk_remove(void)
{
	map_free(&disk.files, free_file);
	memset(&disk, 0, sizeof disk);
}

void disk_fail(enum disk_trouble trouble, uint32_t at)
{
	disk.trouble = trouble;
	disk.countdown = at;
	disk.failed = false;
}

bool disk_failed(void)
{
	return disk.failed;
}

void disk_stay_full(bool full)
{
	disk.full = full;
}

uint32_t disk_writes(void)
{
	return disk.writes;
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

/* Of a write that is half done, any 512 bytes may be there and others not. */
static void keep_some(struct file *f, uint32_t *seed)
{
	for (size_t i = 0; i < f->n; i++) {
		struct write *w = &f->writes[i];

		if (w->truncates && next_random(seed) % 2)
			apply(&f->synced, w);
		for (size_t at = 0; at < w->text.len; at += 512) {
			size_t len = w->text.len - at < 512 ? w->text.len - at : 512;

			if (next_random(seed) % 2)
				put(&f->synced, w->at + (sqlite3_int64)at, w->text.data + at, len);
		}
	}
}

void disk_power_cut(uint32_t seed)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&disk.files, &i));) {
		struct file *f = e->value;

		if (seed)
			keep_some(f, &seed);
		forget_writes(f);
		buf_cut(&f->now, 0);
		if (f->synced.len)
			buf_add(&f->now, f->synced.data, f->synced.len);
	}
	disk.trouble = DISK_GOOD;
	disk.countdown = 0;
	disk.dead = false;
	disk.full = false;
}
