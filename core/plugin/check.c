#include "plugin/check.h"

#include "base/mem.h"
#include "plugin/survey.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool is_target(const struct instance_config *i)
{
	return i->kind == INSTANCE_ACTION || i->kind == INSTANCE_SINK;
}

bool is_emitter(const struct instance_config *i)
{
	return i->kind == INSTANCE_SOURCE || i->kind == INSTANCE_ACTION;
}

struct part *survey_part(const struct survey *s, const char *name)
{
	const struct instance_config *i = config_instance(s->config, name);

	return i ? &s->parts[i - s->config->instances] : NULL;
}

const char *survey_hint(const char *word, const char *const *names, size_t n)
{
	static char text[160];
	const char *near = report_nearest(word, names, n);

	if (!near)
		return "";
	snprintf(text, sizeof text, "; did you mean `%s`?", near);
	return text;
}

/* The host that a plugin's check() sees: it answers for keys, and takes complaints. */
struct check_host {
	struct pm_host host; /* first: the plugin holds a pointer to it */
	const struct survey *survey;
	const struct part *part;
	bool complained;
};

static const char *host_str(struct pm_host *h, const char *key)
{
	return values_str(((struct check_host *)h)->part->values, key, NULL);
}

static int64_t host_num(struct pm_host *h, const char *key)
{
	return values_num(((struct check_host *)h)->part->values, key, NULL);
}

static const char *host_nth(struct pm_host *h, const char *key, uint32_t i)
{
	return values_nth(((struct check_host *)h)->part->values, key, i, NULL);
}

/* "body: not JSON" is about the key `body`, if there is one. */
static struct place place_of_complaint(const struct instance_config *s, const char *text)
{
	size_t len = strcspn(text, ": ");

	for (size_t i = 0; i < s->n; i++) {
		if (strlen(s->settings[i].name) == len &&
		    memcmp(s->settings[i].name, text, len) == 0 && text[len] == ':')
			return setting_place(&s->settings[i], 0);
	}
	return s->at;
}

static void host_log(struct pm_host *h, int32_t level, const char *fmt, ...)
{
	struct check_host *c = (struct check_host *)h;
	const struct instance_config *s = c->part->section;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (level >= PM_ERROR) {
		report_error(c->survey->report, place_of_complaint(s, text), "%s", text);
		c->complained = true;
	} else if (level == PM_WARN) {
		report_warning(c->survey->report, place_of_complaint(s, text), "%s", text);
	}
}

static void ask_plugin(const struct survey *s, const struct part *p)
{
	struct check_host c = {.host = {.size = sizeof(struct pm_host),
					.abi_minor = PM_ABI_MINOR,
					.instance = p->section->name,
					.str = host_str,
					.num = host_num,
					.nth = host_nth,
					.log = host_log},
			       .survey = s,
			       .part = p};

	if (p->plugin->table.check && !p->plugin->table.check(&c.host) && !c.complained)
		report_error(s->report, p->section->at,
			     "plugin %s refuses the keys of [%s %s] without saying why",
			     p->plugin->table.name, config_kind_name(p->section->kind),
			     p->section->name);
}

static bool role_fits(const struct survey *s, const struct instance_config *i,
		      const struct plugin *p)
{
	static const uint32_t roles[] = {PM_SOURCE, PM_ACTION, PM_SINK, PM_SECRETS};

	for (int k = INSTANCE_SOURCE; k <= INSTANCE_SECRETS; k++) {
		if (!(p->table.kind & roles[k]) || k == (int)i->kind)
			continue;
		report_error(s->report, i->plugin_at, "plugin %s is for [%s %s], not for [%s %s]",
			     p->table.name, config_kind_name((enum instance_kind)k), i->name,
			     config_kind_name(i->kind), i->name);
		return false;
	}
	return true;
}

static void check_part(struct survey *s, struct part *p)
{
	const struct instance_config *i = p->section;
	struct err err;

	if (!*i->plugin)
		return; /* told when it was read */
	p->plugin = loader_get(s->loader, i->plugin, &err);
	if (!p->plugin) {
		report_error(s->report, i->plugin_at, "plugin: %s", err.text);
		return;
	}
	if (!role_fits(s, i, p->plugin)) {
		p->plugin = NULL;
		return;
	}
	p->values = values_new(p->plugin, i, s->report);
	if (p->values)
		ask_plugin(s, p);
}

/* ${NAME:..}: is NAME a secrets section? */
static void check_secret(const struct survey *s, const struct values_secret *secret)
{
	const struct config *c = s->config;
	const struct instance_config *section = config_instance(c, secret->section);
	const char **names = mem_zero((c->ninstances + 4) * sizeof *names);
	size_t n = 0;

	for (size_t i = 0; i < c->ninstances; i++) {
		if (c->instances[i].kind == INSTANCE_SECRETS)
			names[n++] = c->instances[i].name;
	}
	names[n++] = "env";
	names[n++] = "file";
	names[n++] = "credential";
	if (!section || section->kind != INSTANCE_SECRETS)
		report_error(s->report, secret->at, "%s: ${%s:..} needs a section [secrets %s]%s",
			     secret->key, secret->section, secret->section,
			     survey_hint(secret->section, names, n));
	else if (!section->enabled)
		report_error(s->report, secret->at,
			     "%s: ${%s:..}: [secrets %s] is not enabled, nobody would answer",
			     secret->key, secret->section, secret->section);
	free(names);
}

static void check_secrets(const struct survey *s)
{
	for (size_t i = 0; i < s->config->ninstances; i++) {
		const struct part *p = &s->parts[i];
		const struct values_secret *secret;

		for (size_t k = 0; p->values && (secret = values_secret(p->values, k)); k++)
			check_secret(s, secret);
	}
}

static bool is_asked(const struct survey *s, const char *secrets)
{
	for (size_t i = 0; i < s->config->ninstances; i++) {
		const struct part *p = &s->parts[i];
		const struct values_secret *secret;

		if (!p->values && p->section->kind != INSTANCE_SECRETS)
			return true; /* it might */
		for (size_t k = 0; p->values && (secret = values_secret(p->values, k)); k++) {
			if (strcmp(secret->section, secrets) == 0)
				return true;
		}
	}
	return false;
}

static void check_unasked(const struct survey *s)
{
	for (size_t i = 0; i < s->config->ninstances; i++) {
		const struct instance_config *c = &s->config->instances[i];

		if (c->kind == INSTANCE_SECRETS && c->enabled && !is_asked(s, c->name))
			report_warning(s->report, c->at, "no key asks ${%s:..} for a secret",
				       c->name);
	}
}

/* What has a new name cannot also have kept the old one. */
static void check_was(const struct survey *s)
{
	const struct config *c = s->config;

	for (size_t i = 0; i < c->ninstances; i++) {
		if (c->instances[i].was && config_instance(c, c->instances[i].was))
			report_error(s->report, c->instances[i].at,
				     "was: there is still a section named `%s`",
				     c->instances[i].was);
	}
	for (size_t i = 0; i < c->ninputs; i++) {
		if (c->inputs[i].was && config_input(c, c->inputs[i].was))
			report_error(s->report, c->inputs[i].at,
				     "was: there is still an input named `%s`", c->inputs[i].was);
	}
	for (size_t i = 0; i < c->nrules; i++) {
		if (c->rules[i].was && config_rule(c, c->rules[i].was))
			report_error(s->report, c->rules[i].at,
				     "was: there is still a rule named `%s`", c->rules[i].was);
	}
}

/* A file the core opens at start; what is in it is judged then. */
static void check_file(const struct survey *s, const char *key, const char *path)
{
	const char *why = NULL;
	struct stat st;

	if (!path)
		return;
	if (stat(path, &st) != 0)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "it is no file";
	else if (access(path, R_OK) != 0)
		why = strerror(errno);
	if (why)
		report_error(s->report, config_core_place(s->config, key),
			     "%s: %s cannot be read: %s", key, path, why);
}

static void check_files(const struct survey *s)
{
	check_file(s, "certificate", s->config->certificate);
	check_file(s, "certificate-key", s->config->certificate_key);
	check_file(s, "ca", s->config->ca);
}

static void survey_free(struct survey *s)
{
	for (size_t i = 0; i < s->config->ninstances; i++)
		values_free(s->parts[i].values);
	for (size_t i = 0; i < s->config->nrules; i++)
		free(s->rules[i].rows);
	for (size_t i = 0; i < s->config->ninputs; i++)
		free(s->inputs[i].rows);
	free(s->parts);
	free(s->rows);
	free(s->rules);
	free(s->inputs);
}

void check_config(const struct config *config, struct loader *loader, struct report *report)
{
	struct survey s = {.config = config, .loader = loader, .report = report};

	s.parts = mem_zero((config->ninstances + 1) * sizeof *s.parts);
	s.rules = mem_zero((config->nrules + 1) * sizeof *s.rules);
	s.inputs = mem_zero((config->ninputs + 1) * sizeof *s.inputs);
	for (size_t i = 0; i < config->ninstances; i++) {
		s.parts[i].section = &config->instances[i];
		check_part(&s, &s.parts[i]);
	}
	check_files(&s);
	check_secrets(&s);
	check_unasked(&s);
	check_was(&s);
	survey_rows(&s);
	check_rules(&s);
	check_shadow(&s);
	check_targets(&s);
	check_cycles(&s);
	check_tests(&s);
	survey_free(&s);
}
