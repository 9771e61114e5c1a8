#include "rules/pattern.h"

#include "base/buf.h"
#include "base/nearest.h"
#include "rules/iregexp.h"
#include "rules/network.h"
#include "rules/pattern_parts.h"
#include "rules/wildcard.h"
#include "json/check.h"
#include "json/find.h"

#include <stdarg.h>
#include <string.h>

#define COUNT(a)  (sizeof(a) / sizeof *(a))
#define MAX_DEPTH 64

struct parser {
	const char *text, *cursor, *end;
	struct arena *arena;
	struct path_step steps[MAX_DEPTH + 1]; /* down to the object being read */
	size_t nsteps;
	size_t tests;
	struct buf plain; /* a string without its escapes */
	size_t at;
	struct err *err;
};

static bool fail(struct parser *p, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct parser *p, const char *where, const char *fmt, ...)
{
	va_list ap;

	p->at = (size_t)(where - p->text);
	va_start(ap, fmt);
	err_vset(p->err, fmt, ap);
	va_end(ap);
	return false;
}

/* A piece of the pattern in a message, cut at a character if it is long. */
static int shown_length(const struct json_value *v)
{
	size_t n = v->len;

	if (n <= 60)
		return (int)n;
	for (n = 60; ((unsigned char)v->text[n] & 0xc0) == 0x80; n--)
		;
	return (int)n;
}

#define SHOWN(v) shown_length(v), (v)->text

/* The plain text of a string, in the arena. */
static char *string_text(struct parser *p, const struct json_value *string, size_t *len)
{
	if (!memchr(string->text, '\\', string->len)) {
		*len = string->len - 2;
		return arena_text(p->arena, string->text + 1, *len);
	}
	buf_cut(&p->plain, 0);
	json_text(string, &p->plain);
	*len = p->plain.len;
	return arena_text(p->arena, buf_text(&p->plain), *len);
}

static bool name_is(const struct json_value *name, const char *text)
{
	size_t len = strlen(text);

	return name->len == len + 2 && memcmp(name->text + 1, text, len) == 0;
}

/* One that is neither object nor array. */
static void set_value(struct parser *p, const struct json_value *v, struct expr_value *out)
{
	switch (v->kind) {
	case KIND_STRING:
		out->kind = VALUE_STRING;
		out->text = string_text(p, v, &out->len);
		break;
	case KIND_NUMBER:
		out->kind = VALUE_NUMBER;
		out->text = arena_text(p->arena, v->text, v->len);
		out->len = v->len;
		break;
	case KIND_TRUE: out->kind = VALUE_TRUE; break;
	case KIND_FALSE: out->kind = VALUE_FALSE; break;
	default: out->kind = VALUE_NULL;
	}
}

static void add_item(struct parser *p, struct expr_value *list, const struct json_value *v)
{
	list->kind = VALUE_LIST;
	list->items = arena_room(p->arena, list->items, list->n, sizeof *list->items);
	set_value(p, v, &list->items[list->n++]);
}

/* A list of one is that one. */
static struct expr_value lone(const struct expr_value *list)
{
	return list->n == 1 ? list->items[0] : *list;
}

static struct expr *add_test(struct parser *p, struct pattern_leaf *leaf, enum expr_op op,
			     const struct json_value *shown)
{
	struct expr *e;

	leaf->tests = arena_room(p->arena, leaf->tests, leaf->ntests, sizeof *leaf->tests);
	e = &leaf->tests[leaf->ntests++];
	e->kind = EXPR_TEST;
	e->op = op;
	e->at = (size_t)(shown->text - p->text);
	e->end = e->at + shown->len;
	return e;
}

struct keyword;

struct use { /* of an operator: {name: value} is all of `around` */
	const struct keyword *keyword;
	struct json_value around, value;
	struct pattern_leaf *leaf;
};

struct keyword {
	const char *name;
	bool (*read)(struct parser *p, const struct use *u);
	enum expr_op op;
	bool but; /* also inside anything-but */
};

static const struct keyword *find_keyword(const struct json_value *name);

/* Is this literal one the operator can use? */
static bool literal_fits(struct parser *p, const char *name, enum expr_op op,
			 const struct json_value *where, const struct expr_value *v)
{
	struct wildcard like;
	struct network network;
	struct iregexp *re;
	struct err why;
	bool ok = true;

	if (op == EXPR_LIKE) {
		ok = wildcard_parse(v->text, v->len, &like, &why);
		if (ok)
			wildcard_free(&like);
	} else if (op == EXPR_WITHIN) {
		ok = network_parse(v->text, v->len, &network, &why);
	} else if (op == EXPR_MATCHES) {
		re = iregexp_compile(v->text, v->len, NULL, &why);
		ok = re != NULL;
		iregexp_free(re);
	}
	return ok || fail(p, where->text, "%s: %s", name, why.text);
}

static bool read_string(struct parser *p, const char *name, enum expr_op op,
			const struct json_value *v, struct expr_value *out)
{
	if (v->kind == KIND_ARRAY)
		return fail(p, v->text,
			    "%s takes one string; several stand side by side: [{\"%s\": \"a\"}, "
			    "{\"%s\": \"b\"}]",
			    name, name, name);
	if (v->kind != KIND_STRING)
		return fail(p, v->text, "%s takes a string: {\"%s\": \"..\"}", name, name);
	set_value(p, v, out);
	return literal_fits(p, name, op, v, out);
}

static bool read_text(struct parser *p, const struct use *u)
{
	struct expr *e = add_test(p, u->leaf, u->keyword->op, &u->around);

	return read_string(p, u->keyword->name, e->op, &u->value, &e->value);
}

/* The only member of an operator's object. */
static bool only_member(struct parser *p, const struct json_value *object, struct json_value *name,
			struct json_value *value)
{
	struct json_value other, ignored;
	size_t at = 0;

	if (!json_next(object, &at, name, value))
		return fail(p, object->text,
			    "{} matches nothing; an object in an array is an operator: "
			    "{\"prefix\": \"x\"}");
	if (json_next(object, &at, &other, &ignored))
		return fail(p, other.text,
			    "an object has one operator; %.*s goes into one of its own: [{%.*s: "
			    "..}, {%.*s: ..}], and either will do",
			    SHOWN(&other), SHOWN(name), SHOWN(&other));
	return true;
}

/* {"prefix": s} or {"prefix": {"equals-ignore-case": s}} */
static bool read_end(struct parser *p, const struct use *u)
{
	enum expr_op op = u->keyword->op == EXPR_STARTS ? EXPR_ISTARTS : EXPR_IENDS;
	struct json_value name, value;
	struct expr *e;

	if (u->value.kind != KIND_OBJECT)
		return read_text(p, u);
	if (!only_member(p, &u->value, &name, &value))
		return false;
	if (!name_is(&name, "equals-ignore-case"))
		return fail(p, name.text,
			    "%s takes a string or {\"equals-ignore-case\": \"..\"}, not %.*s",
			    u->keyword->name, SHOWN(&name));
	e = add_test(p, u->leaf, op, &u->around);
	return read_string(p, "equals-ignore-case", op, &value, &e->value);
}

static bool read_exists(struct parser *p, const struct use *u)
{
	size_t at = (size_t)(u->around.text - p->text);

	if (u->value.kind == KIND_TRUE) {
		add_test(p, u->leaf, EXPR_LEAF, &u->around);
		return true;
	}
	if (u->value.kind != KIND_FALSE)
		return fail(p, u->value.text, "exists is true or false, without quotes");
	u->leaf->absent = expr_new(p->arena, EXPR_TEST);
	u->leaf->absent->op = EXPR_LEAF;
	u->leaf->absent->at = at;
	u->leaf->absent->end = at + u->around.len;
	return true;
}

static bool read_bound(struct parser *p, const struct json_value *array, size_t *at,
		       enum expr_op *op, struct expr_value *number)
{
	static const struct {
		const char *text;
		enum expr_op op;
	} signs[] = {
		{"=", EXPR_EQ}, {"<", EXPR_LT}, {"<=", EXPR_LE}, {">", EXPR_GT}, {">=", EXPR_GE},
	};
	struct json_value name, sign, value;
	size_t i = 0;

	json_next(array, at, &name, &sign);
	while (i < COUNT(signs) && !name_is(&sign, signs[i].text))
		i++;
	if (i == COUNT(signs))
		return fail(p, sign.text,
			    "%.*s: numeric compares with \"=\", \"<\", \"<=\", \">\" or \">=\"",
			    SHOWN(&sign));
	if (!json_next(array, at, &name, &value) || value.kind != KIND_NUMBER)
		return fail(p, sign.text, "numeric: a number stands behind %.*s: [%.*s, 5]",
			    SHOWN(&sign), SHOWN(&sign));
	*op = signs[i].op;
	set_value(p, &value, number);
	return true;
}

static bool read_range(struct parser *p, const struct use *u, size_t *at, struct expr *e)
{
	struct expr_value low = e->value, high = {0};
	enum expr_op op;

	if (!read_bound(p, &u->value, at, &op, &high))
		return false;
	if ((e->op != EXPR_GT && e->op != EXPR_GE) || (op != EXPR_LT && op != EXPR_LE))
		return fail(p, u->value.text,
			    "numeric: a range has its lower end first: [\">=\", 1, \"<\", 5]");
	e->above = e->op == EXPR_GT;
	e->below = op == EXPR_LT;
	if (json_number_compare(low.text, low.len, high.text, high.len) >=
	    (e->above || e->below ? 0 : 1))
		return fail(p, u->value.text, "numeric: no number is %s %s and %s %s",
			    e->above ? ">" : ">=", low.text, e->below ? "<" : "<=", high.text);
	e->op = EXPR_RANGE;
	e->value = (struct expr_value){.kind = VALUE_LIST, .n = 2};
	e->value.items = arena_take(p->arena, 2 * sizeof low);
	e->value.items[0] = low;
	e->value.items[1] = high;
	return true;
}

static bool read_numeric(struct parser *p, const struct use *u)
{
	struct expr *e = add_test(p, u->leaf, EXPR_EQ, &u->around);
	struct json_value name, value;
	size_t at = 0, next;

	if (u->value.kind != KIND_ARRAY || !json_next(&u->value, &at, &name, &value))
		return fail(p, u->value.text,
			    "numeric takes an array: {\"numeric\": [\">\", 0, \"<=\", 5]}");
	at = 0;
	if (!read_bound(p, &u->value, &at, &e->op, &e->value))
		return false;
	next = at;
	if (json_next(&u->value, &next, &name, &value) && !read_range(p, u, &at, e))
		return false;
	if (json_next(&u->value, &at, &name, &value))
		return fail(p, value.text, "numeric has one sign and number, or two for a range");
	return true;
}

static bool add_but(struct parser *p, const char *name, enum expr_op op, const struct json_value *v,
		    struct expr_value *list)
{
	const struct expr_value *added;

	if (v->kind != KIND_STRING && (op != EXPR_EQ || v->kind != KIND_NUMBER))
		return fail(p, v->text, "%.*s: %s takes strings%s", SHOWN(v), name,
			    op == EXPR_EQ ? ", or numbers, or one operator" : "");
	add_item(p, list, v);
	added = &list->items[list->n - 1];
	if (added->kind != list->items[0].kind)
		return fail(p, v->text,
			    "anything-but takes strings or numbers, not both in one list; a value "
			    "of the other kind passes in any case");
	if ((op == EXPR_STARTS || op == EXPR_ENDS) && !added->len)
		return fail(p, v->text, "anything-but: every string has the %s \"\"", name);
	return literal_fits(p, name, op, v, added);
}

static bool read_but_values(struct parser *p, const char *name, enum expr_op op,
			    const struct json_value *value, struct expr_value *list)
{
	struct json_value none, v;

	if (value->kind != KIND_ARRAY)
		return add_but(p, name, op, value, list);
	for (size_t at = 0; json_next(value, &at, &none, &v);) {
		if (!add_but(p, name, op, &v, list))
			return false;
	}
	return list->n || fail(p, value->text,
			       "anything-but: an empty list; any value at all is written "
			       "{\"exists\": true}");
}

static bool read_but(struct parser *p, const struct use *u)
{
	struct expr *e = add_test(p, u->leaf, EXPR_EQ, &u->around);
	const struct keyword *k = u->keyword;
	struct json_value name, value = u->value;
	struct expr_value list = {0};

	if (value.kind == KIND_OBJECT) {
		if (!only_member(p, &u->value, &name, &value))
			return false;
		k = find_keyword(&name);
		if (!k || !k->but)
			return fail(
				p, name.text,
				"anything-but takes strings, numbers, or one of prefix, suffix, "
				"equals-ignore-case and wildcard, not %.*s",
				SHOWN(&name));
	}
	e->op = k->op;
	e->but = true;
	if (!read_but_values(p, k->name, k->op, &value, &list))
		return false;
	e->value = lone(&list);
	if (e->op == EXPR_EQ && e->value.kind == VALUE_LIST)
		e->op = EXPR_IN;
	return true;
}

static const struct keyword keywords[] = {
	{"prefix", read_end, EXPR_STARTS, true},
	{"suffix", read_end, EXPR_ENDS, true},
	{"equals-ignore-case", read_text, EXPR_IEQ, true},
	{"wildcard", read_text, EXPR_LIKE, true},
	{"anything-but", read_but, EXPR_EQ, false},
	{"numeric", read_numeric, EXPR_EQ, false},
	{"exists", read_exists, EXPR_LEAF, false},
	{"cidr", read_text, EXPR_WITHIN, false},
	{"regexp", read_text, EXPR_MATCHES, false},
	{"exactly", read_text, EXPR_EQ, false},
};

static const struct keyword *find_keyword(const struct json_value *name)
{
	for (size_t i = 0; i < COUNT(keywords); i++) {
		if (name_is(name, keywords[i].name))
			return &keywords[i];
	}
	return NULL;
}

/* What is called otherwise elsewhere, and what was misspelt. */
static const char *meant(struct parser *p, const struct json_value *name)
{
	static const char *const others[][2] = {
		{"shellstyle", "wildcard"}, {"regex", "regexp"}, {"not", "anything-but"},
		{"equals", "exactly"},      {"ip", "cidr"},
	};
	const char *names[COUNT(keywords)];
	size_t len;
	const char *word = string_text(p, name, &len);

	for (size_t i = 0; i < COUNT(others); i++) {
		if (strcmp(word, others[i][0]) == 0)
			return others[i][1];
	}
	for (size_t i = 0; i < COUNT(keywords); i++)
		names[i] = keywords[i].name;
	return nearest_word(word, names, COUNT(names));
}

static bool fail_keyword(struct parser *p, const struct json_value *name,
			 const struct json_value *value)
{
	const char *near = meant(p, name);

	if (near)
		return fail(p, name->text, "%.*s is no operator; did you mean \"%s\"?", SHOWN(name),
			    near);
	if (value->kind == KIND_ARRAY || value->kind == KIND_OBJECT)
		return fail(p, name->text,
			    "%.*s is no operator; if it is a field, its object stands without the "
			    "array around it: {%.*s: ..}",
			    SHOWN(name), SHOWN(name));
	return fail(p, name->text,
		    "%.*s is no operator; there are prefix, suffix, equals-ignore-case, wildcard, "
		    "anything-but, numeric, exists, cidr, regexp and exactly",
		    SHOWN(name));
}

static bool read_operator(struct parser *p, const struct json_value *object,
			  struct pattern_leaf *leaf)
{
	struct use u = {.around = *object, .leaf = leaf};
	struct json_value name;

	if (!only_member(p, object, &name, &u.value))
		return false;
	u.keyword = find_keyword(&name);
	return u.keyword ? u.keyword->read(p, &u) : fail_keyword(p, &name, &u.value);
}

/* The plain values of a leaf are one test: equal to, or in a list. */
static void add_values(struct parser *p, struct pattern_leaf *leaf, const struct expr_value *plain,
		       const struct json_value *first, const struct json_value *last)
{
	struct json_value shown = *first;
	struct expr *e;

	if (!plain->n)
		return;
	shown.len = (size_t)(last->text + last->len - first->text);
	e = add_test(p, leaf, plain->n == 1 ? EXPR_EQ : EXPR_IN, &shown);
	e->value = lone(plain);
}

/* The text was checked: there are brackets, commas and colons where they must be. */
static char next_char(struct parser *p)
{
	while (*p->cursor == ' ' || *p->cursor == '\n' || *p->cursor == '\t' || *p->cursor == '\r')
		p->cursor++;
	return *p->cursor;
}

/* Behind an opening bracket or an item; at the next item, or false, behind the closing one. */
static bool next_item(struct parser *p)
{
	char c = next_char(p);

	if (c == ',') {
		p->cursor++;
		next_char(p);
	}
	if (c != '}' && c != ']')
		return true;
	p->cursor++;
	return false;
}

static struct json_value take_value(struct parser *p)
{
	struct json_value v = json_root(p->cursor, (size_t)(p->end - p->cursor));

	p->cursor += v.len;
	return v;
}

static bool read_values(struct parser *p, struct pattern_leaf *leaf)
{
	struct json_value v, first = {0}, last = {0};
	struct expr_value plain = {0};

	for (p->cursor++; next_item(p);) {
		v = take_value(p);
		if (v.kind == KIND_ARRAY)
			return fail(
				p, v.text,
				"an array in an array; values stand side by side: [\"a\", \"b\"]");
		if (v.kind == KIND_OBJECT) {
			if (!read_operator(p, &v, leaf))
				return false;
			continue;
		}
		first = plain.n ? first : v;
		last = v;
		add_item(p, &plain, &v);
	}
	add_values(p, leaf, &plain, &first, &last);
	return true;
}

static bool count_tests(struct parser *p, const struct json_value *name,
			const struct pattern_leaf *leaf, const char *array)
{
	size_t n = leaf->ntests + (leaf->absent != NULL);
	struct expr *alone = leaf->absent ? leaf->absent : leaf->tests;

	if (n == 0)
		return fail(p, array,
			    "%.*s: an empty array matches nothing; any value is [{\"exists\": "
			    "true}], none is [{\"exists\": false}]",
			    SHOWN(name));
	if (n == 1) {
		alone->at = leaf->at;
		alone->end = (size_t)(p->cursor - p->text);
	}
	p->tests += n;
	return p->tests <= PATTERN_MAX_TESTS ||
	       fail(p, name->text, "more than %d tests in one pattern", PATTERN_MAX_TESTS);
}

static bool read_leaf(struct parser *p, const struct json_value *name, struct pattern_parts *out)
{
	struct pattern_leaf *leaf = arena_take(p->arena, sizeof *leaf);
	const char *array = p->cursor;

	leaf->at = (size_t)(name->text - p->text);
	leaf->nsteps = p->nsteps;
	leaf->steps = arena_take(p->arena, p->nsteps * sizeof *leaf->steps);
	memcpy(leaf->steps, p->steps, p->nsteps * sizeof *leaf->steps);
	if (!read_values(p, leaf) || !count_tests(p, name, leaf, array))
		return false;
	out->list = arena_room(p->arena, out->list, out->n, sizeof *out->list);
	out->list[out->n++].leaf = leaf;
	return true;
}

/* Names that a field of a branch of $or cannot have, now or later. */
static bool reserved(const struct json_value *name)
{
	static const char *const words[] = {
		"exactly",
		"equals-ignore-case",
		"prefix",
		"suffix",
		"anything-but",
		"exists",
		"wildcard",
		"numeric",
		"cidr",
		"regexp",
		"=",
		"<",
		"<=",
		">",
		">=",
		"regex",
		"not-wildcard",
		"not-equals-ignore-case",
		"date-after",
		"date-on-or-after",
		"date-before",
		"date-on-or-before",
		"in-date-range",
		"ip-address-in-range",
		"ip-address-not-in-range",
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (name_is(name, words[i]))
			return true;
	}
	return false;
}

static bool has_reserved(const struct json_value *object)
{
	struct json_value name, value;

	for (size_t at = 0; json_next(object, &at, &name, &value);) {
		if (reserved(&name) || (value.kind == KIND_OBJECT && has_reserved(&value)))
			return true;
	}
	return false;
}

/* Otherwise "$or" is a field like any other. */
static bool is_choice(const struct json_value *value)
{
	struct json_value none, branch;
	size_t n = 0;

	if (value->kind != KIND_ARRAY)
		return false;
	for (size_t at = 0; json_next(value, &at, &none, &branch); n++) {
		if (branch.kind != KIND_OBJECT || has_reserved(&branch))
			return false;
	}
	return n >= 2;
}

static bool read_object(struct parser *p, struct pattern_parts *out);

static bool read_choice(struct parser *p, const struct json_value *name,
			const struct json_value *array, struct pattern_parts *out)
{
	struct pattern_choice *c = arena_take(p->arena, sizeof *c);
	struct json_value none, branch;

	c->at = (size_t)(name->text - p->text);
	for (size_t at = 0; json_next(array, &at, &none, &branch); c->n++) {
		c->branches = arena_room(p->arena, c->branches, c->n, sizeof *c->branches);
		p->cursor = branch.text;
		if (!read_object(p, &c->branches[c->n]))
			return false;
	}
	p->cursor = array->text + array->len;
	out->list = arena_room(p->arena, out->list, out->n, sizeof *out->list);
	out->list[out->n++].choice = c;
	out->choices = true;
	return true;
}

static bool fail_top(struct parser *p, const struct json_value *name)
{
	static const char *const envelope[] = {"detail-type", "detail",    "account",
					       "region",      "resources", "version"};

	for (size_t i = 0; i < COUNT(envelope); i++) {
		if (name_is(name, envelope[i]))
			return fail(
				p, name->text,
				"%.*s is a field of EventBridge's envelope, and a pattern looks at "
				"type, source, subject, time, id and data; if your events carry "
				"that envelope in their data, write pattern-at = data",
				SHOWN(name));
	}
	return fail(p, name->text,
		    "%.*s is no field of an event: a pattern has type, source, subject, time, id "
		    "and data at the top; for a pattern of the payload alone write pattern-at = "
		    "data",
		    SHOWN(name));
}

static bool top_fits(struct parser *p, const struct json_value *name)
{
	static const char *const texts[] = {"type", "source", "subject", "time", "id"};

	if (name_is(name, "data"))
		return true;
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (!name_is(name, texts[i]))
			continue;
		return *p->cursor != '{' ||
		       fail(p, p->cursor, "%s is text and has nothing below it: {\"%s\": [\"..\"]}",
			    texts[i], texts[i]);
	}
	return fail_top(p, name);
}

static bool fail_value(struct parser *p, const struct json_value *name)
{
	struct json_value value = take_value(p);

	return fail(p, value.text, "values stand in an array: %.*s: [%.*s]", SHOWN(name),
		    SHOWN(&value));
}

/* At its value. */
static bool read_field(struct parser *p, const struct json_value *name, struct pattern_parts *out)
{
	struct path_step *step = &p->steps[p->nsteps];
	bool ok;

	if (p->nsteps == 0 && !top_fits(p, name))
		return false;
	step->name = string_text(p, name, &step->len);
	step->index = -1;
	p->nsteps++;
	switch (*p->cursor) {
	case '{': ok = read_object(p, out); break;
	case '[': ok = read_leaf(p, name, out); break;
	default: ok = fail_value(p, name);
	}
	p->nsteps--;
	return ok;
}

static bool read_or(struct parser *p, const struct json_value *name, struct pattern_parts *out)
{
	struct json_value value = take_value(p);

	if (is_choice(&value))
		return read_choice(p, name, &value, out);
	p->cursor = value.text;
	if (read_field(p, name, out))
		return true;
	err_prefix(p->err, "\"$or\" takes two or more objects in an array, whose fields are not "
			   "named like operators; this one is read as a field");
	return false;
}

static bool read_object(struct parser *p, struct pattern_parts *out)
{
	const char *object = p->cursor;
	size_t before = out->n;

	for (p->cursor++; next_item(p);) {
		struct json_value name = take_value(p);

		next_char(p);
		p->cursor++;
		next_char(p);
		if (name_is(&name, "$or") ? !read_or(p, &name, out) : !read_field(p, &name, out))
			return false;
	}
	return out->n > before ||
	       fail(p, object, "{} asks for nothing; a field is written \"name\": [\"value\"]");
}

static bool read_pattern(struct parser *p, size_t len, struct pattern_parts *out)
{
	struct json_value root;
	struct json_fault fault;

	if (len > PATTERN_MAX_BYTES)
		return fail(p, p->text, "a pattern has at most %d bytes, not %zu",
			    PATTERN_MAX_BYTES, len);
	if (!json_check_repeats(p->text, len, MAX_DEPTH, &fault))
		return fail(p, p->text + fault.offset, "no JSON: %s", fault.what);
	root = json_root(p->text, len);
	if (root.kind != KIND_OBJECT)
		return fail(p, root.text, "a pattern is an object: {\"name\": [\"value\"]}");
	p->cursor = root.text;
	p->end = root.text + root.len;
	return read_object(p, out);
}

struct expr *pattern_parse(struct arena *a, enum pattern_root root, const char *text, size_t len,
			   size_t *at, struct err *err)
{
	struct parser p;
	struct pattern_parts parts = {0};
	struct expr *e = NULL;

	p.text = text;
	p.arena = a;
	p.nsteps = p.tests = p.at = 0;
	p.plain = (struct buf){0};
	p.err = err;
	if (root == PATTERN_DATA) {
		p.steps[0] = (struct path_step){(char *)"data", 4, -1};
		p.nsteps = 1;
	}
	if (read_pattern(&p, len, &parts))
		e = pattern_tree(a, &parts, &p.at, err);
	if (!e && at)
		*at = p.at;
	buf_free(&p.plain);
	return e;
}
