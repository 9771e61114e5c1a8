#include "items.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	const char *at, *end;
	int depth; /* in objects */
	struct item item;
};

/* Behind the closing quote of the string whose first byte is at `at`. */
static const char *behind_string(const char *at, const char *end)
{
	while (at < end && (at = memchr(at, '"', (size_t)(end - at)))) {
		const char *slash = at;

		while (slash[-1] == '\\')
			slash--;
		at++;
		if ((at - 1 - slash) % 2 == 0)
			return at;
	}
	return end;
}

static const char *behind_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
		at++;
	return at;
}

static bool is_name(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

static void take_text(struct item *item, const char *name, size_t len, const char *text,
		      size_t text_len)
{
	if (is_name(name, len, "id")) {
		item->id = text;
		item->id_len = text_len;
	} else if (is_name(name, len, "idempotencykey")) {
		item->key = text;
		item->key_len = text_len;
	}
}

/* The string that begins at s->at, and if it is a name we know, its value. */
static void take_string(struct scan *s)
{
	const char *name = s->at + 1, *behind = behind_string(name, s->end), *value;
	size_t len = (size_t)(behind - name) - 1;

	s->at = behind;
	value = behind_blanks(behind, s->end);
	if (value + 1 >= s->end || *value != ':')
		return;
	value = behind_blanks(value + 1, s->end);
	if (s->depth == 1 && value < s->end && *value == '"') {
		s->at = behind_string(value + 1, s->end);
		take_text(&s->item, name, len, value + 1, (size_t)(s->at - value) - 2);
	} else if (!s->item.sent_us && is_name(name, len, "sent")) {
		s->item.sent_us = strtoll(value, NULL, 10);
		s->at = value;
	}
}

size_t items_each(const char *body, size_t len, void (*tell)(void *arg, const struct item *item),
		  void *arg)
{
	struct scan s = {.at = body, .end = body + len};
	size_t n = 0;

	while (s.at < s.end) {
		char c = *s.at;

		if (c == '"') {
			take_string(&s);
			continue;
		}
		s.at++;
		if (c == '{' && s.depth++ == 0)
			s.item = (struct item){0};
		if (c == '}' && --s.depth == 0) {
			tell(arg, &s.item);
			n++;
		}
	}
	return n;
}
