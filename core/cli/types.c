#include "cli/types.h"

#include "base/mem.h"
#include "cli/jsonline.h"
#include "plugin/fields.h"
#include "plugin/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct emitted *find(struct types *t, const struct pm_type *type)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->list[i].type == type)
			return &t->list[i];
	}
	mem_room(t->list, t->n, t->cap);
	t->list[t->n] = (struct emitted){.type = type};
	return &t->list[t->n++];
}

static void add(struct types *t, const struct plugin *p, const char *section)
{
	for (size_t i = 0; i < p->ntypes; i++) {
		struct emitted *e = find(t, &p->types[i]);

		e->plugin = p->table.name;
		if (!section)
			continue;
		e->sections = mem_grow(e->sections, e->n + 1, sizeof *e->sections);
		e->sections[e->n++] = section;
	}
}

static bool add_named(struct types *t, struct loader *loader, const char *plugin,
		      const char *section)
{
	struct err err;
	const struct plugin *p = loader_get(loader, plugin, &err);

	if (p)
		add(t, p, section);
	else
		fprintf(stderr, "pointsman: %s\n", err.text);
	return p != NULL;
}

bool types_gather(const struct config *config, struct loader *loader, struct types *out)
{
	bool good = true;
	const struct pm_type *own;
	const char *name;
	size_t n;

	*out = (struct types){0};
	for (size_t i = 0; i < config->ninstances; i++) {
		const struct instance_config *c = &config->instances[i];

		if (is_emitter(c))
			good = add_named(out, loader, c->plugin, c->name) && good;
	}
	for (size_t i = 0; !config->ninstances && (name = loader_name(loader, i)); i++)
		good = add_named(out, loader, name, NULL) && good;
	own = survey_own(&n);
	for (size_t i = 0; i < n; i++)
		find(out, &own[i]);
	return good;
}

void types_clear(struct types *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->list[i].sections);
	free(t->list);
	*t = (struct types){0};
}

static const char *fields_of(const struct emitted *e)
{
	return e->type->fields ? e->type->fields : "";
}

static json_t *type_of(const struct field_word *w)
{
	return w->type ? json_stringn(w->type, w->type_len) : json_string("text");
}

json_t *types_json(const struct emitted *e)
{
	const char *rest = fields_of(e);
	json_t *from = json_array(), *fields = json_array();
	struct field_word w;
	bool more = false;

	for (size_t i = 0; i < e->n; i++)
		json_array_append_new(from, json_string(e->sections[i]));
	while (fields_next(&rest, &w)) {
		more = more || w.star;
		if (!w.star)
			json_array_append_new(fields, json_pack("{ss% so sb}", "name", w.name,
								w.name_len, "type", type_of(&w),
								"optional", (int)w.optional));
	}
	return json_pack("{ss so so so so so sb}", "type", e->type->name, "plugin",
			 jsonline_text(e->plugin), "from", from, "subject",
			 jsonline_text(e->type->subject), "help", jsonline_text(e->type->help),
			 "fields", fields, "more", (int)more);
}

/* {} is the schema of anything. */
static json_t *schema_of_type(const struct field_word *w)
{
	static const char *const names[][2] = {{"text", "string"},
					       {"number", "number"},
					       {"bool", "boolean"},
					       {"object", "object"},
					       {"array", "array"}};
	const char *type = w->type ? w->type : "text";
	size_t len = w->type ? w->type_len : 4;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strlen(names[i][0]) == len && memcmp(names[i][0], type, len) == 0)
			return json_pack("{ss}", "type", names[i][1]);
	}
	return json_object();
}

static json_t *object_schema(bool more)
{
	return json_pack("{ss s{} s[] sb}", "type", "object", "properties", "required",
			 "additionalProperties", (int)more);
}

static void require(json_t *object, const char *name)
{
	json_t *required = json_object_get(object, "required"), *known;
	size_t i;

	json_array_foreach(required, i, known)
	{
		if (strcmp(json_string_value(known), name) == 0)
			return;
	}
	json_array_append_new(required, json_string(name));
}

/* `a.b` is the member b of the object a, which has others only if a field says so. */
static json_t *member_of(json_t *object, const char *name)
{
	json_t *properties = json_object_get(object, "properties");
	json_t *member = json_object_get(properties, name);

	if (!json_object_get(member, "properties")) {
		bool more = member != NULL;

		member = object_schema(more);
		json_object_set_new(properties, name, member);
	}
	return member;
}

static void add_field(json_t *data, const struct field_word *w)
{
	char *name = mem_slice(w->name, w->name_len);
	struct path path = {0};
	size_t used;

	path_parse(name, w->name_len, &path, &used, NULL);
	for (size_t i = 0; i < path.n; i++) {
		const char *step = path.steps[i].name;

		if (!w->optional)
			require(data, step);
		if (i + 1 < path.n)
			data = member_of(data, step);
		else if (!json_object_get(json_object_get(data, "properties"), step))
			json_object_set_new(json_object_get(data, "properties"), step,
					    schema_of_type(w));
	}
	path_free(&path);
	free(name);
}

static json_t *data_schema(const char *fields)
{
	json_t *data = object_schema(false);
	struct field_word w;

	while (fields_next(&fields, &w)) {
		if (w.star)
			json_object_set_new(data, "additionalProperties", json_true());
		else
			add_field(data, &w);
	}
	return data;
}

/* `github.*` is one or more words after the dot. */
static json_t *name_schema(const char *name)
{
	static const char words[] = "[a-z0-9_-]+([.][a-z0-9_-]+)*$";
	size_t len = strlen(name);
	struct buf pattern = {0};
	json_t *schema;

	if (name[len - 1] != '*')
		return json_pack("{ss}", "const", name);
	buf_char(&pattern, '^');
	for (size_t i = 0; i + 1 < len; i++) {
		if (name[i] == '.')
			buf_text_add(&pattern, "[.]");
		else
			buf_char(&pattern, name[i]);
	}
	buf_text_add(&pattern, words);
	schema = json_pack("{ss ss}", "type", "string", "pattern", buf_text(&pattern));
	buf_free(&pattern);
	return schema;
}

static json_t *text_schema(void)
{
	return json_pack("{ss si}", "type", "string", "minLength", 1);
}

json_t *types_schema(const struct emitted *e)
{
	json_t *properties = json_pack(
		"{s{ss} so so so s{ss} s{ss ss} s{ss} s{ss} s{ss} s{ss} so}", "specversion",
		"const", "1.0", "id", text_schema(), "source", text_schema(), "type",
		name_schema(e->type->name), "subject", "type", "string", "time", "type", "string",
		"format", "date-time", "datacontenttype", "const", "application/json",
		"traceparent", "type", "string", "instance", "type", "string", "sequence", "type",
		"string", "data", data_schema(fields_of(e)));

	if (e->type->subject)
		json_object_set_new(json_object_get(properties, "subject"), "description",
				    json_string(e->type->subject));
	return json_pack("{ss ss ss ss s[sssss] so}", "$schema",
			 "https://json-schema.org/draft/2020-12/schema", "title", e->type->name,
			 "description", e->type->help ? e->type->help : "", "type", "object",
			 "required", "specversion", "id", "source", "type", "data", "properties",
			 properties);
}
