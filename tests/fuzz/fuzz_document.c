/* Two JSON documents, an empty line between them: what is accepted is written as the same, every
 * digit kept; and merging is that of RFC 7396. */
#include "base/mem.h"
#include "document.h"
#include "fuzz.h"
#include "json/check.h"
#include "json/same.h"

#include <string.h>

static json_t *read(const char *text, size_t len)
{
	struct err err = {{0}};
	json_t *document = document_read(text, len, &err);
	struct json_value before, after;
	json_t *again;
	char *written;

	PROMISE(document || *err.text);
	if (!document)
		return NULL;
	PROMISE(json_check(text, len, 5000, NULL));
	written = document_text(document);
	before = json_root(text, len);
	after = json_root(written, strlen(written));
	PROMISE(json_check(written, strlen(written), 5000, NULL));
	if (json_check(text, len, JSON_MAX_DEPTH, NULL))
		PROMISE(json_same(&before, &after));
	again = document_read(written, strlen(written), NULL);
	PROMISE(again && json_equal(document, again));
	json_decref(again);
	free(written);
	return document;
}

/* RFC 7396, section 2, in its words. */
static json_t *merge(json_t *target, json_t *patch)
{
	const char *name;
	json_t *value, *result;

	if (!json_is_object(patch))
		return json_deep_copy(patch);
	result = json_is_object(target) ? json_deep_copy(target) : json_object();
	json_object_foreach(patch, name, value)
	{
		if (json_is_null(value))
			json_object_del(result, name);
		else
			json_object_set_new(result, name,
					    merge(json_object_get(result, name), value));
	}
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = memmem(data, size, "\n\n", 2);
	size_t first = cut ? (size_t)(cut - data) : size;
	char *a = mem_slice((const char *)data, first);
	char *b = mem_slice((const char *)data + first, size - first);
	json_t *target = read(a, first), *patch = read(b, size - first), *merged, *again, *plain;

	if (patch) {
		merged = document_merge(target, patch);
		plain = merge(target, patch);
		again = document_merge(merged, patch);
		PROMISE(json_equal(merged, plain) && json_equal(merged, again));
		json_decref(merged);
		json_decref(plain);
		json_decref(again);
	}
	json_decref(target);
	json_decref(patch);
	free(a);
	free(b);
	return 0;
}
