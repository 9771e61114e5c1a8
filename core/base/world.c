#include "base/world.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t real_wall(struct world *w)
{
	(void)w;
	return read_clock(CLOCK_REALTIME);
}

static int64_t real_boot(struct world *w)
{
	(void)w;
	return read_clock(CLOCK_BOOTTIME);
}

static void from_kernel(unsigned char *out, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno != EINTR)
			abort(); /* a kernel without getrandom() is older than we can run on */
		if (n > 0) {
			out += n;
			len -= (size_t)n;
		}
	}
}

/* Numbers are drawn with every call into a plugin: a page of them at a time, for each thread. */
static void real_random(struct world *w, void *out, size_t len)
{
	static _Thread_local unsigned char drawn[512];
	static _Thread_local size_t left;

	(void)w;
	if (len > sizeof drawn / 8) {
		from_kernel(out, len);
		return;
	}
	if (len > left) {
		from_kernel(drawn, sizeof drawn);
		left = sizeof drawn;
	}
	left -= len;
	memcpy(out, drawn + left, len);
	memset(drawn + left, 0, len);
}

/* f_bavail, not f_bfree: what is kept back for root is not ours. */
static int64_t real_disk_free(struct world *w, const char *path)
{
	struct statvfs fs;

	(void)w;
	if (statvfs(path, &fs) != 0)
		return -1;
	return (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

struct world_thread {
	pthread_t id;
	void (*run)(void *arg);
	void *arg;
};

static void *run_thread(void *arg)
{
	struct world_thread *t = arg;

	t->run(t->arg);
	return NULL;
}

static struct world_thread *real_start(struct world *w, void (*run)(void *arg), void *arg)
{
	struct world_thread *t = mem_new(struct world_thread);
	int problem;

	(void)w;
	t->run = run;
	t->arg = arg;
	problem = pthread_create(&t->id, NULL, run_thread, t);
	if (!problem)
		return t;
	free(t);
	errno = problem;
	return NULL;
}

static void real_join(struct world *w, struct world_thread *t)
{
	(void)w;
	pthread_join(t->id, NULL);
	free(t);
}

static void real_wait(struct world *w, int fd, int64_t ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	(void)w;
	poll(&p, 1, ms < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms);
}

struct world *world_real(void)
{
	static struct world real = {
		.wall = real_wall,
		.boot = real_boot,
		.random = real_random,
		.disk_free = real_disk_free,
		.start = real_start,
		.join = real_join,
		.wait = real_wait,
	};

	return &real;
}

uint64_t world_random64(struct world *w)
{
	uint64_t n;

	w->random(w, &n, sizeof n);
	return n;
}
