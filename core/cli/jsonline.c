#include "cli/jsonline.h"

#include "base/units.h"

#include <stdlib.h>

void jsonline_add(struct buf *out, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (text) {
		buf_text_add(out, text);
		buf_char(out, '\n');
	}
	free(text);
	json_decref(object);
}

json_t *jsonline_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *jsonline_time(int64_t ms)
{
	char text[32];

	return ms ? json_string(units_time_text(ms, text)) : json_null();
}
