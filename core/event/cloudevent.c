#include "base/mem.h"
#include "base/units.h"
#include "base/utf8.h"
#include "event/event.h"
#include "json/check.h"
#include "json/escape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void add_attribute(struct buf *out, const char *begin, const char *text)
{
	if (!text)
		return;
	buf_text_add(out, begin);
	buf_json_string(out, text, strlen(text));
}

/* In JSON a line break can only stand between tokens, where a blank does as well. */
static void add_in_one_line(struct buf *out, const char *json, size_t len)
{
	size_t from = out->len;

	buf_add(out, json, len);
	for (char *p = out->data + from; (p = strpbrk(p, "\r\n"));)
		*p = ' ';
}

void event_json(const struct event *ev, struct buf *out)
{
	buf_text_add(out, "{\"specversion\":\"1.0\"");
	add_attribute(out, ",\"id\":", ev->id);
	add_attribute(out, ",\"source\":", ev->source);
	add_attribute(out, ",\"type\":", ev->type);
	add_attribute(out, ",\"subject\":", ev->subject);
	add_attribute(out, ",\"time\":", ev->time);
	add_attribute(out, ",\"datacontenttype\":", "application/json");
	add_attribute(out, ",\"traceparent\":", ev->traceparent);
	add_attribute(out, ",\"instance\":", ev->instance);
	if (ev->seq)
		buf_printf(out, ",\"sequence\":\"%llu\"", (unsigned long long)ev->seq);
	buf_text_add(out, ",\"data\":");
	add_in_one_line(out, ev->data, ev->data_len);
	buf_char(out, '}');
}

/* The members of the JSON form that are text. */
enum { SPECVERSION, ID, SOURCE, TYPE, SUBJECT, TIME, CONTENT, TRACEPARENT, INSTANCE, SEQUENCE };
static const struct {
	const char *name;
	bool required;
} members[] = {
	[SPECVERSION] = {"specversion", true},
	[ID] = {"id", true},
	[SOURCE] = {"source", true},
	[TYPE] = {"type", true},
	[SUBJECT] = {"subject", false},
	[TIME] = {"time", false},
	[CONTENT] = {"datacontenttype", false},
	[TRACEPARENT] = {"traceparent", false},
	[INSTANCE] = {"instance", false},
	[SEQUENCE] = {"sequence", false},
};

struct form {
	char *text[COUNT(members)];
	struct json_value data;
};

static bool name_is(const struct json_value *name, const char *wanted)
{
	return json_string_is(name->text + 1, name->len - 2, wanted, strlen(wanted));
}

static bool take_text(struct form *f, size_t i, const struct json_value *value, struct err *err)
{
	struct buf plain = {0};

	if (value->kind == KIND_NULL)
		return true;
	if (value->kind != KIND_STRING) {
		err_set(err, "%s is not text", members[i].name);
		return false;
	}
	json_text(value, &plain);
	if (memchr(buf_text(&plain), '\0', plain.len)) {
		err_set(err, "%s has a NUL character in it", members[i].name);
		buf_free(&plain);
		return false;
	}
	f->text[i] = buf_take(&plain);
	return true;
}

static bool take_member(struct form *f, const struct json_value *name,
			const struct json_value *value, struct err *err)
{
	if (name_is(name, "data_base64")) {
		err_set(err, "data_base64 is not taken: the payload must be a JSON object in "
			     "`data`");
		return false;
	}
	if (name_is(name, "data") && value->kind != KIND_NULL)
		f->data = *value;
	for (size_t i = 0; i < COUNT(members); i++) {
		if (name_is(name, members[i].name))
			return take_text(f, i, value, err);
	}
	return true;
}

/* application/json, or anything/anything+json; parameters do not matter. */
static bool json_content(const char *type)
{
	size_t n = strcspn(type, "; \t");

	return (n == strlen("application/json") && strncasecmp(type, "application/json", n) == 0) ||
	       (n > strlen("+json") && strncasecmp(type + n - 5, "+json", 5) == 0);
}

static bool form_complete(const struct form *f, struct err *err)
{
	for (size_t i = 0; i < COUNT(members); i++) {
		if (members[i].required && !f->text[i]) {
			err_set(err, "%s is missing: a CloudEvents 1.0 object was expected",
				members[i].name);
			return false;
		}
	}
	if (strcmp(f->text[SPECVERSION], "1.0") != 0) {
		err_set(err, "specversion is \"%.20s\", not \"1.0\"", f->text[SPECVERSION]);
		return false;
	}
	if (f->text[CONTENT] && !json_content(f->text[CONTENT])) {
		err_set(err, "datacontenttype is \"%.60s\", not JSON", f->text[CONTENT]);
		return false;
	}
	if (f->data.kind != KIND_ABSENT && f->data.kind != KIND_OBJECT) {
		err_set(err, "data is not a JSON object");
		return false;
	}
	return true;
}

static bool form_read(struct form *f, const struct json_value *root, struct err *err)
{
	struct json_value name, value;

	if (root->kind != KIND_OBJECT) {
		err_set(err, "a CloudEvents 1.0 object was expected");
		return false;
	}
	for (size_t at = 0; json_next(root, &at, &name, &value);) {
		if (!take_member(f, &name, &value, err))
			return false;
	}
	return form_complete(f, err);
}

static uint64_t sequence_of(const char *text)
{
	int64_t n;

	return text && units_integer(text, &n) && n > 0 ? (uint64_t)n : 0;
}

static struct event *form_event(const struct form *f, const char *instance)
{
	bool empty = f->data.kind == KIND_ABSENT;
	struct event ev = {
		.seq = sequence_of(f->text[SEQUENCE]),
		.id = f->text[ID],
		.source = f->text[SOURCE],
		.type = f->text[TYPE],
		.subject = f->text[SUBJECT],
		.time = f->text[TIME],
		.traceparent = f->text[TRACEPARENT],
		.instance = f->text[INSTANCE] ? f->text[INSTANCE] : instance,
		.data = empty ? "{}" : f->data.text,
		.data_len = empty ? 2 : f->data.len,
	};

	return event_create(&ev);
}

struct event *event_parse(const char *text, size_t len, const char *instance, struct err *err)
{
	struct json_value root;
	struct form form = {0};
	struct json_fault fault;
	struct event *ev = NULL;

	/* The payload may be as deep as any; the envelope around it is one level more. */
	if (!json_check(text, len, JSON_MAX_DEPTH + 1, &fault)) {
		err_set(err, "line %u column %u: %s", fault.line, fault.column, fault.what);
		return NULL;
	}
	root = json_root(text, len);
	if (form_read(&form, &root, err))
		ev = form_event(&form, instance);
	for (size_t i = 0; i < COUNT(members); i++)
		free(form.text[i]);
	return ev;
}

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool type_fit(const char *type)
{
	size_t n;

	for (;; type += n + 1) {
		for (n = 0; word_char(type[n]); n++)
			;
		if (n == 0 || (type[n] && type[n] != '.'))
			return false;
		if (!type[n])
			return true;
	}
}

static bool text_fit(const char *name, const char *text, bool required, struct err *err)
{
	if (!text || !*text) {
		if (required)
			err_set(err, "the event has no %s", name);
		return !required;
	}
	if (utf8_valid(text, strlen(text)))
		return true;
	err_set(err, "%s is not UTF-8", name);
	return false;
}

/* `n` lower-case hex digits, not all of them 0 if `some`. */
static bool hex(const char *text, size_t n, bool some)
{
	return strspn(text, "0123456789abcdef") == n && (!some || strspn(text, "0") < n);
}

/* W3C Trace Context: version 00 ends after the flags, later ones may go on. */
bool event_traceparent_fit(const char *t)
{
	if (strlen(t) < 55 || t[2] != '-' || t[35] != '-' || t[52] != '-')
		return false;
	if (!hex(t, 2, false) || strncmp(t, "ff", 2) == 0 || !hex(t + 3, 32, true) ||
	    !hex(t + 36, 16, true) || !isxdigit((unsigned char)t[53]) ||
	    !isxdigit((unsigned char)t[54]) || isupper((unsigned char)t[53]) ||
	    isupper((unsigned char)t[54]))
		return false;
	return !t[55] || (strncmp(t, "00", 2) != 0 && t[55] == '-');
}

static bool time_fit(const char *time)
{
	int64_t ms;

	return strspn(time, "0123456789") < strlen(time) && units_time(time, &ms);
}

static bool attributes_fit(const struct event *ev, struct err *err)
{
	if (!text_fit("type", ev->type, true, err) || !text_fit("id", ev->id, true, err) ||
	    !text_fit("source", ev->source, true, err) ||
	    !text_fit("instance", ev->instance, true, err) ||
	    !text_fit("time", ev->time, true, err) || !text_fit("subject", ev->subject, false, err))
		return false;
	if (!type_fit(ev->type)) {
		err_set(err,
			"type \"%.100s\" is not lower-case words joined by dots, like "
			"build.failed",
			ev->type);
		return false;
	}
	if (!time_fit(ev->time)) {
		err_set(err, "time \"%.60s\" is not RFC 3339, like 2026-11-24T01:02:03Z", ev->time);
		return false;
	}
	if (ev->traceparent && !event_traceparent_fit(ev->traceparent)) {
		err_set(err, "traceparent \"%.80s\" is not that of W3C Trace Context",
			ev->traceparent);
		return false;
	}
	return true;
}

bool event_check(const struct event *ev, struct err *err)
{
	struct json_fault fault;

	if (!attributes_fit(ev, err))
		return false;
	if (event_size(ev) > EVENT_MAX_BYTES) {
		err_set(err, "the event has %zu bytes, more than %d", event_size(ev),
			EVENT_MAX_BYTES);
		return false;
	}
	if (!json_check(ev->data, ev->data_len, JSON_MAX_DEPTH, &fault)) {
		err_set(err, "payload, line %u column %u: %s", fault.line, fault.column,
			fault.what);
		return false;
	}
	if (json_root(ev->data, ev->data_len).kind != KIND_OBJECT) {
		err_set(err, "payload, line 1 column 1: not a JSON object");
		return false;
	}
	return true;
}
