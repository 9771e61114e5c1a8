#include "attribute.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH    64      /* DynamoDB allows 32 */
#define MAX_EXPONENT 1000000 /* DynamoDB allows 125 */

static size_t digits(const char *p)
{
	size_t n = 0;

	while (isdigit((unsigned char)p[n]))
		n++;
	return n;
}

bool attribute_is_number(const char *p)
{
	size_t n;

	p += *p == '-';
	n = digits(p);
	if (n == 0 || (n > 1 && *p == '0'))
		return false;
	p += n;
	if (*p == '.') {
		n = digits(++p);
		if (n == 0)
			return false;
		p += n;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		n = digits(p);
		if (n == 0)
			return false;
		p += n;
	}
	return !*p;
}

struct decimal { /* 0.D1D2D3.. times ten to the `exponent`; D1 is not 0 */
	bool negative;
	struct buf digits; /* empty: zero */
	long exponent;
};

static struct decimal decimal_of(const char *p)
{
	struct decimal d = {.negative = *p == '-'};
	bool point = false;

	for (p += d.negative; *p && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
		} else if (d.digits.len || *p != '0') {
			buf_char(&d.digits, *p);
			d.exponent += !point;
		} else {
			d.exponent -= point;
		}
	}
	if (*p) {
		long e = strtol(p + 1, NULL, 10);

		d.exponent += e > MAX_EXPONENT    ? MAX_EXPONENT
			      : e < -MAX_EXPONENT ? -MAX_EXPONENT
						  : e;
	}
	while (d.digits.len && d.digits.data[d.digits.len - 1] == '0')
		buf_cut(&d.digits, d.digits.len - 1);
	return d;
}

static int sign(const struct decimal *d)
{
	return !d->digits.len ? 0 : d->negative ? -1 : 1;
}

static int compare_decimals(const struct decimal *a, const struct decimal *b)
{
	int s = sign(a);

	if (s != sign(b))
		return s < sign(b) ? -1 : 1;
	if (s == 0)
		return 0;
	if (a->exponent != b->exponent)
		return a->exponent < b->exponent ? -s : s;
	return s * strcmp(buf_text(&a->digits), buf_text(&b->digits));
}

int attribute_compare(const char *a, const char *b)
{
	struct decimal x = decimal_of(a), y = decimal_of(b);
	int result = compare_decimals(&x, &y);

	buf_free(&x.digits);
	buf_free(&y.digits);
	return result;
}

static int by_value(const void *a, const void *b)
{
	return attribute_compare(json_string_value(*(json_t *const *)a),
				 json_string_value(*(json_t *const *)b));
}

static int by_bytes(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	size_t nx = json_string_length(x), ny = json_string_length(y);
	int d = memcmp(json_string_value(x), json_string_value(y), nx < ny ? nx : ny);

	return d ? d : (nx > ny) - (nx < ny);
}

/* One function for each type tag: append what `inner` stands for. */
typedef bool add_fn(const json_t *inner, unsigned depth, struct buf *out, struct err *err);

static bool add_value(const json_t *value, unsigned depth, struct buf *out, struct err *err);

static bool add_text(const json_t *inner, unsigned depth, struct buf *out, struct err *err)
{
	(void)depth;
	if (!json_is_string(inner)) {
		err_set(err, "no text where text should be");
		return false;
	}
	buf_json_string(out, json_string_value(inner), json_string_length(inner));
	return true;
}

static bool add_number(const json_t *inner, unsigned depth, struct buf *out, struct err *err)
{
	const char *text = json_string_value(inner);

	(void)depth;
	if (!text || !attribute_is_number(text)) {
		err_set(err, "\"%.40s\" is no number", text ? text : "");
		return false;
	}
	buf_text_add(out, text);
	return true;
}

static bool add_bool(const json_t *inner, unsigned depth, struct buf *out, struct err *err)
{
	(void)depth;
	if (!json_is_boolean(inner)) {
		err_set(err, "a BOOL is neither true nor false");
		return false;
	}
	buf_text_add(out, json_is_true(inner) ? "true" : "false");
	return true;
}

static bool add_null(const json_t *inner, unsigned depth, struct buf *out, struct err *err)
{
	(void)depth;
	if (!json_is_true(inner)) {
		err_set(err, "a NULL is not true");
		return false;
	}
	buf_text_add(out, "null");
	return true;
}

/* Sets have no order of their own: sorted, so that the same set is the same text. */
static bool add_sorted(const json_t *set, add_fn *add, int (*compare)(const void *, const void *),
		       struct buf *out, struct err *err)
{
	size_t n = json_array_size(set), i;
	json_t **members = mem_zero((n + 1) * sizeof *members);
	bool ok = n > 0;

	err_set(err, "a set is no array, or empty");
	for (i = 0; ok && i < n; i++) {
		struct buf unused = {0};

		members[i] = json_array_get(set, i);
		ok = add(members[i], 0, &unused, err);
		buf_free(&unused);
	}
	if (ok)
		qsort(members, n, sizeof *members, compare);
	for (i = 0; ok && i < n; i++) {
		buf_char(out, i ? ',' : '[');
		add(members[i], 0, out, err);
	}
	buf_char(out, ']');
	free(members);
	return ok;
}

static bool add_texts(const json_t *inner, unsigned depth, struct buf *out, struct err *err)
{
	(void)depth;
	return add_sorted(inner, add_text, by_bytes, out, err);
}

static bool add_numbers(const json_t *inner, unsigned depth, struct buf *out, struct err *err)
{
	(void)depth;
	return add_sorted(inner, add_number, by_value, out, err);
}

static bool add_map(const json_t *map, unsigned depth, struct buf *out, struct err *err)
{
	const char *name;
	json_t *value;
	bool first = true;

	if (!json_is_object(map)) {
		err_set(err, "a map is no object");
		return false;
	}
	buf_char(out, '{');
	json_object_foreach((json_t *)map, name, value)
	{
		if (!first)
			buf_char(out, ',');
		first = false;
		buf_json_string(out, name, strlen(name));
		buf_char(out, ':');
		if (!add_value(value, depth + 1, out, err)) {
			err_prefix(err, "%s", name);
			return false;
		}
	}
	buf_char(out, '}');
	return true;
}

static bool add_list(const json_t *list, unsigned depth, struct buf *out, struct err *err)
{
	size_t i;
	json_t *value;

	if (!json_is_array(list)) {
		err_set(err, "a list is no array");
		return false;
	}
	buf_char(out, '[');
	json_array_foreach((json_t *)list, i, value)
	{
		if (i)
			buf_char(out, ',');
		if (!add_value(value, depth + 1, out, err)) {
			err_prefix(err, "%zu", i);
			return false;
		}
	}
	buf_char(out, ']');
	return true;
}

static const struct {
	const char *tag;
	add_fn *add;
} types[] = {
	{"S", add_text},     {"N", add_number}, {"B", add_text}, {"BOOL", add_bool},
	{"NULL", add_null},  {"M", add_map},    {"L", add_list}, {"SS", add_texts},
	{"NS", add_numbers}, {"BS", add_texts},
};

static bool add_value(const json_t *value, unsigned depth, struct buf *out, struct err *err)
{
	void *at = json_object_iter((json_t *)value);
	const char *tag = at ? json_object_iter_key(at) : "";

	if (json_object_size(value) != 1) {
		err_set(err, "%zu types where one should be", json_object_size(value));
		return false;
	}
	if (depth > MAX_DEPTH) {
		err_set(err, "nested too deeply");
		return false;
	}
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (strcmp(tag, types[i].tag) == 0)
			return types[i].add(json_object_iter_value(at), depth, out, err);
	}
	err_set(err, "unknown type \"%.40s\"", tag);
	return false;
}

bool attribute_json(const json_t *value, struct buf *out, struct err *err)
{
	return add_value(value, 0, out, err);
}

bool attribute_item_json(const json_t *item, struct buf *out, struct err *err)
{
	return add_map(item, 0, out, err);
}

const char *attribute_text(const json_t *value)
{
	static const char *const tags[] = {"S", "N", "B"};
	const char *text = NULL;

	for (size_t i = 0; !text && i < sizeof tags / sizeof *tags; i++)
		text = json_string_value(json_object_get(value, tags[i]));
	return text;
}
