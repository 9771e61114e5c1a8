#include "route/sequencer_inside.h"

#include "base/log.h"
#include "route/plan.h"

#include <inttypes.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

/* A line for each rule that gathers, by which it is known whether what it held means the same
 * to other rules: {"rule":NUMBER,"text":"HASH"}. */
static void add_rules(const struct plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->nrules; i++) {
		if (p->rules[i].kind != CELL_NONE)
			buf_printf(out, "{\"rule\":%" PRIu32 ",\"text\":\"%016" PRIx64 "\"}\n",
				   p->rules[i].number, p->rules[i].text);
	}
}

/* And one for each cell: {"key":KEY,"cell":CELL}.  False if it gets too long. */
static bool add_cells(const struct router_state *s, struct buf *out)
{
	const char *key;

	for (size_t i = 0; (key = router_next(s, &i)) && out->len <= SNAPSHOT_MAX_BYTES;) {
		buf_text_add(out, "{\"key\":");
		buf_json_string(out, key, strlen(key));
		buf_text_add(out, ",\"cell\":");
		router_cell(s, key, out);
		buf_text_add(out, "}\n");
	}
	return out->len <= SNAPSHOT_MAX_BYTES;
}

enum journal_status sequencer_snapshot(struct sequencer *s, struct err *err)
{
	struct snapshot made = {
		.seq = journal_last_seq(s->j), .at = s->at, .generation = s->plan->generation};
	struct buf lines = {0};
	enum journal_status status = JOURNAL_OK;

	s->snapshot_day = s->at / DAY_MS;
	add_rules(s->plan, &lines);
	if (add_cells(s->state, &lines)) {
		status = snapshot_put(s->j, &made, &lines, err);
		s->snapshot = made;
		s->snapped = true;
	} else {
		log_warn("the slots, windows and counts of the rules take more than %d MB: no "
			 "snapshot of them is kept, and to `pointsman replay` they are unknown "
			 "until they were filled",
			 SNAPSHOT_MAX_BYTES / (1024 * 1024));
	}
	buf_free(&lines);
	return status;
}

enum journal_status sequencer_load_snapshots(struct sequencer *s, struct err *err)
{
	enum journal_status status = snapshot_find(s->j, UINT64_MAX, &s->snapshot, err);

	s->snapped = status == JOURNAL_OK;
	s->snapshot_day = s->snapped ? s->snapshot.at / DAY_MS : -1;
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

static bool first_only(const struct journal_id *row, void *arg)
{
	*(uint64_t *)arg = row->seq;
	return false;
}

enum journal_status sequencer_prune_snapshots(struct sequencer *s, struct err *err)
{
	uint64_t last = journal_last_seq(s->j), first = last + 1;
	enum journal_status status = journal_ids(s->j, 0, first_only, &first, err);

	if (status == JOURNAL_OK && s->at / DAY_MS != s->snapshot_day &&
	    !(s->snapped && s->snapshot.seq == last))
		status = sequencer_snapshot(s, err);
	if (status == JOURNAL_OK)
		status = snapshot_prune(s->j, first, &s->snapshot_bytes, err);
	return status;
}
