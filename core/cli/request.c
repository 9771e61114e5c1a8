#include "cli/request.h"

#include "json/check.h"
#include "json/find.h"

#include <string.h>

json_t *request_read(const char *line, size_t len, struct buf *event)
{
	struct json_value object = json_root(line, len), name, value;
	struct buf rest = {0};
	size_t at = 0, from = 0;
	json_t *ask;

	if (object.kind != KIND_OBJECT || !json_check(line, len, JSON_MAX_DEPTH + 1, NULL))
		return NULL;
	while (json_next(&object, &at, &name, &value)) {
		if (name.len != 7 || strncmp(name.text, "\"event\"", 7) != 0)
			continue;
		buf_add(event, value.text, value.len);
		buf_add(&rest, line, (size_t)(value.text - line));
		buf_text_add(&rest, "null");
		from = (size_t)(value.text + value.len - line);
		break;
	}
	buf_add(&rest, line + from, len - from);
	ask = json_loadb(buf_text(&rest), rest.len, JSON_REJECT_DUPLICATES, NULL);
	buf_free(&rest);
	return ask;
}

uint64_t request_number(const json_t *ask, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(ask, key));

	return n > 0 ? (uint64_t)n : 0;
}
