/*
 * entry - one key of an instance: what was written, and what it means.
 *
 * A value is one part, or, in a list of secrets, one part an element; a part is a sequence
 * of text and references.  Mistakes go to a report with their places.
 */
#ifndef POINTSMAN_PLUGIN_ENTRY_H
#define POINTSMAN_PLUGIN_ENTRY_H

#include "config/config.h"
#include "config/reference.h"
#include "event/template.h"
#include "plugin/abi.h"

struct part { /* a value, or one element of a list of secrets */
	struct references refs;
	char **got; /* what each piece stands for; NULL: not known yet */
};

struct meaning { /* of a value, its references resolved */
	char *text;
	char **items; /* of a list */
	int64_t number;
	struct template *template;
};

struct entry {
	char *name;
	const struct pm_key *key;
	const struct instance_config *section;
	const struct setting *setting; /* NULL: it is the default */
	struct part *parts;
	size_t nparts;
	struct meaning now;
};

struct entry *entry_new(const char *name, const struct pm_key *key,
			const struct instance_config *section, const struct setting *setting);
void entry_free(void *entry); /* a struct entry; NULL is fine */

/* Report what stands against the way the setting was written. */
void entry_check_writing(const struct entry *e, struct report *report);
/* Read `text` and resolve its local references.  True if the entry has a value now: no
 * mistake, and not empty. */
bool entry_take(struct entry *e, const char *text, struct report *report);
/* Resolve a local reference of it anew; the caller's.  NULL with *err. */
char *entry_resolve(const struct entry *e, const struct reference *r, struct err *err);
/* Put `text`, which then belongs to the entry, in place of a piece.  False with *err if the
 * value could not be used then: the old one stays. */
bool entry_exchange(struct entry *e, char **piece, char *text, struct err *err);
/* Where byte `at` of its value stands; for a default, the section. */
struct place entry_place(const struct entry *e, size_t at);

#endif
