#include "matcher/testrules.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Names that are alike at the beginning, are numbers or words of paths, or need quotes. */
static const char *const names[] = {
	"a",        "b",         "c",         "d",     "0",
	"count",    "1",         "a.b",       "id",    "new",
	"old",      "name-aaaa", "name-aaab", "1 2",   "\"q\"",
	"\xc3\xa9", "any",       "x/y",       "\\b\n", "\xf0\x9f\x98\x80",
	"$or",      "",          "or",        "not",
};

static const char *const special_texts[] = {
	"",
	"a",
	"b",
	"ab",
	"aba",
	"abcabcabc",
	"A",
	"aB",
	"5",
	"null",
	"true",
	"stra\xc3\x9f"
	"e",
	"STRASSE",
	"\xce\xa3\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x82",
	"\xe2\x84\xaa"
	"k",
	"\xc5\xbf"
	"s",
	"\xc4\xb0i",
	"\xf0\x9f\x98\x80",
	"a*b",
	"a\\b",
	"\"",
	"line\nend\r",
	"docs/a/b",
	"10.0.0.1",
	"10.1.255.3",
	"192.168.0.0",
	"::1",
	"2001:db8::1",
	"::ffff:10.0.0.1",
	"010.0.0.1",
	"release/2026-11-24",
	"\xc3\xa9\xc3\x89",
	"EVENT.type",
};

static const char *const numbers[] = {
	"0",
	"-0",
	"0.0",
	"-0e9",
	"1",
	"1.0",
	"1e0",
	"100e-2",
	"0.1e1",
	"-1",
	"5",
	"5.0",
	"5e-1",
	"0.5",
	"10",
	"1E1",
	"1e+1",
	"9007199254740992",
	"9007199254740993",
	"9007199254740993.0",
	"18446744073709551615",
	"18446744073709551616",
	"123456789012345678901234567890",
	"123456789012345678901234567891",
	"1e400",
	"1e401",
	"-1e400",
	"1e-400",
	"1.1",
	"1.1000000000000001",
	"0.1",
	"0.30000000000000004",
	"0.3",
	"301.8",
	"-122.42916360922355",
};

static const char *const networks[] = {
	"10.0.0.0/8",  "10.0.0.0/16",    "10.1.0.0/16", "0.0.0.0/0",     "10.0.0.1/32",
	"10.0.0.1",    "192.168.0.0/30", "::/0",        "2001:db8::/32", "::1/128",
	"2001:db8::1", "10.1.255.0/24",  "128.0.0.0/1",
};

static const char *const regexps[] = {
	"a",       "a*",          ".*",           "[a-c]+",          "(a|b){1,3}", "a.*b",
	"[^a]*",   "\\p{L}+",     "(ab)*c?",      "[0-9.]+",         "\\p{Lu}.*",  "\xc3\xa9+",
	".{2,4}",  ".*b",         "a.*",          "(a*b*)*x?",       "[0-9]",      "",
	"docs/.*", "\\P{N}{0,3}", "(.*[.])?type", "a|aba|abcabcabc",
};

/* splitmix64 */
static uint64_t next(struct testrules *t)
{
	uint64_t z = t->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

unsigned testrules_pick(struct testrules *t, unsigned n)
{
	return (unsigned)((next(t) >> 32) * n >> 32);
}

static bool once_in(struct testrules *t, unsigned n)
{
	return testrules_pick(t, n) == 0;
}

#define PICK(t, array) (array)[testrules_pick(t, COUNT(array))]

/* Text of one small alphabet, so that there are many near misses. */
static void few_letters(struct testrules *t, struct buf *out)
{
	static const char *const alphabets[] = {"ab", "abAB", "0123456789", "a*\\", "ab/."};
	const char *letters = PICK(t, alphabets);
	unsigned n = once_in(t, 30) ? 300 : testrules_pick(t, 12);

	for (; n > 0; n--)
		buf_char(out, letters[testrules_pick(t, (unsigned)strlen(letters))]);
}

void testrules_begin(struct testrules *t, uint64_t seed)
{
	static const unsigned widths[] = {1, 2, 4, 8, COUNT(names)};

	t->state = seed;
	next(t);
	t->names = PICK(t, widths);
	t->depth = 1 + testrules_pick(t, 4);
	for (size_t i = 0; i < TESTRULES_TEXTS; i++) {
		buf_cut(&t->texts[i], 0);
		if (i % 2)
			buf_text_add(&t->texts[i], PICK(t, special_texts));
		else
			few_letters(t, &t->texts[i]);
	}
}

void testrules_end(struct testrules *t)
{
	for (size_t i = 0; i < COUNT(t->texts); i++)
		buf_free(&t->texts[i]);
	for (size_t i = 0; i < COUNT(t->attributes); i++)
		buf_free(&t->attributes[i]);
}

static void change_case(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++) {
		char c = b->data[i], lower = (char)(c | 32);

		if (lower >= 'a' && lower <= 'z')
			b->data[i] = (char)(c ^ 32);
	}
}

/* Add a text of this set, or one much like it. */
static void add_text(struct testrules *t, struct buf *out)
{
	const struct buf *text = &PICK(t, t->texts);
	size_t from = out->len;

	switch (testrules_pick(t, 20)) {
	case 0: buf_text_add(out, PICK(t, special_texts)); break;
	case 1: few_letters(t, out); break;
	case 2: buf_printf(out, "k%04u", testrules_pick(t, 10000)); break;
	case 3:
		buf_add(out, text->data, text->len);
		change_case(out, from);
		break;
	case 4:
		buf_add(out, text->data, text->len);
		buf_text_add(out, PICK(t, special_texts));
		break;
	case 5: buf_add(out, "a\0b", 3); break;
	default: buf_add(out, text->data, text->len);
	}
}

/* A beginning, an end, or a piece from the middle. */
static void add_piece(struct testrules *t, bool beginning, bool end, struct buf *out)
{
	struct buf text = {0};
	size_t from, to;

	add_text(t, &text);
	from = beginning ? 0 : testrules_pick(t, (unsigned)text.len + 1);
	to = end ? text.len : from + testrules_pick(t, (unsigned)(text.len - from) + 1);
	while (from > 0 && from < text.len && (text.data[from] & 0xc0) == 0x80)
		from--;
	while (to < text.len && (text.data[to] & 0xc0) == 0x80)
		to++;
	buf_add(out, buf_text(&text) + from, to - from);
	buf_free(&text);
}

static void add_escaped_for_wildcard(const struct buf *piece, struct buf *out)
{
	for (size_t i = 0; i < piece->len; i++) {
		if (piece->data[i] == '*' || piece->data[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, piece->data[i]);
	}
}

static void add_wildcard(struct testrules *t, struct buf *out)
{
	unsigned stars = once_in(t, 10) ? 8 : testrules_pick(t, 3);
	struct buf piece = {0};

	for (unsigned i = 0; i <= stars; i++) {
		buf_cut(&piece, 0);
		add_piece(t, i == 0, i == stars, &piece);
		if (i > 0 && (out->len == 0 || out->data[out->len - 1] != '*'))
			buf_char(out, '*');
		add_escaped_for_wildcard(&piece, out);
	}
	buf_free(&piece);
}

static void add_code(struct buf *out, uint32_t cp)
{
	if (cp >= 0x10000)
		buf_printf(out, "\\u%04X\\u%04x", 0xd800 + ((cp - 0x10000) >> 10),
			   0xdc00 + (cp & 0x3ff));
	else
		buf_printf(out, "\\u%04x", cp);
}

/* In quotes, here and there with escapes that need not be. */
static void add_quoted(struct testrules *t, const char *text, size_t len, struct buf *out)
{
	bool odd = once_in(t, 8);
	uint32_t cp;

	buf_char(out, '"');
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_read(text + i, len - i, &cp);
		if (odd && once_in(t, 3))
			add_code(out, cp);
		else if (odd && cp == '/')
			buf_text_add(out, "\\/");
		else
			buf_json_escaped(out, text + i, n);
	}
	buf_char(out, '"');
}

typedef void add_fn(struct testrules *t, struct buf *out);

static void add_string(struct testrules *t, add_fn *add, struct buf *out)
{
	struct buf text = {0};

	add(t, &text);
	add_quoted(t, buf_text(&text), text.len, out);
	buf_free(&text);
}

static void add_beginning(struct testrules *t, struct buf *out)
{
	add_piece(t, true, false, out);
}

static void add_ending(struct testrules *t, struct buf *out)
{
	add_piece(t, false, true, out);
}

static void add_middle(struct testrules *t, struct buf *out)
{
	add_piece(t, false, false, out);
}

static void add_other_case(struct testrules *t, struct buf *out)
{
	size_t from = out->len;

	add_text(t, out);
	if (once_in(t, 2))
		change_case(out, from);
}

static void add_network(struct testrules *t, struct buf *out)
{
	buf_text_add(out, PICK(t, networks));
}

static void add_regexp(struct testrules *t, struct buf *out)
{
	buf_text_add(out, PICK(t, regexps));
}

static void add_number(struct testrules *t, struct buf *out)
{
	int n = (int)testrules_pick(t, 24) - 4;

	switch (testrules_pick(t, 5)) {
	case 0: buf_printf(out, "%d", n); break;
	case 1: buf_printf(out, "%d.%u", n, testrules_pick(t, 3) * 5); break;
	case 2: buf_printf(out, "%u", testrules_pick(t, 2000)); break;
	default: buf_text_add(out, PICK(t, numbers));
	}
}

static void add_scalar(struct testrules *t, struct buf *out)
{
	switch (testrules_pick(t, 12)) {
	case 0: buf_text_add(out, "null"); break;
	case 1: buf_text_add(out, "true"); break;
	case 2: buf_text_add(out, "false"); break;
	case 3:
	case 4:
	case 5: add_number(t, out); break;
	default: add_string(t, add_text, out);
	}
}

static const char *pick_name(struct testrules *t)
{
	return names[testrules_pick(t, t->names)];
}

static void add_blank(struct testrules *t, struct buf *out)
{
	static const char *const blanks[] = {"", "", "", "", "", "", " ", "\n\t", "\r\n  "};

	buf_text_add(out, PICK(t, blanks));
}

static void add_value(struct testrules *t, unsigned depth, struct buf *out);

static void add_array(struct testrules *t, unsigned depth, struct buf *out)
{
	unsigned n = once_in(t, 50) ? testrules_pick(t, 200) : testrules_pick(t, 4);

	buf_char(out, '[');
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_char(out, ',');
		add_blank(t, out);
		add_value(t, depth - (depth > 0), out);
		add_blank(t, out);
	}
	buf_char(out, ']');
}

/* Some of the names, in any order, each once. */
static void add_object(struct testrules *t, unsigned depth, struct buf *out)
{
	unsigned first = testrules_pick(t, t->names), step = once_in(t, 2) ? 1 : t->names - 1;
	bool more = false;

	buf_char(out, '{');
	for (unsigned i = 0; i < t->names; i++) {
		const char *name = names[(first + i * step) % t->names];

		if (once_in(t, t->names > 4 ? 2 : 4))
			continue;
		buf_text_add(out, more ? "," : "");
		more = true;
		add_blank(t, out);
		add_quoted(t, name, strlen(name), out);
		add_blank(t, out);
		buf_char(out, ':');
		add_value(t, depth - (depth > 0), out);
	}
	buf_char(out, '}');
}

static void add_value(struct testrules *t, unsigned depth, struct buf *out)
{
	unsigned kind = testrules_pick(t, 10);

	add_blank(t, out);
	if (depth > 0 && kind < 3)
		add_object(t, depth, out);
	else if (depth > 0 && kind < 6)
		add_array(t, depth, out);
	else
		add_scalar(t, out);
}

void testrules_event(struct testrules *t, struct buf *out)
{
	for (size_t i = 0; i < COUNT(t->attributes); i++) {
		struct buf *a = &t->attributes[i];

		buf_cut(a, 0);
		add_text(t, a);
		if (memchr(buf_text(a), '\0', a->len))
			buf_cut(a, 0);
	}
	buf_cut(out, 0);
	add_blank(t, out);
	add_object(t, t->depth, out);
}

static bool is_plain(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static void add_step(struct testrules *t, struct buf *out)
{
	const char *name = pick_name(t);

	if (once_in(t, 12))
		buf_printf(out, "%u", testrules_pick(t, 3));
	else if (once_in(t, 20))
		buf_text_add(out, "count");
	else if (is_plain(name) && !once_in(t, 6))
		buf_text_add(out, name);
	else
		add_quoted(t, name, strlen(name), out);
}

static void add_path(struct testrules *t, bool inside, struct buf *out)
{
	static const char *const tops[] = {"type", "source", "subject", "time", "id", "instance"};
	unsigned n = 1 + testrules_pick(t, t->depth + (unsigned)once_in(t, 4));

	if (!inside && once_in(t, 12)) {
		buf_text_add(out, PICK(t, tops));
		return;
	}
	if (!inside)
		buf_text_add(out, "data");
	for (unsigned i = 0; i < n; i++) {
		if (!inside || i > 0)
			buf_char(out, '.');
		add_step(t, out);
	}
}

static void add_list(struct testrules *t, add_fn *add, bool strings, struct buf *out)
{
	unsigned n = 1 + testrules_pick(t, once_in(t, 10) ? 40 : 3);

	buf_char(out, '[');
	for (unsigned i = 0; i < n; i++) {
		buf_text_add(out, i ? ", " : "");
		if (strings)
			add_string(t, add, out);
		else
			add(t, out);
	}
	buf_char(out, ']');
}

static const struct {
	const char *word;
	add_fn *literal;
	bool negatable, path;
} text_operators[] = {
	{"like", add_wildcard, true, false},     {"contains", add_middle, true, true},
	{"starts", add_beginning, true, true},   {"ends", add_ending, true, true},
	{"matches", add_regexp, true, false},    {"ieq", add_other_case, false, true},
	{"istarts", add_beginning, false, true}, {"iends", add_ending, false, true},
	{"within", add_network, false, false},
};

static void add_text_test(struct testrules *t, bool inside, struct buf *out)
{
	size_t i = testrules_pick(t, COUNT(text_operators));
	add_fn *literal = text_operators[i].literal;

	buf_printf(out, " %s%s ", text_operators[i].negatable && once_in(t, 4) ? "not " : "",
		   text_operators[i].word);
	if (text_operators[i].path && once_in(t, 8))
		add_path(t, inside, out);
	else if (once_in(t, 4))
		add_list(t, literal, true, out);
	else
		add_string(t, literal, out);
}

static void add_comparison(struct testrules *t, bool inside, struct buf *out)
{
	static const char *const ops[] = {"==", "==", "==", "!=", "<", "<=", ">", ">="};
	const char *op = PICK(t, ops);

	buf_printf(out, " %s ", op);
	if (once_in(t, 8))
		add_path(t, inside, out);
	else if (*op == '=' || *op == '!')
		add_scalar(t, out);
	else if (once_in(t, 3))
		add_string(t, add_text, out);
	else
		add_number(t, out);
}

static void add_test(struct testrules *t, bool inside, struct buf *out)
{
	unsigned kind = testrules_pick(t, 12);

	if (kind == 0) {
		add_scalar(t, out);
		buf_text_add(out, " in ");
		add_path(t, inside, out);
		return;
	}
	add_path(t, inside, out);
	if (kind == 1) {
		buf_text_add(out, " exists");
	} else if (kind == 2) {
		buf_text_add(out, once_in(t, 3) ? " not in " : " in ");
		if (once_in(t, 5))
			add_path(t, inside, out);
		else
			add_list(t, add_scalar, false, out);
	} else if (kind < 7) {
		add_text_test(t, inside, out);
	} else {
		add_comparison(t, inside, out);
	}
}

static void add_condition(struct testrules *t, unsigned depth, bool inside, struct buf *out)
{
	unsigned kind = depth ? testrules_pick(t, 10) : 9;
	unsigned parts = 2 + testrules_pick(t, 2);

	if (kind == 0) {
		buf_text_add(out, "not (");
		add_condition(t, depth - 1, inside, out);
		buf_char(out, ')');
	} else if (kind < 3) {
		buf_text_add(out, "any ");
		add_path(t, inside, out);
		buf_text_add(out, " (");
		add_condition(t, depth - 1, true, out);
		buf_char(out, ')');
	} else if (kind < 7) {
		for (unsigned i = 0; i < parts; i++) {
			buf_text_add(out, i == 0 ? "(" : kind < 5 ? " and " : " or ");
			add_condition(t, depth - 1, inside, out);
		}
		buf_char(out, ')');
	} else {
		add_test(t, inside, out);
	}
}

void testrules_expression(struct testrules *t, struct buf *out)
{
	buf_cut(out, 0);
	add_condition(t, testrules_pick(t, 4), false, out);
}

static void add_member(struct testrules *t, const char *name, add_fn *literal, struct buf *out)
{
	buf_printf(out, "{\"%s\":", name);
	add_string(t, literal, out);
	buf_char(out, '}');
}

static void add_ignoring_case(struct testrules *t, const char *name, add_fn *literal,
			      struct buf *out)
{
	buf_printf(out, "{\"%s\":", name);
	add_member(t, "equals-ignore-case", literal, out);
	buf_char(out, '}');
}

static void add_range(struct testrules *t, struct buf *out)
{
	static const char *const lows[] = {">", ">="}, *const highs[] = {"<", "<="},
				 *const one[] = {"=", "<", "<=", ">", ">="};
	int low = (int)testrules_pick(t, 20) - 4;

	buf_text_add(out, "{\"numeric\":[");
	if (once_in(t, 2))
		buf_printf(out, "\"%s\",%d,\"%s\",%d.5", PICK(t, lows), low, PICK(t, highs),
			   low + (int)testrules_pick(t, 9));
	else {
		buf_printf(out, "\"%s\",", PICK(t, one));
		add_number(t, out);
	}
	buf_text_add(out, "]}");
}

static void add_anything_but(struct testrules *t, struct buf *out)
{
	static const struct {
		const char *name;
		add_fn *literal;
	} kinds[] = {{"prefix", add_beginning},
		     {"suffix", add_ending},
		     {"equals-ignore-case", add_other_case},
		     {"wildcard", add_wildcard}};
	unsigned kind = testrules_pick(t, COUNT(kinds));

	buf_text_add(out, "{\"anything-but\":");
	switch (testrules_pick(t, 6)) {
	case 0: add_string(t, add_text, out); break;
	case 1: add_number(t, out); break;
	case 2: add_list(t, add_number, false, out); break;
	case 3: add_list(t, add_text, true, out); break;
	default:
		buf_printf(out, "{\"%s\":", kinds[kind].name);
		if (once_in(t, 2))
			add_list(t, kinds[kind].literal, true, out);
		else
			add_string(t, kinds[kind].literal, out);
		buf_char(out, '}');
	}
	buf_char(out, '}');
}

static void add_matcher(struct testrules *t, struct buf *out)
{
	switch (testrules_pick(t, 18)) {
	case 0: add_member(t, "prefix", add_beginning, out); break;
	case 1: add_member(t, "suffix", add_ending, out); break;
	case 2: add_ignoring_case(t, "prefix", add_beginning, out); break;
	case 3: add_ignoring_case(t, "suffix", add_ending, out); break;
	case 4: add_member(t, "equals-ignore-case", add_other_case, out); break;
	case 5:
	case 6: add_member(t, "wildcard", add_wildcard, out); break;
	case 7:
	case 8: add_anything_but(t, out); break;
	case 9: add_range(t, out); break;
	case 10: buf_printf(out, "{\"exists\":%s}", once_in(t, 2) ? "true" : "false"); break;
	case 11: add_member(t, "cidr", add_network, out); break;
	case 12: add_member(t, "regexp", add_regexp, out); break;
	case 13: add_member(t, "exactly", add_text, out); break;
	default: add_scalar(t, out);
	}
}

static void add_leaf(struct testrules *t, struct buf *out)
{
	unsigned n = 1 + (once_in(t, 3) ? testrules_pick(t, 3) : 0);

	buf_char(out, '[');
	for (unsigned i = 0; i < n; i++) {
		buf_text_add(out, i ? "," : "");
		add_matcher(t, out);
	}
	buf_char(out, ']');
}

static void add_fields(struct testrules *t, unsigned depth, struct buf *out);

static void add_either(struct testrules *t, unsigned depth, struct buf *out)
{
	unsigned n = 2 + testrules_pick(t, 2);

	buf_text_add(out, "\"$or\":[");
	for (unsigned i = 0; i < n; i++) {
		buf_text_add(out, i ? ",{" : "{");
		add_fields(t, depth - 1, out);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

/* One member or more, without the braces. */
static void add_fields(struct testrules *t, unsigned depth, struct buf *out)
{
	unsigned n = 1 + testrules_pick(t, t->names < 3 ? t->names : 3);
	unsigned first = testrules_pick(t, t->names);

	for (unsigned i = 0; i < n; i++) {
		const char *name = names[(first + i) % t->names];

		buf_text_add(out, i ? "," : "");
		add_quoted(t, name, strlen(name), out);
		buf_char(out, ':');
		if (depth > 0 && once_in(t, 3)) {
			buf_char(out, '{');
			add_fields(t, depth - 1, out);
			buf_char(out, '}');
		} else {
			add_leaf(t, out);
		}
	}
	if (depth > 0 && once_in(t, 6)) {
		buf_char(out, ',');
		add_either(t, depth, out);
	}
}

void testrules_pattern(struct testrules *t, enum pattern_root root, struct buf *out)
{
	static const char *const tops[] = {"type", "source", "subject", "time", "id"};

	buf_cut(out, 0);
	buf_char(out, '{');
	if (root == PATTERN_DATA) {
		add_fields(t, t->depth, out);
	} else {
		buf_text_add(out, "\"data\":{");
		add_fields(t, t->depth, out);
		buf_char(out, '}');
		if (once_in(t, 3)) {
			buf_printf(out, ",\"%s\":", PICK(t, tops));
			add_leaf(t, out);
		}
	}
	buf_char(out, '}');
}
