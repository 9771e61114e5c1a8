#include "incoming.h"

#include "base/buf.h"
#include "base/units.h"
#include "json/check.h"
#include "json/escape.h"
#include "json/find.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>

static bool is_named(const struct json_value *name, const char *text)
{
	return json_string_is(name->text + 1, name->len - 2, text, strlen(text));
}

/* Where an attribute of that name goes, or NULL. */
static const char **place_of(struct incoming *in, const struct json_value *name)
{
	struct {
		const char *name;
		const char **place;
	} places[] = {
		{"specversion", &in->specversion}, {"id", &in->id},
		{"source", &in->source},           {"type", &in->type},
		{"subject", &in->subject},         {"time", &in->time},
		{"traceparent", &in->traceparent},
	};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (is_named(name, places[i].name))
			return places[i].place;
	}
	return NULL;
}

static bool decode(struct incoming *in, struct arena *arena, const struct json_value *value,
		   struct err *err)
{
	struct json_fault fault;
	struct buf text = {0};
	unsigned char *bytes;
	size_t pad = 0;
	int n;

	json_text(value, &text);
	while (pad < 2 && pad < text.len && text.data[text.len - 1 - pad] == '=')
		pad++;
	bytes = arena_take(arena, text.len / 4 * 3 + 4);
	n = text.len % 4 ? -1 : EVP_DecodeBlock(bytes, (unsigned char *)text.data, (int)text.len);
	buf_free(&text);
	in->data = (char *)bytes;
	in->data_len = n > 0 ? (size_t)n - pad : 0;
	if (n > 0 && json_check(in->data, in->data_len, JSON_MAX_DEPTH, &fault))
		return true;
	err_set(err, "data_base64 is not %s", n <= 0 ? "base64" : "JSON inside");
	return false;
}

static bool take_text(const char **place, struct arena *arena, const struct json_value *name,
		      const struct json_value *value, struct err *err)
{
	const char *raw = value->text + 1;
	size_t len = value->len - 2;
	struct buf plain = {0};
	const char *wrong = NULL;

	if (value->kind != KIND_STRING) {
		wrong = "is not a string";
	} else if (!memchr(raw, '\\', len)) {
		*place = arena_text(arena, raw, len);
	} else {
		json_string_plain(raw, len, &plain);
		if (memchr(buf_text(&plain), '\0', plain.len))
			wrong = "has a NUL character in it";
		*place = arena_text(arena, buf_text(&plain), plain.len);
		buf_free(&plain);
	}
	if (wrong)
		err_set(err, "%.*s %s", (int)name->len - 2, name->text + 1, wrong);
	return !wrong;
}

static bool take_member(struct incoming *in, struct arena *arena, const struct json_value *name,
			const struct json_value *value, struct err *err)
{
	const char **place = place_of(in, name);

	if (value->kind == KIND_NULL)
		return true;
	if (place)
		return take_text(place, arena, name, value, err);
	if (is_named(name, "data_base64"))
		return decode(in, arena, value, err);
	if (is_named(name, "data")) {
		in->data = value->text;
		in->data_len = value->len;
	}
	return true;
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* Milliseconds, which the host would take as well, are no time of CloudEvents. */
static bool is_time(const char *text)
{
	int64_t ms;

	return text[strspn(text, "0123456789")] && units_time(text, &ms);
}

static bool is_complete(struct incoming *in, struct err *err)
{
	const char *missing = !is_given(in->id)       ? "id"
			      : !is_given(in->source) ? "source"
			      : !is_given(in->type)   ? "type"
						      : NULL;

	if (!in->specversion || strncmp(in->specversion, "1.", 2) != 0)
		err_set(err, "specversion is not 1.0");
	else if (missing)
		err_set(err, "it has no %s", missing);
	else if (is_given(in->time) && !is_time(in->time))
		err_set(err, "time \"%.60s\" is not RFC 3339, like 2026-11-24T01:02:03Z", in->time);
	else if (in->data && json_root(in->data, in->data_len).kind != KIND_OBJECT)
		err_set(err, "data is not a JSON object");
	else
		return true;
	return false;
}

bool incoming_structured(struct incoming *in, struct arena *arena, const char *text, size_t len,
			 struct err *err)
{
	struct json_value root = json_root(text, len), name, value;

	if (root.kind != KIND_OBJECT) {
		err_set(err, "it is not a JSON object");
		return false;
	}
	for (size_t at = 0; json_next(&root, &at, &name, &value);) {
		if (!take_member(in, arena, &name, &value, err))
			return false;
	}
	return is_complete(in, err);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Headers are percent-encoded, as the HTTP binding says.  NULL if there is none. */
static const char *header(struct arena *arena, const struct pm_message *m, const char *name)
{
	const char *text = m->header(m, name);
	char *plain, *end;

	if (!text)
		return NULL;
	plain = end = arena_text(arena, text, strlen(text));
	for (const char *p = text; *p; p++) {
		int high = *p == '%' ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		/* A NUL would end the text before its end. */
		if (low >= 0 && high + low > 0) {
			*end++ = (char)(high * 16 + low);
			p += 2;
		} else {
			*end++ = *p;
		}
	}
	*end = '\0';
	return plain;
}

bool incoming_binary(struct incoming *in, struct arena *arena, const struct pm_message *m,
		     struct err *err)
{
	*in = (struct incoming){
		.specversion = header(arena, m, "ce-specversion"),
		.id = header(arena, m, "ce-id"),
		.source = header(arena, m, "ce-source"),
		.type = header(arena, m, "ce-type"),
		.subject = header(arena, m, "ce-subject"),
		.time = header(arena, m, "ce-time"),
		.traceparent = header(arena, m, "ce-traceparent"),
	};
	in->data = m->body_len ? m->body : NULL;
	in->data_len = m->body_len;
	return is_complete(in, err);
}

void incoming_trace(struct incoming *in, const struct pm_message *m)
{
	if (!is_given(in->traceparent))
		in->traceparent = m->header(m, "traceparent");
}

static const char *text_or_null(const char *text)
{
	return is_given(text) ? text : NULL;
}

pm_result incoming_emit(struct pm_host *h, const struct incoming *in)
{
	return h->emit(
		h, &PM_EMIT(.type = in->type, .id = in->id, .source = text_or_null(in->source),
			    .subject = text_or_null(in->subject), .time = text_or_null(in->time),
			    .traceparent = text_or_null(in->traceparent),
			    .json = in->data ? in->data : "{}",
			    .json_len = in->data ? in->data_len : 2));
}
