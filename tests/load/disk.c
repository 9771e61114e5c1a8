/*
 * disk - how often this disk makes something durable.
 *
 *	disk DIRECTORY [BYTES] [SECONDS]
 *
 * Appends BYTES (4096) to a file of its own in DIRECTORY and calls fdatasync(), again and
 * again for SECONDS (2), and prints
 * {"bytes":..,"syncs_per_second":..,"p50_ms":..,"p99_ms":..,"max_ms":..}.
 */
#include "latency.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int open_file(const char *directory)
{
	char *path = mem_format("%s/disk-XXXXXX", directory);
	int fd = mkstemp(path);

	if (fd < 0) {
		perror(path);
		exit(73);
	}
	unlink(path);
	free(path);
	return fd;
}

static int64_t append(int fd, const char *bytes, size_t size)
{
	int64_t begin = now_us();

	if (write(fd, bytes, size) != (ssize_t)size || fdatasync(fd) != 0) {
		perror("disk");
		exit(74);
	}
	return now_us() - begin;
}

int main(int argc, char **argv)
{
	static struct latency latency;
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 4096;
	double seconds = argc > 3 ? atof(argv[3]) : 2;
	struct buf out = {0};
	int64_t begin, now;
	char *bytes;
	int fd;

	if (argc < 2 || argc > 4 || !size) {
		fputs("disk DIRECTORY [BYTES] [SECONDS]\n", stderr);
		return 64;
	}
	fd = open_file(argv[1]);
	bytes = mem_zero(size);
	memset(bytes, 'x', size);
	begin = now_us();
	do {
		latency_add(&latency, append(fd, bytes, size));
		now = now_us();
	} while ((double)(now - begin) < seconds * 1e6);
	buf_printf(&out, "{\"bytes\":%zu,\"syncs_per_second\":%.1f,", size,
		   (double)latency.total * 1e6 / (double)(now - begin));
	latency_print(&latency, &out);
	printf("%s}\n", out.data);
	buf_free(&out);
	free(bytes);
	close(fd);
	return 0;
}
