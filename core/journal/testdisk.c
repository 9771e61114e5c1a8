#include "journal/testdisk.h"

#include "base/mem.h"
#include "journal/disk_tape.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct handle {
	sqlite3_file base;
	size_t file;
	bool name_unsynced; /* of a log: SQLite syncs its directory with the first sync */
};

static struct {
	struct platter *platter;
	struct disk_tape *tape;
	enum disk_trouble trouble;
	uint32_t countdown, writes;
	bool dead, failed, full;
} disk;

/* The journal's thread writes while a test asks, or makes a remark. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void lock(void)
{
	pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

static struct disk_op *new_op(enum disk_op_kind kind, size_t file)
{
	struct disk_op *op = mem_new(struct disk_op);

	*op = (struct disk_op){.kind = kind, .file = file, .refs = 1};
	return op;
}

static void apply(struct disk_op *op)
{
	if (disk.platter)
		platter_apply(disk.platter, op);
	if (disk.tape)
		disk_tape_record(disk.tape, op);
	disk_op_unref(op);
}

static void apply_to_names(enum disk_op_kind kind, size_t file, const char *name, const char *to)
{
	struct disk_op *op = new_op(kind, file);

	op->name = mem_text(name);
	op->to = mem_text(to);
	apply(op);
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

static struct handle *handle_of(sqlite3_file *f)
{
	return (struct handle *)(void *)f;
}

static int disk_read(sqlite3_file *base, void *out, int len, sqlite3_int64 at)
{
	const struct buf *b;
	size_t there;

	lock();
	b = platter_content(disk.platter, handle_of(base)->file);
	there = (size_t)at < b->len ? b->len - (size_t)at : 0;
	if (there > (size_t)len)
		there = (size_t)len;
	memset(out, 0, (size_t)len);
	if (there)
		memcpy(out, b->data + at, there);
	unlock();
	return there == (size_t)len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 at)
{
	struct disk_op *op;
	int rc;

	lock();
	rc = meet_trouble(SQLITE_IOERR_WRITE);
	if (rc == SQLITE_OK) {
		op = new_op(OP_WRITE, handle_of(base)->file);
		op->at = (size_t)at;
		buf_add(&op->text, data, (size_t)len);
		apply(op);
	}
	unlock();
	return rc;
}

static int disk_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct disk_op *op;
	int rc;

	lock();
	rc = meet_trouble(SQLITE_IOERR_TRUNCATE);
	if (rc == SQLITE_OK) {
		op = new_op(OP_SIZE, handle_of(base)->file);
		op->at = (size_t)size;
		apply(op);
	}
	unlock();
	return rc;
}

static void apply_sync(struct handle *h)
{
	apply(new_op(OP_SYNC, h->file));
	if (h->name_unsynced)
		apply(new_op(OP_SYNC_NAMES, h->file));
	h->name_unsynced = false;
}

static void lose_sync(const struct handle *h)
{
	struct disk_op *op = new_op(OP_LOST_SYNC, h->file);

	op->at = disk.writes;
	apply(op);
}

static int disk_sync(sqlite3_file *base, int flags)
{
	int rc;

	(void)flags;
	lock();
	rc = meet_trouble(SQLITE_IOERR_FSYNC);
	if (rc == SQLITE_OK)
		apply_sync(handle_of(base));
	else if (!disk.dead)
		lose_sync(handle_of(base));
	unlock();
	return rc;
}

static int disk_size(sqlite3_file *base, sqlite3_int64 *size)
{
	lock();
	*size = (sqlite3_int64)platter_content(disk.platter, handle_of(base)->file)->len;
	unlock();
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

/* As SQLite takes a disk to be under Linux, so that it writes here what it writes there. */
static int disk_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

static int disk_character(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
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

static void make_file(struct handle *h, const char *name, int flags)
{
	h->file = platter_new_file(disk.platter);
	if (name)
		apply_to_names(OP_NAME, h->file, name, NULL);
	h->name_unsynced = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
	struct handle *h = handle_of(base);
	int rc = SQLITE_OK;

	(void)vfs;
	*h = (struct handle){0};
	lock();
	if (!name || !platter_find(disk.platter, name, &h->file)) {
		if (flags & SQLITE_OPEN_CREATE && !disk.dead)
			make_file(h, name, flags);
		else
			rc = SQLITE_CANTOPEN;
	}
	unlock();
	if (rc == SQLITE_OK)
		h->base.pMethods = &methods;
	if (out)
		*out = flags;
	return rc;
}

static int remove_name(const char *name, bool sync)
{
	size_t file;
	int problem = ENOENT;

	lock();
	if (disk.dead)
		problem = EIO;
	else if (platter_find(disk.platter, name, &file)) {
		apply_to_names(OP_UNNAME, file, name, NULL);
		if (sync)
			apply(new_op(OP_SYNC_NAMES, 0));
		problem = 0;
	}
	unlock();
	return problem;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	remove_name(name, sync);
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	int64_t size;

	(void)vfs;
	(void)flags;
	*out = disk_find(name, &size) == 0;
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
	disk.platter = platter_new();
}

void disk_remove(void)
{
	platter_free(disk.platter);
	disk_tape_free(disk.tape);
	memset(&disk, 0, sizeof disk);
}

void disk_fail(enum disk_trouble trouble, uint32_t at)
{
	lock();
	disk.trouble = trouble;
	disk.countdown = at;
	disk.failed = false;
	unlock();
}

bool disk_failed(void)
{
	bool failed;

	lock();
	failed = disk.failed;
	unlock();
	return failed;
}

void disk_stay_full(bool full)
{
	lock();
	disk.full = full;
	unlock();
}

uint32_t disk_writes(void)
{
	uint32_t n;

	lock();
	n = disk.writes;
	unlock();
	return n;
}

void disk_lose_power(enum disk_loss loss, uint32_t seed)
{
	platter_cut(disk.platter, loss, seed);
	disk.trouble = DISK_GOOD;
	disk.countdown = 0;
	disk.dead = disk.full = false;
}

void disk_power_cut(uint32_t seed)
{
	disk_lose_power(seed ? DISK_LOSE_ANY : DISK_LOSE_ALL, seed);
}

bool disk_damage(const char *name, size_t at, const void *bytes, size_t len)
{
	struct disk_op *op;
	size_t file;
	bool found;

	lock();
	found = platter_find(disk.platter, name, &file);
	if (found) {
		op = new_op(OP_WRITE, file);
		op->at = at;
		buf_add(&op->text, bytes, len);
		apply(op);
		apply(new_op(OP_SYNC, file));
	}
	unlock();
	return found;
}

int disk_make(const char *name)
{
	size_t file;
	int problem = 0;

	lock();
	if (disk.dead)
		problem = EIO;
	else if (!platter_find(disk.platter, name, &file))
		apply_to_names(OP_NAME, platter_new_file(disk.platter), name, NULL);
	unlock();
	return problem;
}

int disk_find(const char *name, int64_t *size)
{
	size_t file;
	bool found;

	lock();
	found = platter_find(disk.platter, name, &file);
	if (found)
		*size = (int64_t)platter_content(disk.platter, file)->len;
	unlock();
	return found ? 0 : ENOENT;
}

int disk_rename(const char *from, const char *to)
{
	size_t file;
	int problem = ENOENT;

	lock();
	if (disk.dead)
		problem = EIO;
	else if (platter_find(disk.platter, from, &file)) {
		apply_to_names(OP_RENAME, file, from, to);
		problem = 0;
	}
	unlock();
	return problem;
}

int disk_unlink(const char *name)
{
	return remove_name(name, false);
}

int disk_sync_names(void)
{
	int problem = EIO;

	lock();
	if (!disk.dead) {
		apply(new_op(OP_SYNC_NAMES, 0));
		problem = 0;
	}
	unlock();
	return problem;
}

size_t disk_count(const char *part)
{
	size_t n;

	lock();
	n = platter_count(disk.platter, part);
	unlock();
	return n;
}

uint64_t disk_hash(void)
{
	return platter_hash(disk.platter);
}

void disk_record(void)
{
	lock();
	platter_settle(disk.platter);
	disk.tape = disk_tape_new(disk.platter);
	unlock();
}

void disk_mark(uint64_t remark)
{
	struct disk_op *op = new_op(OP_MARK, 0);

	op->at = (size_t)remark;
	lock();
	apply(op);
	unlock();
}

struct disk_tape *disk_stop(void)
{
	struct disk_tape *tape = disk.tape;

	disk.tape = NULL;
	return tape;
}

void disk_play(struct disk_tape *t, size_t at, enum disk_loss loss, uint32_t seed)
{
	disk_insert();
	platter_free(disk.platter);
	disk.platter = disk_tape_left(t, at, loss, seed);
}
