#include "plugin/emission.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/units.h"
#include "json/check.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED_TYPE       "pointsman.event.refused"
#define REFUSED_KEPT_BYTES (256 * 1024)

static bool declared(const struct plugin *p, const char *type)
{
	for (size_t n = 0; n < p->ntypes; n++) {
		if (event_type_fits(p->types[n].name, type))
			return true;
	}
	return false;
}

/* RFC 3339 from what the plugin gave: that, milliseconds, or nothing. */
static bool set_time(const char *given, int64_t now, char out[32], struct err *err)
{
	int64_t ms = now;

	if (given && *given && !units_time(given, &ms)) {
		err_set(err,
			"time \"%.60s\" is neither RFC 3339, like 2026-11-24T01:02:03Z, nor "
			"milliseconds",
			given);
		return false;
	}
	units_time_text(ms, out);
	return true;
}

/* One that is no traceparent is as good as none, says W3C.  An event without begins a trace
 * of its own. */
static void set_trace(struct instance *i, const struct pm_emit *e, const struct engine_call *cause,
		      char out[64])
{
	const char *given = cause ? cause->event->traceparent : NULL;
	unsigned char bytes[24];
	char hex[49];

	if (e->traceparent && event_traceparent_fit(e->traceparent))
		given = e->traceparent;
	if (given) {
		memcpy(out, given, strnlen(given, 63) + 1);
		out[63] = '\0';
		return;
	}
	instance_world(i)->random(instance_world(i), bytes, sizeof bytes);
	hash_hex(bytes, sizeof bytes, hex);
	memcpy(out, "00-", 3);
	memcpy(out + 3, hex, 32);
	out[35] = '-';
	memcpy(out + 36, hex + 32, 16);
	memcpy(out + 52, "-01", 4);
}

static const char *id_of(struct instance *i, const struct pm_emit *e, struct buf *out)
{
	if (e->id)
		return e->id;
	if (e->cause)
		engine_emit_id(instance_options(i)->engine, e->cause, e->type, out);
	else
		buf_printf(out, "%016llx%016llx",
			   (unsigned long long)world_random64(instance_world(i)),
			   (unsigned long long)world_random64(instance_world(i)));
	return buf_text(out);
}

static void set_cause(struct event *ev, const struct instance *i, const struct engine_call *cause)
{
	if (!cause)
		return;
	ev->cause = cause->event->seq;
	ev->caused_by = i->host.instance;
	ev->origin = cause->event->origin ? cause->event->origin : cause->event->seq;
	ev->hops = cause->event->hops + 1;
}

static struct event *complete(struct instance *i, const struct pm_emit *e, const char *type,
			      const char *json, size_t len, struct err *err)
{
	const struct runtime_options *o = instance_options(i);
	const struct engine_call *cause = e->cause ? engine_find(o->engine, e->cause) : NULL;
	char time[32], trace[64];
	struct event ev = {.type = type,
			   .subject = e->subject,
			   .time = time,
			   .traceparent = trace,
			   .instance = i->host.instance,
			   .data = json,
			   .data_len = len};
	struct event *made = NULL;
	struct buf id = {0};

	if (!set_time(e->time, o->world->wall(o->world), time, err))
		return NULL;
	set_trace(i, e, cause, trace);
	set_cause(&ev, i, cause);
	ev.id = id_of(i, e, &id);
	ev.source = e->source ? e->source : engine_first_name(o->engine, i->host.instance);
	if (event_check(&ev, err))
		made = event_create(&ev);
	buf_free(&id);
	return made;
}

struct event *emission_event(struct instance *i, const struct pm_emit *e, struct err *err)
{
	if (!e->type || !e->json) {
		err_set(err, "it has no %s", e->type ? "payload" : "type");
		return NULL;
	}
	if (e->cause && !engine_find(instance_options(i)->engine, e->cause)) {
		err_set(err, "its cause, the delivery it follows from, has ended already: emit() "
			     "comes before finish() and hold()");
		return NULL;
	}
	if (!declared(i->plugin, e->type)) {
		err_set(err, "type %s is not declared by plugin %s", e->type,
			i->plugin->table.name);
		return NULL;
	}
	return complete(i, e, e->type, e->json, e->json_len ? e->json_len : strlen(e->json), err);
}

/* Bytes that are no UTF-8 cannot stand in JSON: they go in base64. */
static void add_bytes(struct buf *out, const char *bytes, size_t len)
{
	struct buf quoted = {0};
	size_t kept = len < REFUSED_KEPT_BYTES ? len : REFUSED_KEPT_BYTES;

	while (kept < len && kept > 0 && ((unsigned char)bytes[kept] & 0xc0) == 0x80)
		kept--;
	buf_json_string(&quoted, bytes, kept);
	if (json_check(quoted.data, quoted.len, 1, NULL)) {
		buf_printf(out, ",\"bytes\":%s", quoted.data);
	} else {
		unsigned char *text = mem_zero(kept / 3 * 4 + 8);

		EVP_EncodeBlock(text, (const unsigned char *)bytes, (int)kept);
		buf_printf(out, ",\"base64\":\"%s\"", (char *)text);
		free(text);
	}
	buf_printf(out, ",\"size\":%zu", len);
	buf_free(&quoted);
}

/* Text of a plugin that may be anything, as JSON string or null. */
static void add_text(struct buf *out, const char *name, const char *text)
{
	struct buf quoted = {0};

	buf_printf(out, ",\"%s\":", name);
	if (text)
		buf_json_string(&quoted, text, strlen(text));
	if (text && json_check(quoted.data, quoted.len, 1, NULL) && quoted.len < 4096)
		buf_add(out, quoted.data, quoted.len);
	else
		buf_text_add(out, "null");
	buf_free(&quoted);
}

void emission_refused(struct instance *i, const struct pm_emit *e, const char *why)
{
	size_t len = e->json ? (e->json_len ? e->json_len : strlen(e->json)) : 0;
	struct pm_emit plain = {.cause = e->cause};
	struct err err = {{0}};
	struct buf json = {0};
	struct event *event;
	struct buf id = {0};

	buf_text_add(&json, "{\"reason\":");
	buf_json_string(&json, why, strlen(why));
	add_text(&json, "type", e->type);
	add_text(&json, "id", e->id);
	add_text(&json, "subject", e->subject);
	add_bytes(&json, e->json ? e->json : "", len);
	buf_char(&json, '}');
	/* A stream read again after a crash refuses the same record again: the same id. */
	buf_printf(&id, "refused/%016llx", (unsigned long long)hash64(json.data, json.len, 0));
	plain.id = id.data;
	event = complete(i, &plain, REFUSED_TYPE, json.data, json.len, &err);
	if (event)
		txn_refuse(instance_txn(i), event);
	event_unref(event);
	buf_free(&json);
	buf_free(&id);
}
