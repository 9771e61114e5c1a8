/* Any line on the admin socket: no JSON object, or one with its event apart, byte for byte; and
 * whatever numbers it has, the journal is read by them. */
#include "cli/history.h"
#include "cli/request.h"
#include "cli/view.h"
#include "fuzz.h"
#include "json/check.h"
#include "json/find.h"

#include <string.h>

/* Three events, one with a dead letter. */
static struct journal *journal(void)
{
	static struct journal *j;
	struct event ev = fuzz_event("{}", 2);
	struct delivery dead = {.seq = 2, .duty.target = 1, .state = DELIVERY_DEAD};

	if (j)
		return j;
	j = journal_open_in_memory(NULL);
	PROMISE(j && journal_begin(j, NULL) == JOURNAL_OK);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct journal_event row;

		ev.seq = seq;
		ev.at = (int64_t)seq;
		row = (struct journal_event){.event = event_create(&ev)};
		PROMISE(journal_add(j, &row, NULL) == JOURNAL_OK);
		event_unref(row.event);
	}
	PROMISE(journal_put_delivery(j, &dead, NULL) == JOURNAL_OK);
	PROMISE(journal_commit(j, NULL) == JOURNAL_OK);
	return j;
}

static struct names *names(void)
{
	static struct names *n;

	n = n ? n : names_load(journal(), NULL);
	PROMISE(n);
	return n;
}

static void read_journal(const json_t *ask)
{
	struct view_query q = {.before = request_number(ask, "before"),
			       .limit = request_number(ask, "limit") % 8,
			       .type = json_string_value(json_object_get(ask, "type"))};
	struct history_bounds bounds = {request_number(ask, "first"), request_number(ask, "last"),
					(int64_t)request_number(ask, "since"),
					(int64_t)request_number(ask, "until")};
	uint64_t seq = request_number(ask, "seq"), after = request_number(ask, "after"), next = 0;
	struct buf out = {0};
	struct err err = {{0}};

	PROMISE(view_events(journal(), names(), &q, &out, &next, &err));
	PROMISE(view_event(journal(), names(), seq, &out, &err) || *err.text);
	*err.text = '\0';
	PROMISE(view_original(journal(), seq, &out, &err) || *err.text);
	PROMISE(view_dead(journal(), names(), UINT32_MAX, after, 5, &out, &next, &err));
	*err.text = '\0';
	PROMISE(view_letter(journal(), names(), seq, 1, &out, &err) || *err.text);
	PROMISE(history_range(journal(), &bounds, &out, &err));
	PROMISE(history_events(journal(), after, 5, &out, &next, &err));
	*err.text = '\0';
	PROMISE(history_snapshot(journal(), seq, (uint32_t)request_number(ask, "piece"), &out,
				 &err) ||
		*err.text);
	history_names(names(), (uint32_t)after, &out, &next);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct buf event = {0};
	json_t *ask = request_read(line, size, &event);
	struct json_value value;
	struct path path;
	size_t used;

	if (ask) {
		PROMISE(json_is_object(ask) && json_check(line, size, JSON_MAX_DEPTH + 1, NULL));
		PROMISE(path_parse("event", 5, &path, &used, NULL));
		value = json_find(line, size, &path, 0);
		PROMISE(!event.len ||
			(value.len == event.len && memcmp(value.text, event.data, event.len) == 0));
		PROMISE(!event.len || json_is_null(json_object_get(ask, "event")));
		path_free(&path);
		read_journal(ask);
	}
	json_decref(ask);
	buf_free(&event);
	return 0;
}
