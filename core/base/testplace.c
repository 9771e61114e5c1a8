#include "base/testplace.h"

#include "base/log.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static void drop(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

void testplace_make(char *directory, const char *name)
{
	snprintf(directory, 64, "/tmp/test-%s-XXXXXX", name);
	if (!mkdtemp(directory)) {
		perror(directory);
		exit(1);
	}
	log_capture(drop, NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

void testplace_remove(const char *directory)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
