/* The event and answers by path, and templates: the core's readers behind the host's calls. */
#include "testhost_inside.h"

#include "base/mem.h"
#include "plugin/keytype.h"
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
	const struct handed *handed; /* or NULL */
	const char *const *vars;     /* or NULL */
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

static struct json_value delivery_value(const struct handed *d, const char *name,
					struct buf *scratch)
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
		bool declared;
		const char *text = values_str(from->t->values, name, &declared);

		if (!declared)
			fail_msg("{{ config.%s }}: the plugin does not declare this key", name);
		return text_value(text, scratch);
	}
	if (strcmp(root, "my") == 0 && path->n == 2)
		return var_value(from->vars, path->steps[1].name, scratch);
	if (!from->handed)
		return (struct json_value){0};
	if (strcmp(root, "delivery") == 0 && path->n == 2)
		return delivery_value(from->handed, path->steps[1].name, scratch);
	if (strcmp(root, "event") == 0 && path->n == 1)
		return json_root(from->handed->document, strlen(from->handed->document));
	return json_find(from->handed->document, strlen(from->handed->document), path, 0);
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
	struct origin from = {t, testhost_handed(t, seen), NULL};

	return from.handed ? value_of(t, &(struct template_source){find, &from}, path) : NULL;
}

static const char *host_find(struct pm_host *h, const void *json, size_t len, const char *path)
{
	struct testhost *t = testhost_of(h);
	struct buf text = {(char *)(uintptr_t)json, len ? len : strlen(json), 0};

	if (!json_check(text.data, text.len, JSON_MAX_DEPTH, NULL))
		return NULL;
	return value_of(t, &(struct template_source){find_in_text, &text}, path);
}

static const char *rendered(const struct origin *from, const struct template *template,
			    struct handed *handed)
{
	struct template_source source = {find, (void *)(uintptr_t)from};
	struct err err = {{0}};
	struct buf out = {0};

	if (template_render(template, &source, &out, &err))
		return scratch_take(&from->t->scratch, &out);
	buf_free(&out);
	if (handed) {
		handed->dead = true;
		testhost_ended(handed, TESTHOST_REJECT, err.text, -1);
	}
	return NULL;
}

static const char *host_render(struct pm_host *h, pm_delivery seen, const char *name)
{
	struct testhost *t = testhost_of(h);
	struct handed *handed = testhost_open(t, seen, "render");
	const struct template *template = values_template(t->values, name);

	if (!template)
		fail_msg("render(\"%s\"): it is no template of the plugin's, or has no value",
			 name);
	return handed ? rendered(&(struct origin){t, handed, NULL}, template, handed) : NULL;
}

static const char *host_fill(struct pm_host *h, pm_delivery seen, int32_t type, const char *text,
			     const char *const *vars)
{
	struct testhost *t = testhost_of(h);
	struct handed *handed = seen ? testhost_open(t, seen, "fill") : NULL;
	enum template_kind kind = TEMPLATE_TEXT;
	struct template *template;
	struct err err = {{0}};
	const char *result;
	size_t at = 0;

	if (seen && !handed)
		return NULL;
	if (type == PM_URL)
		kind = TEMPLATE_URL;
	else if (type != PM_STRING && !keytype_is_template(type, &kind))
		fail_msg("fill(): type %d is no template", type);
	template = template_parse(kind, text, &at, &err);
	if (!template)
		fail_msg("fill(\"%s\"): at %zu: %s", text, at, err.text);
	result = rendered(&(struct origin){t, handed, vars}, template, handed);
	template_free(template);
	return result;
}

void testhost_text_fill(struct testhost *t)
{
	t->host.get = host_get;
	t->host.find = host_find;
	t->host.render = host_render;
	t->host.fill = host_fill;
}
