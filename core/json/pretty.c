#include "json/pretty.h"

#include "json/skip.h"

#include <string.h>

#define BLANKS " \t\r\n"

static bool is_blank(char c)
{
	return c && strchr(BLANKS, c);
}

static void new_line(struct buf *out, size_t depth)
{
	buf_char(out, '\n');
	for (size_t i = 0; i < depth; i++)
		buf_text_add(out, "  ");
}

/* Does it end before anything is in it? */
static size_t empty_length(const char *text, size_t len)
{
	size_t n = 1;

	while (n < len && is_blank(text[n]))
		n++;
	return n < len && (text[n] == '}' || text[n] == ']') ? n + 1 : 0;
}

/* One token; returns its length. */
static size_t put_token(const char *text, size_t len, size_t *depth, struct buf *out)
{
	size_t n = 1;

	if (*text == '"') {
		n = (size_t)(skip_string(text, text + len) - text);
		buf_add(out, text, n);
	} else if ((*text == '{' || *text == '[') && (n = empty_length(text, len)) > 0) {
		buf_text_add(out, *text == '{' ? "{}" : "[]");
	} else if (*text == '{' || *text == '[') {
		n = 1;
		buf_char(out, *text);
		new_line(out, ++*depth);
	} else if (*text == '}' || *text == ']') {
		new_line(out, --*depth);
		buf_char(out, *text);
	} else if (*text == ',') {
		buf_char(out, ',');
		new_line(out, *depth);
	} else {
		buf_char(out, *text);
		if (*text == ':')
			buf_char(out, ' ');
	}
	return n;
}

void json_pretty(const char *text, size_t len, struct buf *out)
{
	size_t depth = 0;

	for (size_t at = 0; at < len;)
		at += is_blank(text[at]) ? 1 : put_token(text + at, len - at, &depth, out);
}
