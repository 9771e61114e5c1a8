#include "record.h"

#include "attribute.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An event holds 1 MB; escaping can double what is kept of a record. */
#define MAX_KEPT (400 * 1024)

static const struct {
	const char *name, *type;
	bool has_new, has_old;
} kinds[] = {
	{"INSERT", "dynamodb.item.inserted", true, false},
	{"MODIFY", "dynamodb.item.modified", true, true},
	{"REMOVE", "dynamodb.item.removed", false, true},
};

int64_t record_time(const json_t *json)
{
	const json_t *change = json_object_get(json, "dynamodb");
	double seconds = json_number_value(json_object_get(change, "ApproximateCreationDateTime"));

	return seconds > 0 && seconds < 1e12 ? (int64_t)(seconds * 1000) : 0;
}

const char *record_sequence(const json_t *json)
{
	return json_string_value(
		json_object_get(json_object_get(json, "dynamodb"), "SequenceNumber"));
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_char(out, out->len ? ',' : '{');
	buf_json_string(out, name, strlen(name));
	buf_char(out, ':');
	buf_json_string(out, text, strlen(text));
}

static bool add_item(struct buf *out, const char *name, const json_t *change, const char *member,
		     struct err *err)
{
	const json_t *item = json_object_get(change, member);

	if (!item) {
		err_set(err, "no %s", member);
		return false;
	}
	buf_printf(out, ",\"%s\":", name);
	if (attribute_item_json(item, out, err))
		return true;
	err_prefix(err, "%s", member);
	return false;
}

/* "hash" or "hash/range".  It only has to be the same for the same item: `order-by` goes by
 * it, and two items that share one are kept in order needlessly, no worse. */
static char *subject_of(const json_t *keys, const struct record_place *place)
{
	const char *hash = attribute_text(json_object_get(keys, place->hash ? place->hash : ""));
	const char *range = attribute_text(json_object_get(keys, place->range ? place->range : ""));
	void *at = json_object_iter((json_t *)keys);

	if (hash && range)
		return mem_format("%s/%s", hash, range);
	if (!hash && at)
		hash = attribute_text(json_object_iter_value(at));
	return mem_text(hash);
}

static char *id_of(const json_t *json, const char *sequence, const struct record_place *place)
{
	const char *id = json_string_value(json_object_get(json, "eventID"));

	if (id && *id)
		return mem_text(id);
	return mem_format("%s/%s/%s", place->stream, place->shard, sequence);
}

static bool expired(const json_t *json)
{
	const json_t *user = json_object_get(json, "userIdentity");
	const char *who = json_string_value(json_object_get(user, "principalId"));

	return who && strcmp(who, "dynamodb.amazonaws.com") == 0;
}

static void set_time(struct record *out, int64_t ms)
{
	if (ms)
		snprintf(out->time, sizeof out->time, "%lld", (long long)ms);
}

static void begin_data(struct record *out, const struct record_place *place)
{
	add_member(&out->data, "table", place->table);
	add_member(&out->data, "shard", place->shard);
	add_member(&out->data, "sequence", out->sequence);
}

static bool add_change(const json_t *json, size_t kind, struct record *out, struct err *err)
{
	const json_t *change = json_object_get(json, "dynamodb");

	if (!add_item(&out->data, "keys", change, "Keys", err))
		return false;
	if (kinds[kind].has_new && !add_item(&out->data, "new", change, "NewImage", err))
		return false;
	if (kinds[kind].has_old && !add_item(&out->data, "old", change, "OldImage", err))
		return false;
	if (expired(json))
		buf_text_add(&out->data, ",\"expired\":true");
	buf_char(&out->data, '}');
	return true;
}

bool record_read(const json_t *json, const struct record_place *place, struct record *out,
		 struct err *err)
{
	const char *name = json_string_value(json_object_get(json, "eventName"));
	const json_t *change = json_object_get(json, "dynamodb");
	size_t kind = 0, n = sizeof kinds / sizeof *kinds;

	*out = (struct record){.sequence = mem_text(record_sequence(json))};
	while (kind < n && (!name || strcmp(name, kinds[kind].name) != 0))
		kind++;
	if (kind == n || !out->sequence) {
		err_set(err, "%s",
			kind == n ? "its eventName is none of INSERT, MODIFY, REMOVE"
				  : "it has no SequenceNumber");
		return false;
	}
	out->type = kinds[kind].type;
	out->id = id_of(json, out->sequence, place);
	out->subject = subject_of(json_object_get(change, "Keys"), place);
	set_time(out, record_time(json));
	begin_data(out, place);
	return add_change(json, kind, out, err);
}

static void add_base64(struct buf *out, const unsigned char *p, size_t len)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		unsigned long v = (unsigned long)p[i] << 16;

		v |= left > 1 ? (unsigned long)p[i + 1] << 8 : 0;
		v |= left > 2 ? p[i + 2] : 0;
		buf_char(out, set[v >> 18]);
		buf_char(out, set[v >> 12 & 63]);
		buf_char(out, left > 1 ? set[v >> 6 & 63] : '=');
		buf_char(out, left > 2 ? set[v & 63] : '=');
	}
}

static void add_bytes(struct buf *out, const char *bytes, size_t len)
{
	json_t *text = json_stringn(bytes, len); /* NULL unless it is UTF-8 */

	buf_text_add(out, text ? ",\"record\":\"" : ",\"record-base64\":\"");
	if (text)
		buf_json_escaped(out, bytes, len);
	else
		add_base64(out, (const unsigned char *)bytes, len);
	buf_char(out, '"');
	json_decref(text);
}

void record_unreadable(const char *bytes, size_t len, const char *sequence, const char *reason,
		       const struct record_place *place, struct record *out)
{
	unsigned char digest[32];
	char hex[65];

	*out = (struct record){.type = "dynamodb.item.unreadable", .sequence = mem_text(sequence)};
	hash_sha256(bytes, len, digest);
	hash_hex(digest, sizeof digest, hex);
	out->id = mem_format("%s/%s/%s", place->stream, place->shard, sequence ? sequence : hex);
	begin_data(out, place);
	add_member(&out->data, "reason", reason);
	add_bytes(&out->data, bytes, len < MAX_KEPT ? len : MAX_KEPT);
	if (len > MAX_KEPT)
		buf_printf(&out->data, ",\"bytes\":%zu", len);
	buf_char(&out->data, '}');
}

void record_free(struct record *r)
{
	free(r->id);
	free(r->subject);
	free(r->sequence);
	buf_free(&r->data);
}
