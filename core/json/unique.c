#include "json/unique.h"

#include "base/mem.h"
#include "json/find.h"

#include <stdlib.h>
#include <string.h>

struct member {
	struct json_value name, value;
	size_t plain, len; /* the name without escapes, in `names` */
};

struct members {
	struct member *list;
	size_t n, cap;
	struct buf names;
};

static void copy(const struct json_value *value, struct buf *out);

static void collect(struct members *m, const struct json_value *object)
{
	struct member one = {0};

	for (size_t at = 0; json_next(object, &at, &one.name, &one.value);) {
		one.plain = m->names.len;
		json_text(&one.name, &m->names);
		one.len = m->names.len - one.plain;
		mem_room(m->list, m->n, m->cap);
		m->list[m->n++] = one;
	}
}

/* By name, and of one name the last member first. */
static int by_name(const void *a, const void *b, void *names)
{
	const struct member *x = a, *y = b;
	const char *text = buf_text(names);

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	if (x->len && memcmp(text + x->plain, text + y->plain, x->len) != 0)
		return memcmp(text + x->plain, text + y->plain, x->len);
	return x->name.text < y->name.text ? 1 : -1;
}

static int by_place(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->name.text < y->name.text ? -1 : 1;
}

static bool same_name(const struct members *m, const struct member *a, const struct member *b)
{
	const char *text = buf_text(&m->names);

	return a->len == b->len &&
	       (!a->len || memcmp(text + a->plain, text + b->plain, a->len) == 0);
}

static void drop_repeats(struct members *m)
{
	size_t n = 0;

	if (m->n < 2)
		return;
	qsort_r(m->list, m->n, sizeof *m->list, by_name, &m->names);
	for (size_t i = 0; i < m->n; i++) {
		if (n == 0 || !same_name(m, &m->list[n - 1], &m->list[i]))
			m->list[n++] = m->list[i];
	}
	m->n = n;
	qsort(m->list, m->n, sizeof *m->list, by_place);
}

static void copy_object(const struct json_value *object, struct buf *out)
{
	struct members m = {0};

	collect(&m, object);
	drop_repeats(&m);
	buf_char(out, '{');
	for (size_t i = 0; i < m.n; i++) {
		if (i)
			buf_char(out, ',');
		buf_add(out, m.list[i].name.text, m.list[i].name.len);
		buf_char(out, ':');
		copy(&m.list[i].value, out);
	}
	buf_char(out, '}');
	free(m.list);
	buf_free(&m.names);
}

static void copy_array(const struct json_value *array, struct buf *out)
{
	struct json_value none, value;
	bool first = true;

	buf_char(out, '[');
	for (size_t at = 0; json_next(array, &at, &none, &value); first = false) {
		if (!first)
			buf_char(out, ',');
		copy(&value, out);
	}
	buf_char(out, ']');
}

static void copy(const struct json_value *value, struct buf *out)
{
	if (value->kind == KIND_OBJECT)
		copy_object(value, out);
	else if (value->kind == KIND_ARRAY)
		copy_array(value, out);
	else
		buf_add(out, value->text, value->len);
}

void json_unique(const char *text, size_t len, struct buf *out)
{
	struct json_value root = json_root(text, len);

	copy(&root, out);
}
