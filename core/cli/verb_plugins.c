#include "cli/verbs.h"
#include "plugin/loader.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char *kind_name(uint32_t kind)
{
	if (kind & PM_SOURCE)
		return "source";
	if (kind & PM_ACTION)
		return "action";
	return kind & PM_SINK ? "sink" : "secrets";
}

static const char *type_name(int32_t type)
{
	static const char *const names[] = {"?",        "text",          "number",      "yes or no",
					    "duration", "size",          "URL",         "word",
					    "template", "JSON template", "XML template"};

	return type >= 1 && type <= PM_XML_TEMPLATE ? names[type] : names[0];
}

static const char *flags_text(uint32_t flags)
{
	if (flags & PM_REQUIRED && flags & PM_SECRET)
		return ", required, a secret";
	if (flags & PM_REQUIRED)
		return ", required";
	return flags & PM_SECRET ? ", a secret" : "";
}

static void print_key(const struct pm_key *k)
{
	printf("  %-20s %s%s%s", k->name, k->flags & PM_LIST ? "list of " : "", type_name(k->type),
	       flags_text(k->flags));
	if (k->limit)
		printf(", %s", k->limit);
	if (k->fallback)
		printf("; default %s", k->fallback);
	printf("\n                       %s%s\n", k->flags & PM_DEPRECATED ? "DEPRECATED. " : "",
	       k->help ? k->help : "");
}

static void print_type(const struct pm_type *t)
{
	printf("  %s\n      %s Subject: %s. Fields of data: %s\n", t->name, t->help ? t->help : "",
	       t->subject ? t->subject : "none", t->fields ? t->fields : "none");
}

static void print_example(const struct plugin *p)
{
	printf("\nexample:\n  [%s my-%s]\n  plugin = %s\n", kind_name(p->table.kind), p->table.name,
	       p->table.name);
	for (size_t n = 0; n < p->nkeys; n++) {
		const struct pm_key *k = &p->keys[n];

		if (k->flags & PM_REQUIRED)
			printf("  %s = %s\n", k->name,
			       k->flags & PM_SECRET ? "${env:NAME}" : "...");
		else if (k->fallback)
			printf("  ; %s = %s\n", k->name, k->fallback);
	}
}

static void describe(const struct plugin *p)
{
	printf("%s %s, %s%s%s\n%s\n%s\n\nkeys:\n", p->table.name,
	       p->table.version ? p->table.version : "", kind_name(p->table.kind),
	       p->table.kind & PM_BLOCKING ? " (runs on a thread of its own)" : "",
	       p->table.deliver_many ? " (takes several events in one call: `batch`)" : "",
	       p->table.summary ? p->table.summary : "", p->file ? p->file : "");
	for (size_t n = 0; n < p->nkeys; n++)
		print_key(&p->keys[n]);
	if (p->ntypes)
		puts("\nevents it emits:");
	for (size_t n = 0; n < p->ntypes; n++)
		print_type(&p->types[n]);
	if (p->table.needs)
		printf("\nneeds in its events: %s\n", p->table.needs);
	print_example(p);
}

static json_t *text(const char *s)
{
	return s ? json_string(s) : json_null();
}

static void add_flag(json_t *key, const struct pm_key *k, uint32_t flag, const char *name)
{
	json_object_set_new(key, name, json_boolean(k->flags & flag));
}

static json_t *key_json(const struct pm_key *k)
{
	json_t *o = json_pack("{ss ss so so so}", "name", k->name, "type", type_name(k->type),
			      "default", text(k->fallback), "limit", text(k->limit), "help",
			      text(k->help));

	add_flag(o, k, PM_REQUIRED, "required");
	add_flag(o, k, PM_SECRET, "secret");
	add_flag(o, k, PM_LIST, "list");
	add_flag(o, k, PM_DEPRECATED, "deprecated");
	return o;
}

static void describe_json(const struct plugin *p)
{
	json_t *keys = json_array(), *types = json_array(), *o;

	for (size_t n = 0; n < p->nkeys; n++)
		json_array_append_new(keys, key_json(&p->keys[n]));
	for (size_t n = 0; n < p->ntypes; n++)
		json_array_append_new(
			types, json_pack("{so so so so}", "name", text(p->types[n].name), "subject",
					 text(p->types[n].subject), "fields",
					 text(p->types[n].fields), "help", text(p->types[n].help)));
	o = json_pack("{so so ss so so sb sb so so so}", "name", text(p->table.name), "version",
		      text(p->table.version), "kind", kind_name(p->table.kind), "summary",
		      text(p->table.summary), "file", text(p->file), "blocking",
		      (int)!!(p->table.kind & PM_BLOCKING), "batch", (int)!!p->table.deliver_many,
		      "needs", text(p->table.needs), "keys", keys, "types", types);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void list_one(const struct options *o, const char *name, const struct plugin *p,
		     const char *why)
{
	json_t *line;

	if (!o->json) {
		printf("%-24s %-8s %s\n", name, p ? kind_name(p->table.kind) : "REFUSED",
		       p ? p->table.summary ? p->table.summary : "" : why);
		return;
	}
	line = json_pack("{ss so so so}", "name", name, "kind",
			 p ? json_string(kind_name(p->table.kind)) : json_null(), "summary",
			 p ? text(p->table.summary) : json_null(), "refused",
			 p ? json_null() : json_string(why));
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

static int list(const struct options *o, struct loader *l)
{
	const char *name;

	for (size_t n = 0; (name = loader_name(l, n)); n++) {
		struct err err = {{0}};
		const struct plugin *p = loader_get(l, name, &err);

		list_one(o, name, p, err.text);
	}
	return EX_OK;
}

static int describe_named(const struct options *o, struct loader *l)
{
	int status = EX_OK;

	if (o->nwords < 2) {
		fputs("pointsman: plugins describe NAME..\n", stderr);
		return EX_USAGE;
	}
	for (size_t n = 1; n < o->nwords; n++) {
		struct err err = {{0}};
		const struct plugin *p = loader_get(l, o->words[n], &err);

		if (!p) {
			fprintf(stderr, "pointsman: %s\n", err.text);
			status = EX_UNAVAILABLE;
		} else if (o->json) {
			describe_json(p);
		} else {
			describe(p);
		}
	}
	return status;
}

int verb_plugins(const struct options *o)
{
	struct config *c = options_config(o, false);
	struct loader *l = loader_new(options_plugins(c));
	int status = EX_USAGE;

	if (o->nwords && strcmp(o->words[0], "list") == 0)
		status = list(o, l);
	else if (o->nwords && strcmp(o->words[0], "describe") == 0)
		status = describe_named(o, l);
	else
		fputs("pointsman: plugins list, or plugins describe NAME..\n", stderr);
	loader_free(l);
	config_free(c);
	return status;
}
