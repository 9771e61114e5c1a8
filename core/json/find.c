#include "json/find.h"

#include "json/check.h"
#include "json/escape.h"
#include "json/skip.h"

#include <string.h>

/* Positions are pointers into the text; every reader takes the end and may return it. */

static enum json_kind kind_of(char c)
{
	switch (c) {
	case '{': return KIND_OBJECT;
	case '[': return KIND_ARRAY;
	case '"': return KIND_STRING;
	case 't': return KIND_TRUE;
	case 'f': return KIND_FALSE;
	case 'n': return KIND_NULL;
	default: return c == '-' || (c >= '0' && c <= '9') ? KIND_NUMBER : KIND_ABSENT;
	}
}

static struct json_value value_at(const char *p, const char *end)
{
	struct json_value v = {.kind = p < end ? kind_of(*p) : KIND_ABSENT};

	if (v.kind == KIND_ABSENT)
		return v;
	v.text = p;
	v.len = (size_t)(skip_value(p, end) - p);
	if (v.kind == KIND_STRING && (v.len < 2 || v.text[v.len - 1] != '"'))
		return (struct json_value){0};
	return v;
}

/* p behind the opening bracket or the last item; at the next item, or NULL. */
static const char *next_item(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	if (p < end && *p == ',')
		p = skip_blanks(p + 1, end);
	return p == end || *p == '}' || *p == ']' ? NULL : p;
}

/* p behind the last item; the place behind the bracket. */
static const char *close_bracket(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	return p < end ? p + 1 : end;
}

/* p at a member's name; at its value, or NULL. */
static const char *member(const char *p, const char *end, struct json_value *name)
{
	if (*p != '"')
		return NULL;
	*name = value_at(p, end);
	if (name->kind != KIND_STRING)
		return NULL;
	p = skip_blanks(p + name->len, end);
	if (p == end || *p != ':')
		return NULL;
	p = skip_blanks(p + 1, end);
	return p < end ? p : NULL;
}

bool json_next(const struct json_value *container, size_t *at, struct json_value *name,
	       struct json_value *value)
{
	const char *end = container->text + container->len, *p;

	if (container->kind != KIND_OBJECT && container->kind != KIND_ARRAY)
		return false;
	p = next_item(container->text + (*at ? *at : 1), end);
	if (p && container->kind == KIND_OBJECT)
		p = member(p, end, name);
	else
		*name = (struct json_value){0};
	if (!p)
		return false;
	*value = value_at(p, end);
	*at = (size_t)(p - container->text) + value->len;
	return value->kind != KIND_ABSENT;
}

struct json_value json_root(const char *text, size_t len)
{
	return value_at(skip_blanks(text, text + len), text + len);
}

/*
 * One walk serves json_find() and json_each().  Every function returns the place behind
 * the value it was given, so that nothing is read twice, or NULL once nobody needs the
 * rest: the callback stopped, or no array surrounds the value that was found.
 */
struct walk {
	const char *end;
	const struct path *path;
	bool flatten; /* an array at the end of the path counts element by element */
	json_each_fn *fn;
	void *arg;
	bool stopped;
	unsigned depth; /* arrays around: the text may be unchecked, the stack is finite */
};

static const char *walk(struct walk *w, const char *p, size_t step, bool in_array);

static const char *report(struct walk *w, const struct json_value *value, const char *next)
{
	w->stopped = !w->fn(value, w->arg);
	return w->stopped ? NULL : next;
}

static const char *walk_members(struct walk *w, const char *p, size_t step, bool in_array)
{
	const struct path_step *wanted = &w->path->steps[step];
	const char *item, *behind = p + 1;
	struct json_value name;

	while ((item = next_item(behind, w->end))) {
		p = member(item, w->end, &name);
		if (!p)
			return w->end;
		if (!json_string_is(name.text + 1, name.len - 2, wanted->name, wanted->len)) {
			behind = skip_value(p, w->end);
			continue;
		}
		behind = walk(w, p, step + 1, in_array);
		if (!behind || !in_array)
			return NULL;
	}
	return close_bracket(behind, w->end);
}

/* Elements from *p on; what each of them has at `step`. */
static const char *walk_elements(struct walk *w, const char *p, size_t step)
{
	const char *item, *behind = p + 1;

	if (w->depth == JSON_MAX_DEPTH)
		return skip_out(p + 1, w->end, 1);
	w->depth++;
	while ((item = next_item(behind, w->end))) {
		behind = walk(w, item, step, true);
		if (!behind)
			return NULL;
	}
	w->depth--;
	return close_bracket(behind, w->end);
}

static const char *walk_index(struct walk *w, const char *p, size_t step, bool in_array)
{
	long left = w->path->steps[step].index;
	const char *item, *behind = p + 1;

	while ((item = next_item(behind, w->end))) {
		if (left-- == 0)
			behind = walk(w, item, step + 1, in_array);
		else
			behind = skip_value(item, w->end);
		if (!behind || (left < 0 && !in_array))
			return NULL;
	}
	return close_bracket(behind, w->end);
}

static const char *walk_count(struct walk *w, const char *p)
{
	struct json_value value = {.kind = KIND_COUNT};
	const char *item, *behind = p + 1;

	for (; (item = next_item(behind, w->end)); value.number++)
		behind = skip_value(item, w->end);
	return report(w, &value, close_bracket(behind, w->end));
}

static const char *walk_array(struct walk *w, const char *p, size_t step, bool in_array)
{
	long index = step < w->path->n ? w->path->steps[step].index : -1;

	if (index >= 0)
		return walk_index(w, p, step, in_array);
	if (index == PATH_COUNT && step + 1 == w->path->n)
		return walk_count(w, p);
	return walk_elements(w, p, step);
}

static const char *walk(struct walk *w, const char *p, size_t step, bool in_array)
{
	bool last = step == w->path->n;
	struct json_value value;

	if (p >= w->end)
		return w->end;
	if (*p == '[' && (!last || w->flatten))
		return walk_array(w, p, step, in_array);
	if (*p == '{' && !last)
		return walk_members(w, p, step, in_array);
	if (!last)
		return skip_value(p, w->end);
	value = value_at(p, w->end);
	if (value.kind == KIND_ABSENT)
		return skip_value(p, w->end);
	return report(w, &value, p + value.len);
}

bool json_each(const char *text, size_t len, const struct path *path, size_t from, json_each_fn *fn,
	       void *arg)
{
	struct walk w = {text + len, path, true, fn, arg, false, 0};

	walk(&w, skip_blanks(text, w.end), from, false);
	return !w.stopped;
}

static bool keep_first(const struct json_value *value, void *arg)
{
	*(struct json_value *)arg = *value;
	return false;
}

struct json_value json_find(const char *text, size_t len, const struct path *path, size_t from)
{
	struct json_value found = {0};
	struct walk w = {text + len, path, false, keep_first, &found, false, 0};

	walk(&w, skip_blanks(text, w.end), from, false);
	return found;
}

void json_text(const struct json_value *value, struct buf *out)
{
	switch (value->kind) {
	case KIND_ABSENT:
	case KIND_NULL: break;
	case KIND_STRING: json_string_plain(value->text + 1, value->len - 2, out); break;
	case KIND_COUNT: buf_printf(out, "%llu", (unsigned long long)value->number); break;
	default: buf_add(out, value->text, value->len);
	}
}
