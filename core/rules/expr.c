#include "rules/expr.h"

#include <stdlib.h>

static void value_free(struct expr_value *v)
{
	for (size_t i = 0; i < v->n; i++)
		value_free(&v->items[i]);
	free(v->items);
	free(v->text);
	path_free(&v->path);
}

void expr_free(struct expr *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->nparts; i++)
		expr_free(e->parts[i]);
	free(e->parts);
	path_free(&e->path);
	path_free(&e->whole);
	value_free(&e->value);
	free(e);
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
