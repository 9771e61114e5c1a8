#include "cli/patterns.h"

#include "rules/pattern.h"

#include <string.h>

static struct expr *parse(const struct patterns *p, struct arena *a, const char *text, size_t len,
			  size_t *at, struct err *err)
{
	*at = 0;
	if (!p->where)
		return pattern_parse(a, PATTERN_DATA, text, len, at, err);
	*at = strlen(text);
	if (*at == len)
		return expr_parse(a, text, at, err);
	err_set(err, "a NUL byte");
	return NULL;
}

/* Attributes are of events that came in; here there is none but the payload. */
static bool about_payload(const struct expr *e, size_t *at, struct err *err)
{
	size_t n = expr_uses(e, 0, NULL);

	for (size_t i = 0; i < n; i++) {
		struct expr_use use = {0};

		expr_uses(e, i, &use);
		if (use.prefix || strcmp(use.path->steps[0].name, "data") == 0)
			continue;
		err_set(err, "%s: a line of EVENTS is the payload alone, so paths begin with data",
			use.path->text);
		*at = use.at;
		return false;
	}
	return true;
}

void patterns_read(struct patterns *p, struct lines *l)
{
	struct arena trees = {0};
	char *text;
	size_t len, at;

	while (lines_next(l, &text, &len)) {
		struct err err = {{0}};
		struct expr *e = parse(p, &trees, text, len, &at, &err);

		if (e && (!p->where || about_payload(e, &at, &err)))
			texts_add(&p->texts, text, len);
		else
			lines_fault(l, at + 1, "%s", err.text);
		arena_reset(&trees);
	}
	arena_free(&trees);
}

struct matcher *patterns_compile(const struct patterns *p)
{
	struct matcher_draft *draft = matcher_draft();
	struct arena trees = {0};

	for (size_t i = 0; i < p->texts.n; i++) {
		size_t len, at;
		const char *text = texts_get(&p->texts, i, &len);

		matcher_add(draft, parse(p, &trees, text, len, &at, NULL));
		arena_reset(&trees);
	}
	arena_free(&trees);
	return matcher_compile(draft);
}

void patterns_free(struct patterns *p)
{
	texts_free(&p->texts);
}
