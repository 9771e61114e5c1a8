#include "plugin/fields.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *const closed[] = {"text", "number", "bool"};
static const char *const open_types[] = {"object", "array", "any"};

bool fields_next(const char **p, struct field_word *w)
{
	size_t len;
	const char *colon;

	*p += strspn(*p, " ");
	len = strcspn(*p, " ");
	if (len == 0)
		return false;
	colon = memchr(*p, ':', len);
	*w = (struct field_word){.name = *p, .name_len = colon ? (size_t)(colon - *p) : len};
	if (colon) {
		w->type = colon + 1;
		w->type_len = len - w->name_len - 1;
	}
	if (*w->name == '?' && w->name_len > 0) {
		w->optional = true;
		w->name++;
		w->name_len--;
	}
	w->star = w->name_len == 1 && *w->name == '*' && !w->type && !w->optional;
	*p += len;
	return true;
}

static bool among(const char *const *types, size_t n, const struct field_word *w)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(types[i]) == w->type_len && memcmp(types[i], w->type, w->type_len) == 0)
			return true;
	}
	return false;
}

static bool may_go_deeper(const struct field_word *w)
{
	return w->type && among(open_types, sizeof open_types / sizeof *open_types, w);
}

static bool is_name(const struct field_word *w)
{
	char *text = mem_slice(w->name, w->name_len);
	struct path path = {0};
	size_t used = 0;
	bool ok = path_parse(text, w->name_len, &path, &used, NULL) && used == w->name_len;

	path_free(&path);
	free(text);
	return ok;
}

bool fields_check(const char *fields, struct err *err)
{
	struct field_word w;

	while (fields_next(&fields, &w)) {
		if (w.star)
			continue;
		if (!is_name(&w)) {
			err_set(err, "`%.*s` is no field's name", (int)w.name_len, w.name);
			return false;
		}
		if (w.type && !may_go_deeper(&w) &&
		    !among(closed, sizeof closed / sizeof *closed, &w)) {
			err_set(err,
				"field `%.*s` has the type `%.*s`; there are text, number, bool, "
				"object, array and any",
				(int)w.name_len, w.name, (int)w.type_len, w.type);
			return false;
		}
	}
	return true;
}

/* How many steps from `from` on the word's name takes up; 0 if they differ. */
static size_t common(const struct field_word *w, const struct path *path, size_t from, bool *whole)
{
	const char *p = w->name, *end = w->name + w->name_len;
	size_t i = from;

	while (p < end && i < path->n) {
		const char *dot = memchr(p, '.', (size_t)(end - p));
		size_t len = (size_t)((dot ? dot : end) - p);

		if (path->steps[i].len != len || memcmp(path->steps[i].name, p, len) != 0)
			return 0;
		i++;
		p += len + (dot != NULL);
	}
	*whole = p >= end;
	return i - from;
}

static enum field judge(const struct field_word *w, const struct path *path, size_t from)
{
	bool whole = false;
	size_t n = common(w, path, from, &whole);

	if (n == 0)
		return FIELD_ABSENT;
	if (n < path->n - from)
		return whole && may_go_deeper(w) ? FIELD_OPTIONAL : FIELD_ABSENT;
	return w->optional ? FIELD_OPTIONAL : FIELD_THERE;
}

enum field fields_find(const char *fields, const struct path *path, size_t from)
{
	enum field best = FIELD_ABSENT, found;
	struct field_word w;

	if (from == path->n)
		return FIELD_THERE;
	while (fields_next(&fields, &w)) {
		found = w.star ? FIELD_OPTIONAL : judge(&w, path, from);
		if (found > best)
			best = found;
	}
	return best;
}

static enum field_type type_of_word(const struct field_word *w)
{
	static const struct {
		const char *name;
		enum field_type type;
	} types[] = {{"text", FIELD_TEXT},
		     {"number", FIELD_NUMBER},
		     {"bool", FIELD_BOOL},
		     {"object", FIELD_OBJECT}};

	if (!w->type)
		return FIELD_TEXT;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (strlen(types[i].name) == w->type_len &&
		    memcmp(types[i].name, w->type, w->type_len) == 0)
			return types[i].type;
	}
	return FIELD_ANY;
}

enum field_type fields_type(const char *fields, const struct path *path, size_t from)
{
	struct field_word w;
	bool whole;

	if (from == path->n)
		return FIELD_OBJECT;
	while (fields_next(&fields, &w)) {
		whole = false;
		if (w.star || common(&w, path, from, &whole) != path->n - from)
			continue;
		return whole ? type_of_word(&w) : FIELD_OBJECT;
	}
	return FIELD_ANY;
}

void fields_each(const char *fields, void (*fn)(const char *name, void *arg), void *arg)
{
	struct field_word w;

	while (fields_next(&fields, &w)) {
		char *name = mem_slice(w.name, w.name_len);

		if (!w.star)
			fn(name, arg);
		free(name);
	}
}
