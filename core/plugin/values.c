#include "plugin/values.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "config/section.h"
#include "plugin/entry.h"

#include <stdlib.h>
#include <string.h>

struct secret { /* a remote piece */
	struct values_secret says;
	struct entry *entry;
	size_t part, piece;
};

struct values {
	const struct plugin *plugin;
	const struct instance_config *section;
	struct map entries; /* in the order of the section, then defaults */
	struct secret *secrets;
	size_t nsecrets;
};

struct reading { /* what values_new() carries along */
	struct values *v;
	struct report *report;
	struct map bad; /* names of the keys with a mistake, as in the table */
};

static void note_secrets(struct values *v, struct entry *e)
{
	for (size_t i = 0; i < e->nparts; i++) {
		for (size_t k = 0; k < e->parts[i].refs.n; k++) {
			const struct reference *p = &e->parts[i].refs.pieces[k];

			if (p->kind != REFERENCE_REMOTE)
				continue;
			v->secrets = mem_grow(v->secrets, v->nsecrets + 1, sizeof *v->secrets);
			v->secrets[v->nsecrets++] = (struct secret){
				{p->section, p->text, e->name, entry_place(e, p->at)}, e, i, k};
		}
	}
}

static void keep(struct values *v, struct entry *e)
{
	note_secrets(v, e);
	map_put(&v->entries, e->name, e);
}

static void say_unknown(const struct reading *r, const struct setting *s)
{
	const struct plugin *p = r->v->plugin;
	size_t nhost, n = 0;
	const char *const *host = config_host_keys(r->v->section->kind, &nhost);
	const char **names = mem_zero((nhost + p->nkeys + 1) * sizeof *names), *near;

	for (size_t i = 0; i < p->nkeys; i++)
		names[n++] = p->keys[i].name;
	for (size_t i = 0; i < nhost; i++)
		names[n++] = host[i];
	near = report_nearest(s->name, names, n);
	if (config_is_host_key(s->name))
		report_error(r->report, s->key->at, "`%s` has no meaning in a [%s]", s->name,
			     config_kind_name(r->v->section->kind));
	else
		report_error(r->report, s->key->at, "unknown key `%s` of plugin %s%s%s%s", s->name,
			     p->table.name, near ? "; did you mean `" : "", near ? near : "",
			     near ? "`?" : "");
	free(names);
}

static void read_setting(struct reading *r, const struct setting *s)
{
	const struct pm_key *key = plugin_key(r->v->plugin, s->name);
	size_t errors = r->report->errors;
	struct entry *e;

	if (!key) {
		say_unknown(r, s);
		return;
	}
	if (map_get(&r->v->entries, s->name))
		return; /* a repeat, which the reader of the file told */
	e = entry_new(s->name, key, r->v->section, s);
	entry_check_writing(e, r->report);
	if (entry_take(e, s->value, r->report))
		keep(r->v, e);
	else
		entry_free(e);
	if (r->report->errors > errors)
		map_put(&r->bad, key->name, r);
}

static bool is_family(const struct pm_key *k)
{
	return k->name[strlen(k->name) - 1] == '*';
}

static bool family_has_any(const struct values *v, const struct pm_key *k)
{
	struct map_entry *m;

	for (size_t i = 0; (m = map_next(&v->entries, &i));) {
		if (((struct entry *)m->value)->key == k)
			return true;
	}
	return false;
}

static void miss(const struct reading *r, const struct pm_key *k)
{
	const struct instance_config *s = r->v->section;

	if (!s->broken)
		report_error(r->report, s->at, "[%s %s] lacks `%s`: %s", config_kind_name(s->kind),
			     s->name, k->name, k->help);
}

static void fall_back(const struct reading *r, const struct pm_key *k)
{
	struct entry *e = entry_new(k->name, k, r->v->section, NULL);

	if (entry_take(e, k->fallback, r->report))
		keep(r->v, e);
	else
		entry_free(e);
}

static void read_rest(const struct reading *r)
{
	const struct plugin *p = r->v->plugin;

	for (size_t i = 0; i < p->nkeys; i++) {
		const struct pm_key *k = &p->keys[i];

		if (map_get(&r->v->entries, k->name) || map_get(&r->bad, k->name) ||
		    (is_family(k) && family_has_any(r->v, k)))
			continue;
		if (k->flags & PM_REQUIRED)
			miss(r, k);
		else if (k->fallback)
			fall_back(r, k);
	}
}

struct values *values_new(const struct plugin *plugin, const struct instance_config *section,
			  struct report *report)
{
	struct values *v = mem_new(struct values);
	struct reading r = {.v = v, .report = report};
	size_t errors = report->errors;

	v->plugin = plugin;
	v->section = section;
	for (size_t i = 0; i < section->n; i++)
		read_setting(&r, &section->settings[i]);
	read_rest(&r);
	map_free(&r.bad, NULL);
	if (report->errors == errors)
		return v;
	values_free(v);
	return NULL;
}

void values_free(struct values *v)
{
	if (!v)
		return;
	map_free(&v->entries, entry_free);
	free(v->secrets);
	free(v);
}

static bool declares(const struct values *v, const char *key)
{
	size_t n;
	const char *const *host = config_host_keys(v->section->kind, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(host[i], key) == 0)
			return true;
	}
	return plugin_key(v->plugin, key) != NULL;
}

/* The entry of a list and the index, of "key.2". */
static const struct entry *element(const struct values *v, const char *key, size_t *i)
{
	const char *dot = strrchr(key, '.');
	char *end;

	if (!dot || dot[1] < '0' || dot[1] > '9')
		return NULL;
	*i = strtoul(dot + 1, &end, 10);
	return *end ? NULL : map_get_n(&v->entries, key, (size_t)(dot - key));
}

static void answer(bool *declared, bool yes)
{
	if (declared)
		*declared = yes;
}

const char *values_str(const struct values *v, const char *key, bool *declared)
{
	const struct entry *e = map_get(&v->entries, key), *list;
	size_t i;

	answer(declared, true);
	if (e)
		return e->now.text;
	list = element(v, key, &i);
	if (list && list->now.items)
		return i < list_length(list->now.items) ? list->now.items[i] : "";
	for (i = 0; i < v->section->nhost; i++) {
		if (strcmp(v->section->host_settings[i].name, key) == 0)
			return v->section->host_settings[i].value;
	}
	answer(declared, declares(v, key));
	return "";
}

static int64_t host_number(const struct instance_config *s, const char *key)
{
	if (strcmp(key, "enabled") == 0)
		return s->enabled;
	if (strcmp(key, "timeout") == 0)
		return s->timeout_ms;
	if (strcmp(key, "deadline") == 0)
		return s->deadline_ms;
	if (strcmp(key, "concurrency") == 0)
		return s->concurrency;
	if (strcmp(key, "batch") == 0)
		return s->batch;
	return strcmp(key, "stalled-after") == 0 ? s->stalled_ms : 0;
}

int64_t values_num(const struct values *v, const char *key, bool *declared)
{
	const struct entry *e = map_get(&v->entries, key);

	answer(declared, e || declares(v, key));
	if (e)
		return e->now.number;
	return plugin_key(v->plugin, key) || !declares(v, key) ? 0 : host_number(v->section, key);
}

static const char *nth_of_family(const struct values *v, const char *family, uint32_t i)
{
	struct map_entry *m;

	for (size_t at = 0; (m = map_next(&v->entries, &at));) {
		const struct entry *e = m->value;

		if (strcmp(e->key->name, family) == 0 && i-- == 0)
			return e->name;
	}
	return NULL;
}

const char *values_nth(const struct values *v, const char *key, uint32_t i, bool *declared)
{
	const struct entry *e = map_get(&v->entries, key);

	answer(declared, e || declares(v, key));
	if (e && e->now.items)
		return i < list_length(e->now.items) ? e->now.items[i] : NULL;
	return e ? NULL : nth_of_family(v, key, i);
}

const struct template *values_template(const struct values *v, const char *key)
{
	const struct entry *e = map_get(&v->entries, key);

	return e ? e->now.template : NULL;
}

bool values_template_use(const struct values *v, size_t i, struct template_use *out)
{
	struct map_entry *m;

	for (size_t at = 0; (m = map_next(&v->entries, &at));) {
		const struct entry *e = m->value;

		if (!e->now.template || i-- > 0)
			continue;
		*out = (struct template_use){e->name, e->now.template, e->setting};
		return true;
	}
	return false;
}

const struct values_secret *values_secret(const struct values *v, size_t i)
{
	return i < v->nsecrets ? &v->secrets[i].says : NULL;
}

static bool exchange(const struct values *v, struct entry *e, char **piece, char *text)
{
	bool first = *piece == NULL;
	struct err err;

	if (entry_exchange(e, piece, text, &err))
		return true;
	log_error("%s %s: the new value of `%s` cannot be used: %s; %s",
		  config_kind_name(v->section->kind), v->section->name, e->name, err.text,
		  first ? "waiting for another" : "the old one stays");
	return false;
}

void values_resolve(struct values *v, size_t i, const char *value)
{
	const struct secret *s = &v->secrets[i];
	char **piece = &s->entry->parts[s->part].got[s->piece];

	if (*piece && strcmp(*piece, value) == 0)
		return;
	log_secret(value);
	exchange(v, s->entry, piece, mem_text(value));
}

bool values_resolved(const struct values *v)
{
	for (size_t i = 0; i < v->nsecrets; i++) {
		const struct secret *s = &v->secrets[i];

		if (!s->entry->parts[s->part].got[s->piece])
			return false;
	}
	return true;
}

bool values_has_secrets(const struct values *v)
{
	struct map_entry *m;

	for (size_t i = 0; (m = map_next(&v->entries, &i));) {
		if (((struct entry *)m->value)->key->flags & PM_SECRET)
			return true;
	}
	return v->nsecrets > 0;
}

static bool reread_part(const struct values *v, struct entry *e, struct part *p)
{
	bool changed = false;

	for (size_t i = 0; i < p->refs.n; i++) {
		const struct reference *r = &p->refs.pieces[i];
		struct err err;
		char *text;

		if (r->kind != REFERENCE_FILE && r->kind != REFERENCE_CREDENTIAL)
			continue;
		text = entry_resolve(e, r, &err);
		if (!text)
			log_warn("%s %s: `%s`: %s; the old value stays",
				 config_kind_name(v->section->kind), v->section->name, e->name,
				 err.text);
		else if (strcmp(text, p->got[i]) == 0)
			free(text);
		else
			changed = exchange(v, e, &p->got[i], text) || changed;
	}
	return changed;
}

bool values_reread(struct values *v)
{
	struct map_entry *m;
	bool changed = false;

	for (size_t i = 0; (m = map_next(&v->entries, &i));) {
		struct entry *e = m->value;

		for (size_t p = 0; p < e->nparts; p++)
			changed = reread_part(v, e, &e->parts[p]) || changed;
	}
	return changed;
}
