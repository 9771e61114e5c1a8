#include "base/buf.h"
#include "base/mem.h"
#include "rules/expr.h"
#include "rules/iregexp.h"
#include "rules/network.h"
#include "rules/scan.h"
#include "rules/wildcard.h"
#include "json/check.h"
#include "json/escape.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(a)   (sizeof(a) / sizeof *(a))
#define MAX_DEPTH  64
#define MAX_LEAVES 1024

struct parser {
	struct scan scan;
	struct arena *arena;
	unsigned depth;
	const struct path *any; /* whole path of the innermost `any` around, or NULL */
	uint32_t leaves;
};

static struct expr *parse_or(struct parser *p);
static struct expr *parse_not(struct parser *p);

#define SHOWN(p) (int)scan_shown(&(p)->scan).len, scan_shown(&(p)->scan).text

static void trim_end(struct parser *p, struct expr *e)
{
	e->end = p->scan.at;
	while (e->end > e->at && strchr(" \t\r\n", p->scan.text[e->end - 1]))
		e->end--;
}

static struct expr *node(struct parser *p, enum expr_kind kind)
{
	struct expr *e = expr_new(p->arena, kind);

	scan_next(&p->scan);
	e->at = p->scan.at;
	return e;
}

static bool top_name(const struct path_step *first)
{
	static const char *const names[] = {"type", "source", "subject", "time",
					    "id",   "data",   "instance"};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(first->name, names[i]) == 0)
			return true;
	}
	return false;
}

/* A path; what it may begin with depends on whether an `any` is around. */
static bool parse_path(struct parser *p, struct path *out)
{
	struct path parsed;
	struct err why;
	size_t used, from;
	const char *first;

	scan_next(&p->scan);
	from = p->scan.at;
	if (p->scan.at == p->scan.len)
		return scan_unexpected(&p->scan, "a path");
	if (!scan_in_name(p->scan.text[from]) && p->scan.text[from] != '"')
		return scan_unexpected(&p->scan, "a path like data.new.phase");
	if (!path_parse(p->scan.text + from, p->scan.len - from, &parsed, &used, &why))
		return scan_fail(&p->scan, from + used, "%s", why.text);
	*out = expr_path(p->arena, &parsed);
	path_free(&parsed);
	p->scan.at += used;
	if (p->any)
		return true;
	first = out->steps[0].name;
	if (!top_name(&out->steps[0]))
		scan_fail(
			&p->scan, from,
			"%s is no field: paths begin with type source subject time id instance or "
			"data; text is written in quotes: \"%s\"",
			out->text, out->text);
	else if (out->n > 1 && strcmp(first, "data") != 0)
		scan_fail(&p->scan, from, "%s: %s is text and has nothing below it", out->text,
			  first);
	else
		return true;
	return false;
}

static bool parse_string(struct parser *p, struct expr_value *v)
{
	const char *inside = p->scan.text + p->scan.at + 1;
	size_t left = p->scan.len - p->scan.at - 1, n = json_string_end(inside, left);
	struct json_fault fault;
	struct buf plain = {0};

	if (n == left)
		return scan_fail(&p->scan, p->scan.at, "the closing quote of this text is missing");
	if (!json_check(inside - 1, n + 2, 0, &fault)) {
		if (p->scan.text[p->scan.at + fault.offset] == '\\')
			return scan_fail(
				&p->scan, p->scan.at + fault.offset,
				"text has the escapes of JSON; a backslash is written \\\\");
		return scan_fail(&p->scan, p->scan.at + fault.offset, "%s", fault.what);
	}
	json_string_plain(inside, n, &plain);
	v->kind = VALUE_STRING;
	v->len = plain.len;
	v->text = arena_text(p->arena, buf_text(&plain), plain.len);
	buf_free(&plain);
	p->scan.at += n + 2;
	return true;
}

/* How long the number here is; 0: it is none. */
static size_t number_here(const struct parser *p)
{
	const char *from = p->scan.text + p->scan.at;
	size_t n = 0, left = p->scan.len - p->scan.at;

	while (n < left && (scan_in_name(from[n]) || from[n] == '.' || from[n] == '+'))
		n++;
	if (!n || (*from != '-' && (*from < '0' || *from > '9')))
		return 0;
	return json_check(from, n, 0, NULL) ? n : 0;
}

static bool parse_number(struct parser *p, struct expr_value *v)
{
	size_t n = number_here(p);

	if (!n)
		return scan_fail(&p->scan, p->scan.at,
				 "%.*s is no number; text is written in quotes: \"%.*s\"", SHOWN(p),
				 SHOWN(p));
	v->kind = VALUE_NUMBER;
	v->text = arena_text(p->arena, p->scan.text + p->scan.at, n);
	v->len = n;
	p->scan.at += n;
	return true;
}

static bool parse_value(struct parser *p, struct expr_value *v);

static bool parse_list(struct parser *p, struct expr_value *v)
{
	size_t from = p->scan.at;

	scan_take(&p->scan, '[');
	v->kind = VALUE_LIST;
	if (scan_next(&p->scan) == ']')
		return scan_fail(&p->scan, from, "the list is empty, so that nothing is in it");
	do {
		struct expr_value item = {0};
		size_t at;

		scan_next(&p->scan);
		at = p->scan.at;
		if (scan_next(&p->scan) == '[')
			return scan_fail(&p->scan, at, "a list inside a list");
		if (!parse_value(p, &item))
			return false;
		v->items = arena_room(p->arena, v->items, v->n, sizeof item);
		v->items[v->n++] = item;
		if (item.kind == VALUE_PATH)
			return scan_fail(&p->scan, at,
					 "a list has values, not paths; text is written in "
					 "quotes: \"%s\"",
					 item.path.text);
	} while (scan_take(&p->scan, ','));
	return scan_take(&p->scan, ']') || scan_unexpected(&p->scan, "a comma or ]");
}

static bool parse_value(struct parser *p, struct expr_value *v)
{
	char c = scan_next(&p->scan);

	if (c == '"')
		return parse_string(p, v);
	if (c == '[')
		return parse_list(p, v);
	if (c == '-' || (c >= '0' && c <= '9'))
		return parse_number(p, v);
	if (scan_take_word(&p->scan, "true"))
		v->kind = VALUE_TRUE;
	else if (scan_take_word(&p->scan, "false"))
		v->kind = VALUE_FALSE;
	else if (scan_take_word(&p->scan, "null"))
		v->kind = VALUE_NULL;
	else if (scan_in_name(c))
		v->kind = VALUE_PATH;
	else
		return scan_unexpected(&p->scan, "a value");
	return v->kind != VALUE_PATH || parse_path(p, &v->path);
}

static const struct operator
{
	const char *text;
	enum expr_op op;
	bool negatable, takes_list, takes_path, only_text;
}
operators[] = {
	{"==", EXPR_EQ, false, false, true, false},
	{"!=", EXPR_NE, false, false, true, false},
	{"<", EXPR_LT, false, false, true, false},
	{"<=", EXPR_LE, false, false, true, false},
	{">", EXPR_GT, false, false, true, false},
	{">=", EXPR_GE, false, false, true, false},
	{"ieq", EXPR_IEQ, false, true, true, true},
	{"istarts", EXPR_ISTARTS, false, true, true, true},
	{"iends", EXPR_IENDS, false, true, true, true},
	{"within", EXPR_WITHIN, false, true, false, true},
	{"in", EXPR_IN, true, true, true, false},
	{"like", EXPR_LIKE, true, true, false, true},
	{"contains", EXPR_CONTAINS, true, true, true, true},
	{"starts", EXPR_STARTS, true, true, true, true},
	{"ends", EXPR_ENDS, true, true, true, true},
	{"matches", EXPR_MATCHES, true, true, false, true},
	{"exists", EXPR_EXISTS, false, false, false, false},
};

static const struct operator* find_operator(struct word w)
{
	for (size_t i = 0; i < COUNT(operators); i++) {
		if (scan_word_is(w, operators[i].text))
			return &operators[i];
	}
	return NULL;
}

static const struct operator* parse_operator(struct parser *p, struct expr *e)
{
	const struct operator* o;
	struct word w;

	scan_next(&p->scan);
	e->negated = scan_take_word(&p->scan, "not");
	scan_next(&p->scan);
	w = scan_shown(&p->scan);
	o = find_operator(w);
	if (!o) {
		scan_unexpected(&p->scan, e->negated ? "in, like, contains, starts, ends or matches"
						     : "an operator like ==, in or exists");
		return NULL;
	}
	if (e->negated && !o->negatable) {
		scan_fail(&p->scan, p->scan.at, "there is no \"not %s\"; write not (%s %s%s)",
			  o->text, e->path.text, o->text, o->op == EXPR_EXISTS ? "" : " ..");
		return NULL;
	}
	p->scan.at += w.len;
	e->op = o->op;
	return o;
}

static bool text_fits(const struct operator* o, const struct expr_value *v, struct err *why)
{
	struct wildcard w;
	struct network n;
	struct iregexp *re;

	switch (o->op) {
	case EXPR_LIKE:
		if (!wildcard_parse(v->text, v->len, &w, why))
			return false;
		wildcard_free(&w);
		return true;
	case EXPR_WITHIN: return network_parse(v->text, v->len, &n, why);
	case EXPR_MATCHES:
		re = iregexp_compile(v->text, v->len, NULL, why);
		iregexp_free(re);
		return re != NULL;
	default: return true;
	}
}

/* Can this operator have this value?  `at` is where it stands. */
static bool value_fits(struct parser *p, const struct operator* o, const struct expr_value *v,
		       size_t at)
{
	struct err why;

	if (v->kind == VALUE_PATH)
		return o->takes_path ||
		       scan_fail(&p->scan, at, "%s takes text in quotes, no path: \"%s\"", o->text,
				 v->path.text);
	if (v->kind == VALUE_LIST) {
		if (!o->takes_list)
			return scan_fail(&p->scan, at,
					 "%s takes one value; with a list it is written %s",
					 o->text, o->op == EXPR_NE ? "not in" : "in");
		for (size_t i = 0; i < v->n; i++) {
			if (o->only_text && !value_fits(p, o, &v->items[i], at))
				return false;
		}
		return true;
	}
	if (o->op == EXPR_IN)
		return scan_fail(&p->scan, at, "in takes a list, [\"a\", \"b\"], or a path");
	if (o->only_text && v->kind != VALUE_STRING)
		return scan_fail(&p->scan, at, "%s takes text in quotes", o->text);
	if (o->op >= EXPR_LT && o->op <= EXPR_GE && v->kind != VALUE_STRING &&
	    v->kind != VALUE_NUMBER)
		return scan_fail(&p->scan, at, "%s compares numbers, or text with text", o->text);
	if (v->kind == VALUE_STRING && !text_fits(o, v, &why))
		return scan_fail(&p->scan, at, "%s", why.text);
	return true;
}

/* Inside `any`, text in quotes may be the name of a member: it is, unless `in` and
 * something that is no list follow. */
static bool quoted_path(struct parser *p)
{
	struct parser look = *p;
	size_t n = json_string_end(p->scan.text + p->scan.at + 1, p->scan.len - p->scan.at - 1);

	look.scan.at += n + 2;
	if (!p->any || look.scan.at >= p->scan.len)
		return false;
	if (look.scan.text[look.scan.at] == '.')
		return true;
	return !scan_take_word(&look.scan, "in") || scan_next(&look.scan) == '[';
}

static bool begins_with_value(struct parser *p)
{
	char c = scan_next(&p->scan);
	struct word w = scan_word(&p->scan);

	if (c == '"')
		return !quoted_path(p);
	return c == '[' || number_here(p) || scan_word_is(w, "true") || scan_word_is(w, "false") ||
	       scan_word_is(w, "null");
}

/* value "in" path */
static bool parse_value_in(struct parser *p, struct expr *e)
{
	size_t at = p->scan.at;

	e->op = EXPR_VALUE_IN;
	if (!parse_value(p, &e->value))
		return false;
	if (e->value.kind == VALUE_LIST)
		return scan_fail(&p->scan, at, "a list stands to the right of in");
	if (scan_take_word(&p->scan, "in"))
		return parse_path(p, &e->path);
	if (scan_word_is(scan_word(&p->scan), "not"))
		return scan_fail(&p->scan, p->scan.at, "this is written not (%.*s in ..)",
				 (int)(p->scan.at - at - 1), p->scan.text + at);
	return scan_fail(&p->scan, at,
			 "a test begins with a path, like data.name == .., or is value in path");
}

static bool parse_path_test(struct parser *p, struct expr *e)
{
	const struct operator* o;
	size_t at;

	if (!parse_path(p, &e->path))
		return false;
	o = parse_operator(p, e);
	if (!o || o->op == EXPR_EXISTS)
		return o != NULL;
	scan_next(&p->scan);
	at = p->scan.at;
	return parse_value(p, &e->value) && value_fits(p, o, &e->value, at);
}

static struct expr *parse_test(struct parser *p)
{
	struct expr *e = node(p, EXPR_TEST);
	bool ok;

	if (p->leaves == MAX_LEAVES)
		ok = scan_fail(&p->scan, p->scan.at, "more than %d tests in one expression",
			       MAX_LEAVES);
	else if (begins_with_value(p))
		ok = parse_value_in(p, e);
	else
		ok = parse_path_test(p, e);
	if (!ok)
		return NULL;
	e->number = p->leaves++;
	trim_end(p, e);
	return e;
}

static struct expr *parse_bracket(struct parser *p)
{
	size_t open = p->scan.at;
	struct expr *e;

	if (!scan_take(&p->scan, '(')) {
		scan_unexpected(&p->scan, "(");
		return NULL;
	}
	e = parse_or(p);
	if (e && !scan_take(&p->scan, ')')) {
		if (scan_next(&p->scan))
			scan_unexpected(&p->scan, "and, or or )");
		else
			scan_fail(&p->scan, open, "( is not closed");
		return NULL;
	}
	return e;
}

static bool whole_path(struct parser *p, struct expr *e)
{
	size_t at = e->at, used;
	struct path parsed;
	struct err why;
	char *text =
		p->any ? mem_format("%s.%s", p->any->text, e->path.text) : mem_text(e->path.text);
	bool ok = path_parse(text, strlen(text), &parsed, &used, &why);

	free(text);
	if (!ok)
		return scan_fail(&p->scan, at, "%s", why.text);
	e->whole = expr_path(p->arena, &parsed);
	path_free(&parsed);
	return true;
}

/* Behind the word `any`. */
static bool parse_any(struct parser *p, struct expr *e)
{
	const struct path *around = p->any;
	struct expr *part;

	if (!parse_path(p, &e->path) || !whole_path(p, e))
		return false;
	p->any = &e->whole;
	part = parse_bracket(p);
	p->any = around;
	if (part)
		expr_adopt(p->arena, e, part);
	return part != NULL;
}

static struct expr *parse_any_or_not(struct parser *p, enum expr_kind kind)
{
	struct expr *e = node(p, kind), *part;
	bool ok;

	p->scan.at += 3;
	if (kind == EXPR_ANY) {
		ok = parse_any(p, e);
	} else {
		part = parse_not(p);
		ok = part != NULL;
		if (ok)
			expr_adopt(p->arena, e, part);
	}
	if (!ok)
		return NULL;
	trim_end(p, e);
	return e;
}

static struct expr *parse_not(struct parser *p)
{
	struct expr *e;

	if (p->depth == MAX_DEPTH) {
		scan_fail(&p->scan, p->scan.at, "brackets, not and any are nested over %d deep",
			  MAX_DEPTH);
		return NULL;
	}
	p->depth++;
	if (scan_next(&p->scan) == '(')
		e = parse_bracket(p);
	else if (scan_word_is(scan_word(&p->scan), "not"))
		e = parse_any_or_not(p, EXPR_NOT);
	else if (scan_word_is(scan_word(&p->scan), "any"))
		e = parse_any_or_not(p, EXPR_ANY);
	else
		e = parse_test(p);
	p->depth--;
	return e;
}

/* One part, or several joined by `join`. */
static struct expr *parse_joined(struct parser *p, enum expr_kind kind, const char *join,
				 struct expr *(*part)(struct parser *))
{
	struct expr *e = node(p, kind), *first = part(p), *more = first;

	if (first && !scan_word_is(scan_word(&p->scan), join))
		return first;
	while (more) {
		expr_adopt(p->arena, e, more);
		if (!scan_take_word(&p->scan, join)) {
			trim_end(p, e);
			return e;
		}
		more = part(p);
	}
	return NULL;
}

static struct expr *parse_and(struct parser *p)
{
	return parse_joined(p, EXPR_AND, "and", parse_not);
}

static struct expr *parse_or(struct parser *p)
{
	return parse_joined(p, EXPR_OR, "or", parse_and);
}

struct expr *expr_parse(struct arena *a, const char *text, size_t *at, struct err *err)
{
	struct parser p = {.scan = {.text = text, .len = strlen(text), .err = err}, .arena = a};
	struct expr *e = parse_or(&p);

	if (e && scan_next(&p.scan)) {
		if (scan_next(&p.scan) == ')')
			scan_fail(&p.scan, p.scan.at, ") without (");
		else
			scan_unexpected(&p.scan, "and, or or the end");
		e = NULL;
	}
	if (!e && at)
		*at = p.scan.at;
	return e;
}
