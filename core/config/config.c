#include "config/config.h"

#include "base/hash.h"
#include "base/mem.h"
#include "config/forms.h"
#include "config/read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define DEFAULT_FILE      "/etc/pointsman/pointsman.ini"
#define DEFAULT_DIRECTORY "/etc/pointsman/conf.d"
#define LONGEST_NAME      64 /* filled in */

static const char *const core_keys[] = {
	"state",       "plugins",         "admin",       "listen",   "metrics",    "keep",
	"keep-dead",   "dedupe",          "max-journal", "min-free", "max-intake", "log",
	"certificate", "certificate-key", "proxy",       "ca",       NULL};
static const char *const several[] = {"plugins", NULL};

struct loading {
	struct config *config;
	struct report *report;
	struct vars vars;
	struct map was; /* "kind name" to its place */
};

enum section_kind { SECTION_INSTANCE, SECTION_INPUT, SECTION_RULE, SECTION_TEST };

static const struct {
	const char *name;
	enum section_kind kind;
	enum instance_kind instance;
} kinds[] = {
	{"secrets", SECTION_INSTANCE, INSTANCE_SECRETS},
	{"source", SECTION_INSTANCE, INSTANCE_SOURCE},
	{"action", SECTION_INSTANCE, INSTANCE_ACTION},
	{"sink", SECTION_INSTANCE, INSTANCE_SINK},
	{"input", SECTION_INPUT, 0},
	{"rule", SECTION_RULE, 0},
	{"test", SECTION_TEST, 0},
};

/* A text that need not be anything in particular, else its default. */
static char *text_or(const struct section *s, const char *key, const char *otherwise)
{
	char *text = section_text(s, key);

	return text ? text : mem_text(otherwise);
}

static char *address(const struct section *s, const char *key)
{
	char *text = section_text(s, key);
	struct err err;

	if (text && !form_address(text, &err))
		section_error(s, key, "%s", err.text);
	return text;
}

/* Any free port is not the same one twice. */
static bool same_address(const char *a, const char *b)
{
	size_t len = strlen(a);

	return strcmp(a, b) == 0 && len > 2 && strcmp(a + len - 2, ":0") != 0;
}

static char *proxy(const struct section *s)
{
	char *text = section_text(s, "proxy");
	struct err err;

	if (text && !form_proxy(text, &err))
		section_error(s, "proxy", "%s", err.text);
	return text;
}

static char *admin_path(const struct section *s)
{
	char *text = section_text(s, "admin"), *path;
	const struct sockaddr_un *address = NULL;

	if (!text)
		return mem_text("/run/pointsman/admin.sock");
	path = reference_path(strncmp(text, "unix:", 5) == 0 ? text + 5 : text,
			      section_key(s, "admin")->at.file);
	if (strlen(path) >= sizeof address->sun_path)
		section_error(s, "admin", "%s is over %zu bytes, too long for a socket", path,
			      sizeof address->sun_path - 1);
	free(text);
	return path;
}

static char **directories(const struct section *s)
{
	char **list = section_list(s, "plugins");

	if (!list) {
		list = mem_zero(2 * sizeof *list);
		list[0] = mem_text(PLUGINDIR);
		return list;
	}
	for (size_t i = 0; list[i]; i++) {
		char *path = reference_path(list[i], section_key(s, "plugins")->at.file);

		free(list[i]);
		list[i] = path;
	}
	return list;
}

static void read_keep(struct config *c, const struct section *s)
{
	char *keep = section_text(s, "keep"), *dead = section_text(s, "keep-dead");
	char *dedupe = section_text(s, "dedupe");
	struct err err;

	if (keep && !form_keep(keep, &c->keep_ms, &c->keep_bytes, &err))
		section_error(s, "keep", "%s", err.text);
	if (dead && !form_keep_count(dead, &c->keep_dead_ms, &c->keep_dead_count, &err))
		section_error(s, "keep-dead", "%s", err.text);
	if (dedupe && !form_keep_count(dedupe, &c->dedupe_ms, &c->dedupe_count, &err))
		section_error(s, "dedupe", "%s", err.text);
	free(keep);
	free(dead);
	free(dedupe);
}

static void read_tls(struct config *c, const struct section *s)
{
	c->certificate = section_path(s, "certificate");
	c->certificate_key = section_path(s, "certificate-key");
	if (!c->certificate != !c->certificate_key)
		section_error(s, c->certificate ? "certificate" : "certificate-key",
			      "`certificate` and `certificate-key` come together");
	if (c->certificate && !c->listen)
		section_error(s, "certificate", "TLS is for `listen`, which is not there");
}

/* [pointsman], or nothing, which leaves the defaults. */
static void read_core(struct config *c, const struct section *s)
{
	struct err err;

	c->keep_ms = 7LL * 86400000;
	c->keep_bytes = 1LL << 30;
	c->keep_dead_ms = 90LL * 86400000;
	c->keep_dead_count = 100000;
	c->dedupe_ms = 7LL * 86400000;
	c->dedupe_count = 5000000;
	c->max_journal = 20LL << 30;
	c->min_free = 256LL << 20;
	c->max_intake = 16LL << 20;
	section_check_keys(s, core_keys, several, false);
	c->state = section_path(s, "state");
	if (!c->state)
		c->state = mem_text("/var/lib/pointsman");
	c->plugins = directories(s);
	c->admin = admin_path(s);
	c->listen = address(s, "listen");
	c->metrics = address(s, "metrics");
	if (c->listen && c->metrics && same_address(c->listen, c->metrics))
		section_error(s, "metrics", "`%s` is what `listen` has already", c->metrics);
	read_tls(c, s);
	c->proxy = proxy(s);
	c->ca = section_path(s, "ca");
	c->log = text_or(s, "log", "info");
	if (!form_log(c->log, &err))
		section_error(s, "log", "%s", err.text);
	read_keep(c, s);
	section_size(s, "max-journal", &c->max_journal);
	section_size(s, "min-free", &c->min_free);
	section_size(s, "max-intake", &c->max_intake);
}

/* Remember the name under which the next element of its list will stand. */
static bool name_is_new(struct loading *l, enum section_kind kind, const struct section *s)
{
	struct config *c = l->config;
	struct map *maps[] = {&c->instance_names, &c->input_names, &c->rule_names, &c->test_names};
	size_t counts[] = {c->ninstances, c->ninputs, c->nrules, c->ntests};

	if (map_get(maps[kind], s->name))
		return false;
	map_put(maps[kind], s->name, (void *)(uintptr_t)(counts[kind] + 1));
	return true;
}

static struct place place_of(const struct config *c, enum section_kind kind, const char *name)
{
	const struct map *maps[] = {&c->instance_names, &c->input_names, &c->rule_names,
				    &c->test_names};
	uintptr_t i = (uintptr_t)map_get(maps[kind], name) - 1;

	switch (kind) {
	case SECTION_INSTANCE: return c->instances[i].at;
	case SECTION_INPUT: return c->inputs[i].at;
	case SECTION_RULE: return c->rules[i].at;
	case SECTION_TEST: break;
	}
	return c->tests[i].at;
}

static bool name_is_good(struct loading *l, enum section_kind kind, const struct section *s)
{
	bool secrets = strcmp(s->ini->kind, "secrets") == 0;

	if (!*s->name) {
		section_error(s, NULL, "[%s] needs a name: [%s NAME]", s->ini->kind, s->ini->kind);
	} else if (!is_word(s->name) || strlen(s->name) > LONGEST_NAME) {
		section_error(s, NULL,
			      "`%s`: a section's name has letters, digits, `-` and `_` only, and "
			      "not more than %d of them",
			      s->name, LONGEST_NAME);
	} else if (kind == SECTION_INSTANCE &&
		   (strcmp(s->name, "pointsman") == 0 || strcmp(s->name, "send") == 0)) {
		section_error(s, NULL,
			      "`%s` is what the events of the router itself, or of `pointsman "
			      "send`, come through; choose another name",
			      s->name);
	} else if (secrets && (strcmp(s->name, "env") == 0 || strcmp(s->name, "file") == 0 ||
			       strcmp(s->name, "credential") == 0)) {
		section_error(s, NULL, "`${%s:..}` means something already; choose another name",
			      s->name);
	} else if (!name_is_new(l, kind, s)) {
		struct place first = place_of(l->config, kind, s->name);

		section_error(s, NULL, "the name `%s` is taken by the section at %s:%u%s", s->name,
			      first.file, first.line,
			      kind == SECTION_INSTANCE
				      ? "; names of sources, actions, sinks and secrets are unique "
					"together"
				      : "");
	} else {
		return true;
	}
	return false;
}

static void check_was(struct loading *l, enum section_kind kind, const struct section *s)
{
	char *was = kind == SECTION_TEST ? NULL : section_text(s, "was"), *full;

	if (!was)
		return;
	full = mem_format("%d %s", kind, was);
	if (!is_word(was))
		section_error(s, "was", "`%s` is no section's name", was);
	else if (strcmp(was, s->name) == 0)
		section_error(s, "was", "this is the section's name today");
	else if (map_put(&l->was, full, l))
		section_error(s, "was", "two sections would take over what `%s` owned", was);
	free(full);
	free(was);
}

static void read_one(struct loading *l, size_t k, const struct section *s)
{
	if (!name_is_good(l, kinds[k].kind, s))
		return;
	check_was(l, kinds[k].kind, s);
	switch (kinds[k].kind) {
	case SECTION_INSTANCE: read_instance(l->config, kinds[k].instance, s); break;
	case SECTION_INPUT: read_input(l->config, s); break;
	case SECTION_RULE: read_rule(l->config, s); break;
	case SECTION_TEST: read_test(l->config, s); break;
	}
}

/* Fill in the name for one word of `for`, and read. */
static void read_named(struct loading *l, size_t k, struct section *s)
{
	struct err err;
	size_t at;

	s->name = vars_fill(&l->vars, s->ini->name, s->each, &at, &err);
	if (s->name)
		read_one(l, k, s);
	else
		report_error(l->report, s->ini->at, "%s", err.text);
	free(s->name);
	s->name = NULL;
}

static void read_for_each(struct loading *l, size_t k, struct section *s, char *const *words)
{
	if (!strstr(s->ini->name, "${each}")) {
		section_error(s, "for",
			      "the section's name needs `${each}`, or all would have one name");
		return;
	}
	for (; *words; words++) {
		s->each = *words;
		if (is_word(*words))
			read_named(l, k, s);
		else
			section_error(s, "for",
				      "`%s`: a word has letters, digits, `-` and `_` only", *words);
	}
}

static struct section section_of(struct loading *l, const struct ini_section *ini)
{
	return (struct section){ini, &l->vars, l->report, NULL, NULL, &l->config->fingerprint};
}

static void say_unknown_kind(struct loading *l, const struct ini_section *ini)
{
	static const char *const names[] = {"pointsman", "vars",  "secrets", "source", "action",
					    "sink",      "input", "rule",    "test"};
	const char *near = report_nearest(ini->kind, names, sizeof names / sizeof *names);

	if (near)
		report_error(l->report, ini->at, "unknown section [%s]; did you mean [%s]?",
			     ini->kind, near);
	else
		report_error(l->report, ini->at,
			     "unknown section [%s]; there are pointsman, vars, secrets, source, "
			     "action, sink, input, rule and test",
			     ini->kind);
}

static void read_section(struct loading *l, const struct ini_section *ini)
{
	struct section s = section_of(l, ini);
	const struct ini_key *key = section_key(&s, "for");
	char **words;

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		if (strcmp(kinds[k].name, ini->kind) != 0)
			continue;
		words = section_list(&s, "for");
		if (words)
			read_for_each(l, k, &s, words);
		else if (!key)
			read_named(l, k, &s);
		else if (!*key->value)
			section_error(&s, "for", "no word is named");
		list_free(words);
		return;
	}
	say_unknown_kind(l, ini);
}

static const struct ini_section *single(struct loading *l, const char *kind)
{
	const struct ini *ini = &l->config->ini;
	const struct ini_section *found = NULL;

	for (size_t i = 0; i < ini->n; i++) {
		const struct ini_section *s = &ini->sections[i];

		if (s->ignored || strcmp(s->kind, kind) != 0)
			continue;
		if (*s->name)
			report_error(l->report, s->at, "[%s] takes no name", kind);
		else
			found = s;
	}
	return found;
}

static bool is_single(const struct ini_section *s)
{
	return strcmp(s->kind, "pointsman") == 0 || strcmp(s->kind, "vars") == 0;
}

static void read_all(struct loading *l)
{
	static const struct ini_section none = {.kind = (char *)"pointsman", .name = (char *)""};
	const struct ini *ini = &l->config->ini;
	const struct ini_section *core = single(l, "pointsman");
	struct section s = section_of(l, core ? core : &none);

	vars_read(&l->vars, single(l, "vars"), l->report);
	read_core(l->config, &s);
	for (size_t i = 0; i < ini->n; i++) {
		const struct ini_section *section = &ini->sections[i];

		if (section->ignored || is_single(section))
			continue;
		l->config->fingerprint =
			hash64(section->kind, strlen(section->kind) + 1, l->config->fingerprint);
		l->config->fingerprint =
			hash64(section->name, strlen(section->name) + 1, l->config->fingerprint);
		read_section(l, section);
	}
}

static struct config *load(struct config *c, struct report *report)
{
	struct loading l = {.config = c, .report = report};

	read_all(&l);
	vars_free(&l.vars);
	map_free(&l.was, NULL);
	return c;
}

struct config *config_load(const char *const *paths, size_t npaths, struct report *report)
{
	struct config *c = mem_new(struct config);
	struct stat st;

	for (size_t i = 0; i < npaths; i++) {
		size_t before = c->ini.nfiles;

		if (ini_read(&c->ini, paths[i], report) && c->ini.nfiles == before)
			report_error(report, (struct place){.file = paths[i]},
				     "the directory has no *.ini file");
	}
	if (npaths == 0) {
		ini_read(&c->ini, DEFAULT_FILE, report);
		if (stat(DEFAULT_DIRECTORY, &st) == 0)
			ini_read(&c->ini, DEFAULT_DIRECTORY, report);
	}
	return load(c, report);
}

struct config *config_load_text(const char *name, const char *text, struct report *report)
{
	struct config *c = mem_new(struct config);

	ini_read_text(&c->ini, name, text, report);
	return load(c, report);
}

static void free_sections(struct config *c)
{
	for (size_t i = 0; i < c->ninstances; i++)
		instance_config_free(&c->instances[i]);
	for (size_t i = 0; i < c->ninputs; i++)
		input_free(&c->inputs[i]);
	for (size_t i = 0; i < c->nrules; i++)
		rule_free(&c->rules[i]);
	for (size_t i = 0; i < c->ntests; i++)
		test_free(&c->tests[i]);
	free(c->instances);
	free(c->inputs);
	free(c->rules);
	free(c->tests);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	free_sections(c);
	map_free(&c->instance_names, NULL);
	map_free(&c->input_names, NULL);
	map_free(&c->rule_names, NULL);
	map_free(&c->test_names, NULL);
	list_free(c->plugins);
	free(c->state);
	free(c->admin);
	free(c->listen);
	free(c->metrics);
	free(c->certificate);
	free(c->certificate_key);
	free(c->proxy);
	free(c->ca);
	free(c->log);
	ini_free(&c->ini);
	free(c);
}

const struct instance_config *config_instance(const struct config *c, const char *name)
{
	uintptr_t i = (uintptr_t)map_get(&c->instance_names, name);

	return i ? &c->instances[i - 1] : NULL;
}

const struct input_config *config_input(const struct config *c, const char *name)
{
	uintptr_t i = (uintptr_t)map_get(&c->input_names, name);

	return i ? &c->inputs[i - 1] : NULL;
}

const struct rule_config *config_rule(const struct config *c, const char *name)
{
	uintptr_t i = (uintptr_t)map_get(&c->rule_names, name);

	return i ? &c->rules[i - 1] : NULL;
}

uint64_t config_fingerprint(const struct config *c)
{
	return c->fingerprint;
}

struct place config_core_place(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->ini.n; i++) {
		const struct ini_section *s = &c->ini.sections[i];

		if (s->ignored || strcmp(s->kind, "pointsman") != 0)
			continue;
		for (size_t k = 0; k < s->n; k++) {
			if (strcmp(s->keys[k].name, name) == 0)
				return ini_place(&s->keys[k], 0);
		}
	}
	return (struct place){0};
}

struct place config_place(const struct ini_key *key, const char *value, size_t offset)
{
	return ini_place(key, strcmp(key->value, value) == 0 ? offset : 0);
}

static struct place file_place(const struct setting *s, size_t offset)
{
	struct place at = {s->file, 1, 1};

	for (size_t i = 0; i < offset && s->value[i]; i++) {
		at.line += s->value[i] == '\n';
		at.column = s->value[i] == '\n' ? 1 : at.column + 1;
	}
	return at;
}

struct place setting_place(const struct setting *s, size_t offset)
{
	return s->file ? file_place(s, offset) : config_place(s->key, s->value, offset);
}
