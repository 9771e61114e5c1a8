#include "rules/scan.h"

#include <stdarg.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

bool scan_fail(struct scan *s, size_t at, const char *fmt, ...)
{
	va_list ap;

	s->at = at;
	va_start(ap, fmt);
	err_vset(s->err, fmt, ap);
	va_end(ap);
	return false;
}

static void blanks(struct scan *s)
{
	while (s->at < s->len && s->text[s->at] && strchr(" \t\r\n", s->text[s->at]))
		s->at++;
}

char scan_next(struct scan *s)
{
	blanks(s);
	return s->at < s->len ? s->text[s->at] : '\0';
}

bool scan_take(struct scan *s, char c)
{
	bool there = scan_next(s) == c;

	s->at += there;
	return there;
}

bool scan_in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

struct word scan_word(struct scan *s)
{
	struct word w = {0};

	blanks(s);
	w.text = s->text + s->at;
	while (s->at + w.len < s->len && scan_in_name(w.text[w.len]))
		w.len++;
	if (s->at + w.len < s->len && w.text[w.len] == '.')
		w.len = 0;
	return w;
}

bool scan_word_is(struct word w, const char *text)
{
	return w.len == strlen(text) && memcmp(w.text, text, w.len) == 0;
}

bool scan_take_word(struct scan *s, const char *text)
{
	struct word w = scan_word(s);

	if (!scan_word_is(w, text))
		return false;
	s->at += w.len;
	return true;
}

struct word scan_shown(struct scan *s)
{
	struct word w = scan_word(s);
	size_t left = s->len - s->at;

	for (w.len = 0; w.len < left && (scan_in_name(w.text[w.len]) || w.text[w.len] == '.');)
		w.len++;
	if (!w.len)
		while (w.len < left && w.text[w.len] && strchr("=!<>&|~", w.text[w.len]))
			w.len++;
	if (!w.len && left)
		for (w.len = 1; w.len < left && ((unsigned char)w.text[w.len] & 0xc0) == 0x80;)
			w.len++;
	w.len = w.len > 60 ? 60 : w.len;
	return w;
}

/* Words and signs of other languages, with ours. */
static const char *ours(struct word w)
{
	/* clang-format off */
	static const char *const pairs[][2] = {
		{"=", "=="}, {"===", "=="}, {"is", "=="}, {"eq", "=="}, {"equals", "=="},
		{"<>", "!="}, {"!==", "!="}, {"ne", "!="}, {"=<", "<="}, {"=>", ">="},
		{"lt", "<"}, {"le", "<="}, {"gt", ">"}, {"ge", ">="}, {"=~", "matches"},
		{"~", "matches"}, {"~=", "matches"}, {"regex", "matches"}, {"match", "matches"},
		{"&&", "and"}, {"&", "and"}, {"AND", "and"}, {"||", "or"}, {"|", "or"},
		{"OR", "or"}, {"!", "not"}, {"NOT", "not"}, {"startswith", "starts"},
		{"beginswith", "starts"}, {"begins", "starts"}, {"endswith", "ends"},
		{"has", "contains"}, {"includes", "contains"}, {"exist", "exists"}, {"IN", "in"},
		{"ANY", "any"}, {"LIKE", "like"},
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT(pairs); i++) {
		if (scan_word_is(w, pairs[i][0]))
			return pairs[i][1];
	}
	return NULL;
}

bool scan_unexpected(struct scan *s, const char *wanted)
{
	struct word w = scan_shown(s);
	const char *better = ours(w);

	if (!w.len)
		return scan_fail(s, s->at, "%s was expected, but the expression ends", wanted);
	if (better)
		return scan_fail(s, s->at, "%.*s is written %s", (int)w.len, w.text, better);
	if (*w.text == '\'')
		return scan_fail(s, s->at, "text is written in double quotes");
	return scan_fail(s, s->at, "%s was expected, not %.*s", wanted, (int)w.len, w.text);
}
