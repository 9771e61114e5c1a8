/*
 * numbering - the numbers that sections have in a journal, for a plan made elsewhere.
 *
 * Filled by the lines of `names` (service.h).  A section that was never there gets a number that
 * is nobody's, so that whatever is to be compared can be compared by number.
 */
#ifndef POINTSMAN_CLI_NUMBERING_H
#define POINTSMAN_CLI_NUMBERING_H

#include "base/map.h"
#include "cli/client.h"
#include "journal/names.h"
#include "route/router.h"

struct numbering {    /* zeroed at first */
	char **names; /* by number; NULL: nobody's */
	size_t n;
	struct map numbers; /* "KIND NAME" to its place in `names` */
};

/* An exit status; what went wrong has been said. */
int numbering_load(struct numbering *n, struct client_connection *c);
void numbering_free(struct numbering *n);

uint32_t numbering_find(const struct numbering *n, enum name_kind kind,
			const char *name);                              /* or 0 */
const char *numbering_name(const struct numbering *n, uint32_t number); /* "?" if unknown */
/* For plan_number(). */
struct plan_numbers numbering_for_plan(struct numbering *n);

#endif
