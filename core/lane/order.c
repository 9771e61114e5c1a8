#include "lane/order.h"

#include "base/hash.h"

#include <string.h>

static bool parse_path(const char *text, struct path *out, struct err *err)
{
	size_t used;

	return path_parse(text, strlen(text), out, &used, err);
}

bool order_read(struct order *o, const struct instance_config *section, struct err *err)
{
	*o = (struct order){.by = section->order_by};
	if (o->by == ORDER_NONE || o->by == ORDER_GROUP)
		return true;
	return parse_path("source", &o->source, err) &&
	       parse_path(o->by == ORDER_PATH ? section->order_path : "subject", &o->value, err);
}

void order_free(struct order *o)
{
	path_free(&o->source);
	path_free(&o->value);
}

static bool find_text(const struct event *ev, enum event_view view, const struct path *path,
		      struct buf *out)
{
	struct buf scratch = {0};
	struct json_value v = event_find(ev, view, path, &scratch);

	if (v.kind != KIND_ABSENT && v.kind != KIND_NULL)
		json_text(&v, out);
	buf_free(&scratch);
	return v.kind != KIND_ABSENT && v.kind != KIND_NULL;
}

static uint64_t key_of(const char *value, size_t len, const char *source, size_t source_len)
{
	uint64_t key = hash64(value, len, hash64(source, source_len, 1));

	return key ? key : 1;
}

uint64_t order_key(const struct order *o, const struct event *ev, const struct duty *duty)
{
	enum event_view view = duty->members ? EVENT_MEMBERS : EVENT_ITSELF;
	struct buf value = {0}, source = {0};
	uint64_t key = 0;

	/* What nearly all are asked for is at hand. */
	if (o->by == ORDER_SUBJECT && view == EVENT_ITSELF)
		return ev->subject ? key_of(ev->subject, strlen(ev->subject), ev->source,
					    strlen(ev->source))
				   : 0;
	if (o->by == ORDER_GROUP)
		return duty->group;
	if (o->value.n && find_text(ev, view, &o->value, &value)) {
		find_text(ev, view, &o->source, &source);
		key = key_of(buf_text(&value), value.len, buf_text(&source), source.len);
	}
	buf_free(&value);
	buf_free(&source);
	return key;
}

struct lane_event order_look(const struct order *o, const struct event *ev, const struct duty *duty)
{
	return (struct lane_event){.seq = ev->seq,
				   .key = order_key(o, ev, duty),
				   .bytes = event_size(ev),
				   .own = event_is_own(ev)};
}
