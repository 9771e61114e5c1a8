#include "rules/regtree.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "rules/category.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH  64
#define MAX_REPEAT 1000

struct reader {
	const char *text;
	size_t len, at;
	unsigned depth;
	struct err *err;
};

static struct regtree *either(struct reader *r);

static bool fail(struct reader *r, const char *what)
{
	err_set(r->err, "in matches: %s", what);
	return false;
}

static bool more(const struct reader *r)
{
	return r->at < r->len;
}

static bool next_is(const struct reader *r, char c)
{
	return more(r) && r->text[r->at] == c;
}

static bool take(struct reader *r, char c)
{
	bool there = next_is(r, c);

	r->at += there;
	return there;
}

static struct regtree *node(enum regkind kind)
{
	struct regtree *t = mem_new(struct regtree);

	t->kind = kind;
	return t;
}

static void adopt(struct regtree *t, struct regtree *part)
{
	t->parts = mem_grow(t->parts, t->n + 1, sizeof(struct regtree *));
	t->parts[t->n++] = part;
}

static void add_range(struct regclass *c, uint32_t first, uint32_t last)
{
	c->ranges = mem_grow(c->ranges, c->n + 1, sizeof *c->ranges);
	c->ranges[c->n++] = (struct regrange){first, last};
}

static int by_first(const void *a, const void *b)
{
	const struct regrange *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Ranges are looked up by halving, and equal classes are recognised, however written. */
static void order_ranges(struct regclass *c)
{
	size_t n = 0;

	if (c->n)
		qsort(c->ranges, c->n, sizeof *c->ranges, by_first);
	for (size_t i = 0; i < c->n; i++) {
		struct regrange *last = n ? &c->ranges[n - 1] : NULL;

		if (!last || c->ranges[i].first > last->last + 1)
			c->ranges[n++] = c->ranges[i];
		else if (c->ranges[i].last > last->last)
			last->last = c->ranges[i].last;
	}
	c->n = n;
}

static bool in_ranges(const struct regclass *c, uint32_t cp)
{
	size_t low = 0, high = c->n; /* the range wanted is in [low, high) */

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (cp < c->ranges[middle].first)
			high = middle;
		else if (cp > c->ranges[middle].last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

bool regclass_has(const struct regclass *c, uint32_t cp)
{
	bool found = in_ranges(c, cp) || (c->categories && (category_of(cp) & c->categories));

	return found != c->negated;
}

static bool character(struct reader *r, uint32_t *cp)
{
	size_t n = utf8_read(r->text + r->at, r->len - r->at, cp);

	r->at += n;
	return n > 0 || fail(r, "broken UTF-8");
}

/* Behind the backslash: an escape that stands for one character. */
static bool single_escape(struct reader *r, uint32_t *cp)
{
	static const char themselves[] = "()*+-.?[\\]^{|}";
	char c = more(r) ? r->text[r->at] : '\0';

	switch (c) {
	case 'n': *cp = '\n'; break;
	case 'r': *cp = '\r'; break;
	case 't': *cp = '\t'; break;
	case 'd': return fail(r, "there is no \\d in an I-Regexp; write [0-9] or \\p{Nd}");
	case 'w': return fail(r, "there is no \\w in an I-Regexp; write [A-Za-z0-9_]");
	case 's': return fail(r, "there is no \\s in an I-Regexp; write [ \\t\\n\\r]");
	default:
		if (!c || !strchr(themselves, c))
			return fail(r, "an I-Regexp knows no such escape");
		*cp = (unsigned char)c;
	}
	r->at++;
	return true;
}

/* Behind `\p` or `\P`. */
static bool category(struct reader *r, bool inverse, struct regclass *c)
{
	const char *from, *close;
	uint32_t mask;

	if (!take(r, '{'))
		return fail(r, "\\p is written \\p{Lu}");
	from = r->text + r->at;
	close = memchr(from, '}', r->len - r->at);
	mask = close ? category_named(from, (size_t)(close - from)) : 0;
	if (!mask)
		return fail(r, "that is no category of characters; like \\p{L}, \\p{Nd}");
	r->at += (size_t)(close - from) + 1;
	c->categories |= inverse ? ~mask : mask;
	return true;
}

static bool class_escape(struct reader *r, struct regclass *c, bool *was_class)
{
	*was_class = take(r, 'p');
	if (*was_class)
		return category(r, false, c);
	*was_class = take(r, 'P');
	return !*was_class || category(r, true, c);
}

/* One member of [..], or a range of them. */
static bool class_item(struct reader *r, struct regclass *c)
{
	uint32_t first, last;
	bool was_class;

	if (next_is(r, '[') || next_is(r, '-'))
		return fail(r, next_is(r, '[') ? "inside [ ] a bracket is written \\["
					       : "inside [ ] a - stands first or last, or is \\-");
	if (take(r, '\\')) {
		if (!class_escape(r, c, &was_class))
			return false;
		if (was_class)
			return true;
		if (!single_escape(r, &first))
			return false;
	} else if (!character(r, &first)) {
		return false;
	}
	last = first;
	if (next_is(r, '-') && r->at + 1 < r->len && r->text[r->at + 1] != ']') {
		r->at++;
		if (next_is(r, '[') || next_is(r, '-'))
			return fail(r, "the end of this range is no character");
		if (take(r, '\\') ? !single_escape(r, &last) : !character(r, &last))
			return false;
		if (last < first)
			return fail(r, "this range ends before it begins");
	}
	add_range(c, first, last);
	return true;
}

/* Behind the opening bracket. */
static bool class_items(struct reader *r, struct regclass *c)
{
	c->negated = take(r, '^');
	if (next_is(r, ']'))
		return fail(r, "[ ] without a character inside");
	if (take(r, '-'))
		add_range(c, '-', '-');
	while (more(r) && !next_is(r, ']')) {
		if (next_is(r, '-') && r->at + 1 < r->len && r->text[r->at + 1] == ']') {
			r->at++;
			add_range(c, '-', '-');
			break;
		}
		if (!class_item(r, c))
			return false;
	}
	return take(r, ']') || fail(r, "[ is not closed");
}

static struct regtree *bracket(struct reader *r)
{
	struct regtree *t = node(REG_CLASS);

	if (class_items(r, &t->set)) {
		order_ranges(&t->set);
		return t;
	}
	regtree_free(t);
	return NULL;
}

static struct regtree *dot(void)
{
	struct regtree *t = node(REG_CLASS);

	t->set.negated = true;
	add_range(&t->set, '\n', '\n');
	add_range(&t->set, '\r', '\r');
	return t;
}

static struct regtree *escaped(struct reader *r)
{
	struct regtree *t = node(REG_CLASS);
	bool was_class;

	if (!class_escape(r, &t->set, &was_class)) {
		regtree_free(t);
		return NULL;
	}
	if (was_class)
		return t;
	t->kind = REG_CHARACTER;
	if (single_escape(r, &t->character))
		return t;
	regtree_free(t);
	return NULL;
}

static struct regtree *group(struct reader *r)
{
	struct regtree *t;

	if (next_is(r, '?')) {
		fail(r, "an I-Regexp has no (?");
		return NULL;
	}
	if (r->depth == MAX_DEPTH) {
		fail(r, "groups are nested too deep");
		return NULL;
	}
	r->depth++;
	t = either(r);
	r->depth--;
	if (t && !take(r, ')')) {
		fail(r, "( is not closed");
		regtree_free(t);
		return NULL;
	}
	return t;
}

static struct regtree *plain(struct reader *r)
{
	struct regtree *t = node(REG_CHARACTER);

	if (character(r, &t->character))
		return t;
	regtree_free(t);
	return NULL;
}

static struct regtree *atom(struct reader *r)
{
	if (take(r, '('))
		return group(r);
	if (take(r, '['))
		return bracket(r);
	if (take(r, '.'))
		return dot();
	if (take(r, '\\'))
		return escaped(r);
	if (strchr("*+?{", r->text[r->at]) && r->text[r->at]) {
		fail(r, "there is nothing to repeat here; as a character it is written with a "
			"backslash");
		return NULL;
	}
	if (next_is(r, ']') || next_is(r, '}')) {
		fail(r, "a closing bracket as a character is written with a backslash");
		return NULL;
	}
	return plain(r);
}

static bool times(struct reader *r, uint32_t *n)
{
	size_t from = r->at;

	for (*n = 0; more(r) && r->text[r->at] >= '0' && r->text[r->at] <= '9'; r->at++)
		*n = *n > MAX_REPEAT ? *n : *n * 10 + (uint32_t)(r->text[r->at] - '0');
	if (r->at == from)
		return fail(r, "a repetition is written {2}, {2,} or {2,5}");
	return *n <= MAX_REPEAT || fail(r, "a repetition goes up to 1000");
}

/* Behind the opening brace. */
static bool braces(struct reader *r, struct regtree *t)
{
	if (!times(r, &t->least))
		return false;
	t->most = t->least;
	if (take(r, ',')) {
		t->most = REGTREE_ENDLESS;
		if (!next_is(r, '}') && !times(r, &t->most))
			return false;
	}
	if (t->most < t->least)
		return fail(r, "this repetition ends before it begins");
	return take(r, '}') || fail(r, "a repetition is written {2}, {2,} or {2,5}");
}

static bool quantifier(struct reader *r, struct regtree *t)
{
	t->most = REGTREE_ENDLESS;
	if (take(r, '*'))
		return true;
	if (take(r, '+')) {
		t->least = 1;
		return true;
	}
	if (take(r, '?')) {
		t->most = 1;
		return true;
	}
	r->at++;
	return braces(r, t);
}

static struct regtree *piece(struct reader *r)
{
	struct regtree *t = atom(r), *repeat;

	if (!t || !more(r) || !r->text[r->at] || !strchr("*+?{", r->text[r->at]))
		return t;
	repeat = node(REG_REPEAT);
	adopt(repeat, t);
	if (quantifier(r, repeat))
		return repeat;
	regtree_free(repeat);
	return NULL;
}

static struct regtree *sequence(struct reader *r)
{
	struct regtree *t = node(REG_SEQUENCE), *part;

	while (more(r) && !next_is(r, '|') && !next_is(r, ')')) {
		part = piece(r);
		if (!part) {
			regtree_free(t);
			return NULL;
		}
		adopt(t, part);
	}
	return t;
}

static struct regtree *either(struct reader *r)
{
	struct regtree *t = node(REG_EITHER), *part;

	do {
		part = sequence(r);
		if (!part) {
			regtree_free(t);
			return NULL;
		}
		adopt(t, part);
	} while (take(r, '|'));
	return t;
}

struct regtree *regtree_parse(const char *text, size_t len, size_t *at, struct err *err)
{
	struct reader r = {text, len, 0, 0, err};
	struct regtree *t = either(&r);

	*at = r.at;
	if (t && more(&r)) {
		fail(&r, ") without (");
		regtree_free(t);
		return NULL;
	}
	return t;
}

void regtree_free(struct regtree *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		regtree_free(t->parts[i]);
	free(t->parts);
	free(t->set.ranges);
	free(t);
}
