#include "message.h"

#include "base/mem.h"
#include "s3answer.h"

#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum kind { OTHER, CHANGED, REMOVED };

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool begins(const char *whole, const char *part)
{
	return strncmp(whole, part, strlen(part)) == 0;
}

/* "ObjectCreated:Put", with or without "s3:" in front. */
static enum kind kind_of_s3(const char *name)
{
	name += begins(name, "s3:") ? strlen("s3:") : 0;
	if (begins(name, "ObjectCreated:"))
		return CHANGED;
	if (begins(name, "ObjectRemoved:") || begins(name, "LifecycleExpiration:"))
		return REMOVED;
	return OTHER;
}

static enum kind kind_of_eventbridge(const char *type)
{
	if (strcmp(type, "Object Created") == 0)
		return CHANGED;
	return strcmp(type, "Object Deleted") == 0 ? REMOVED : OTHER;
}

static char *bare(const char *etag)
{
	char out[256];

	return etag && *etag ? mem_text(s3answer_bare(etag, out, sizeof out)) : NULL;
}

static char *version(const char *id)
{
	return id && *id && strcmp(id, "null") != 0 ? mem_text(id) : NULL;
}

struct names { /* of the same things in the two forms */
	const char *etag, *version;
	bool encoded; /* the key, as forms encode */
};

static const struct names s3_names = {"eTag", "versionId", true};
static const struct names eventbridge_names = {"etag", "version-id", false};

static bool add(struct message *out, enum kind kind, const json_t *detail, const char *time,
		const struct names *names, struct err *err)
{
	const json_t *object = json_object_get(detail, "object");
	const json_t *size = json_object_get(object, "size");
	const char *bucket = text(json_object_get(detail, "bucket"), "name");
	const char *key = text(object, "key");

	if (!bucket || !key) {
		err_set(err, "a notification of S3 without %s",
			bucket ? "the object's key" : "a bucket");
		return false;
	}
	mem_room(out->changes, out->n, out->cap);
	out->changes[out->n++] = (struct change){
		.removed = kind == REMOVED,
		.object = {.bucket = mem_text(bucket),
			   .key = names->encoded ? object_decoded_key(key) : mem_text(key),
			   .etag = bare(text(object, names->etag)),
			   .version = version(text(object, names->version)),
			   .modified = mem_text(time),
			   .sequencer = mem_text(text(object, "sequencer")),
			   .size = json_is_integer(size) && json_integer_value(size) >= 0
					   ? json_integer_value(size)
					   : -1}};
	return true;
}

static bool read_records(const json_t *records, struct message *out, struct err *err)
{
	size_t i;
	json_t *record;

	json_array_foreach((json_t *)records, i, record)
	{
		const char *name = text(record, "eventName");
		enum kind kind = name ? kind_of_s3(name) : OTHER;

		if (!name || !json_object_get(record, "s3")) {
			err_set(err, "record %zu of the notification is not of S3", i);
			return false;
		}
		if (kind == OTHER)
			out->ignored++;
		else if (!add(out, kind, json_object_get(record, "s3"), text(record, "eventTime"),
			      &s3_names, err))
			return false;
	}
	return true;
}

static bool read_eventbridge(const json_t *event, struct message *out, struct err *err)
{
	const char *type = text(event, "detail-type");
	enum kind kind = type ? kind_of_eventbridge(type) : OTHER;

	if (kind != OTHER)
		return add(out, kind, json_object_get(event, "detail"), text(event, "time"),
			   &eventbridge_names, err);
	out->ignored++;
	return true;
}

static bool read_text(const char *body, bool wrapped, struct message *out, struct err *err);

static bool read_form(const json_t *json, bool wrapped, struct message *out, struct err *err)
{
	const char *source = text(json, "source"), *type = text(json, "Type");
	const char *event = text(json, "Event");

	if (event && strcmp(event, "s3:TestEvent") == 0) {
		out->ignored++;
		return true;
	}
	if (json_is_array(json_object_get(json, "Records")))
		return read_records(json_object_get(json, "Records"), out, err);
	if (source && strcmp(source, "aws.s3") == 0)
		return read_eventbridge(json, out, err);
	if (!wrapped && type && strcmp(type, "Notification") == 0 && text(json, "Message"))
		return read_text(text(json, "Message"), true, out, err);
	err_set(err, "none of the forms that S3, EventBridge and SNS give a notification");
	return false;
}

static bool read_text(const char *body, bool wrapped, struct message *out, struct err *err)
{
	json_error_t fault;
	json_t *json = json_loads(body, 0, &fault);
	bool ok = json && read_form(json, wrapped, out, err);

	if (!json)
		err_set(err, "not JSON: %s", fault.text);
	json_decref(json);
	return ok;
}

bool message_read(const char *body, struct message *out, struct err *err)
{
	*out = (struct message){0};
	return read_text(body, false, out, err);
}

static void drop(const char *text_of_ours)
{
	free((void *)(uintptr_t)text_of_ours);
}

void message_free(struct message *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct object *o = &m->changes[i].object;

		drop(o->bucket);
		drop(o->key);
		drop(o->etag);
		drop(o->version);
		drop(o->modified);
		drop(o->sequencer);
	}
	free(m->changes);
}

int message_compare(const char *a, const char *b)
{
	while (*a || *b) {
		int x = *a ? toupper((unsigned char)*a++) : '0';
		int y = *b ? toupper((unsigned char)*b++) : '0';

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}
