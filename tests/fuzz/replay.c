/* Every file of a directory through the entry point, and of those that people wrote, whose names
 * are words, up to 256 beginnings. */
#include "base/mem.h"
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>

/* Sized exactly, so that a sanitizer sees a read beyond the end. */
static void run(const char *bytes, size_t size)
{
	uint8_t *copy = mem_zero(size);

	if (size)
		memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* A search names what it finds by 40 hex digits. */
static bool was_found(const char *name)
{
	return strspn(name, "0123456789abcdef") == 40 && strlen(name) == 40;
}

static int replay(const char *path, bool beginnings)
{
	static char bytes[65536];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f) {
		perror(path);
		return 1;
	}
	size = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	for (size_t n = 0; beginnings && n < size; n += size / 256 + 1)
		run(bytes, n);
	run(bytes, size);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	int files = 0, failed = 0;

	if (!dir) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 64;
	}
	while ((entry = readdir(dir))) {
		char *path = mem_format("%s/%s", argv[1], entry->d_name);

		if (entry->d_name[0] != '.') {
			failed += replay(path, !was_found(entry->d_name));
			files++;
		}
		free(path);
	}
	closedir(dir);
	printf("%d files\n", files);
	return failed || !files;
}
