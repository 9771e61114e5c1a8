#include "event/event.h"

#include "base/mem.h"
#include "json/escape.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* What paths call by name at the top, beside `data`. */
static const struct attribute {
	const char *name;
	size_t offset;
} attributes[] = {
	{"type", offsetof(struct event, type)},
	{"source", offsetof(struct event, source)},
	{"subject", offsetof(struct event, subject)},
	{"time", offsetof(struct event, time)},
	{"id", offsetof(struct event, id)},
	{"instance", offsetof(struct event, instance)},
};

/* Every text of an event but the payload. */
static const size_t texts[] = {
	offsetof(struct event, id),       offsetof(struct event, source),
	offsetof(struct event, type),     offsetof(struct event, subject),
	offsetof(struct event, time),     offsetof(struct event, traceparent),
	offsetof(struct event, instance), offsetof(struct event, caused_by),
};

/* One allocation: the event, its attributes as JSON strings, and all bytes. */
struct block {
	atomic_uint refs;
	struct event ev;
	struct json_value attributes[COUNT(attributes)];
	char bytes[];
};

static const char *text_at(const struct event *ev, size_t offset)
{
	const char *text;

	memcpy(&text, (const char *)ev + offset, sizeof text);
	return text;
}

static struct block *block_of(struct event *ev)
{
	return (struct block *)(void *)((char *)ev - offsetof(struct block, ev));
}

static char *put(char *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	at[len] = '\0';
	return at + len + 1;
}

static char *put_texts(struct event *ev, const size_t *lengths, char *at)
{
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *text = text_at(ev, texts[i]);

		if (!text)
			continue;
		memcpy((char *)ev + texts[i], &at, sizeof at);
		at = put(at, text, lengths[i]);
	}
	return at;
}

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

/* Of the text as a JSON string, quotes included. */
static size_t quoted_size(const char *text)
{
	size_t n = 2;

	for (; *text; text++)
		n += needs_escape((unsigned char)*text) ? strlen("\\u0000") : 1;
	return n;
}

static size_t put_quoted(char *at, const char *text, size_t len, size_t room)
{
	struct buf quoted = {0};
	size_t n = len + 2;

	if (room == n) {
		at[0] = '"';
		memcpy(at + 1, text, len);
		at[n - 1] = '"';
		return n;
	}
	buf_json_string(&quoted, text, len);
	n = quoted.len;
	memcpy(at, quoted.data, n);
	buf_free(&quoted);
	return n;
}

static void put_attributes(struct block *b, const size_t *rooms, char *at)
{
	for (size_t i = 0; i < COUNT(attributes); i++) {
		const char *text = text_at(&b->ev, attributes[i].offset);
		size_t n = text ? put_quoted(at, text, strlen(text), rooms[i]) : 0;

		if (text)
			b->attributes[i] = (struct json_value){KIND_STRING, at, n, 0};
		at += n;
	}
	b->ev.attributes = b->attributes;
}

struct event *event_create(const struct event *from)
{
	size_t lengths[COUNT(texts)], rooms[COUNT(attributes)];
	size_t size = from->data_len + 1;
	struct block *b;
	char *at;

	for (size_t i = 0; i < COUNT(attributes); i++) {
		const char *text = text_at(from, attributes[i].offset);

		rooms[i] = text ? quoted_size(text) : 0;
		size += rooms[i];
	}
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *text = text_at(from, texts[i]);

		lengths[i] = text ? strlen(text) : 0;
		size += text ? lengths[i] + 1 : 0;
	}
	b = mem_grow(NULL, 1, sizeof *b + size);
	*b = (struct block){.ev = *from};
	atomic_init(&b->refs, 1);
	at = put_texts(&b->ev, lengths, b->bytes);
	b->ev.data = at;
	at = put(at, from->data ? from->data : "", from->data_len);
	put_attributes(b, rooms, at);
	return &b->ev;
}

static bool shared(struct event *ev)
{
	return atomic_load_explicit(&block_of(ev)->refs, memory_order_acquire) > 1;
}

struct event *event_accepted(struct event *ev, uint64_t seq, int64_t at)
{
	struct event *accepted = shared(ev) ? event_create(ev) : event_ref(ev);

	accepted->seq = seq;
	accepted->at = at;
	return accepted;
}

struct event *event_ref(struct event *ev)
{
	atomic_fetch_add_explicit(&block_of(ev)->refs, 1, memory_order_relaxed);
	return ev;
}

void event_unref(struct event *ev)
{
	if (ev && atomic_fetch_sub_explicit(&block_of(ev)->refs, 1, memory_order_acq_rel) == 1)
		free(block_of(ev));
}

size_t event_size(const struct event *ev)
{
	size_t size = ev->data_len;

	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *text = text_at(ev, texts[i]);

		size += text ? strlen(text) : 0;
	}
	return size;
}

static bool step_is(const struct path_step *step, const char *name)
{
	return strlen(name) == step->len && memcmp(step->name, name, step->len) == 0;
}

static const struct attribute *attribute_of(const struct path_step *step)
{
	for (size_t i = 0; i < COUNT(attributes); i++) {
		if (step_is(step, attributes[i].name))
			return &attributes[i];
	}
	return NULL;
}

static struct json_value member(const struct json_value *object, const char *name, size_t len)
{
	struct json_value key, value;

	for (size_t at = 0; json_next(object, &at, &key, &value);) {
		if (key.len >= 2 && json_string_is(key.text + 1, key.len - 2, name, len))
			return value;
	}
	return (struct json_value){0};
}

static struct json_value element(const struct json_value *array, const char *digits, size_t len)
{
	struct json_value none, value;
	size_t wanted = 0;

	for (size_t i = 0; i < len && digits[i] >= '0' && digits[i] <= '9'; i++)
		wanted = wanted < SIZE_MAX / 16 ? wanted * 10 + (size_t)(digits[i] - '0') : wanted;
	for (size_t at = 0; json_next(array, &at, &none, &value); wanted--) {
		if (wanted == 0)
			return value;
	}
	return (struct json_value){0};
}

/* A firing's `newest` is the name of an input, or a number of one of the window's events. */
static struct json_value newest(const struct event *ev)
{
	struct json_value root = json_root(ev->data, ev->data_len), found, in;
	struct json_value which = member(&root, "newest", strlen("newest"));
	struct buf name = {0};

	json_text(&which, &name);
	if (which.kind == KIND_NUMBER) {
		in = member(&root, "window", strlen("window"));
		in = member(&in, "events", strlen("events"));
		found = element(&in, buf_text(&name), name.len);
	} else {
		in = member(&root, "inputs", strlen("inputs"));
		found = member(&in, buf_text(&name), name.len);
	}
	buf_free(&name);
	return found;
}

/* Where a path begins: at steps [from..] of some text, or, if there is no text, here. */
struct place {
	const char *text;
	size_t len, from;
	struct json_value value;
};

static struct place place_in_text(const struct json_value *v, size_t from)
{
	return (struct place){.text = v->kind == KIND_ABSENT ? "" : v->text,
			      .len = v->kind == KIND_ABSENT ? 0 : v->len,
			      .from = from};
}

static struct place place_of_attribute(const struct event *ev, const struct attribute *a,
				       struct buf *scratch)
{
	const char *text = text_at(ev, a->offset);
	struct place p = {0};

	if (!text)
		return p;
	if (ev->attributes) {
		p.value = ev->attributes[a - attributes];
	} else {
		buf_cut(scratch, 0);
		buf_json_string(scratch, text, strlen(text));
		p.value = json_root(scratch->data, scratch->len);
	}
	return p;
}

static struct place place_in_firing(const struct event *ev, const struct path_step *first)
{
	struct json_value found = {0};

	if (step_is(first, "inputs") || step_is(first, "window"))
		return (struct place){.text = ev->data, .len = ev->data_len};
	if (step_is(first, "data") || attribute_of(first))
		found = newest(ev);
	return place_in_text(&found, 0);
}

static struct place place_of(const struct event *ev, enum event_view view, const struct path *path,
			     struct buf *scratch)
{
	const struct path_step *first = &path->steps[0];
	const struct attribute *a;

	if (step_is(first, "event")) {
		buf_cut(scratch, 0);
		event_json(ev, scratch);
		if (path->n == 1)
			return (struct place){
				.value = {KIND_OBJECT, scratch->data, scratch->len, 0}};
		return (struct place){.text = scratch->data, .len = scratch->len, .from = 1};
	}
	if (view == EVENT_MEMBERS && strcmp(ev->type, EVENT_FIRED) == 0)
		return place_in_firing(ev, first);
	if (step_is(first, "data"))
		return (struct place){.text = ev->data, .len = ev->data_len, .from = 1};
	a = path->n == 1 ? attribute_of(first) : NULL;
	return a ? place_of_attribute(ev, a, scratch) : (struct place){0};
}

struct json_value event_find(const struct event *ev, enum event_view view, const struct path *path,
			     struct buf *scratch)
{
	struct place p = place_of(ev, view, path, scratch);

	return p.text ? json_find(p.text, p.len, path, p.from) : p.value;
}

bool event_each(const struct event *ev, enum event_view view, const struct path *path,
		struct buf *scratch, json_each_fn *fn, void *arg)
{
	struct place p = place_of(ev, view, path, scratch);

	if (p.text)
		return json_each(p.text, p.len, path, p.from, fn, arg);
	return p.value.kind == KIND_ABSENT || fn(&p.value, arg);
}

static bool own(const char *type)
{
	return strncmp(type, "pointsman.", strlen("pointsman.")) == 0;
}

bool event_is_own(const struct event *ev)
{
	return own(ev->type) && strcmp(ev->type, EVENT_FIRED) != 0;
}

bool event_type_fits(const char *pattern, const char *type)
{
	if (own(type) && !own(pattern))
		return false;
	for (; *pattern; pattern++) {
		bool word = *pattern == '*' && (!pattern[1] || pattern[1] == '.');

		if (!word) {
			if (*pattern != *type++)
				return false;
			continue;
		}
		if (!*type || *type == '.')
			return false;
		if (!pattern[1])
			return true;
		type += strcspn(type, ".");
	}
	return !*type;
}
