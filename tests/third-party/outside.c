/*
 * outside - preloaded, it gives a program another wall clock and other names.
 *
 * OUTSIDE_CLOCK names a file of one 64-bit integer, milliseconds by which CLOCK_REALTIME is
 * ahead; the clocks that count intervals are left alone.  OUTSIDE_NAMES names a file of lines
 * "HOST HOW": `gone` (the name servers do not answer), `unknown` (they do not know it), `hangs`
 * (until the line is another), or an address.  Both may change at any time.  Names that are
 * not in the file are looked up as ever.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead_ms;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("OUTSIDE_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *shared;

	if (fd < 0)
		return;
	shared = mmap(NULL, sizeof *ahead_ms, PROT_READ, MAP_SHARED, fd, 0);
	if (shared != MAP_FAILED)
		ahead_ms = shared;
	close(fd);
}

static int real_time(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *);

	*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	return real(id, ts);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = real_time(id, ts);
	int64_t ms = ahead_ms ? *ahead_ms : 0, ns;

	if (rc != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return rc;
	ns = ts->tv_nsec + ms % 1000 * 1000000;
	ts->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
	ts->tv_nsec = ns + (ns < 0) * 1000000000 - (ns >= 1000000000) * 1000000000;
	return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ts.tv_sec, ts.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

/* How `host` is to be answered; false: as ever. */
static int told_of(const char *host, char how[64])
{
	const char *path = getenv("OUTSIDE_NAMES");
	FILE *file = path && host ? fopen(path, "re") : NULL;
	char name[256];
	int found = 0;

	while (file && !found && fscanf(file, "%255s %63s", name, how) == 2)
		found = strcmp(name, host) == 0;
	if (file)
		fclose(file);
	return found;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	char how[64];

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!told_of(host, how))
		return real(host, port, hints, found);
	while (strcmp(how, "hangs") == 0 && told_of(host, how))
		usleep(20000);
	if (strcmp(how, "gone") == 0)
		return EAI_AGAIN;
	if (strcmp(how, "unknown") == 0)
		return EAI_NONAME;
	return real(how, port, hints, found);
}
