/* Any JSON as the tree that verbs show: whatever the check of intake accepts has one. */
#include "cli/jsonline.h"
#include "fuzz.h"
#include "json/check.h"
#include "json/pretty.h"
#include "json/same.h"
#include "json/unique.h"

#include <string.h>

/* Names and texts that hold a NUL are none to jansson. */
static bool has_nul(const uint8_t *data, size_t size)
{
	return memmem(data, size, "\\u0000", 6) != NULL;
}

static void lay_out(const char *text, size_t len)
{
	struct json_value before = json_root(text, len), after;
	struct buf pretty = {0}, unique = {0};

	json_pretty(text, len, &pretty);
	PROMISE(json_check(pretty.data, pretty.len, JSON_MAX_DEPTH, NULL));
	after = json_root(pretty.data, pretty.len);
	PROMISE(json_same(&before, &after));
	json_unique(text, len, &unique);
	after = json_root(unique.data, unique.len);
	PROMISE(json_same(&before, &after));
	buf_free(&pretty);
	buf_free(&unique);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	json_t *tree = jsonline_json(text, size);
	struct buf line = {0}, unique = {0};
	bool container = tree && (json_is_object(tree) || json_is_array(tree));

	if (json_check(text, size, JSON_MAX_DEPTH, NULL)) {
		enum json_kind kind = json_root(text, size).kind;

		PROMISE(container || has_nul(data, size) ||
			(kind != KIND_OBJECT && kind != KIND_ARRAY));
		lay_out(text, size);
	} else if (json_check_repeats(text, size, JSON_MAX_DEPTH, NULL)) {
		json_unique(text, size, &unique);
		PROMISE(json_check(unique.data, unique.len, JSON_MAX_DEPTH, NULL));
	}
	if (container) {
		jsonline_add(&line, json_incref(tree));
		PROMISE(line.len > 2 &&
			memchr(line.data, '\n', line.len) == line.data + line.len - 1);
	}
	json_decref(tree);
	buf_free(&line);
	buf_free(&unique);
	return 0;
}
