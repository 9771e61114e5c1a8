/*
 * values - an instance's keys, checked and typed by its plugin's table.
 *
 * Serves str(), num() and nth(), templates, and the redaction of secrets.  Built from a
 * configuration section; needs secrets resolved before an instance may be created.
 */
#ifndef POINTSMAN_PLUGIN_VALUES_H
#define POINTSMAN_PLUGIN_VALUES_H

#include "config/config.h"
#include "config/reference.h"
#include "event/template.h"
#include "plugin/loader.h"

struct values;

/* Checks every key of the section against the table (unknown key with the nearest name,
 * wrong unit, outside `limit`, missing required, secret in clear, a template that does not
 * parse, a local reference that does not resolve) and reports all.  NULL if there was an
 * error.  Local references are resolved, their values told to log_secret() if the key is
 * PM_SECRET. */
struct values *values_new(const struct plugin *plugin, const struct instance_config *section,
                          struct report *report);
void values_free(struct values *v);

/* As in plugin.h; host keys included.  An undeclared key gives "" / 0 / NULL and false in
 * *declared (may be NULL). */
const char *values_str(const struct values *v, const char *key, bool *declared);
int64_t values_num(const struct values *v, const char *key, bool *declared);
const char *values_nth(const struct values *v, const char *key, uint32_t i, bool *declared);
/* The parsed template of a template key, or NULL. */
const struct template *values_template(const struct values *v, const char *key);

/* The remote references, one after the other; NULL after the last. */
struct values_secret {
	const char *section, *name; /* ${section:name} */
	const char *key;            /* the key it stands in */
};
const struct values_secret *values_secret(const struct values *v, size_t i);
/* Give the i-th its value (copied, told to log_secret()). */
void values_resolve(struct values *v, size_t i, const char *value);
bool values_resolved(const struct values *v); /* all of them */
bool values_has_secrets(const struct values *v); /* does any key hold one? */
/* Read local references again: files may have changed.  True if a value did. */
bool values_reread(struct values *v);

#endif
