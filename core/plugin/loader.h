/*
 * loader - plugins as files, checked before they are trusted.
 *
 * Finds `NAME.so` in the plugin directories, refuses with a sentence that says what to do
 * (world-writable file or directory, foreign owner, no symbol, another ABI major, a minor
 * too high, undefined symbols, two files claiming one name, a table that makes no sense),
 * and copies each table into zero-extended structs of this host's size.  Never unloads.
 */
#ifndef POINTSMAN_PLUGIN_LOADER_H
#define POINTSMAN_PLUGIN_LOADER_H

#include "base/err.h"
#include "plugin/abi.h"

#include <stddef.h>

struct plugin {                 /* for the life of the loader */
	struct pm_plugin table; /* keys and types point to the arrays below */
	struct pm_key *keys;
	size_t nkeys;
	struct pm_type *types;
	size_t ntypes;
	char *file;
};

struct loader;

/* Directories, NULL-terminated.  Missing ones are said by loader_get(). */
struct loader *loader_new(const char *const *directories);
void loader_free(struct loader *l); /* the tables go; the code stays mapped */

/* NULL with *err if there is none, or it was refused. */
const struct plugin *loader_get(struct loader *l, const char *name, struct err *err);
/* All names found in the directories, loadable or not, sorted; NULL after the last. */
const char *loader_name(struct loader *l, size_t i);

/* The key that `name` belongs to (exactly, or the family it falls in), or NULL. */
const struct pm_key *plugin_key(const struct plugin *p, const char *name);

/* Judge a table handed in memory, as loader_get() does with a file's; for tests. */
struct plugin *plugin_adopt(const struct pm_plugin *table, struct err *err);
void plugin_free(struct plugin *p);

#endif
