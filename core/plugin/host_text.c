#include "base/log.h"
#include "base/mem.h"
#include "plugin/host.h"
#include "json/check.h"

#include <stdlib.h>
#include <string.h>

static void undeclared(struct instance *i, const char *key)
{
	log_error("%s: plugin %s read key `%s`, which it does not declare: a bug in the plugin",
		  i->host.instance, i->plugin->table.name, key);
}

static const char *host_str(struct pm_host *h, const char *key)
{
	struct instance *i = instance_of(h);
	bool declared;
	const char *text = values_str(i->values, key, &declared);

	if (!declared)
		undeclared(i, key);
	return scratch_text(&i->scratch, text, strlen(text));
}

static int64_t host_num(struct pm_host *h, const char *key)
{
	struct instance *i = instance_of(h);
	bool declared;
	int64_t n = values_num(i->values, key, &declared);

	if (!declared)
		undeclared(i, key);
	return n;
}

static const char *host_nth(struct pm_host *h, const char *key, uint32_t n)
{
	struct instance *i = instance_of(h);
	bool declared;
	const char *text = values_nth(i->values, key, n, &declared);

	if (!declared)
		undeclared(i, key);
	return text ? scratch_text(&i->scratch, text, strlen(text)) : NULL;
}

static struct json_value as_string(const char *text, struct buf *scratch)
{
	buf_cut(scratch, 0);
	buf_json_string(scratch, text, strlen(text));
	return (struct json_value){KIND_STRING, scratch->data, scratch->len, 0};
}

static struct json_value as_number(uint32_t n, struct buf *scratch)
{
	buf_cut(scratch, 0);
	buf_printf(scratch, "%u", n);
	return (struct json_value){KIND_NUMBER, scratch->data, scratch->len, 0};
}

static struct json_value find_delivery(const struct engine_call *call, const char *name,
				       struct buf *scratch)
{
	if (strcmp(name, "key") == 0)
		return as_string(call->key, scratch);
	if (strcmp(name, "attempt") == 0)
		return as_number(call->attempt, scratch);
	if (strcmp(name, "rule") == 0)
		return as_string(call->rule, scratch);
	if (strcmp(name, "held") == 0 && call->held)
		return as_string(call->held, scratch);
	return (struct json_value){0};
}

static struct json_value find_var(const char *const *vars, const char *name, struct buf *scratch)
{
	for (; vars && *vars; vars += 2) {
		if (strcmp(vars[0], name) == 0 && vars[1])
			return as_string(vars[1], scratch);
	}
	return (struct json_value){0};
}

static struct json_value find_root(void *arg, const struct path *path, struct buf *scratch)
{
	struct host_source *from = arg;
	const char *root = path->steps[0].name;

	if (path->n == 2 && strcmp(root, "config") == 0)
		return as_string(values_str(from->instance->values, path->steps[1].name, NULL),
				 scratch);
	if (path->n == 2 && strcmp(root, "my") == 0)
		return find_var(from->vars, path->steps[1].name, scratch);
	if (!from->call)
		return (struct json_value){0};
	if (path->n == 2 && strcmp(root, "delivery") == 0)
		return find_delivery(from->call, path->steps[1].name, scratch);
	return event_find(from->call->event, from->call->view, path, scratch);
}

struct template_source host_source(struct host_source *from)
{
	return (struct template_source){find_root, from};
}

static const char *host_get(struct pm_host *h, pm_delivery d, const char *path)
{
	struct instance *i = instance_of(h);
	struct host_source from = {i, engine_find(instance_options(i)->engine, d), NULL};
	struct template_source source = host_source(&from);
	struct buf out = {0};
	struct err err = {{0}};

	if (!from.call)
		return NULL;
	if (template_get(path, &source, &out, &err))
		return scratch_take(&i->scratch, &out);
	buf_free(&out);
	if (*err.text)
		log_error("%s: get(\"%s\"): %s", i->host.instance, path, err.text);
	return NULL;
}

struct text {
	const char *json;
	size_t len;
};

static struct json_value find_in_text(void *arg, const struct path *path, struct buf *scratch)
{
	const struct text *text = arg;

	(void)scratch;
	return json_find(text->json, text->len, path, 0);
}

/* An answer is asked for several paths in a row: look at its syntax once in a call. */
static bool good_json(struct instance *i, const struct text *text)
{
	if (i->checked == text->json && i->checked_len == text->len && text->json)
		return true;
	if (!json_check(text->json, text->len, JSON_MAX_DEPTH, NULL))
		return false;
	i->checked = text->json;
	i->checked_len = text->len;
	return true;
}

static const char *host_find(struct pm_host *h, const void *json, size_t len, const char *path)
{
	struct instance *i = instance_of(h);
	struct text text = {json, len ? len : strlen(json)};
	struct template_source source = {find_in_text, &text};
	struct buf out = {0};
	struct err err = {{0}};

	if (!good_json(i, &text))
		return NULL;
	if (template_get(path, &source, &out, &err))
		return scratch_take(&i->scratch, &out);
	buf_free(&out);
	if (*err.text)
		log_error("%s: find(\"%s\"): %s", i->host.instance, path, err.text);
	return NULL;
}

static const char *filled(struct instance *i, pm_delivery d, const struct template *t,
			  struct host_source *from, const char *what)
{
	struct template_source source = host_source(from);
	struct ending bad = {.result = LANE_REJECT, .after_ms = -1};
	struct buf out = {0};
	struct err err = {{0}};

	if (template_render(t, &source, &out, &err))
		return scratch_take(&i->scratch, &out);
	buf_free(&out);
	err_set(&bad.why, "%s: %s", what, err.text);
	if (d)
		host_end(i, d, &bad);
	else
		log_error("%s: %s", i->host.instance, bad.why.text);
	return NULL;
}

static const char *host_render(struct pm_host *h, pm_delivery d, const char *key)
{
	struct instance *i = instance_of(h);
	struct host_source from = {i, engine_find(instance_options(i)->engine, d), NULL};
	const struct template *t = values_template(i->values, key);

	if (!from.call)
		return NULL;
	if (!t) {
		undeclared(i, key);
		return NULL;
	}
	return filled(i, d, t, &from, key);
}

static bool kind_of(int32_t type, enum template_kind *kind)
{
	switch (type) {
	case PM_STRING:
	case PM_TEMPLATE: *kind = TEMPLATE_TEXT; return true;
	case PM_JSON_TEMPLATE: *kind = TEMPLATE_JSON; return true;
	case PM_XML_TEMPLATE: *kind = TEMPLATE_XML; return true;
	case PM_URL: *kind = TEMPLATE_URL; return true;
	default: return false;
	}
}

static const char *host_fill_template(struct pm_host *h, pm_delivery d, int32_t type,
				      const char *text, const char *const *vars)
{
	struct instance *i = instance_of(h);
	struct host_source from = {i, d ? engine_find(instance_options(i)->engine, d) : NULL, vars};
	enum template_kind kind;
	struct template *t;
	const char *result;
	struct err err;
	size_t at;

	if (d && !from.call)
		return NULL;
	if (!kind_of(type, &kind)) {
		log_error("%s: fill() with type %d, which is no template: a bug in the plugin",
			  i->host.instance, type);
		return NULL;
	}
	t = template_parse(kind, text, &at, &err);
	if (!t) {
		log_error("%s: fill(\"%s\"): %s", i->host.instance, text, err.text);
		return NULL;
	}
	result = filled(i, d, t, &from, "a template of the plugin");
	template_free(t);
	return result;
}

void host_fill_text(struct pm_host *h)
{
	h->str = host_str;
	h->num = host_num;
	h->nth = host_nth;
	h->get = host_get;
	h->find = host_find;
	h->render = host_render;
	h->fill = host_fill_template;
}
