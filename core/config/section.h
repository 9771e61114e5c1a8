/*
 * section - one section of the files, as the core reads it.
 *
 * Hands out the values of keys with `${each}` and `${vars}` filled in and local references
 * resolved, typed by forms.h; every mistake goes to the report with its place.  A key that
 * is not there, or whose value is empty, leaves *out alone.  A section with `for` is read
 * once per word.
 */
#ifndef POINTSMAN_CONFIG_SECTION_H
#define POINTSMAN_CONFIG_SECTION_H

#include "config/config.h"
#include "config/reference.h"

struct vars { /* [vars], each filled in with the others */
	struct map values;
};

struct section {
	const struct ini_section *ini;
	const struct vars *vars;
	struct report *report;
	const char *each; /* the word of `for`, or NULL */
	char *name;       /* filled in */
	uint64_t *print;  /* the configuration's fingerprint: everything handed out joins in */
};

/* Those of the section `s`, which may be NULL. */
void vars_read(struct vars *vars, const struct ini_section *s, struct report *report);
void vars_free(struct vars *vars);
/* `text` with `${each}` and variables filled in, the caller's; other `${..}` stay.  NULL
 * with *err and the offset in *at. */
char *vars_fill(const struct vars *vars, const char *text, const char *each, size_t *at,
		struct err *err);

const struct ini_key *section_key(const struct section *s, const char *name); /* or NULL */
/* With vars filled in, references still inside; NULL if not there or after reporting. */
char *section_filled(const struct section *s, const struct ini_key *key);
/* With references resolved as well; also NULL if empty. */
char *section_text(const struct section *s, const char *name);
/* Split at commas; NULL-terminated, the caller's. */
char **section_list(const struct section *s, const char *name);
/* A path, relative to the file it stands in. */
char *section_path(const struct section *s, const char *name);

void section_bool(const struct section *s, const char *name, bool *out);
void section_duration(const struct section *s, const char *name, int64_t *ms);
void section_size(const struct section *s, const char *name, int64_t *bytes);
void section_number(const struct section *s, const char *name, uint32_t min, uint32_t max,
		    uint32_t *out);
/* The index of the word in `words`, which ends with NULL. */
void section_word(const struct section *s, const char *name, const char *const *words, int *out);

/* Read an own copy of `key` as a setting named `name`, @FILE included; false if there was
 * a mistake. */
bool section_setting(const struct section *s, const struct ini_key *key, const char *name,
		     struct setting *out);

/* Report every key that is not among `known` (unless `others` may be there), and every value
 * over several lines that is not among `several`.  Both end with NULL. */
void section_check_keys(const struct section *s, const char *const *known,
			const char *const *several, bool others);

/* Report at the key, or at the section if it has none. */
void section_error(const struct section *s, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

char **list_split(const char *text, size_t *empty_at); /* NULL and *empty_at: an empty element */
void list_free(char **list);
size_t list_length(char *const *list); /* 0 for NULL */
bool is_word(const char *text);        /* letters, digits, `-` and `_` */

#endif
