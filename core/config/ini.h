/*
 * ini - configuration files as sections and keys, each with its place.
 *
 * inih is the tokenizer; a reader in front of it sees the raw lines, counts them and
 * refuses what inih would get wrong in silence (docs/configuration.md lists it).  All
 * mistakes go to the report; what could be read is returned all the same, so that later
 * checks can add theirs.
 */
#ifndef POINTSMAN_CONFIG_INI_H
#define POINTSMAN_CONFIG_INI_H

#include "config/report.h"

struct ini_line { /* where a piece of a joined value comes from */
	size_t offset; /* in `value` */
	uint32_t line, column;
};

struct ini_key {
	char *name, *value;      /* continuation lines joined with one space */
	struct place at;         /* of the key's name */
	struct ini_line *lines;  /* at least one */
	size_t nlines;
};

struct ini_section {
	char *kind, *name; /* `[source algorithms]`: "source", "algorithms"; name "" if none */
	struct place at;
	struct ini_key *keys;
	size_t n, cap;
};

struct ini {
	char **files; /* the names that places point to */
	size_t nfiles;
	struct ini_section *sections; /* in order of reading; names are not yet unique */
	size_t n, cap;
};

/* Read a file, or of a directory all *.ini in C-locale order.  False if something could
 * not be opened (reported as well). */
bool ini_read(struct ini *ini, const char *path, struct report *report);
/* The same for text, for tests: `name` stands for the file. */
void ini_read_text(struct ini *ini, const char *name, const char *text, struct report *report);
void ini_free(struct ini *ini);

/* Where byte `offset` of the key's value stands. */
struct place ini_place(const struct ini_key *key, size_t offset);

#endif
