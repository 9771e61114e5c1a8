/*
 * survey - a configuration with its plugins, as the checks go over it.
 *
 * What may happen: each event type that an instance emits, or the router itself, is a row.
 * A rule or input is fed by the rows that its `on`, `from`, `where` and `changed` let pass.
 */
#ifndef POINTSMAN_PLUGIN_SURVEY_H
#define POINTSMAN_PLUGIN_SURVEY_H

#include "config/config.h"
#include "plugin/fields.h"
#include "plugin/loader.h"
#include "plugin/values.h"
#include "rules/expr.h"

/* A section with a plugin. */
struct part {
	const struct instance_config *section;
	const struct plugin *plugin; /* NULL: it cannot be loaded, which is told */
	struct values *values;       /* NULL: a key is wrong, which is told */
};

/* A type that may come.  "*" stands for whatever a plugin emits that cannot be loaded. */
struct row {
	const char *type;
	const char *fields; /* as in fields.h */
	const char *instance;
	const struct instance_config *from; /* NULL: the router, or `pointsman send` */
	bool if_named;                      /* comes only where `from` names its instance */
};

/* The rows that may reach a rule or input. */
struct feed {
	const struct row **rows;
	size_t n;
};

struct survey {
	const struct config *config;
	struct loader *loader;
	struct report *report;
	struct part *parts; /* one for each of config->instances */
	struct row *rows;
	size_t nrows;
	struct feed *rules, *inputs; /* as in the configuration */
};

struct asking { /* a rule or input */
	struct survey *s;
	const struct selector_config *select;
	const char *kind, *name;
	struct place at;
};

struct testing { /* its `where` or its `pattern` */
	const struct asking *asking;
	const char *key;      /* "where", "pattern" */
	const struct expr *e; /* NULL: there is none, or it does not parse */
	const char *text;     /* what `e` was parsed from */
};
struct place testing_place(const struct testing *t, size_t at);

/* rows.c */
const struct pm_type *survey_own(size_t *n); /* the router's own types */
void survey_rows(struct survey *s);
/* Can an event fit both?  `type` may end with `*` as pm_type's do. */
bool row_fits(const char *pattern, const char *type);
bool row_may_come(const struct row *row, const struct selector_config *select);
/* May an event of the row have the path's steps [from..], `data.x` or an attribute? */
enum field row_find(const struct row *row, const struct path *path, size_t from);
/* The best answer of all; *all tells whether every row may have it. */
enum field feed_find(const struct feed *feed, const struct path *path, size_t from, bool *all);
/* What all rows that may have the path agree on. */
enum field_type feed_type(const struct feed *feed, const struct path *path, size_t from);
/* Is a name of the path nearly one that the rows have?  The caller's, or NULL. */
char *feed_nearest(const struct feed *feed, const struct path *path, size_t from);
struct feed feed_join(const struct survey *s, char *const *inputs);

/* check_rules.c: fills in the feeds */
void check_rules(struct survey *s);
/* check_compare.c: tests that can never be true */
void check_compare(const struct testing *t, const struct feed *feed);
/* check_shadow.c: rules that other rules leave nothing to do */
void check_shadow(const struct survey *s);
/* check_targets.c */
void check_targets(struct survey *s);
/* check_tests.c */
void check_tests(const struct survey *s);
/* cycle.c */
void check_cycles(struct survey *s);

struct part *survey_part(const struct survey *s, const char *name); /* or NULL */
bool is_target(const struct instance_config *i);
bool is_emitter(const struct instance_config *i);
bool delivers_to(const struct rule_config *r, const char *target); /* `then` included */

/* "; did you mean `x`?" or "", good until the next call. */
const char *survey_hint(const char *word, const char *const *names, size_t n);

#endif
