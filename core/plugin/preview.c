#include "plugin/preview.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

static bool fill(struct scope *scope, const struct template *t, struct buf *out)
{
	struct template_source source = scope_source(scope);
	struct err err = {{0}};
	bool ok = template_render(t, &source, out, &err);

	if (!ok)
		buf_text_add(out, err.text);
	log_mask(out);
	return ok;
}

static bool stands(struct scope *scope, const char *key, struct buf *out)
{
	bool declared;
	const char *text = values_str(scope->values, key, &declared);

	if (declared)
		buf_text_add(out, text);
	else
		buf_printf(out, "there is no key `%s`", key);
	log_mask(out);
	return declared;
}

bool preview_key(struct scope *scope, const char *key, struct buf *out)
{
	const struct template *t = values_template(scope->values, key);

	return t ? fill(scope, t, out) : stands(scope, key, out);
}

void preview_make(struct scope *scope, struct preview *out)
{
	struct template_use use;
	size_t cap = 0;

	*out = (struct preview){0};
	while (values_template_use(scope->values, out->n, &use)) {
		struct preview_key one = {.key = use.key};
		struct buf text = {0};
		bool ok = fill(scope, use.template, &text);

		*(ok ? &one.text : &one.problem) = text.data ? buf_take(&text) : mem_text("");
		mem_room(out->keys, out->n, cap);
		out->keys[out->n++] = one;
	}
}

void preview_clear(struct preview *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->keys[i].text);
		free(p->keys[i].problem);
	}
	free(p->keys);
	*p = (struct preview){0};
}
