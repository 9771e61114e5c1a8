#include "plugin/scope.h"

#include <string.h>

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

static struct json_value find_delivery(const struct scope *s, const char *name, struct buf *scratch)
{
	if (strcmp(name, "key") == 0)
		return as_string(s->key, scratch);
	if (strcmp(name, "attempt") == 0)
		return as_number(s->attempt, scratch);
	if (strcmp(name, "rule") == 0)
		return as_string(s->rule, scratch);
	if (strcmp(name, "held") == 0 && s->held)
		return as_string(s->held, scratch);
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

static struct json_value find(void *arg, const struct path *path, struct buf *scratch)
{
	const struct scope *s = arg;
	const char *root = path->steps[0].name;

	if (path->n == 2 && strcmp(root, "config") == 0)
		return as_string(values_str(s->values, path->steps[1].name, NULL), scratch);
	if (path->n == 2 && strcmp(root, "my") == 0)
		return find_var(s->vars, path->steps[1].name, scratch);
	if (!s->event)
		return (struct json_value){0};
	if (path->n == 2 && strcmp(root, "delivery") == 0)
		return find_delivery(s, path->steps[1].name, scratch);
	return event_find(s->event, s->view, path, scratch);
}

struct template_source scope_source(struct scope *scope)
{
	return (struct template_source){find, scope};
}
