#include "route/plan.h"

#include <string.h>

struct event *firing_member(struct event *ev, size_t *bytes)
{
	struct event bare, *made;

	*bytes += ev ? event_size(ev) : 0;
	if (*bytes <= FIRING_MAX_BYTES)
		return ev;
	bare = *ev;
	bare.data = "{}";
	bare.data_len = 2;
	made = event_create(&bare);
	event_unref(ev);
	return made;
}

static void put_inputs(const struct firing *f, struct event *const *members, struct buf *out)
{
	const char *newest = "", *separator = "";

	buf_text_add(out, ",\"inputs\":{");
	for (size_t i = 0; i < f->n; i++) {
		const char *name = f->members[i].input;

		if (!members[i])
			continue;
		if (f->members[i].seq == f->newest)
			newest = name;
		buf_text_add(out, separator);
		buf_json_string(out, name, strlen(name));
		buf_char(out, ':');
		event_json(members[i], out);
		separator = ",";
	}
	buf_text_add(out, "},\"newest\":");
	buf_json_string(out, newest, strlen(newest));
}

static void put_window(const struct firing *f, struct event *const *members, struct buf *out)
{
	size_t count = 0, newest = 0;
	struct buf events = {0};

	for (size_t i = 0; i < f->n; i++) {
		if (!members[i])
			continue;
		if (f->members[i].seq == f->newest)
			newest = count;
		if (count++)
			buf_char(&events, ',');
		event_json(members[i], &events);
	}
	buf_printf(out, ",\"window\":{\"count\":%zu,\"events\":[", count);
	buf_add(out, buf_text(&events), events.len);
	buf_printf(out, "]},\"newest\":%zu", newest);
	buf_free(&events);
}

void firing_payload(const struct plan *p, const struct firing *f, struct event *const *members,
		    struct buf *out)
{
	const struct plan_rule *rule = &p->rules[f->rule];

	buf_text_add(out, "{\"rule\":");
	buf_json_string(out, rule->config->name, strlen(rule->config->name));
	buf_text_add(out, ",\"group\":");
	buf_json_string(out, f->group, strlen(f->group));
	if (rule->nslots)
		put_inputs(f, members, out);
	else
		put_window(f, members, out);
	buf_char(out, '}');
}
