#include "powerdisk.h"

#include "journal/testdisk.h"
#include "sim.h"
#include "thread.h"

#include <sqlite3.h>
#include <string.h>

struct handle {
	sqlite3_file base;
	sqlite3_file *real; /* testdisk's, right behind this */
};

static struct {
	bool stopped;
	uint32_t countdown;
	int64_t slow;
	struct chance chance;
} disk;

static sqlite3_vfs *under;

static sqlite3_file *real(sqlite3_file *f)
{
	return ((struct handle *)(void *)f)->real;
}

static bool happens(void)
{
	if (disk.countdown && --disk.countdown == 0)
		disk.stopped = true;
	return !disk.stopped;
}

static void rest(void)
{
	if (disk.slow && thread_is_running() && chance_hits(&disk.chance, 500))
		thread_wait(&sim.world, -1, chance_between(&disk.chance, 0, disk.slow));
}

static int on_close(sqlite3_file *f)
{
	return real(f)->pMethods->xClose(real(f));
}

static int on_read(sqlite3_file *f, void *out, int len, sqlite3_int64 at)
{
	return real(f)->pMethods->xRead(real(f), out, len, at);
}

static int on_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
	return happens() ? real(f)->pMethods->xWrite(real(f), data, len, at) : SQLITE_IOERR_WRITE;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return happens() ? real(f)->pMethods->xTruncate(real(f), size) : SQLITE_IOERR_TRUNCATE;
}

/* The bytes are safe at some moment of the time it takes. */
static int on_sync(sqlite3_file *f, int flags)
{
	int rc;

	rest();
	rc = happens() ? real(f)->pMethods->xSync(real(f), flags) : SQLITE_IOERR_FSYNC;
	rest();
	return rc;
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real(f)->pMethods->xFileSize(real(f), size);
}

static int on_lock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xLock(real(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xUnlock(real(f), level);
}

static int on_reserved(sqlite3_file *f, int *out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int on_character(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_reserved,
	.xFileControl = on_control,
	.xSectorSize = on_sector,
	.xDeviceCharacteristics = on_character,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct handle *h = (struct handle *)(void *)f;

	(void)vfs;
	h->base.pMethods = &methods;
	h->real = (sqlite3_file *)(void *)(h + 1);
	return under->xOpen(under, name, h->real, flags, out);
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	return happens() ? under->xDelete(under, name, sync) : SQLITE_IOERR_DELETE;
}

static int on_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	return under->xAccess(under, name, flags, out);
}

static int on_path(sqlite3_vfs *vfs, const char *name, int len, char *out)
{
	(void)vfs;
	return under->xFullPathname(under, name, len, out);
}

/* SQLite asks it for the time and for random bytes, to begin a log with. */
static int on_random(sqlite3_vfs *vfs, int len, char *out)
{
	(void)vfs;
	for (int i = 0; i < len; i++)
		out[i] = (char)chance_next(&disk.chance);
	return len;
}

static int on_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	(void)vfs;
	*out = sim.world.wall(&sim.world) + INT64_C(210866760000000);
	return SQLITE_OK;
}

static int on_time(sqlite3_vfs *vfs, double *out)
{
	sqlite3_int64 ms;

	on_time64(vfs, &ms);
	*out = (double)ms / 86400000.0;
	return SQLITE_OK;
}

void powerdisk_insert(void)
{
	static sqlite3_vfs vfs;

	disk_insert();
	memset(&disk, 0, sizeof disk);
	chance_seed(&disk.chance, sim.seed, 2);
	under = sqlite3_vfs_find(DISK_NAME);
	if (vfs.zName)
		return;
	vfs = *under;
	vfs.szOsFile = (int)sizeof(struct handle) + under->szOsFile;
	vfs.pNext = NULL;
	vfs.zName = POWERDISK_NAME;
	vfs.xOpen = on_open;
	vfs.xDelete = on_delete;
	vfs.xAccess = on_access;
	vfs.xFullPathname = on_path;
	vfs.xRandomness = on_random;
	vfs.xCurrentTime = on_time;
	vfs.xCurrentTimeInt64 = on_time64;
	sqlite3_vfs_register(&vfs, 1); /* the default, for what SQLite draws by itself */
}

void powerdisk_remove(void)
{
	disk_remove();
}

void powerdisk_stop(uint32_t n)
{
	disk.stopped = n == 0;
	disk.countdown = n;
}

bool powerdisk_stopped(void)
{
	return disk.stopped;
}

void powerdisk_go(void)
{
	disk.stopped = false;
	disk.countdown = 0;
}

void powerdisk_slow(int64_t ms)
{
	disk.slow = ms;
}
