/* Any bytes as a file of events: events, each where its line says, or a message with its place;
 * and what was read, written one a line, is read the same. */
#include "event/eventfile.h"
#include "fuzz.h"
#include "json/same.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_same(const struct event *a, const struct event *b)
{
	struct json_value x = json_root(a->data, a->data_len), y = json_root(b->data, b->data_len);

	PROMISE(same_text(a->id, b->id) && same_text(a->source, b->source));
	PROMISE(same_text(a->type, b->type) && same_text(a->subject, b->subject));
	PROMISE(same_text(a->time, b->time) && same_text(a->instance, b->instance));
	PROMISE(same_text(a->traceparent, b->traceparent) && a->seq == b->seq);
	PROMISE(json_same(&x, &y));
}

static void write_again(const struct eventfile *f)
{
	struct eventfile again;
	struct eventfile_fault fault = {0};
	struct buf text = {0};

	for (size_t i = 0; i < f->n; i++) {
		event_json(f->list[i].event, &text);
		buf_char(&text, '\n');
	}
	PROMISE(eventfile_parse(text.data, text.len, "other", &again, &fault));
	PROMISE(again.n == f->n);
	for (size_t i = 0; i < f->n; i++) {
		PROMISE(again.list[i].line == i + 1);
		check_same(f->list[i].event, again.list[i].event);
	}
	eventfile_clear(&again);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct eventfile f;
	struct eventfile_fault fault = {0};
	uint32_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (eventfile_parse((const char *)data, size, "i", &f, &fault)) {
		PROMISE(f.n > 0);
		for (size_t i = 0; i < f.n; i++) {
			struct err err = {{0}};

			PROMISE(f.list[i].line >= 1 && f.list[i].line <= lines);
			PROMISE(i == 0 || f.list[i].line >= f.list[i - 1].line);
			PROMISE(event_check(f.list[i].event, &err) || *err.text);
		}
		write_again(&f);
	} else {
		PROMISE(*fault.why.text && f.n == 0);
		PROMISE(fault.line >= 1 && fault.line <= lines && fault.column >= 1);
	}
	eventfile_clear(&f);
	return 0;
}
