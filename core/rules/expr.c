#include "rules/expr.h"

#include <string.h>

struct expr *expr_new(struct arena *a, enum expr_kind kind)
{
	struct expr *e = arena_take(a, sizeof *e);

	e->kind = kind;
	return e;
}

void expr_adopt(struct arena *a, struct expr *e, struct expr *part)
{
	e->parts = arena_room(a, e->parts, e->nparts, sizeof *e->parts);
	e->parts[e->nparts++] = part;
}

struct path expr_path(struct arena *a, const struct path *path)
{
	struct path copy = {.text = arena_text(a, path->text, strlen(path->text)), .n = path->n};

	copy.steps = arena_take(a, path->n * sizeof *copy.steps);
	for (size_t i = 0; i < path->n; i++) {
		copy.steps[i] = path->steps[i];
		copy.steps[i].name = arena_text(a, path->steps[i].name, path->steps[i].len);
	}
	return copy;
}

struct search {
	size_t wanted, seen;
	struct expr_use *use;
};

static void found(struct search *s, struct expr_use use)
{
	if (s->seen++ == s->wanted && s->use)
		*s->use = use;
}

static void search(struct search *s, const struct expr *e, const struct path *prefix)
{
	if (e->kind == EXPR_TEST) {
		const struct expr_value *v = &e->value;
		bool literal = v->kind != VALUE_NONE && v->kind != VALUE_PATH;

		found(s, (struct expr_use){prefix, &e->path, e->op, literal ? v : NULL, e->at});
		if (v->kind == VALUE_PATH)
			found(s, (struct expr_use){prefix, &v->path, EXPR_EXISTS, NULL, e->at});
		return;
	}
	if (e->kind == EXPR_ANY) {
		found(s, (struct expr_use){prefix, &e->path, EXPR_EXISTS, NULL, e->at});
		prefix = &e->whole;
	}
	for (size_t i = 0; i < e->nparts; i++)
		search(s, e->parts[i], prefix);
}

size_t expr_uses(const struct expr *e, size_t i, struct expr_use *use)
{
	struct search s = {.wanted = i, .use = use};

	search(&s, e, NULL);
	return s.seen;
}
