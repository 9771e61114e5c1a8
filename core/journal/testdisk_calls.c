/* What is done to files of the journal in other ways than SQLite's is done on the test disk.
 * Linked with --wrap for each of these calls; other files are the system's as ever. */
#include "journal/testdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

static bool is_ours(const char *path)
{
	return strstr(path, "/journal.") != NULL;
}

static int result(int problem)
{
	errno = problem;
	return problem ? -1 : 0;
}

int __wrap_rename(const char *from, const char *to)
{
	return is_ours(from) ? result(disk_rename(from, to)) : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
	return is_ours(path) ? result(disk_unlink(path)) : __real_unlink(path);
}

int __wrap_access(const char *path, int mode)
{
	int64_t size;

	return is_ours(path) ? result(disk_find(path, &size)) : __real_access(path, mode);
}

int __wrap_stat(const char *path, struct stat *st)
{
	int64_t size = 0;
	int problem;

	if (!is_ours(path))
		return __real_stat(path, st);
	problem = disk_find(path, &size);
	*st = (struct stat){.st_size = (off_t)size};
	return result(problem);
}

int __wrap_stat64(const char *path, struct stat *st)
{
	return __wrap_stat(path, st);
}

/* Ours are opened to be there; only SQLite reads and writes them. */
static int open_file(const char *path, int flags, mode_t mode)
{
	int64_t size;
	int problem;

	if (!is_ours(path))
		return __real_open(path, flags, mode);
	problem = flags & O_CREAT ? disk_make(path) : disk_find(path, &size);
	return problem ? result(problem) : __real_open("/dev/null", O_RDWR | O_CLOEXEC);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_file(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_file(path, flags, mode);
}

/* Any directory: there is one on the disk. */
int __wrap_fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
		return __real_fsync(fd);
	return result(disk_sync_names());
}
