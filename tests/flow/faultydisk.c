/*
 * Preloaded into the router: a disk that fails once under its journal, and is well again.
 *
 * When the file named by FAULTY_DISK is there, the next write or sync of the journal, whichever
 * word the file has, fails with EIO, and the file is removed: what comes later succeeds, as
 * after a failed fsync() under Linux.  Each write after that adds a byte to FAULTY_DISK.after.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at);
int fdatasync(int fd);
int fsync(int fd);

static bool failed;

static bool is_journal(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, "/journal.db") != NULL;
}

static bool is_told_to_fail(const char *what)
{
	const char *path = getenv("FAULTY_DISK");
	char word[16] = "";
	FILE *file = path ? fopen(path, "re") : NULL;
	bool told;

	if (!file)
		return false;
	told = fscanf(file, "%15s", word) == 1 && strcmp(word, what) == 0;
	fclose(file);
	if (told)
		failed = unlink(path) == 0;
	return told;
}

static void note_write(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s.after", getenv("FAULTY_DISK"));
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, "w", 1) == 1)
		close(fd);
}

static bool fails(int fd, const char *what)
{
	if (!is_journal(fd))
		return false;
	if (failed)
		note_write();
	else if (is_told_to_fail(what)) {
		errno = EIO;
		return true;
	}
	return false;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
	static ssize_t (*next)(int, const void *, size_t, off_t);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "pwrite64");
	return fails(fd, "write") ? -1 : next(fd, bytes, len, at);
}

int fdatasync(int fd)
{
	static int (*next)(int);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "fdatasync");
	return fails(fd, "sync") ? -1 : next(fd);
}

int fsync(int fd)
{
	static int (*next)(int);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "fsync");
	return fails(fd, "sync") ? -1 : next(fd);
}
