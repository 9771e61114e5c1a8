/* The judge of plugins' tables. */
#include "base/mem.h"
#include "config/config.h"
#include "config/reference.h"
#include "config/section.h"
#include "plugin/fields.h"
#include "plugin/keytype.h"
#include "plugin/loader.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ROWS    256
#define LARGEST_SIZE 4096 /* of any struct; above it, the number is no size */

/* Sizes at ABI 1.0: what every plugin has at least. */
#define PLUGIN_1_0 (offsetof(struct pm_plugin, destroy) + sizeof(void *))
#define KEY_1_0    (offsetof(struct pm_key, help) + sizeof(void *))
#define TYPE_1_0   (offsetof(struct pm_type, help) + sizeof(void *))

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool size_is_good(size_t size, size_t at_least)
{
	return size >= at_least && size <= LARGEST_SIZE && size % sizeof(void *) == 0;
}

static bool copy_plugin(struct plugin *p, const struct pm_plugin *table, struct err *err)
{
	if (table->abi_minor > PM_ABI_MINOR) {
		err_set(err,
			"it needs pointsman ABI 1.%u, this is 1.%u: install a newer pointsman, or "
			"build the plugin with PM_ABI_MINOR=%u",
			table->abi_minor, PM_ABI_MINOR, PM_ABI_MINOR);
		return false;
	}
	if (!size_is_good(table->size, PLUGIN_1_0) ||
	    (table->keys && !size_is_good(table->key_size, KEY_1_0)) ||
	    (table->types && !size_is_good(table->type_size, TYPE_1_0))) {
		err_set(err, "its table has sizes that cannot be; describe the plugin with "
			     "PM_PLUGIN()");
		return false;
	}
	memcpy(&p->table, table, least(table->size, sizeof p->table));
	return true;
}

/* The number of rows before the one whose first member, a name, is NULL. */
static bool count_rows(const void *rows, size_t stride, size_t *n)
{
	const char *name;

	for (*n = 0; rows && *n <= MOST_ROWS; ++*n) {
		memcpy(&name, (const char *)rows + *n * stride, sizeof name);
		if (!name)
			return true;
	}
	return !rows;
}

static void *copy_rows(const void *rows, size_t stride, size_t n, size_t size)
{
	char *copy = mem_zero((n + 1) * size);

	for (size_t i = 0; i < n; i++)
		memcpy(copy + i * size, (const char *)rows + i * stride, least(stride, size));
	return copy;
}

static bool copy_tables(struct plugin *p, struct err *err)
{
	const struct pm_plugin *t = &p->table;

	if (!count_rows(t->keys, t->key_size, &p->nkeys) ||
	    !count_rows(t->types, t->type_size, &p->ntypes)) {
		err_set(err, "its %s do not end with {0} within %d rows",
			p->nkeys > MOST_ROWS ? "keys" : "types", MOST_ROWS);
		return false;
	}
	p->keys = copy_rows(t->keys, t->key_size, p->nkeys, sizeof *p->keys);
	p->types = copy_rows(t->types, t->type_size, p->ntypes, sizeof *p->types);
	p->table.keys = p->keys;
	p->table.types = p->types;
	return true;
}

static bool key_name(const char *name)
{
	size_t n = strlen(name);

	if (n > 2 && strcmp(name + n - 2, ".*") == 0)
		n -= 2;
	return n > 0 && name[0] >= 'a' && name[0] <= 'z' && name[n - 1] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= n;
}

static bool unique_key(const struct plugin *p, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(p->keys[j].name, p->keys[i].name) == 0)
			return false;
	}
	return true;
}

static bool has_reference(const char *text)
{
	struct references refs;
	size_t at;
	bool any = references_parse(text, &refs, &at, NULL) && references_any(&refs);

	references_free(&refs);
	return any;
}

static bool default_template(const struct pm_key *k, enum template_kind kind, struct err *err)
{
	size_t at;
	struct template *t = template_parse(kind, k->fallback, &at, err);

	if (!t)
		err_prefix(err, "the default of key `%s`, byte %zu", k->name, at);
	template_free(t);
	return t != NULL;
}

static bool default_values(const struct pm_key *k, struct err *err)
{
	size_t at;
	int64_t number;
	char **list = k->flags & PM_LIST ? list_split(k->fallback, &at) : NULL;
	bool ok = true;

	if (k->flags & PM_LIST && !list) {
		err_set(err, "an element is missing");
		ok = false;
	}
	for (size_t i = 0; ok && list && list[i]; i++)
		ok = keytype_number(k, list[i], &number, err);
	if (!(k->flags & PM_LIST))
		ok = keytype_number(k, k->fallback, &number, err);
	list_free(list);
	if (!ok)
		err_prefix(err, "the default of key `%s`", k->name);
	return ok;
}

/* An empty default is none. */
static bool check_default(const struct pm_key *k, struct err *err)
{
	enum template_kind kind;

	if (!k->fallback || !*k->fallback)
		return true;
	if (has_reference(k->fallback))
		return true;
	if (k->flags & PM_SECRET) {
		err_set(err, "the default of key `%s` is a secret in clear", k->name);
		return false;
	}
	return keytype_is_template(k->type, &kind) ? default_template(k, kind, err)
						   : default_values(k, err);
}

static bool check_key(const struct plugin *p, size_t i, struct err *err)
{
	const struct pm_key *k = &p->keys[i];
	const uint32_t flags = PM_REQUIRED | PM_SECRET | PM_DEPRECATED | PM_LIST;

	if (!key_name(k->name))
		err_set(err, "key `%s`: names are lower-case-with-dashes, a family ends with `.*`",
			k->name);
	else if (config_is_host_key(k->name))
		err_set(err, "key `%s` belongs to the host in every section; rename it", k->name);
	else if (!unique_key(p, i))
		err_set(err, "key `%s` is there twice", k->name);
	else if (!keytype_known(k->type))
		err_set(err, "key `%s` has an unknown type, %d", k->name, k->type);
	else if (k->flags & ~flags)
		err_set(err, "key `%s` has unknown flags, 0x%x", k->name, k->flags & ~flags);
	else if (!k->help || !*k->help)
		err_set(err, "key `%s` has no help", k->name);
	else if (k->flags & PM_REQUIRED && k->fallback)
		err_set(err, "key `%s` is required and has a default", k->name);
	else
		return keytype_limit(k, err) && check_default(k, err);
	return false;
}

/* Words of lower-case letters joined by dots, the last one may be `*`. */
static bool type_name(const char *name)
{
	for (;;) {
		size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

		if (n == 0)
			return strcmp(name, "*") == 0;
		if (!name[n])
			return true;
		if (name[n] != '.')
			return false;
		name += n + 1;
	}
}

static bool check_type(const struct plugin *p, size_t i, struct err *err)
{
	const struct pm_type *t = &p->types[i];

	for (size_t j = 0; j < i; j++) {
		if (strcmp(p->types[j].name, t->name) == 0) {
			err_set(err, "event type `%s` is there twice", t->name);
			return false;
		}
	}
	if (!type_name(t->name)) {
		err_set(err,
			"event type `%s`: lower-case words joined by dots, the last may be `*`",
			t->name);
		return false;
	}
	if (strncmp(t->name, "pointsman.", 10) == 0) {
		err_set(err, "event type `%s`: pointsman.* come from the router alone", t->name);
		return false;
	}
	if (!t->fields || !t->subject || !t->help) {
		err_set(err, "event type `%s` has no %s", t->name,
			!t->fields    ? "fields; `*` means any"
			: !t->subject ? "subject"
				      : "help");
		return false;
	}
	if (!fields_check(t->fields, err)) {
		err_prefix(err, "event type `%s`", t->name);
		return false;
	}
	return true;
}

static bool check_role(const struct plugin *p, struct err *err)
{
	const struct pm_plugin *t = &p->table;
	const uint32_t role = t->kind & (PM_SOURCE | PM_ACTION | PM_SINK | PM_SECRETS);

	if (role == 0 || (role & (role - 1)) != 0 || t->kind & ~(role | PM_BLOCKING))
		err_set(err,
			"its kind is 0x%x: one of PM_SOURCE, PM_ACTION, PM_SINK and PM_SECRETS, "
			"and PM_BLOCKING if need be",
			t->kind);
	else if (role & (PM_ACTION | PM_SINK) && !t->deliver)
		err_set(err, "it takes events but has no deliver()");
	else if (!(role & (PM_ACTION | PM_SINK)) && t->deliver)
		err_set(err, "it has deliver(), which is for actions and sinks");
	else if (t->deliver_many && !t->deliver)
		err_set(err,
			"it has deliver_many() but no deliver(), for sections without `batch`");
	else if (!(role & (PM_SOURCE | PM_ACTION)) && p->ntypes)
		err_set(err, "it lists event types, which only sources and actions emit");
	else if (!(role & PM_SECRETS) != !t->resolve)
		err_set(err, t->resolve ? "it has resolve(), which is for PM_SECRETS"
					: "it serves secrets but has no resolve()");
	else if (role & PM_SOURCE && !p->ntypes)
		err_set(err, "it is a source but lists no event type");
	else
		return true;
	return false;
}

/* Paths separated by blanks. */
static bool check_needs(const char *needs, struct err *err)
{
	struct path path;
	size_t used;

	while (needs && *(needs += strspn(needs, " "))) {
		size_t len = strcspn(needs, " ");

		if (!path_parse(needs, len, &path, &used, err)) {
			err_prefix(err, "what it needs, `%s`", needs);
			return false;
		}
		path_free(&path);
		if (used != len) {
			err_set(err, "what it needs, `%s`, is no list of paths", needs);
			return false;
		}
		needs += len;
	}
	return true;
}

static bool check_texts(const struct pm_plugin *t, struct err *err)
{
	if (t->name && is_word(t->name) && t->version && t->summary)
		return true;
	err_set(err, "its table lacks a %s",
		!t->name || !is_word(t->name) ? "name of letters, digits, `-` and `_`"
		: !t->version                 ? "version"
					      : "summary");
	return false;
}

static bool judge(const struct plugin *p, struct err *err)
{
	if (!check_texts(&p->table, err) || !check_role(p, err) ||
	    !check_needs(p->table.needs, err))
		return false;
	for (size_t i = 0; i < p->nkeys; i++) {
		if (!check_key(p, i, err))
			return false;
	}
	for (size_t i = 0; i < p->ntypes; i++) {
		if (!check_type(p, i, err))
			return false;
	}
	return true;
}

struct plugin *plugin_adopt(const struct pm_plugin *table, struct err *err)
{
	struct plugin *p = mem_new(struct plugin);

	if (copy_plugin(p, table, err) && copy_tables(p, err) && judge(p, err))
		return p;
	plugin_free(p);
	return NULL;
}

void plugin_free(struct plugin *p)
{
	if (!p)
		return;
	free(p->keys);
	free(p->types);
	free(p->file);
	free(p);
}

const struct pm_key *plugin_key(const struct plugin *p, const char *name)
{
	for (size_t i = 0; i < p->nkeys; i++) {
		if (strcmp(p->keys[i].name, name) == 0)
			return &p->keys[i];
	}
	for (size_t i = 0; i < p->nkeys; i++) {
		size_t n = strlen(p->keys[i].name);

		if (p->keys[i].name[n - 1] == '*' && strncmp(p->keys[i].name, name, n - 1) == 0 &&
		    name[n - 1])
			return &p->keys[i];
	}
	return NULL;
}
