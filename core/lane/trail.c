#include "lane/trail.h"

#include "base/units.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WHY_MAX 300 /* bytes of a reason that a trail repeats */

/* Cut between characters. */
static size_t cut_of(const char *why)
{
	size_t len = strnlen(why, WHY_MAX + 1);

	if (len <= WHY_MAX)
		return len;
	for (len = WHY_MAX; len > 0 && ((unsigned char)why[len] & 0xc0) == 0x80; len--)
		;
	return len;
}

static json_t *attempt(int64_t at, int64_t ended, const char *result, const char *why)
{
	char begun[32], over[32];
	json_t *o = json_pack("{ss ss ss}", "at", units_time_text(at, begun), "ended",
			      units_time_text(ended, over), "result", result);
	json_t *text = why && *why ? json_stringn(why, cut_of(why)) : NULL;

	if (text)
		json_object_set_new(o, "why", text);
	return o;
}

char *trail_add(char *trail, int64_t at, int64_t ended, const char *result, const char *why)
{
	json_t *list = trail ? json_loads(trail, 0, NULL) : NULL;
	char *text;

	if (!json_is_array(list)) {
		json_decref(list);
		list = json_array();
	}
	json_array_append_new(list, attempt(at, ended, result, why));
	if (json_array_size(list) > TRAIL_MAX)
		json_array_remove(list, 1);
	text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	free(trail);
	return text;
}
