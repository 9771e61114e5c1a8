/*
 * config - what the files say, typed as far as the core knows it.
 *
 * Knows sections, host keys, rules and references; knows no plugin: the keys of plugins
 * stay text here and are judged by plugin/values.h.  `for` is expanded, `[vars]` are filled
 * in, `@file` is read, names are unique.  A struct config is read-only once loaded.
 */
#ifndef POINTSMAN_CONFIG_CONFIG_H
#define POINTSMAN_CONFIG_CONFIG_H

#include "config/ini.h"
#include "config/report.h"

#include <stdint.h>

struct setting { /* one key of an instance that belongs to its plugin */
	char *name;
	char *value; /* ${vars} and ${each} filled in; references still inside */
	char *file;  /* of `@FILE`, whose text `value` is, taken as it stands; or NULL */
	const struct ini_key *key; /* where it was written */
};

enum instance_kind { INSTANCE_SOURCE, INSTANCE_ACTION, INSTANCE_SINK, INSTANCE_SECRETS };

struct rate { /* per target; events 0: no limit */
	uint32_t events;
	int64_t per_ms;
	uint32_t burst;
	bool per_group;
};

enum order_by { ORDER_SUBJECT, ORDER_NONE, ORDER_GROUP, ORDER_PATH };

struct retry { /* of deliveries */
	bool none;
	int64_t for_ms, min_ms, max_ms;
};

struct instance_config {
	enum instance_kind kind;
	char *name;
	char *was; /* or NULL */
	char *plugin;
	bool enabled;
	bool broken; /* a line of the section could not be read */
	struct place at, plugin_at;
	int64_t timeout_ms, deadline_ms, stalled_ms;
	struct retry retry;
	uint32_t concurrency;            /* calls at once */
	uint32_t batch;                  /* events in one call */
	const struct ini_key *batch_key; /* or NULL */
	struct rate rate;
	enum order_by order_by;
	char *order_path;                /* with ORDER_PATH: `data.new.algorithm` */
	const struct ini_key *order_key; /* or NULL */
	struct setting *settings;        /* the plugin's keys */
	size_t n;
	/* The host's keys as written, or their defaults (key NULL), for str() and num(). */
	struct setting *host_settings;
	size_t nhost;
};

struct selector_config {         /* what rules and inputs have in common */
	char **on, **from;       /* NULL-terminated, or NULL */
	char *where, *changed;   /* or NULL */
	struct setting *pattern; /* or NULL */
	bool pattern_data;       /* pattern-at = data */
	const struct ini_key *on_key, *from_key, *where_key, *changed_key; /* or NULL */
};

struct input_config {
	char *name, *was;
	struct place at;
	struct selector_config select;
};

struct duty_config { /* one element of `do` */
	char *target;
	char *then; /* or NULL */
};

enum overlap { OVERLAP_PARALLEL, OVERLAP_SUPERSEDE, OVERLAP_QUEUE };

struct rule_config {
	char *name, *was;
	bool enabled, otherwise; /* otherwise: `else = yes` */
	bool shadow;             /* matches and is shown, delivers nothing */
	struct place at;
	struct selector_config select;
	char *group_by; /* `data.x | lower`, or NULL */
	const struct ini_key *group_key;
	uint32_t groups; /* 1000 */
	char **inputs;   /* names, NULL-terminated, or NULL */
	const struct ini_key *inputs_key;
	int64_t reset_ms;               /* 0: never */
	int64_t quiet_ms, quiet_max_ms; /* coalesce; 0: no window */
	uint32_t count;                 /* 0: no count */
	int64_t count_ms;
	enum overlap overlap;
	struct duty_config *duties;
	size_t n;
	const struct ini_key *do_key;
};

struct test_step {  /* one element of `given` */
	char *file; /* made relative to the configuration file; NULL: time passes */
	int64_t pass_ms;
	struct place at;
};

enum test_reply { TEST_DOWN, TEST_AGAIN, TEST_REJECT };

struct test_answer { /* one element of `answer` */
	char *target;
	enum test_reply reply;
	uint32_t times;
	struct place at;
};

struct test_expected { /* one element of `expect` */
	char *rule, *target;
	uint32_t times;
	bool dead; /* all of them end as dead letters */
	struct place at;
};

struct test_config {
	char *name;
	struct place at;
	struct test_step *steps;
	size_t nsteps;
	struct test_answer *answers;
	size_t nanswers;
	struct test_expected *expected; /* none: `none` */
	size_t nexpected;
	struct setting *values; /* expect.KEY, references resolved */
	size_t n;
};

struct config {
	struct ini ini; /* what places point to */
	/* [pointsman]; defaults applied */
	char *state;                                      /* directory; /var/lib/pointsman */
	char **plugins;                                   /* directories, NULL-terminated */
	char *admin;                                      /* path of a unix socket */
	char *listen, *metrics;                           /* addresses, or NULL */
	char *certificate, *certificate_key, *proxy, *ca; /* or NULL */
	char *log;                                        /* "info", "debug json", .. */
	int64_t keep_ms, keep_bytes, keep_dead_ms, keep_dead_count;
	int64_t dedupe_ms, dedupe_count, max_journal, min_free, max_intake;

	struct instance_config *instances;
	size_t ninstances, instances_cap;
	struct input_config *inputs;
	size_t ninputs, inputs_cap;
	struct rule_config *rules;
	size_t nrules, rules_cap;
	struct test_config *tests;
	size_t ntests, tests_cap;

	uint64_t fingerprint;
	struct map instance_names, input_names, rule_names, test_names; /* to 1 + index */
};

/* Load files and directories (the default places if npaths is 0) in order.  Never NULL;
 * mistakes are in `report`, and with report->errors the result is only fit for further
 * checks. */
struct config *config_load(const char *const *paths, size_t npaths, struct report *report);
/* For tests: one file's text. */
struct config *config_load_text(const char *name, const char *text, struct report *report);
void config_free(struct config *c);

const struct instance_config *config_instance(const struct config *c,
					      const char *name);                   /* or NULL */
const struct input_config *config_input(const struct config *c, const char *name); /* or NULL */
const struct rule_config *config_rule(const struct config *c, const char *name);   /* or NULL */

/* The target that `expect.KEY` is about, and in *key which of its keys: `expect.TARGET.KEY` names
 * it, else it is the only one that the test expects.  NULL: it is none of these. */
const char *test_value_target(const struct config *c, const struct test_config *t,
			      const struct setting *value, const char **key);

/* 64 bits that differ when anything in the configuration does. */
uint64_t config_fingerprint(const struct config *c);

/* Where byte `offset` of a value stands: exactly in what was written as it is or in an
 * @FILE, at the value's start where something was filled in. */
struct place config_place(const struct ini_key *key, const char *value, size_t offset);
struct place config_core_place(const struct config *c, const char *name); /* of [pointsman] */
struct place setting_place(const struct setting *s, size_t offset);

/* "source", .. and the keys that belong to the host in such a section. */
const char *config_kind_name(enum instance_kind kind);
const char *const *config_host_keys(enum instance_kind kind, size_t *n);
/* Does the name belong to the host in any section with a plugin? */
bool config_is_host_key(const char *name);

/* "source algorithms", for messages. */
#define INSTANCE_FMT    "%s %s"
#define INSTANCE_ARG(i) config_kind_name((i)->kind), (i)->name

#endif
