#include "base/mem.h"
#include "config/forms.h"
#include "config/read.h"
#include "json/path.h"

#include <stdlib.h>
#include <string.h>

#define MOST_AT_ONCE   512 /* calls of one target */
#define MOST_IN_CALL   1000
#define MOST_UNDER_WAY 4000 /* deliveries of one target */

static const char *const kinds[] = {"source", "action", "sink", "secrets"};

static const char *const source_keys[] = {"plugin",  "for",           "was", "enabled",
					  "timeout", "stalled-after", NULL};
static const char *const target_keys[] = {"plugin",  "for",      "was",      "enabled",
					  "timeout", "deadline", "retry",    "concurrency",
					  "batch",   "rate",     "order-by", NULL};
static const char *const secrets_keys[] = {"plugin", "for", "was", "enabled", "timeout", NULL};
static const char *const several[] = {"for", NULL};

/* What a key that was not written stands for, in every section it may stand in. */
static const char *const defaults[][2] = {
	{"enabled", "yes"}, {"timeout", "30s"},       {"stalled-after", "15m"},
	{"deadline", "1h"}, {"retry", "1d, 1s..15m"}, {"concurrency", "8"},
	{"batch", "1"},     {"order-by", "subject"},
};

const char *config_kind_name(enum instance_kind kind)
{
	return kinds[kind];
}

static const char *const *host_keys(enum instance_kind kind)
{
	switch (kind) {
	case INSTANCE_SOURCE: return source_keys;
	case INSTANCE_SECRETS: return secrets_keys;
	case INSTANCE_ACTION:
	case INSTANCE_SINK: break;
	}
	return target_keys;
}

const char *const *config_host_keys(enum instance_kind kind, size_t *n)
{
	const char *const *keys = host_keys(kind);

	for (*n = 0; keys[*n];)
		++*n;
	return keys;
}

static bool among(const char *const *words, const char *word)
{
	for (; *words; words++) {
		if (strcmp(*words, word) == 0)
			return true;
	}
	return false;
}

bool config_is_host_key(const char *name)
{
	return among(source_keys, name) || among(target_keys, name);
}

static bool is_path(const char *text, size_t *used)
{
	struct path path = {0};
	bool ok = path_parse(text, strlen(text), &path, used, NULL) && !text[*used];

	path_free(&path);
	return ok;
}

static void read_order(struct instance_config *i, const struct section *s)
{
	static const char *const words[] = {"subject", "none", "group"};
	char *text = section_text(s, "order-by");
	size_t used;

	i->order_key = section_key(s, "order-by");
	for (int w = ORDER_SUBJECT; text && w <= ORDER_GROUP; w++) {
		if (strcmp(text, words[w]) == 0) {
			i->order_by = (enum order_by)w;
			free(text);
			return;
		}
	}
	if (text && is_path(text, &used)) {
		i->order_by = ORDER_PATH;
		i->order_path = text;
		return;
	}
	if (text)
		report_error(s->report, config_place(i->order_key, text, used),
			     "order-by: `%s` is neither subject, none, group nor a path like "
			     "data.new.algorithm",
			     text);
	free(text);
}

static void read_batch(struct instance_config *i, const struct section *s)
{
	section_number(s, "batch", 1, MOST_IN_CALL, &i->batch);
	i->batch_key = section_key(s, "batch");
	if (i->batch * i->concurrency > MOST_UNDER_WAY)
		section_error(s, "batch",
			      "batch: %u events in each of %u calls at once (`concurrency`) are "
			      "more than the %d that one target may have under way",
			      i->batch, i->concurrency, MOST_UNDER_WAY);
}

static void read_retry(struct instance_config *i, const struct section *s)
{
	char *retry = section_text(s, "retry"), *rate = section_text(s, "rate");
	struct err err;

	if (retry && !form_retry(retry, &i->retry, &err))
		section_error(s, "retry", "%s", err.text);
	if (rate && !form_rate(rate, &i->rate, &err))
		section_error(s, "rate", "%s", err.text);
	free(retry);
	free(rate);
}

static void read_plugin(struct instance_config *i, const struct section *s)
{
	const struct ini_key *key = section_key(s, "plugin");

	i->plugin = section_text(s, "plugin");
	i->plugin_at = key ? ini_place(key, 0) : i->at;
	if (i->plugin && is_word(i->plugin))
		return;
	if (i->plugin)
		section_error(s, "plugin",
			      "`%s` is no plugin's name: letters, digits, `-` and `_`; the "
			      "directories it is looked for in are `plugins` of [pointsman]",
			      i->plugin);
	else if (!i->broken && !key)
		section_error(s, NULL, "[%s %s] lacks `plugin`: which one is it?", s->ini->kind,
			      s->name);
	else if (key && !*key->value)
		section_error(s, "plugin", "no plugin is named");
	free(i->plugin);
	i->plugin = mem_text("");
}

static void add_setting(struct setting **list, size_t *n, struct setting one)
{
	*list = mem_grow(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = one;
}

static void read_settings(struct instance_config *i, const struct section *s)
{
	const char *const *own = host_keys(i->kind);
	struct setting one;

	for (size_t k = 0; k < s->ini->n; k++) {
		const struct ini_key *key = &s->ini->keys[k];

		if (!among(own, key->name) && section_setting(s, key, key->name, &one))
			add_setting(&i->settings, &i->n, one);
	}
}

/* As instances see them: what was written, else the default. */
static void keep_host_settings(struct instance_config *i, const struct section *s)
{
	const char *const *own = host_keys(i->kind);

	for (; *own; own++) {
		const struct ini_key *key = section_key(s, *own);
		struct setting one = {mem_text(*own), section_text(s, *own), NULL, key};

		for (size_t d = 0; !one.value && d < sizeof defaults / sizeof *defaults; d++) {
			if (strcmp(defaults[d][0], *own) == 0)
				one.value = mem_text(defaults[d][1]);
		}
		if (!one.value)
			one.value = mem_text("");
		add_setting(&i->host_settings, &i->nhost, one);
	}
}

void read_instance(struct config *c, enum instance_kind kind, const struct section *s)
{
	struct instance_config i = {.kind = kind,
				    .at = s->ini->at,
				    .enabled = true,
				    .broken = s->ini->broken,
				    .timeout_ms = 30000,
				    .deadline_ms = 3600000,
				    .stalled_ms = 15 * 60000,
				    .retry = {false, 86400000, 1000, 15 * 60000},
				    .concurrency = 8,
				    .batch = 1};

	i.name = mem_text(s->name);
	i.was = section_text(s, "was");
	read_plugin(&i, s);
	section_check_keys(s, host_keys(kind), several, true);
	section_bool(s, "enabled", &i.enabled);
	section_duration(s, "timeout", &i.timeout_ms);
	if (kind == INSTANCE_SOURCE)
		section_duration(s, "stalled-after", &i.stalled_ms);
	if (kind == INSTANCE_ACTION || kind == INSTANCE_SINK) {
		section_duration(s, "deadline", &i.deadline_ms);
		section_number(s, "concurrency", 1, MOST_AT_ONCE, &i.concurrency);
		read_batch(&i, s);
		read_retry(&i, s);
		read_order(&i, s);
	}
	read_settings(&i, s);
	keep_host_settings(&i, s);
	mem_room(c->instances, c->ninstances, c->instances_cap);
	c->instances[c->ninstances++] = i;
}

void setting_list_free(struct setting *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].name);
		free(s[i].value);
		free(s[i].file);
	}
	free(s);
}

void instance_config_free(struct instance_config *i)
{
	setting_list_free(i->settings, i->n);
	setting_list_free(i->host_settings, i->nhost);
	free(i->name);
	free(i->was);
	free(i->plugin);
	free(i->order_path);
}
