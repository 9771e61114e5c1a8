#include "rules/change.h"

#include "rules/expr.h"
#include "json/same.h"

#include <string.h>

static bool step_is(const struct path *p, size_t i, const char *name)
{
	return i < p->n && strcmp(p->steps[i].name, name) == 0;
}

struct change *change_parse(struct arena *a, const char *text, struct err *err)
{
	struct change *c;
	struct path path;
	size_t used;

	if (!path_parse(text, strlen(text), &path, &used, err)) {
		err_prefix(err, "changed");
		return NULL;
	}
	if (text[used] || !step_is(&path, 0, "data") || !step_is(&path, 1, "new") || path.n < 3) {
		err_set(err, "changed: \"%.100s\" is no path under data.new, like data.new.phase",
			text);
		path_free(&path);
		return NULL;
	}
	c = arena_take(a, sizeof *c);
	c->now = expr_path(a, &path);
	c->before = expr_path(a, &path);
	c->before.steps[1].name = arena_text(a, "old", 3);
	path_free(&path);
	return c;
}

enum changed change_of(const struct change *c, const struct event *ev, struct buf *scratch)
{
	const struct path item = {c->now.text, c->now.steps, 2};
	struct json_value now = event_find(ev, EVENT_ITSELF, &c->now, scratch);
	struct json_value before = event_find(ev, EVENT_ITSELF, &c->before, scratch);

	if (now.kind != KIND_ABSENT && before.kind != KIND_ABSENT)
		return json_same(&now, &before) ? CHANGED_NO : CHANGED_YES;
	if (now.kind != KIND_ABSENT)
		return CHANGED_YES;
	if (before.kind == KIND_ABSENT)
		return CHANGED_ABSENT;
	now = event_find(ev, EVENT_ITSELF, &item, scratch);
	return now.kind == KIND_OBJECT ? CHANGED_YES : CHANGED_ABSENT;
}
