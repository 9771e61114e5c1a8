#include "cli/history.h"

#include "base/mem.h"
#include "cli/jsonline.h"
#include "journal/snapshot.h"
#include "json/find.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES (256 * 1024)
#define PAGE_NAMES 1000

struct moment {
	uint64_t seq;
	int64_t at;
};

static bool take_moment(const struct journal_event *row, void *arg)
{
	*(struct moment *)arg = (struct moment){row->event->seq, row->event->at};
	return false;
}

/* Of the first event with a seq > after; false if there is none. */
static bool next_event(struct journal *j, uint64_t after, struct moment *m)
{
	m->seq = 0;
	return journal_events(j, after, false, 1, take_moment, m, NULL) == JOURNAL_OK && m->seq;
}

/* The first event accepted at or after a moment, or last + 1: times never go back. */
static uint64_t first_since(struct journal *j, int64_t since)
{
	uint64_t low = 0, high = journal_last_seq(j);
	struct moment m;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (!next_event(j, middle, &m) || m.at >= since)
			high = middle;
		else
			low = m.seq;
	}
	return next_event(j, low, &m) && m.at >= since ? m.seq : journal_last_seq(j) + 1;
}

bool history_range(struct journal *j, const struct history_bounds *b, struct buf *out,
		   struct err *err)
{
	bool ends = b->until && b->until < INT64_MAX;
	uint64_t last = ends ? first_since(j, b->until + 1) - 1 : journal_last_seq(j);
	uint64_t from = b->since ? first_since(j, b->since) : 1;
	struct snapshot s;
	struct moment m;
	json_t *line;

	if (b->first > from)
		from = b->first;
	if (b->last && b->last < last)
		last = b->last;
	if (!next_event(j, from - 1, &m) || m.seq > last)
		m.seq = last = 0;
	line = json_pack("{sI sI}", "first", (json_int_t)m.seq, "last", (json_int_t)last);
	switch (m.seq ? snapshot_find(j, m.seq - 1, &s, err) : JOURNAL_ABSENT) {
	case JOURNAL_OK:
		json_object_set_new(line, "snapshot",
				    json_pack("{sI sI sI}", "seq", (json_int_t)s.seq, "at",
					      (json_int_t)s.at, "pieces", (json_int_t)s.pieces));
		break;
	case JOURNAL_ABSENT: break;
	default: json_decref(line); return false;
	}
	jsonline_add(out, line);
	return true;
}

static void add_text(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_printf(out, ",\"%s\":", name);
	buf_json_string(out, text, strlen(text));
}

static void add_duties(struct buf *out, const struct journal_event *row)
{
	buf_text_add(out, ",\"duties\":[");
	for (size_t i = 0; i < row->nduties; i++) {
		const struct duty *d = &row->duties[i];

		/* The hash as text: JSON's numbers are no 64-bit integers to everyone. */
		buf_printf(out, "%s[%u,%u,%u,\"%016llx\",%u,%s]", i ? "," : "", d->target, d->rule,
			   d->then, (unsigned long long)d->group, d->overlap,
			   d->members ? "true" : "false");
	}
	buf_char(out, ']');
}

static void add_event(struct buf *out, const struct journal_event *row)
{
	const struct event *ev = row->event;

	buf_printf(out,
		   "{\"head\":{\"seq\":%llu,\"at\":%lld,\"generation\":%u,\"refused\":%s,"
		   "\"cause\":%llu,\"origin\":%llu,\"hops\":%u",
		   (unsigned long long)ev->seq, (long long)ev->at, row->generation,
		   row->refused ? "true" : "false", (unsigned long long)ev->cause,
		   (unsigned long long)ev->origin, ev->hops);
	add_text(out, "caused_by", ev->caused_by);
	add_text(out, "decided", row->decided);
	add_duties(out, row);
	buf_text_add(out, "},\"event\":");
	event_json(ev, out);
	buf_text_add(out, "}\n");
}

struct page {
	struct buf *out;
	size_t n, limit;
	uint64_t last;
	bool full;
};

static bool add_row(const struct journal_event *row, void *arg)
{
	struct page *p = arg;

	add_event(p->out, row);
	p->last = row->event->seq;
	p->full = ++p->n >= p->limit || p->out->len >= PAGE_BYTES;
	return !p->full;
}

bool history_events(struct journal *j, uint64_t after, size_t limit, struct buf *out,
		    uint64_t *next, struct err *err)
{
	struct page p = {.out = out, .limit = limit};
	enum journal_status status = journal_events(j, after, false, limit, add_row, &p, err);

	*next = p.full ? p.last : 0;
	return status == JOURNAL_OK;
}

bool history_snapshot(struct journal *j, uint64_t seq, uint32_t n, struct buf *out, struct err *err)
{
	enum journal_status status = snapshot_piece(j, seq, n, out, err);

	if (status == JOURNAL_ABSENT)
		err_set(err, "the snapshot behind event %llu is no longer there",
			(unsigned long long)seq);
	return status == JOURNAL_OK;
}

void history_names(const struct names *names, uint32_t after, struct buf *out, uint64_t *next)
{
	enum name_kind kind;
	const char *name;
	uint32_t number = after;

	*next = 0;
	for (size_t n = 0; (number = names_next(names, number, &kind, &name)); n++) {
		if (n == PAGE_NAMES)
			return;
		jsonline_add(out, json_pack("{sI si ss}", "number", (json_int_t)number, "kind",
					    (int)kind, "name", name));
		*next = number;
	}
	*next = 0;
}

static bool member_of(const char *line, size_t len, const char *wanted, struct json_value *value)
{
	struct json_value object = json_root(line, len), name;

	for (size_t at = 0; json_next(&object, &at, &name, value);) {
		if (name.len == strlen(wanted) + 2 &&
		    strncmp(name.text + 1, wanted, name.len - 2) == 0)
			return true;
	}
	return false;
}

bool history_object(const char *line, size_t len, const char **text, size_t *n)
{
	struct json_value value;

	if (!member_of(line, len, "event", &value))
		return false;
	*text = value.text;
	*n = value.len;
	return true;
}

static bool parse_duties(json_t *list, struct journal_event *out)
{
	json_t *one;
	size_t i;

	out->nduties = json_array_size(list);
	out->duties = mem_zero(out->nduties * sizeof *out->duties);
	json_array_foreach(list, i, one)
	{
		json_int_t target, rule, then, overlap;
		const char *group;
		int members;

		if (json_unpack(one, "[I I I s I b]", &target, &rule, &then, &group, &overlap,
				&members) != 0)
			return false;
		out->duties[i] = (struct duty){.target = (uint32_t)target,
					       .rule = (uint32_t)rule,
					       .then = (uint32_t)then,
					       .group = strtoull(group, NULL, 16),
					       .overlap = (uint8_t)overlap,
					       .members = members != 0};
	}
	return true;
}

/* The event of the object with what only the head knows. */
static struct event *complete(const struct json_value *object, json_t *head)
{
	struct event *parsed = event_parse(object->text, object->len, "?", NULL), *made, ev;
	json_int_t seq, at, cause, origin, hops;

	if (!parsed || json_unpack(head, "{s:I s:I s:I s:I s:I}", "seq", &seq, "at", &at, "cause",
				   &cause, "origin", &origin, "hops", &hops) != 0) {
		event_unref(parsed);
		return NULL;
	}
	ev = *parsed;
	ev.seq = (uint64_t)seq;
	ev.at = at;
	ev.cause = (uint64_t)cause;
	ev.origin = (uint64_t)origin;
	ev.hops = (uint32_t)hops;
	ev.caused_by = json_string_value(json_object_get(head, "caused_by"));
	made = event_create(&ev);
	event_unref(parsed);
	return made;
}

static bool parse_parts(json_t *head, const struct json_value *object, struct journal_event *out)
{
	*out = (struct journal_event){
		.generation = (uint32_t)json_integer_value(json_object_get(head, "generation")),
		.refused = json_is_true(json_object_get(head, "refused")),
		.decided = mem_text(json_string_value(json_object_get(head, "decided"))),
	};
	out->event = head ? complete(object, head) : NULL;
	if (out->event && parse_duties(json_object_get(head, "duties"), out))
		return true;
	journal_event_clear(out);
	return false;
}

bool history_parse(const char *line, size_t len, struct journal_event *out)
{
	struct json_value head, object;
	json_t *parsed;
	bool good;

	if (!member_of(line, len, "head", &head) || !member_of(line, len, "event", &object))
		return false;
	parsed = json_loadb(head.text, head.len, 0, NULL);
	good = parse_parts(parsed, &object, out);
	json_decref(parsed);
	return good;
}
