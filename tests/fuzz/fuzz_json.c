/* Any bytes: the checker and the readers stay inside; what was accepted reads back. */
#include "event/event.h"
#include "fuzz.h"
#include "json/check.h"
#include "json/same.h"

#include <string.h>

struct bounds {
	const char *from, *to;
	size_t left; /* values still to look at */
};

static bool inside(const struct json_value *v, void *arg)
{
	struct bounds *b = arg;

	PROMISE(v->kind != KIND_ABSENT);
	if (v->kind != KIND_COUNT)
		PROMISE(v->text >= b->from && v->text + v->len <= b->to);
	return b->left-- > 0;
}

static void look(const char *text, size_t len)
{
	static const char *const paths[] = {"a", "a.b",   "a.0.b", "a.count",       "\"\"",
					    "0", "count", "a.a.a", "data.new.phase"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct bounds b = {text, text + len, 1000};
		struct json_value v;
		struct path p;
		size_t used;

		PROMISE(path_parse(paths[i], strlen(paths[i]), &p, &used, NULL));
		json_each(text, len, &p, 0, inside, &b);
		v = json_find(text, len, &p, 0);
		PROMISE(v.kind == KIND_ABSENT || inside(&v, &b));
		path_free(&p);
	}
}

static void walk(const struct json_value *v, int depth)
{
	struct json_value name, value;
	struct buf plain = {0}, quoted = {0};

	if (v->kind == KIND_STRING) {
		json_text(v, &plain);
		buf_json_string(&quoted, buf_text(&plain), plain.len);
		PROMISE(json_check(quoted.data, quoted.len, 0, NULL));
		value = json_root(quoted.data, quoted.len);
		PROMISE(json_same(v, &value));
	}
	for (size_t at = 0; json_next(v, &at, &name, &value);) {
		PROMISE(depth > 0);
		walk(&value, depth - 1);
	}
	buf_free(&plain);
	buf_free(&quoted);
}

static void read_event(const char *text, size_t len)
{
	struct err err = {{0}};
	struct event *ev = event_parse(text, len, "fuzz", &err), *again;
	struct buf json = {0};

	PROMISE(ev || *err.text);
	if (!ev)
		return;
	event_check(ev, &err);
	event_json(ev, &json);
	again = event_parse(json.data, json.len, "fuzz", &err);
	PROMISE(again && strcmp(again->id, ev->id) == 0 && again->data_len == ev->data_len);
	buf_free(&json);
	event_unref(ev);
	event_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct json_fault fault = {0};
	struct json_value root;

	if (json_check(text, size, JSON_MAX_DEPTH, &fault)) {
		root = json_root(text, size);
		PROMISE(root.kind != KIND_ABSENT && json_same(&root, &root));
		walk(&root, JSON_MAX_DEPTH);
	} else {
		PROMISE(fault.what && fault.offset <= size && fault.line && fault.column);
	}
	look(text, size);
	read_event(text, size);
	return 0;
}
