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

#include "base/map.h"
#include "config/report.h"

struct ini_line {      /* where a piece of a joined value comes from */
	size_t offset; /* in `value` */
	uint32_t line, column;
};

struct ini_key {
	char *name, *value; /* continuation lines joined with one space */
	struct place at;    /* of the key's name */
	struct ini_line *lines;
	size_t nlines; /* at least one */
	/* What only the reader of the key can judge; line 0 if there was none. */
	struct place continued; /* the first line that continues it */
	struct place comment;   /* the ` ;` that cut its first comment off */
};

struct ini_section {
	char *kind, *name; /* `[source algorithms]`: "source", "algorithms"; name "" if none */
	struct place at;
	struct ini_key *keys;
	size_t n, cap;
	bool broken;  /* a line of it could not be read: a missing key may have been there */
	bool ignored; /* a repeat, or a heading that is none: reported; not to be used */
};

struct ini {
	char **files; /* the names that places point to */
	size_t nfiles;
	struct ini_section *sections; /* in order of reading; kind and name are unique among
					 those not ignored */
	size_t n, cap;
	struct map seen; /* "kind name" to 1 + index in `sections` */
};

/* Read a file, or of a directory all *.ini in C-locale order.  False if something could
 * not be opened (reported as well). */
bool ini_read(struct ini *ini, const char *path, struct report *report);
/* The same for text: `name` stands for the file. */
void ini_read_text(struct ini *ini, const char *name, const char *text, struct report *report);
void ini_read_bytes(struct ini *ini, const char *name, const char *text, size_t len,
		    struct report *report);
void ini_free(struct ini *ini);

/* Where byte `offset` of the key's value stands. */
struct place ini_place(const struct ini_key *key, size_t offset);

#endif
