/* Tests that can never be true: by the types of the fields they are about, or
 * together with others. */
#include "base/mem.h"
#include "plugin/survey.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct comparing {
	const struct testing *testing;
	const struct feed *feed;
};

/* A test where it stands: what it asks for, and whether the rule cannot match without it. */
struct standing {
	const struct expr *e;
	struct path path; /* whole */
	enum field_type type;
	bool needed;
};

static void tell(const struct comparing *c, const struct standing *s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* An error if the rule can never match, else a warning. */
static void tell(const struct comparing *c, const struct standing *s, const char *fmt, ...)
{
	const struct testing *t = c->testing;
	struct report *report = t->asking->s->report;
	struct place at = testing_place(t, s->e->at);
	int len = (int)(s->e->end - s->e->at);
	va_list ap;
	char *why;

	va_start(ap, fmt);
	why = mem_vformat(fmt, ap);
	va_end(ap);
	if (s->needed)
		report_error(report, at, "%s: `%.*s` can never be true: %s", t->key, len,
			     t->text + s->e->at, why);
	else
		report_warning(report, at, "%s: `%.*s` can never be true: %s", t->key, len,
			       t->text + s->e->at, why);
	free(why);
}

static const char *type_name(enum field_type type)
{
	static const char *const names[] = {
		[FIELD_ANY] = "anything",     [FIELD_TEXT] = "text",
		[FIELD_NUMBER] = "a number",  [FIELD_BOOL] = "true or false",
		[FIELD_OBJECT] = "an object",
	};

	return names[type];
}

/* Does the operator look at text alone? */
static bool is_about_text(enum expr_op op)
{
	switch (op) {
	case EXPR_IEQ:
	case EXPR_WITHIN:
	case EXPR_LIKE:
	case EXPR_CONTAINS:
	case EXPR_STARTS:
	case EXPR_ENDS:
	case EXPR_MATCHES:
	case EXPR_ISTARTS:
	case EXPR_IENDS: return true;
	default: return false;
	}
}

static bool is_order(enum expr_op op)
{
	return op == EXPR_LT || op == EXPR_LE || op == EXPR_GT || op == EXPR_GE;
}

/* null may be anywhere, so it tells nothing. */
static bool literal_fits(const struct expr_value *v, enum field_type type)
{
	switch (v->kind) {
	case VALUE_STRING: return type == FIELD_TEXT;
	case VALUE_NUMBER: return type == FIELD_NUMBER;
	case VALUE_TRUE:
	case VALUE_FALSE: return type == FIELD_BOOL;
	default: return true;
	}
}

static bool literals_fit(const struct expr_value *v, enum field_type type)
{
	if (v->kind != VALUE_LIST)
		return literal_fits(v, type);
	for (size_t i = 0; i < v->n; i++) {
		if (literal_fits(&v->items[i], type))
			return true;
	}
	return v->n == 0;
}

static enum field_type type_in(const struct comparing *c, const struct path *prefix,
			       const struct path *path)
{
	struct path joined;
	enum field_type type;

	if (!prefix)
		return feed_type(c->feed, path, 0);
	path_join(prefix, path, &joined);
	type = feed_type(c->feed, &joined, 0);
	path_free(&joined);
	return type;
}

/* The same shape as 2026-11-24T01:02:03, as far as it goes. */
static bool begins_time(const struct expr_value *v)
{
	static const char shape[] = "0000-00-00T00:00:00";

	for (size_t i = 0; i < v->len && shape[i]; i++) {
		bool digit = v->text[i] >= '0' && v->text[i] <= '9';

		if (shape[i] == '0' ? !digit : digit)
			return false;
	}
	return true;
}

static void check_time(const struct comparing *c, const struct standing *s)
{
	const struct expr_value *v = &s->e->value;

	if (strcmp(s->path.text, "time") != 0 || v->kind != VALUE_STRING || begins_time(v))
		return;
	if (s->e->op == EXPR_EQ || s->e->op == EXPR_STARTS)
		tell(c, s, "a time is like 2026-11-24T01:02:03Z");
	else if (is_order(s->e->op))
		report_warning(c->testing->asking->s->report, testing_place(c->testing, s->e->at),
			       "%s: `time` is compared with what is no beginning of a time, like "
			       "2026-11-24T01:02:03Z",
			       c->testing->key);
}

/* `!=` and `not ..` are the plain form turned round. */
static void check_turned(const struct comparing *c, const struct standing *s)
{
	report_warning(c->testing->asking->s->report, testing_place(c->testing, s->e->at),
		       "%s: `%.*s` is always true where `%s` is there: it is %s", c->testing->key,
		       (int)(s->e->end - s->e->at), c->testing->text + s->e->at, s->path.text,
		       type_name(s->type));
}

static bool never_by_type(const struct comparing *c, const struct standing *s,
			  const struct path *prefix)
{
	const struct expr *e = s->e;
	enum field_type right;

	if (s->type == FIELD_ANY || e->op == EXPR_EXISTS || e->op == EXPR_LEAF)
		return false;
	if (e->value.kind == VALUE_PATH) {
		right = type_in(c, prefix, &e->value.path);
		return right != FIELD_ANY && right != s->type;
	}
	if (is_about_text(e->op))
		return s->type != FIELD_TEXT;
	if (is_order(e->op) && s->type == FIELD_BOOL)
		return true;
	return !literals_fit(&e->value, s->type);
}

static void check_test(const struct comparing *c, const struct expr *e, const struct path *prefix,
		       bool needed)
{
	struct standing s = {.e = e, .needed = needed, .type = type_in(c, prefix, &e->path)};

	if (prefix)
		path_join(prefix, &e->path, &s.path);
	else
		s.path = e->path;
	if (!never_by_type(c, &s, prefix))
		check_time(c, &s);
	else if (e->negated || e->op == EXPR_NE || e->but)
		check_turned(c, &s);
	else
		tell(c, &s, "`%s` is %s", s.path.text, type_name(s.type));
	if (prefix)
		path_free(&s.path);
}

/* What the tests of one field, joined by `and`, leave over for it. */
struct leftover {
	const struct expr_value **values; /* of == and in; NULL: no such test */
	size_t n;
	const struct expr *values_of, *low, *high; /* who says so */
};

static bool is_exact(const struct expr *e)
{
	return (e->op == EXPR_EQ || e->op == EXPR_IN) && e->value.kind != VALUE_PATH;
}

static bool is_above(const struct expr *e)
{
	return (e->op == EXPR_GT || e->op == EXPR_GE) && e->value.kind == VALUE_NUMBER;
}

static bool is_below(const struct expr *e)
{
	return (e->op == EXPR_LT || e->op == EXPR_LE) && e->value.kind == VALUE_NUMBER;
}

static bool same_literal(const struct expr_value *a, const struct expr_value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == VALUE_NUMBER)
		return json_number_compare(a->text, a->len, b->text, b->len) == 0;
	return a->kind != VALUE_STRING ||
	       (a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}

static bool among(const struct expr_value *wanted, const struct expr_value *list)
{
	size_t n = list->kind == VALUE_LIST ? list->n : 1;
	const struct expr_value *items = list->kind == VALUE_LIST ? list->items : list;

	for (size_t i = 0; i < n; i++) {
		if (same_literal(wanted, &items[i]))
			return true;
	}
	return false;
}

static int compare_numbers(const struct expr_value *a, const struct expr_value *b)
{
	return json_number_compare(a->text, a->len, b->text, b->len);
}

static bool lies_within(const struct expr_value *v, const struct expr *low, const struct expr *high)
{
	int order;

	if ((low || high) && v->kind != VALUE_NUMBER)
		return false;
	order = low ? compare_numbers(v, &low->value) : 1;
	if (order < 0 || (order == 0 && low->op == EXPR_GT))
		return false;
	order = high ? compare_numbers(v, &high->value) : -1;
	return order < 0 || (order == 0 && high->op == EXPR_LE);
}

/* The tests that leave nothing over, or NULL. */
static const struct expr *take_exact(struct leftover *l, const struct expr *e)
{
	const struct expr *before = l->values_of;
	const struct expr_value *v = &e->value;
	size_t n = 0;

	if (!before) {
		l->n = v->kind == VALUE_LIST ? v->n : 1;
		l->values = mem_zero(l->n * sizeof *l->values);
		for (size_t i = 0; i < l->n; i++)
			l->values[i] = v->kind == VALUE_LIST ? &v->items[i] : v;
		n = l->n;
	}
	for (size_t i = 0; before && i < l->n; i++) {
		if (among(l->values[i], v))
			l->values[n++] = l->values[i];
	}
	l->n = n;
	l->values_of = e;
	return n ? NULL : before;
}

/* The bound, if it leaves none of the values over. */
static const struct expr *narrow_values(struct leftover *l, const struct expr *low,
					const struct expr *high)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (lies_within(l->values[i], low, high))
			l->values[n++] = l->values[i];
	}
	if (l->n && !n)
		return low ? low : high;
	l->n = n;
	return NULL;
}

static bool bounds_meet(const struct leftover *l)
{
	return lies_within(&l->low->value, NULL, l->high) &&
	       lies_within(&l->high->value, l->low, NULL);
}

static const struct expr *take_bound(struct leftover *l, const struct expr *e)
{
	const struct expr **mine = is_above(e) ? &l->low : &l->high;
	int order = *mine ? compare_numbers(&e->value, &(*mine)->value) : 0;
	bool strict = e->op == EXPR_GT || e->op == EXPR_LT;

	if (!*mine || (is_above(e) ? order > 0 : order < 0) || (order == 0 && strict))
		*mine = e;
	if (l->low && l->high && !bounds_meet(l))
		return is_above(e) ? l->high : l->low;
	return narrow_values(l, l->low, l->high) ? l->values_of : NULL;
}

static const struct expr *take(struct leftover *l, const struct expr *e)
{
	const struct expr *other;

	if (!is_exact(e))
		return take_bound(l, e);
	other = take_exact(l, e);
	if (!other)
		other = narrow_values(l, l->low, NULL);
	return other ? other : narrow_values(l, NULL, l->high);
}

static void check_together(const struct comparing *c, struct map *fields, const struct expr *e,
			   const struct path *prefix, bool needed)
{
	struct leftover *l = map_get(fields, e->path.text);
	struct standing s = {.e = e, .needed = needed};
	const struct expr *other;
	bool known;

	if (e->negated || e->but || !(is_exact(e) || is_above(e) || is_below(e)))
		return;
	if (!l) {
		l = mem_new(struct leftover);
		map_put(fields, e->path.text, l);
	}
	other = take(l, e);
	if (!other)
		return;
	known = type_in(c, prefix, &e->path) != FIELD_ANY;
	s.needed = needed && known;
	tell(c, &s, "it stands with `%.*s`%s", (int)(other->end - other->at),
	     c->testing->text + other->at, known ? "" : ", unless the field is an array");
	l->n = 0; /* once is enough */
	l->values_of = l->low = l->high = NULL;
}

static void check_conjuncts(const struct comparing *c, struct map *fields, const struct expr *e,
			    const struct path *prefix, bool needed)
{
	for (size_t i = 0; i < e->nparts; i++) {
		if (e->parts[i]->kind == EXPR_AND)
			check_conjuncts(c, fields, e->parts[i], prefix, needed);
		else if (e->parts[i]->kind == EXPR_TEST)
			check_together(c, fields, e->parts[i], prefix, needed);
	}
}

static void free_leftover(void *value)
{
	struct leftover *l = value;

	free(l->values);
	free(l);
}

static void check_and(const struct comparing *c, const struct expr *e, const struct path *prefix,
		      bool needed)
{
	struct map fields = {0};

	check_conjuncts(c, &fields, e, prefix, needed);
	map_free(&fields, free_leftover);
}

static void walk(const struct comparing *c, const struct expr *e, const struct path *prefix,
		 bool needed, bool inner_and)
{
	if (e->kind == EXPR_TEST)
		check_test(c, e, prefix, needed);
	if (e->kind == EXPR_AND && !inner_and)
		check_and(c, e, prefix, needed);
	if (e->kind == EXPR_ANY)
		prefix = &e->whole;
	if (e->kind == EXPR_NOT || (e->kind == EXPR_OR && e->nparts > 1))
		needed = false;
	for (size_t i = 0; i < e->nparts; i++)
		walk(c, e->parts[i], prefix, needed, e->kind == EXPR_AND);
}

void check_compare(const struct testing *t, const struct feed *feed)
{
	const struct comparing c = {t, feed};

	if (t->e)
		walk(&c, t->e, NULL, true, false);
}
