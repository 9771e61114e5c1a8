/* A byte for the kind, then any text as template: a message, or a template that renders,
 * and what it renders for JSON is JSON. */
#include "base/mem.h"
#include "event/template.h"
#include "fuzz.h"
#include "json/check.h"

#include <string.h>

static const char doc[] = "{\"a\":\"q\\\"\\\\u<&>\\u00e9\\u0000\",\"n\":12345678901234567890.10,"
			  "\"z\":null,\"o\":{\"k\":"
			  "[1,\"x\"]},\"r\":\"refs/tags/v1\",\"s\":250,\"h\":\"c0ffee00c0ffee00\"}";

static struct json_value find(void *arg, const struct path *path, struct buf *scratch)
{
	(void)arg;
	(void)scratch;
	return json_find(doc, sizeof doc - 1, path, 0);
}

static const struct template_source source = {find, NULL};

static void render(const struct template *t, enum template_kind kind)
{
	struct buf out = {0};
	struct err err = {{0}};
	struct json_fault fault;

	if (!template_render(t, &source, &out, &err)) {
		PROMISE(*err.text && out.len == 0);
	} else if (kind == TEMPLATE_JSON &&
		   !json_check(out.data, out.len, 2 * JSON_MAX_DEPTH, &fault)) {
		/* Two names that values fill in may turn out the same. */
		PROMISE(strcmp(fault.what, "duplicate member name") == 0);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum template_kind kind;
	struct buf got = {0};
	struct err err = {{0}};
	struct template *t;
	size_t at = 0;
	char *text;

	if (!size)
		return 0;
	kind = (enum template_kind)(data[0] % 4);
	text = mem_slice((const char *)data + 1, size - 1);
	t = template_parse(kind, text, &at, &err);
	if (t)
		render(t, kind);
	else
		PROMISE(*err.text && at <= strlen(text));
	template_free(t);
	if (!template_get(text, &source, &got, NULL))
		PROMISE(!got.len);
	buf_free(&got);
	free(text);
	return 0;
}
