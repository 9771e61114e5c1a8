/* Events the plugin makes, held against its table of types. */
#include "testhost_inside.h"

#include "base/mem.h"
#include "base/units.h"
#include "event/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct pm_type *type_of(const struct testhost *t, const char *name)
{
	for (size_t i = 0; i < t->plugin->ntypes; i++) {
		if (event_type_fits(t->plugin->types[i].name, name))
			return &t->plugin->types[i];
	}
	return NULL;
}

/* The types of core/plugin/fields.h; a name without one is text. */
static bool kind_fits(enum json_kind kind, const char *word, size_t len)
{
	static const struct {
		const char *word;
		enum json_kind a, b;
	} kinds[] = {
		{"text", KIND_STRING, KIND_STRING},   {"number", KIND_NUMBER, KIND_NUMBER},
		{"object", KIND_OBJECT, KIND_OBJECT}, {"array", KIND_ARRAY, KIND_ARRAY},
		{"bool", KIND_TRUE, KIND_FALSE},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strlen(kinds[i].word) == len && strncmp(kinds[i].word, word, len) == 0)
			return kind == kinds[i].a || kind == kinds[i].b;
	}
	if (len != 3 || strncmp(word, "any", 3) != 0)
		fail_msg("a field of type %.*s: there is none", (int)len, word);
	return true;
}

/* One word of pm_type.fields: `?name:kind`. */
static void check_field(const char *type, const char *word, size_t len, struct json_value data)
{
	bool optional = *word == '?';
	const char *name = word + optional, *colon = memchr(word, ':', len);
	size_t name_len = (size_t)((colon ? colon : word + len) - name), used;
	struct json_value v;
	struct path path;

	if (!path_parse(name, name_len, &path, &used, NULL) || used != name_len)
		fail_msg("type %s: field %.*s is no path", type, (int)len, word);
	v = json_find(data.text, data.len, &path, 0);
	path_free(&path);
	if ((v.kind == KIND_ABSENT || v.kind == KIND_NULL) && !optional)
		fail_msg("an event of type %s has no field %.*s: %.*s", type, (int)name_len, name,
			 (int)data.len, data.text);
	if (v.kind == KIND_ABSENT || v.kind == KIND_NULL)
		return;
	if (!kind_fits(v.kind, colon ? colon + 1 : "text",
		       colon ? (size_t)(word + len - colon - 1) : 4))
		fail_msg("an event of type %s has field %.*s, but as %.*s", type, (int)len, word,
			 (int)v.len, v.text);
}

/* Does the list of fields mention a member of that name, at any depth? */
static bool mentions(const char *fields, const char *name, size_t len)
{
	for (const char *p = fields; *p;) {
		size_t n = strcspn(p, " ");
		const char *word = p + (*p == '?');

		if ((n == 1 && *p == '*') ||
		    (strncmp(word, name, len) == 0 && strchr(" :.", word[len])))
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

static void check_fields(const struct pm_type *type, const char *name, struct json_value data)
{
	const char *fields = type->fields ? type->fields : "*";
	struct json_value member, value;

	for (const char *p = fields; *p;) {
		size_t n = strcspn(p, " ");

		if (n != 1 || *p != '*')
			check_field(name, p, n, data);
		p += n + strspn(p + n, " ");
	}
	for (size_t at = 0; json_next(&data, &at, &member, &value);) {
		if (!mentions(fields, member.text + 1, member.len - 2))
			fail_msg(
				"an event of type %s has field %.*s, which its table does not list",
				name, (int)member.len, member.text);
	}
}

/* What only a plugin can get wrong, whatever it was sent. */
static void check_call(struct testhost *t, const struct pm_emit *e)
{
	if (!(t->plugin->table.kind & (PM_SOURCE | PM_ACTION)))
		fail_msg("emit() from a plugin that is neither source nor action");
	if (t->stopped && !e->cause)
		fail_msg("emit() after stop()");
	if (!e->type || !e->json)
		fail_msg("emit() without a %s", e->type ? "payload" : "type");
	if (!e->cause && !e->id)
		fail_msg("emit() of %s: without a cause it needs an id", e->type);
	if (e->cause && !testhost_handed(t, e->cause) && testhost_open(t, e->cause, "emit"))
		fail_msg("emit() of %s with a cause that has ended", e->type);
}

/* Why the event is refused, if it is. */
static bool is_fit(struct testhost *t, const struct pm_emit *e, size_t len, struct err *err)
{
	char time[32];
	int64_t ms = t->now;
	struct event ev = {.id = e->id ? e->id : "made from the cause",
			   .source = e->source ? e->source : t->host.instance,
			   .type = e->type,
			   .subject = e->subject,
			   .time = time,
			   .instance = t->host.instance,
			   .data = e->json,
			   .data_len = len};

	if (!type_of(t, e->type)) {
		err_set(err, "type %s is not declared", e->type);
		return false;
	}
	if (e->time && !units_time(e->time, &ms)) {
		err_set(err, "time \"%s\" is none", e->time);
		return false;
	}
	units_time_text(ms, time);
	return event_check(&ev, err);
}

static void keep(struct testhost *t, const struct pm_emit *e, size_t len)
{
	struct emitted **at = &t->emitted, *made = mem_new(struct emitted);

	made->shown = (struct testhost_event){
		.type = mem_text(e->type),
		.id = mem_text(e->id),
		.source = mem_text(e->source),
		.subject = mem_text(e->subject),
		.time = mem_text(e->time),
		.traceparent = mem_text(e->traceparent),
		.json = e->json ? mem_slice(e->json, len) : NULL,
		.refuse = mem_text(e->refuse),
		.cause = e->cause ? testhost_shown(e->cause) : 0,
	};
	while (*at)
		at = &(*at)->next;
	*at = made;
}

/* A sender at listen() is told; anybody else's event becomes a dead letter. */
static pm_result refuse(struct testhost *t, const struct pm_emit *e, size_t len, const char *why)
{
	err_set(&t->refusal, "%s", why);
	if (!t->inbound)
		keep(t, e, len);
	return PM_REJECT;
}

static pm_result host_emit(struct pm_host *h, const struct pm_emit *given)
{
	struct testhost *t = testhost_of(h);
	struct err bad = {{0}};
	struct pm_emit e = {0};
	size_t len;

	memcpy(&e, given, given->size < sizeof e ? given->size : sizeof e);
	check_call(t, &e);
	len = e.json_len ? e.json_len : strlen(e.json);
	if (!e.cause && t->full > 0) {
		t->full--;
		t->wants_room = true;
		return PM_RETRY;
	}
	if (e.refuse)
		return refuse(t, &e, len, e.refuse);
	if (!is_fit(t, &e, len, &bad)) {
		if (!t->inbound && !t->lied_to)
			fail_msg("emit() of %s: %s", e.type, bad.text);
		return refuse(t, &e, len, bad.text);
	}
	if (!t->lied_to)
		check_fields(type_of(t, e.type), e.type, json_root(e.json, len));
	keep(t, &e, len);
	return PM_OK;
}

void testhost_emit_fill(struct testhost *t)
{
	t->host.emit = host_emit;
}
