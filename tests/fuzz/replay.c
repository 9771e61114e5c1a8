/* Every file of a directory, and every beginning of it, through the entry point. */
#include "base/mem.h"
#include "fuzz.h"

#include <dirent.h>
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

static int replay(const char *path)
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
	for (size_t n = 0; n <= size; n++)
		run(bytes, n);
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
			failed += replay(path);
			files++;
		}
		free(path);
	}
	closedir(dir);
	printf("%d files\n", files);
	return failed || !files;
}
