#include "json/same.h"

#include "base/mem.h"
#include "json/check.h"
#include "json/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same(const struct json_value *a, const struct json_value *b, unsigned depth);

static bool same_string(const struct json_value *a, const struct json_value *b)
{
	struct buf plain = {0};
	bool equal;

	if (a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
		return true;
	if (!memchr(a->text, '\\', a->len))
		return json_string_is(b->text + 1, b->len - 2, a->text + 1, a->len - 2);
	json_text(a, &plain);
	equal = json_string_is(b->text + 1, b->len - 2, buf_text(&plain), plain.len);
	buf_free(&plain);
	return equal;
}

static bool same_array(const struct json_value *a, const struct json_value *b, unsigned depth)
{
	struct json_value name, x, y;
	size_t i = 0, k = 0;

	while (json_next(a, &i, &name, &x)) {
		if (!json_next(b, &k, &name, &y) || !same(&x, &y, depth))
			return false;
	}
	return !json_next(b, &k, &name, &y);
}

struct member {
	char *name; /* plain */
	size_t len;
	struct json_value value;
};

struct members {
	struct member *list;
	size_t n, cap;
};

static int by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = memcmp(x->name, y->name, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static struct members sorted(const struct json_value *object)
{
	struct members m = {0};
	struct json_value name, value;

	for (size_t at = 0; json_next(object, &at, &name, &value);) {
		struct buf plain = {0};

		json_text(&name, &plain);
		mem_room(m.list, m.n, m.cap);
		m.list[m.n].len = plain.len;
		m.list[m.n].value = value;
		m.list[m.n++].name = buf_take(&plain);
	}
	if (m.n)
		qsort(m.list, m.n, sizeof *m.list, by_name);
	return m;
}

static void members_free(struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->list[i].name);
	free(m->list);
}

/* Sorted, because looking each member up would take time quadratic in a large object. */
static bool same_members(const struct json_value *a, const struct json_value *b, unsigned depth)
{
	struct members x = sorted(a), y = sorted(b);
	bool equal = x.n == y.n;

	for (size_t i = 0; equal && i < x.n; i++)
		equal = by_name(&x.list[i], &y.list[i]) == 0 &&
			same(&x.list[i].value, &y.list[i].value, depth);
	members_free(&x);
	members_free(&y);
	return equal;
}

static bool same(const struct json_value *a, const struct json_value *b, unsigned depth)
{
	char x[24], y[24];

	if ((a->kind == KIND_COUNT || a->kind == KIND_NUMBER) &&
	    (b->kind == KIND_COUNT || b->kind == KIND_NUMBER)) {
		snprintf(x, sizeof x, "%llu", (unsigned long long)a->number);
		snprintf(y, sizeof y, "%llu", (unsigned long long)b->number);
		return json_number_compare(a->kind == KIND_COUNT ? x : a->text,
					   a->kind == KIND_COUNT ? strlen(x) : a->len,
					   b->kind == KIND_COUNT ? y : b->text,
					   b->kind == KIND_COUNT ? strlen(y) : b->len) == 0;
	}
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case KIND_STRING: return same_string(a, b);
	case KIND_ARRAY: return depth > 0 && same_array(a, b, depth - 1);
	case KIND_OBJECT: return depth > 0 && same_members(a, b, depth - 1);
	default: return true;
	}
}

bool json_same(const struct json_value *a, const struct json_value *b)
{
	return same(a, b, JSON_MAX_DEPTH);
}
