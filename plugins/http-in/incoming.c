#include "incoming.h"

#include "base/mem.h"
#include "base/units.h"
#include "json/check.h"
#include "json/escape.h"
#include "json/find.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

void incoming_free(struct incoming *in)
{
	buf_free(&in->specversion);
	buf_free(&in->id);
	buf_free(&in->source);
	buf_free(&in->type);
	buf_free(&in->subject);
	buf_free(&in->time);
	buf_free(&in->traceparent);
	buf_free(&in->decoded);
}

static bool is_named(const struct json_value *name, const char *text)
{
	return json_string_is(name->text + 1, name->len - 2, text, strlen(text));
}

/* Where an attribute of that name goes, or NULL. */
static struct buf *place_of(struct incoming *in, const struct json_value *name)
{
	struct {
		const char *name;
		struct buf *place;
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

static bool decode(struct incoming *in, const struct json_value *value, struct err *err)
{
	struct json_fault fault;
	struct buf text = {0};
	unsigned char *bytes;
	size_t pad = 0;
	int n;

	json_text(value, &text);
	while (pad < 2 && pad < text.len && text.data[text.len - 1 - pad] == '=')
		pad++;
	bytes = mem_zero(text.len / 4 * 3 + 4);
	n = text.len % 4 ? -1 : EVP_DecodeBlock(bytes, (unsigned char *)text.data, (int)text.len);
	if (n > 0)
		buf_add(&in->decoded, bytes, (size_t)n - pad);
	free(bytes);
	buf_free(&text);
	if (n <= 0 || !json_check(in->decoded.data, in->decoded.len, JSON_MAX_DEPTH, &fault)) {
		err_set(err, "data_base64 is not %s", n <= 0 ? "base64" : "JSON inside");
		return false;
	}
	in->data = in->decoded.data;
	in->data_len = in->decoded.len;
	return true;
}

static bool take_member(struct incoming *in, const struct json_value *name,
			const struct json_value *value, struct err *err)
{
	struct buf *place = place_of(in, name);

	if (value->kind == KIND_NULL)
		return true;
	if (place && value->kind != KIND_STRING) {
		err_set(err, "%.*s is not a string", (int)name->len - 2, name->text + 1);
		return false;
	}
	if (place)
		json_text(value, place);
	else if (is_named(name, "data_base64"))
		return decode(in, value, err);
	else if (is_named(name, "data")) {
		in->data = value->text;
		in->data_len = value->len;
	}
	return true;
}

/* Milliseconds, which the host would take as well, are no time of CloudEvents. */
static bool is_time(const char *text)
{
	int64_t ms;

	return text[strspn(text, "0123456789")] && units_time(text, &ms);
}

static bool is_complete(struct incoming *in, struct err *err)
{
	const char *missing = !in->id.len       ? "id"
			      : !in->source.len ? "source"
			      : !in->type.len   ? "type"
						: NULL;

	if (strncmp(buf_text(&in->specversion), "1.", 2) != 0)
		err_set(err, "specversion is not 1.0");
	else if (missing)
		err_set(err, "it has no %s", missing);
	else if (in->time.len && !is_time(in->time.data))
		err_set(err, "time \"%.60s\" is not RFC 3339, like 2026-11-24T01:02:03Z",
			in->time.data);
	else if (in->data && json_root(in->data, in->data_len).kind != KIND_OBJECT)
		err_set(err, "data is not a JSON object");
	else
		return true;
	return false;
}

bool incoming_structured(struct incoming *in, const char *text, size_t len, struct err *err)
{
	struct json_value root = json_root(text, len), name, value;

	if (root.kind != KIND_OBJECT) {
		err_set(err, "it is not a JSON object");
		return false;
	}
	for (size_t at = 0; json_next(&root, &at, &name, &value);) {
		if (!take_member(in, &name, &value, err))
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

/* Headers are percent-encoded, as the HTTP binding says. */
static void take_header(struct buf *place, const char *text)
{
	for (const char *p = text ? text : ""; *p; p++) {
		int high = *p == '%' ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		if (low < 0) {
			buf_char(place, *p);
			continue;
		}
		buf_char(place, (char)(high * 16 + low));
		p += 2;
	}
}

bool incoming_binary(struct incoming *in, const struct pm_message *m, struct err *err)
{
	take_header(&in->specversion, m->header(m, "ce-specversion"));
	take_header(&in->id, m->header(m, "ce-id"));
	take_header(&in->source, m->header(m, "ce-source"));
	take_header(&in->type, m->header(m, "ce-type"));
	take_header(&in->subject, m->header(m, "ce-subject"));
	take_header(&in->time, m->header(m, "ce-time"));
	take_header(&in->traceparent, m->header(m, "ce-traceparent"));
	in->data = m->body_len ? m->body : NULL;
	in->data_len = m->body_len;
	return is_complete(in, err);
}

void incoming_trace(struct incoming *in, const struct pm_message *m)
{
	const char *given = m->header(m, "traceparent");

	if (given && !in->traceparent.len)
		buf_text_add(&in->traceparent, given);
}

static const char *text_or_null(const struct buf *b)
{
	return b->len ? b->data : NULL;
}

pm_result incoming_emit(struct pm_host *h, const struct incoming *in)
{
	return h->emit(h, &PM_EMIT(.type = buf_text(&in->type), .id = buf_text(&in->id),
				   .source = text_or_null(&in->source),
				   .subject = text_or_null(&in->subject),
				   .time = text_or_null(&in->time),
				   .traceparent = text_or_null(&in->traceparent),
				   .json = in->data ? in->data : "{}",
				   .json_len = in->data ? in->data_len : 2));
}
