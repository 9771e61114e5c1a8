#include "document.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS (JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* jansson turns 1.50 into 1.5 and refuses long integers.  So a number is read as the text
 * "n1.50", and, to tell them apart, every text as "s" and itself. */
#define TEXT   's'
#define NUMBER 'n'

static size_t string_end(const char *text, size_t len, size_t i)
{
	for (i++; i < len && text[i] != '"'; i++)
		i += text[i] == '\\';
	return i + 1;
}

static void mark(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0, end; i < len; i = end) {
		end = i + 1;
		if (text[i] == '"') {
			end = string_end(text, len, i);
			buf_char(out, '"');
			buf_char(out, TEXT);
			buf_add(out, text + i + 1, end - i - 1);
		} else if (strchr("-0123456789", text[i])) {
			end = i + strspn(text + i, "+-.0123456789eE");
			buf_char(out, '"');
			buf_char(out, NUMBER);
			buf_add(out, text + i, end - i);
			buf_char(out, '"');
		} else {
			buf_char(out, text[i]);
		}
	}
}

static void unmark(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0, end; i < len; i = end) {
		end = text[i] == '"' ? string_end(text, len, i) : i + 1;
		if (text[i] != '"') {
			buf_char(out, text[i]);
		} else if (text[i + 1] == NUMBER) {
			buf_add(out, text + i + 2, end - i - 3);
		} else {
			buf_char(out, '"');
			buf_add(out, text + i + 2, end - i - 2);
		}
	}
}

json_t *document_read(const char *text, size_t len, struct err *err)
{
	json_error_t fault = {.line = -1};
	struct buf marked = {0};
	const char *nul = len ? memchr(text, '\0', len) : NULL;
	json_t *plain, *document = NULL;

	/* To jansson it is the end of the text, whatever follows. */
	if (nul) {
		err_set(err, "byte %zu is a NUL, which no JSON has", (size_t)(nul - text) + 1);
		return NULL;
	}
	/* What passes here is JSON to the last byte; the second reading can rely on it. */
	plain = json_loadb(text, len, FLAGS | JSON_DECODE_INT_AS_REAL, &fault);
	if (plain) {
		mark(text, len, &marked);
		document = json_loadb(marked.data, marked.len, FLAGS, &fault);
	}
	if (!document)
		err_set(err, "line %d, column %d: %s", fault.line, fault.column, fault.text);
	json_decref(plain);
	buf_free(&marked);
	return document;
}

char *document_text(const json_t *document)
{
	char *marked = json_dumps(document, JSON_INDENT(2) | JSON_ENCODE_ANY);
	struct buf text = {0};

	if (marked)
		unmark(marked, strlen(marked), &text);
	buf_char(&text, '\n');
	free(marked);
	return buf_take(&text);
}

static void apply(json_t *target, const json_t *patch)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)patch, name, value)
	{
		if (json_is_null(value))
			json_object_del(target, name);
		else
			json_object_set_new(target, name,
					    document_merge(json_object_get(target, name), value));
	}
}

json_t *document_merge(const json_t *target, const json_t *patch)
{
	json_t *result;

	if (!json_is_object(patch))
		return json_deep_copy(patch);
	result = json_is_object(target) ? json_deep_copy(target) : json_object();
	apply(result, patch);
	return result;
}
