#include "cli/range.h"

#include "base/mem.h"
#include "base/units.h"
#include "base/world.h"
#include "cli/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define PAGE 1000

static bool set_bound(json_t *request, const char *option, const char *word, const char *number,
		      const char *time)
{
	struct world *w = world_real();
	int64_t n;

	if (!word)
		return true;
	if (units_integer(word, &n) && n >= 0) {
		json_object_set_new(request, number, json_integer(n));
		return true;
	}
	if (units_duration(word, &n))
		n = w->wall(w) - n;
	else if (!units_time(word, &n)) {
		fprintf(stderr,
			"pointsman: %s: `%s` is no age like 24h, no time like "
			"2026-11-24T01:02:03Z, and no number of an event\n",
			option, word);
		return false;
	}
	json_object_set_new(request, time, json_integer(n > 0 ? n : 1));
	return true;
}

static void take_range(json_t *line, void *arg)
{
	struct range *r = arg;
	json_t *snapshot = json_object_get(line, "snapshot");

	r->first = (uint64_t)json_integer_value(json_object_get(line, "first"));
	r->last = (uint64_t)json_integer_value(json_object_get(line, "last"));
	r->snapshot = (uint64_t)json_integer_value(json_object_get(snapshot, "seq"));
	r->snapshot_at = json_integer_value(json_object_get(snapshot, "at"));
	r->pieces = (uint32_t)json_integer_value(json_object_get(snapshot, "pieces"));
}

int range_find(struct range *r, struct client_connection *c, const char *since, const char *until)
{
	json_t *request = json_pack("{ss}", "verb", "range");

	*r = (struct range){.client = c};
	if (set_bound(request, "--since", since, "first", "since") &&
	    set_bound(request, "--until", until, "last", "until"))
		return client_ask(c, request, take_range, r, NULL);
	json_decref(request);
	return EX_USAGE;
}

struct page { /* of rows: the client may not be asked while it answers */
	struct journal_event *rows;
	size_t n, cap;
};

static void take_row(const char *line, size_t len, void *arg)
{
	struct page *p = arg;

	mem_room(p->rows, p->n, p->cap);
	if (history_parse(line, len, &p->rows[p->n]))
		p->n++;
}

static int ask_page(const struct range *r, uint64_t after, size_t limit, struct page *p,
		    uint64_t *next)
{
	char request[96];

	snprintf(request, sizeof request, "{\"verb\":\"history\",\"after\":%llu,\"limit\":%zu}",
		 (unsigned long long)after, limit);
	return client_ask_raw(r->client, request, take_row, p, next);
}

int range_walk(const struct range *r, uint64_t after, range_fn *fn, void *arg)
{
	bool go_on = true;
	int status;

	do {
		struct page p = {0};

		status = ask_page(r, after, PAGE, &p, &after);
		for (size_t i = 0; i < p.n; i++) {
			go_on = go_on && status == EX_OK && fn(&p.rows[i], arg);
			journal_event_clear(&p.rows[i]);
		}
		free(p.rows);
	} while (go_on && after && status == EX_OK);
	return status;
}

int range_snapshot(const struct range *r, client_line_fn *line, void *arg)
{
	int status = EX_OK;

	for (uint32_t n = 0; n < r->pieces && status == EX_OK; n++)
		status = client_ask(r->client,
				    json_pack("{ss sI sI}", "verb", "snapshot", "seq",
					      (json_int_t)r->snapshot, "piece", (json_int_t)n),
				    line, arg, NULL);
	return status;
}

struct event *range_event(const struct range *r, uint64_t seq)
{
	struct event *found = NULL;
	struct page p = {0};
	uint64_t next;

	if (seq && ask_page(r, seq - 1, 1, &p, &next) == EX_OK && p.n &&
	    p.rows[0].event->seq == seq)
		found = event_ref(p.rows[0].event);
	for (size_t i = 0; i < p.n; i++)
		journal_event_clear(&p.rows[i]);
	free(p.rows);
	return found;
}
