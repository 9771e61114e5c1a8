/*
 * values - an instance's keys, checked and typed by its plugin's table.
 *
 * Serves str(), num() and nth(), templates, and the redaction of secrets.  Built from a
 * configuration section, which must live as long; needs secrets resolved before an instance
 * may be created.  An empty value is none: the default holds.
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
 * *declared (may be NULL).  Until a remote reference is resolved, str() shows it as it was
 * written.  "key.2" names the third element of a list. */
const char *values_str(const struct values *v, const char *key, bool *declared);
int64_t values_num(const struct values *v, const char *key, bool *declared);
const char *values_nth(const struct values *v, const char *key, uint32_t i, bool *declared);
/* The parsed template of a template key, or NULL: also if the key has no value.  That of a
 * list is of the whole list. */
const struct template *values_template(const struct values *v, const char *key);

/* The i-th key that has a template: for checks.  False after the last. */
struct template_use {
	const char *key;
	const struct template *template;
	const struct setting *setting; /* where it was written; NULL: it is the default */
};
bool values_template_use(const struct values *v, size_t i, struct template_use *out);

/* The remote references, one after the other; NULL after the last. */
struct values_secret {
	const char *section, *name; /* ${section:name} */
	const char *key;            /* the key it stands in */
	struct place at;
};
const struct values_secret *values_secret(const struct values *v, size_t i);
/* Give the i-th its value (copied, told to log_secret()). */
void values_resolve(struct values *v, size_t i, const char *value);
bool values_resolved(const struct values *v);    /* all of them */
bool values_has_secrets(const struct values *v); /* does any key hold one? */
/* Read local references again: files may have changed.  True if a value did. */
bool values_reread(struct values *v);

#endif
