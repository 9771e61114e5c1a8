/*
 * types - the types of events there may be: those that sections emit, and the router's own.
 */
#ifndef POINTSMAN_CLI_TYPES_H
#define POINTSMAN_CLI_TYPES_H

#include "config/config.h"
#include "plugin/loader.h"

#include <jansson.h>

struct emitted {
	const struct pm_type *type;
	const char *plugin;    /* NULL: the router */
	const char **sections; /* that emit it; none where plugins are listed */
	size_t n;
};

struct types {
	struct emitted *list;
	size_t n, cap;
};

/* Of the sections of the configuration, or, if it has none with a plugin, of every plugin.
 * False if a plugin could not be loaded, which standard error was told; the others are
 * there.  Borrows from both. */
bool types_gather(const struct config *config, struct loader *loader, struct types *out);
void types_clear(struct types *t);

json_t *types_json(const struct emitted *e); /* type plugin from subject help fields more */
/* A JSON Schema, draft 2020-12, of the whole CloudEvents object. */
json_t *types_schema(const struct emitted *e);

#endif
