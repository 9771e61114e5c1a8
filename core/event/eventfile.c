#include "event/eventfile.h"

#include "base/mem.h"
#include "json/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_DEPTH (JSON_MAX_DEPTH + 2) /* the payload's, the envelope's, the array's */

struct reading {
	const char *instance;
	struct eventfile *out;
	struct eventfile_fault *fault;
};

static void set_fault(const struct reading *r, uint32_t line, uint32_t column, const char *why)
{
	r->fault->line = line;
	r->fault->column = column;
	err_set(&r->fault->why, "%s", why);
}

static bool well_formed(const struct reading *r, const char *text, size_t len, uint32_t line)
{
	struct json_fault fault;

	if (json_check(text, len, ARRAY_DEPTH, &fault))
		return true;
	set_fault(r, line + fault.line - 1, fault.column, fault.what);
	return false;
}

static bool take(const struct reading *r, const char *text, size_t len, uint32_t line)
{
	struct event *ev = event_parse(text, len, r->instance, &r->fault->why);

	if (!ev) {
		r->fault->line = line;
		r->fault->column = 1;
		return false;
	}
	mem_room(r->out->list, r->out->n, r->out->cap);
	r->out->list[r->out->n++] = (struct filed){ev, line};
	return true;
}

static uint32_t lines_between(const char *from, const char *to)
{
	uint32_t n = 0;

	while ((from = memchr(from, '\n', (size_t)(to - from)))) {
		from++;
		n++;
	}
	return n;
}

static bool take_array(const struct reading *r, const char *text, size_t len)
{
	struct json_value root, name, value;
	const char *from = text;
	uint32_t line = 1;

	if (!well_formed(r, text, len, 1))
		return false;
	root = json_root(text, len);
	for (size_t at = 0; json_next(&root, &at, &name, &value); from = value.text) {
		line += lines_between(from, value.text);
		if (!take(r, value.text, value.len, line))
			return false;
	}
	return true;
}

/* How many of the bytes in `set` the text begins with. */
static size_t span(const char *text, size_t len, const char *set)
{
	size_t n = 0;

	while (n < len && memchr(set, text[n], strlen(set)))
		n++;
	return n;
}

static bool take_lines(const struct reading *r, const char *text, size_t len)
{
	const char *end = text + len;
	uint32_t line = 1;

	for (size_t n; text < end; text += n + 1, line++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		n = newline ? (size_t)(newline - text) : (size_t)(end - text);
		if (span(text, n, " \t\r") == n)
			continue;
		if (!well_formed(r, text, n, line) || !take(r, text, n, line))
			return false;
	}
	return true;
}

/* Lines, if the first one that is not blank is JSON by itself and there are more. */
static bool in_lines(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);
	size_t n = newline ? (size_t)(newline - text) : len;

	return n < len && json_check(text, n, ARRAY_DEPTH, NULL) &&
	       !json_check(text, len, ARRAY_DEPTH, NULL);
}

bool eventfile_parse(const char *text, size_t len, const char *instance, struct eventfile *out,
		     struct eventfile_fault *fault)
{
	const struct reading r = {instance, out, fault};
	size_t blank = span(text, len, " \t\r\n");
	uint32_t line = 1 + lines_between(text, text + blank);
	bool ok;

	*out = (struct eventfile){0};
	if (blank == len)
		ok = true;
	else if (text[blank] == '[')
		ok = take_array(&r, text, len);
	else if (in_lines(text + blank, len - blank))
		ok = take_lines(&r, text, len);
	else
		ok = well_formed(&r, text, len, 1) && take(&r, text, len, line);
	if (ok && !out->n)
		set_fault(&r, 1, 1, "there is no event in it");
	if (ok && out->n)
		return true;
	eventfile_clear(out);
	return false;
}

static bool read_bytes(FILE *file, struct buf *out, struct err *err)
{
	bool read = buf_read(out, file, EVENTFILE_MAX_BYTES);

	if (!read)
		err_set(err, "%s", strerror(errno));
	else if (out->len > EVENTFILE_MAX_BYTES)
		err_set(err, "it is larger than %d MB", EVENTFILE_MAX_BYTES >> 20);
	return read && out->len <= EVENTFILE_MAX_BYTES;
}

bool eventfile_read(const char *path, const char *instance, struct eventfile *out,
		    struct eventfile_fault *fault)
{
	FILE *file = fopen(path, "re");
	struct buf text = {0};
	bool ok;

	*out = (struct eventfile){0};
	*fault = (struct eventfile_fault){0};
	if (!file) {
		err_set(&fault->why, "%s", strerror(errno));
		return false;
	}
	ok = read_bytes(file, &text, &fault->why);
	fclose(file);
	ok = ok && eventfile_parse(buf_text(&text), text.len, instance, out, fault);
	buf_free(&text);
	return ok;
}

void eventfile_clear(struct eventfile *f)
{
	for (size_t i = 0; i < f->n; i++)
		event_unref(f->list[i].event);
	free(f->list);
	*f = (struct eventfile){0};
}
