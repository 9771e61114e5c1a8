/* What a sender posts: a line of `{`.. is the structured form; any other text is headers, an empty
 * line, and a payload, the binary form.  Either is read into attributes and a payload, or
 * refused with a message; and both forms of one event say the same. */
#include "base/buf.h"
#include "base/mem.h"
#include "fuzz.h"
#include "incoming.h"
#include "json/check.h"
#include "json/same.h"

#include <string.h>
#include <strings.h>

struct request {
	struct pm_message message;
	char *headers; /* "Name: value\n".. */
	char value[512];
};

static const char *header(const struct pm_message *m, const char *name)
{
	struct request *r = (struct request *)(uintptr_t)(const void *)m;
	size_t len = strlen(name);

	for (const char *line = r->headers; *line; line += strcspn(line, "\n")) {
		line += *line == '\n';
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " ");
		snprintf(r->value, sizeof r->value, "%.*s", (int)strcspn(line, "\n"), line);
		return r->value;
	}
	return NULL;
}

static void check_read(const struct incoming *in)
{
	PROMISE(in->id && *in->id && in->source && *in->source && in->type && *in->type);
	PROMISE(in->specversion && strncmp(in->specversion, "1.", 2) == 0);
	if (in->data)
		PROMISE(json_root(in->data, in->data_len).kind == KIND_OBJECT);
}

static void add_member(struct buf *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	buf_printf(out, ",\"%s\":", name);
	buf_json_string(out, text, strlen(text));
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* What was read, in the structured form, reads the same again. */
static void read_again(const struct incoming *in)
{
	struct incoming again = {.data = NULL};
	struct arena arena = {0};
	struct buf json = {0};
	struct err err;

	buf_text_add(&json, "{\"specversion\":\"1.0\"");
	add_member(&json, "id", in->id);
	add_member(&json, "source", in->source);
	add_member(&json, "type", in->type);
	add_member(&json, "subject", in->subject);
	add_member(&json, "time", in->time);
	add_member(&json, "traceparent", in->traceparent);
	if (in->data) {
		buf_text_add(&json, ",\"data\":");
		buf_add(&json, in->data, in->data_len);
	}
	buf_char(&json, '}');
	if (json_check(json.data, json.len, JSON_MAX_DEPTH + 1, NULL)) {
		PROMISE(incoming_structured(&again, &arena, json.data, json.len, &err));
		PROMISE(same_text(again.id, in->id) && same_text(again.subject, in->subject));
		PROMISE(same_text(again.type, in->type) && same_text(again.time, in->time));
		PROMISE(!in->data == !again.data);
	}
	if (again.data) {
		struct json_value a = json_root(in->data, in->data_len);
		struct json_value b = json_root(again.data, again.data_len);

		PROMISE(json_same(&a, &b));
	}
	arena_free(&arena);
	buf_free(&json);
}

static void read_structured(const char *text, size_t len)
{
	struct incoming in = {.data = NULL};
	struct arena arena = {0};
	struct err err = {{0}};

	if (!json_check(text, len, JSON_MAX_DEPTH + 1, NULL))
		return;
	if (incoming_structured(&in, &arena, text, len, &err)) {
		check_read(&in);
		read_again(&in);
	} else {
		PROMISE(*err.text);
	}
	arena_free(&arena);
}

static void read_binary(const char *text, size_t len)
{
	const char *empty = memmem(text, len, "\n\n", 2);
	size_t head = empty ? (size_t)(empty - text) + 1 : len;
	size_t body = empty ? head + 1 : len;
	struct request r = {.headers = mem_slice(text, head)};
	struct incoming in = {.data = NULL};
	struct arena arena = {0};
	struct err err = {{0}};
	char *payload = mem_slice(text + body, len - body);

	r.message = (struct pm_message){.size = sizeof r.message,
					.method = "POST",
					.path = "/in",
					.error = "",
					.body = payload,
					.body_len = len - body,
					.header = header};
	if (incoming_binary(&in, &arena, &r.message, &err)) {
		check_read(&in);
		incoming_trace(&in, &r.message);
		if (!in.data || json_check(in.data, in.data_len, JSON_MAX_DEPTH, NULL))
			read_again(&in);
	} else {
		PROMISE(*err.text);
	}
	arena_free(&arena);
	free(payload);
	free(r.headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (size && *text == '{')
		read_structured(text, size);
	else
		read_binary(text, size);
	return 0;
}
