#include "base/log.h"
#include "base/mem.h"
#include "plugin/host.h"
#include "plugin/scope.h"
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

static struct scope scope_of(const struct instance *i, const struct engine_call *call,
			     const char *const *vars)
{
	struct scope s = {.values = i->values, .vars = vars};

	if (call) {
		s.event = call->event;
		s.view = call->view;
		s.key = call->key;
		s.rule = call->rule;
		s.held = call->held;
		s.attempt = call->attempt;
	}
	return s;
}

static const char *host_get(struct pm_host *h, pm_delivery d, const char *path)
{
	struct instance *i = instance_of(h);
	const struct engine_call *call = engine_find(instance_options(i)->engine, d);
	struct scope scope = scope_of(i, call, NULL);
	struct template_source source = scope_source(&scope);
	struct buf out = {0};
	struct err err = {{0}};

	if (!call)
		return NULL;
	if (getter_get(&i->getter, path, &source, &out, &err))
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
	if (getter_get(&i->getter, path, &source, &out, &err))
		return scratch_take(&i->scratch, &out);
	buf_free(&out);
	if (*err.text)
		log_error("%s: find(\"%s\"): %s", i->host.instance, path, err.text);
	return NULL;
}

static const char *filled(struct instance *i, pm_delivery d, const struct template *t,
			  struct scope *scope, const char *what)
{
	struct template_source source = scope_source(scope);
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
	const struct engine_call *call = engine_find(instance_options(i)->engine, d);
	struct scope scope = scope_of(i, call, NULL);
	const struct template *t = values_template(i->values, key);

	if (!call)
		return NULL;
	if (!t) {
		undeclared(i, key);
		return NULL;
	}
	return filled(i, d, t, &scope, key);
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
	const struct engine_call *call = d ? engine_find(instance_options(i)->engine, d) : NULL;
	struct scope scope = scope_of(i, call, vars);
	enum template_kind kind;
	struct template *t;
	const char *result;
	struct err err;
	size_t at;

	if (d && !call)
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
	result = filled(i, d, t, &scope, "a template of the plugin");
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
