/*
 * options - the command line, after the verb.
 */
#ifndef POINTSMAN_CLI_OPTIONS_H
#define POINTSMAN_CLI_OPTIONS_H

#include "base/log.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct options {
	const char **paths; /* -c, in order */
	size_t npaths;
	const char **words; /* what is no option */
	size_t nwords;
	bool json, verbose, quiet, log_json;
	bool where, count, time; /* match */
	bool resolve, cost, acknowledge, unrouted, refused, force, all, help;
	bool then, schema;      /* explain, types */
	bool verdicts, dry_run; /* replay */
	const char *type, *source, *subject, *id, *instance, *target, *why, *rule;
	const char *from_eventbridge, *since, *until, *against, *to, *output;
	long limit; /* 0: the verb's own */
};

/* False after saying on standard error what is wrong. */
bool options_parse(int argc, char **argv, struct options *out);
void options_free(struct options *o);

/* Load the configuration the options name.  With `strict`, mistakes are printed and NULL is
 * returned: exit 78. */
struct config *options_config(const struct options *o, bool strict);
/* The directories plugins are in: the configuration's, or where they were installed. */
const char *const *options_plugins(const struct config *c);

#endif
