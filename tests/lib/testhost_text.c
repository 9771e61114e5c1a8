/* The event and answers by path, and templates: the core's readers behind the host's calls. */
#include "testhost_inside.h"

#include "base/mem.h"
#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct origin { /* of the values in a template */
	struct testhost *t;
	const struct duty *duty; /* or NULL */
	const char *const *vars; /* or NULL */
};

static struct json_value text_value(const char *text, struct buf *scratch)
{
	buf_cut(scratch, 0);
	buf_json_string(scratch, text, strlen(text));
	return (struct json_value){KIND_STRING, scratch->data, scratch->len, 0};
}

static struct json_value number_value(uint32_t n, struct buf *scratch)
{
	buf_cut(scratch, 0);
	buf_printf(scratch, "%u", n);
	return (struct json_value){KIND_NUMBER, scratch->data, scratch->len, 0};
}

static struct json_value delivery_value(const struct duty *d, const char *name, struct buf *scratch)
{
	char key[32];

	snprintf(key, sizeof key, "key-%llu", (unsigned long long)d->number);
	if (strcmp(name, "key") == 0)
		return text_value(key, scratch);
	if (strcmp(name, "attempt") == 0)
		return number_value(d->attempt, scratch);
	if (strcmp(name, "rule") == 0)
		return text_value("a-rule", scratch);
	if (strcmp(name, "held") == 0 && d->held)
		return text_value(d->held, scratch);
	return (struct json_value){0};
}

static struct json_value var_value(const char *const *vars, const char *name, struct buf *scratch)
{
	for (; vars && *vars; vars += 2) {
		if (strcmp(vars[0], name) == 0 && vars[1])
			return text_value(vars[1], scratch);
	}
	return (struct json_value){0};
}

static struct json_value find(void *arg, const struct path *path, struct buf *scratch)
{
	const struct origin *from = arg;
	const char *root = path->steps[0].name;

	if (strcmp(root, "config") == 0 && path->n == 2) {
		const char *name = path->steps[1].name;
		const char *text = testhost_setting(from->t, name);

		if (!testhost_key(from->t, name))
			fail_msg("{{ config.%s }}: the plugin does not declare this key", name);
		return text_value(text ? text : "", scratch);
	}
	if (strcmp(root, "my") == 0 && path->n == 2)
		return var_value(from->vars, path->steps[1].name, scratch);
	if (!from->duty)
		return (struct json_value){0};
	if (strcmp(root, "delivery") == 0 && path->n == 2)
		return delivery_value(from->duty, path->steps[1].name, scratch);
	if (strcmp(root, "event") == 0 && path->n == 1)
		return json_root(from->duty->document, strlen(from->duty->document));
	return json_find(from->duty->document, strlen(from->duty->document), path, 0);
}

static struct json_value find_in_text(void *arg, const struct path *path, struct buf *scratch)
{
	const struct buf *text = arg;

	(void)scratch;
	return json_find(text->data, text->len, path, 0);
}

static const char *value_of(struct testhost *t, const struct template_source *from,
			    const char *path)
{
	struct err err = {{0}};
	struct buf out = {0};

	if (template_get(path, from, &out, &err))
		return scratch_take(&t->scratch, &out);
	buf_free(&out);
	return NULL;
}

static const char *host_get(struct pm_host *h, pm_delivery seen, const char *path)
{
	struct testhost *t = testhost_of(h);
	struct origin from = {t, testhost_duty(t, seen), NULL};

	return from.duty ? value_of(t, &(struct template_source){find, &from}, path) : NULL;
}

static const char *host_find(struct pm_host *h, const void *json, size_t len, const char *path)
{
	struct testhost *t = testhost_of(h);
	struct buf text = {(char *)(uintptr_t)json, len ? len : strlen(json), 0};

	if (!json_check(text.data, text.len, JSON_MAX_DEPTH, NULL))
		return NULL;
	return value_of(t, &(struct template_source){find_in_text, &text}, path);
}

static const char *rendered(struct testhost *t, const struct origin *from, enum template_kind kind,
			    const char *text, struct duty *duty)
{
	struct template_source source = {find, (void *)(uintptr_t)from};
	struct template *template;
	struct err err = {{0}};
	struct buf out = {0};
	size_t at = 0;

	template = template_parse(kind, text, &at, &err);
	if (!template)
		fail_msg("template \"%s\": at %zu: %s", text, at, err.text);
	if (!template_render(template, &source, &out, &err)) {
		buf_free(&out);
		if (duty) {
			duty->dead = true;
			testhost_end_duty(duty, TESTHOST_REJECT, err.text, -1);
		}
	}
	template_free(template);
	return *err.text ? NULL : scratch_take(&t->scratch, &out);
}

static enum template_kind kind_of(int32_t type)
{
	switch (type) {
	case PM_STRING:
	case PM_TEMPLATE: return TEMPLATE_TEXT;
	case PM_JSON_TEMPLATE: return TEMPLATE_JSON;
	case PM_XML_TEMPLATE: return TEMPLATE_XML;
	case PM_URL: return TEMPLATE_URL;
	default: fail_msg("type %d is no template", type); return TEMPLATE_TEXT;
	}
}

static const char *host_render(struct pm_host *h, pm_delivery seen, const char *name)
{
	struct testhost *t = testhost_of(h);
	struct duty *duty = testhost_open_duty(t, seen, "render");
	const struct pm_key *key = testhost_key(t, name);
	const char *text = testhost_setting(t, name);

	if (!key || (key->type != PM_TEMPLATE && key->type != PM_JSON_TEMPLATE &&
		     key->type != PM_XML_TEMPLATE))
		fail_msg("render(\"%s\"): no template of the plugin's has this name", name);
	if (!text)
		fail_msg("render(\"%s\"): the key has no value", name);
	if (!duty)
		return NULL;
	return rendered(t, &(struct origin){t, duty, NULL}, kind_of(key->type), text, duty);
}

static const char *host_fill(struct pm_host *h, pm_delivery seen, int32_t type, const char *text,
			     const char *const *vars)
{
	struct testhost *t = testhost_of(h);
	struct duty *duty = seen ? testhost_open_duty(t, seen, "fill") : NULL;

	if (seen && !duty)
		return NULL;
	return rendered(t, &(struct origin){t, duty, vars}, kind_of(type), text, duty);
}

void testhost_text_fill(struct testhost *t)
{
	t->host.get = host_get;
	t->host.find = host_find;
	t->host.render = host_render;
	t->host.fill = host_fill;
}
