#include "engine/plan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The newest are kept whole: which of the members may bring their data? */
static bool *choose_whole(const struct firing *f, struct event *const *members)
{
	bool *whole = mem_zero(f->n * sizeof *whole);
	size_t bytes = 0;

	for (size_t i = f->n; i-- > 0;) {
		bytes += members[i] ? event_size(members[i]) : 0;
		whole[i] = bytes <= FIRING_MAX_BYTES / 2; /* quoting may double a text */
	}
	return whole;
}

static void put_member(const struct event *ev, bool whole, struct buf *out)
{
	struct event bare = *ev;

	if (!whole) {
		bare.data = "{}";
		bare.data_len = 2;
	}
	event_json(&bare, out);
}

static void put_inputs(const struct firing *f, struct event *const *members, const bool *whole,
		       struct buf *out)
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
		put_member(members[i], whole[i], out);
		separator = ",";
	}
	buf_text_add(out, "},\"newest\":");
	buf_json_string(out, newest, strlen(newest));
}

static void put_window(const struct firing *f, struct event *const *members, const bool *whole,
		       struct buf *out)
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
		put_member(members[i], whole[i], &events);
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
	bool *whole = choose_whole(f, members);

	buf_text_add(out, "{\"rule\":");
	buf_json_string(out, rule->config->name, strlen(rule->config->name));
	buf_text_add(out, ",\"group\":");
	buf_json_string(out, f->group, strlen(f->group));
	if (rule->nslots)
		put_inputs(f, members, whole, out);
	else
		put_window(f, members, whole, out);
	buf_char(out, '}');
	free(whole);
}
