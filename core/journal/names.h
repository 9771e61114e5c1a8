/*
 * names - lasting numbers for sections, so that rows need not hold words.
 *
 * A number belongs to one section for ever; `was = OLD` gives OLD's number to the new name.
 * Loaded at start, changed only inside a journal transaction.  Numbers start at 1 and end at
 * 65535; sections of all kinds share them.  In the journal's space "name".
 */
#ifndef POINTSMAN_JOURNAL_NAMES_H
#define POINTSMAN_JOURNAL_NAMES_H

#include "journal/journal.h"

enum name_kind { NAME_INSTANCE, NAME_RULE, NAME_INPUT };

struct names;

struct names *names_load(struct journal *j, struct err *err);
void names_free(struct names *n);
/* After a rollback: what was not committed is forgotten.  Numbers found before stay good. */
enum journal_status names_reload(struct names *n, struct journal *j, struct err *err);

/* The number of a section, made if new; `was` (or NULL) is taken over if it is known and
 * the name is not.  0 with *err if the journal fails. */
uint32_t names_number(struct names *n, struct journal *j, enum name_kind kind, const char *name,
		      const char *was, struct err *err);
uint32_t names_find(const struct names *n, enum name_kind kind, const char *name); /* 0: unknown */
/* The first section with a number > `after`, or 0 if there is none: its kind and its name. */
uint32_t names_next(const struct names *n, uint32_t after, enum name_kind *kind, const char **name);
const char *names_text(const struct names *n, uint32_t number); /* "?" if unknown */
/* The name under which the section was first seen: what idempotency keys are made from. */
const char *names_first(const struct names *n, uint32_t number);

#endif
