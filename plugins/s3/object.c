#include "object.h"

#include "base/mem.h"
#include "base/units.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Names one state of one object.  The version does; without versions an old content can come
 * back, so the time or the notification's number tells the two apart. */
static char *id_of(const struct object *o, const char *what)
{
	const char *when = o->sequencer ? o->sequencer : o->modified ? o->modified : "";

	if (o->version && !(*what && o->sequencer))
		return mem_format("%s/%s%s/%s", o->bucket, o->key, what, o->version);
	return mem_format("%s/%s%s/%s/%s", o->bucket, o->key, what, o->etag ? o->etag : "", when);
}

static pm_result emit(struct pm_host *h, const struct object *o, const char *type, const char *what,
		      json_t *data)
{
	char *json = json_dumps(data, JSON_COMPACT), *id = id_of(o, what);
	char *subject = mem_format("%s/%s", o->bucket, o->key);
	pm_result result = h->emit(h, &PM_EMIT(.type = type, .id = id, .subject = subject,
					       .time = *what ? NULL : o->modified,
					       .json = json ? json : "{}"));

	free(subject);
	free(id);
	free(json);
	json_decref(data);
	return result;
}

static json_t *data_of(const struct object *o)
{
	return json_pack("{s:s, s:s, s:s*, s:s*}", "bucket", o->bucket, "key", o->key, "etag",
			 o->etag, "version-id", o->version);
}

pm_result object_changed(struct pm_host *h, const struct object *o, bool first)
{
	json_t *data = data_of(o);

	if (o->size >= 0)
		json_object_set_new(data, "size", json_integer(o->size));
	if (o->modified)
		json_object_set_new(data, "modified", json_string(o->modified));
	json_object_set_new(data, "first", json_boolean(first));
	return emit(h, o, "s3.object.changed", "", data);
}

pm_result object_removed(struct pm_host *h, const struct object *o)
{
	return emit(h, o, "s3.object.removed", "/removed", data_of(o));
}

const char *object_http_time(const char *text, char out[32])
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = {0};
	char name[4] = "";
	const char *month;

	if (!text || sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d", &tm.tm_mday, name, &tm.tm_year,
			    &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return NULL;
	month = strstr(months, name);
	if (!month || strlen(name) != 3 || (month - months) % 3)
		return NULL;
	tm.tm_mon = (int)(month - months) / 3;
	tm.tm_year -= 1900;
	return units_time_text((int64_t)timegm(&tm) * 1000, out);
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

char *object_decoded_key(const char *text)
{
	char *out = mem_zero(strlen(text) + 1), *p = out;

	for (; *text; text++) {
		if (*text == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2])) {
			*p++ = (char)(hex(text[1]) * 16 + hex(text[2]));
			text += 2;
		} else {
			*p++ = *text == '+' ? ' ' : *text;
		}
	}
	return out;
}
