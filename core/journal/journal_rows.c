#include "journal/journal_file.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_BITS 16

static int64_t row_key(uint64_t seq, uint32_t target)
{
	return (int64_t)(seq << TARGET_BITS | target);
}

void journal_event_clear(struct journal_event *row)
{
	event_unref(row->event);
	free(row->duties);
	free(row->decided);
	*row = (struct journal_event){0};
}

static uint64_t add_text(uint64_t sum, const char *text)
{
	return text ? hash64(text, strlen(text) + 1, sum) : hash64("", 0, sum);
}

/* Over everything in the row that was decided when it was written. */
static uint64_t checksum(const struct journal_event *row, const struct buf *duties)
{
	const struct event *ev = row->event;
	uint64_t numbers[] = {ev->seq,  (uint64_t)ev->at, ev->cause,   ev->origin,
			      ev->hops, row->generation,  row->refused};
	const char *texts[] = {ev->caused_by, ev->instance,    ev->id,   ev->source,  ev->type,
			       ev->subject,   ev->traceparent, ev->time, row->decided};
	uint64_t sum = hash64(duties->data, duties->len, 0);

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sum = hash64(NULL, 0, sum ^ numbers[i]);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		sum = add_text(sum, texts[i]);
	return hash64(ev->data, ev->data_len, sum);
}

static void bind_number(sqlite3_stmt *s, int at, uint64_t n)
{
	sqlite3_bind_int64(s, at, (sqlite3_int64)n);
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

void journal_bind_event(sqlite3_stmt *s, const struct journal_event *row)
{
	const struct event *ev = row->event;
	struct buf duties = {0};

	duties_encode(row->duties, row->nduties, &duties);
	bind_number(s, 1, ev->seq);
	sqlite3_bind_int64(s, 2, ev->at);
	bind_number(s, 3, checksum(row, &duties));
	sqlite3_bind_int64(s, 4, row->generation);
	sqlite3_bind_int(s, 5, row->refused);
	sqlite3_bind_blob(s, 6, duties.data, (int)duties.len, SQLITE_TRANSIENT);
	bind_number(s, 7, ev->cause);
	bind_number(s, 8, ev->origin);
	sqlite3_bind_int64(s, 9, ev->hops);
	bind_text(s, 10, ev->caused_by);
	bind_text(s, 11, ev->instance);
	bind_text(s, 12, ev->id);
	bind_text(s, 13, ev->source);
	bind_text(s, 14, ev->type);
	bind_text(s, 15, ev->subject);
	bind_text(s, 16, ev->traceparent);
	bind_text(s, 17, ev->time);
	bind_text(s, 18, row->decided);
	sqlite3_bind_blob64(s, 19, ev->data_len ? ev->data : "", ev->data_len, SQLITE_STATIC);
	buf_free(&duties);
}

static const char *column_text(sqlite3_stmt *s, int at)
{
	return (const char *)sqlite3_column_text(s, at);
}

static const char *column_needed(sqlite3_stmt *s, int at)
{
	const char *text = column_text(s, at);

	return text ? text : "";
}

static uint64_t column_number(sqlite3_stmt *s, int at)
{
	return (uint64_t)sqlite3_column_int64(s, at);
}

static struct event *column_event_only(sqlite3_stmt *s)
{
	struct event ev = {
		.seq = column_number(s, 0),
		.at = sqlite3_column_int64(s, 1),
		.cause = column_number(s, 6),
		.origin = column_number(s, 7),
		.hops = (uint32_t)sqlite3_column_int64(s, 8),
		.caused_by = column_text(s, 9),
		.instance = column_needed(s, 10),
		.id = column_needed(s, 11),
		.source = column_needed(s, 12),
		.type = column_needed(s, 13),
		.subject = column_text(s, 14),
		.traceparent = column_text(s, 15),
		.time = column_text(s, 16),
		.data = sqlite3_column_blob(s, 18),
		.data_len = (size_t)sqlite3_column_bytes(s, 18),
	};

	if (!ev.data)
		ev.data = "";
	return event_create(&ev);
}

bool journal_column_event(sqlite3_stmt *s, struct journal_event *row)
{
	struct buf duties = {0};
	bool good;

	buf_add(&duties, sqlite3_column_blob(s, 5), (size_t)sqlite3_column_bytes(s, 5));
	*row = (struct journal_event){
		.event = column_event_only(s),
		.generation = (uint32_t)sqlite3_column_int64(s, 3),
		.refused = sqlite3_column_int(s, 4) != 0,
		.decided = mem_text(column_text(s, 17)),
	};
	good = duties_decode(duties.data, duties.len, &row->duties, &row->nduties) &&
	       checksum(row, &duties) == column_number(s, 2);
	buf_free(&duties);
	return good;
}

enum journal_status journal_add(struct journal *j, const struct journal_event *row, struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_EVENT_ADD);
	enum journal_status status;

	journal_bind_event(s, row);
	status = journal_run(j, s, err);
	if (status == JOURNAL_OK && row->event->seq > j->last)
		j->last = row->event->seq;
	return status;
}

enum journal_status journal_seen_again(struct journal *j, uint64_t seq, int64_t at, struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_SEEN_ADD);

	bind_number(s, 1, seq);
	sqlite3_bind_int64(s, 2, at);
	return journal_run(j, s, err);
}

static enum journal_status add_seen(struct journal *j, struct journal_event *row, struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_SEEN_GET);
	enum journal_status status;

	bind_number(s, 1, row->event->seq);
	status = journal_step(j, s, err);
	if (status == JOURNAL_OK) {
		row->seen = (uint32_t)sqlite3_column_int64(s, 0);
		row->seen_at = sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

/* One row of a bound statement.  *seq is set also if its checksum is wrong: then the status
 * is ABSENT and *seq not 0. */
static enum journal_status take_event(struct journal *j, sqlite3_stmt *s, struct journal_event *out,
				      uint64_t *seq, struct err *err)
{
	enum journal_status status = journal_step(j, s, err);
	bool good = false;

	*seq = 0;
	if (status == JOURNAL_OK) {
		*seq = column_number(s, 0);
		good = journal_column_event(s, out);
	}
	sqlite3_reset(s);
	if (status != JOURNAL_OK)
		return status;
	if (good)
		status = add_seen(j, out, err);
	else
		journal_note_unreadable(j, *seq);
	if (!good || status != JOURNAL_OK)
		journal_event_clear(out);
	return good ? status : JOURNAL_ABSENT;
}

enum journal_status journal_event(struct journal *j, uint64_t seq, struct journal_event *out,
				  struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_EVENT_GET);
	uint64_t found;

	bind_number(s, 1, seq);
	return take_event(j, s, out, &found, err);
}

/* A statement a row, not one for the walk: `fn` may use the journal as it likes. */
static enum journal_status walk_events(struct journal *j, enum statement which, uint64_t from,
				       uint64_t cause, size_t limit, journal_event_fn *fn,
				       void *arg, struct err *err)
{
	enum journal_status status = JOURNAL_OK;
	bool go_on = true;

	for (size_t n = 0; n < limit && go_on; n++) {
		sqlite3_stmt *s = journal_statement(j, which);
		struct journal_event row;
		uint64_t seq;

		bind_number(s, 1, from);
		if (which == SQL_EVENT_EFFECT)
			bind_number(s, 2, cause);
		status = take_event(j, s, &row, &seq, err);
		if (!seq)
			break;
		from = seq;
		if (status == JOURNAL_OK) {
			go_on = fn(&row, arg);
			journal_event_clear(&row);
		} else if (status != JOURNAL_ABSENT) {
			break;
		}
	}
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

enum journal_status journal_events(struct journal *j, uint64_t from, bool backwards, size_t limit,
				   journal_event_fn *fn, void *arg, struct err *err)
{
	if (backwards && from > INT64_MAX)
		from = INT64_MAX;
	return walk_events(j, backwards ? SQL_EVENT_BEFORE : SQL_EVENT_AFTER, from, 0, limit, fn,
			   arg, err);
}

enum journal_status journal_ids(struct journal *j, uint64_t after, journal_id_fn *fn, void *arg,
				struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_EVENT_IDS);
	enum journal_status status;
	bool go_on = true;

	bind_number(s, 1, after);
	while (go_on && (status = journal_step(j, s, err)) == JOURNAL_OK) {
		struct journal_id row = {
			.seq = column_number(s, 0),
			.at = sqlite3_column_int64(s, 1),
			.instance = column_needed(s, 2),
			.source = column_needed(s, 3),
			.id = column_needed(s, 4),
			.type = column_needed(s, 5),
			.bytes = (size_t)sqlite3_column_int64(s, 6),
		};

		go_on = fn(&row, arg);
	}
	sqlite3_reset(s);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

enum journal_status journal_effects(struct journal *j, uint64_t seq, journal_event_fn *fn,
				    void *arg, struct err *err)
{
	return walk_events(j, SQL_EVENT_EFFECT, seq, seq, SIZE_MAX, fn, arg, err);
}

static enum journal_status has_row(struct journal *j, uint64_t seq, uint32_t target,
				   struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_GET);
	enum journal_status status;

	sqlite3_bind_int64(s, 1, row_key(seq, target));
	status = journal_step(j, s, err);
	sqlite3_reset(s);
	return status;
}

struct duty_walk {
	uint32_t target;
	size_t found;
	journal_duty_fn *fn;
	void *arg;
};

static enum journal_status hand_out(struct journal *j, struct duty_walk *w, uint64_t seq,
				    struct err *err)
{
	struct journal_event row;
	enum journal_status status = has_row(j, seq, w->target, err);

	if (status != JOURNAL_ABSENT)
		return status;
	status = journal_event(j, seq, &row, err);
	if (status != JOURNAL_OK)
		return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
	for (size_t i = 0; i < row.nduties; i++) {
		if (row.duties[i].target != w->target)
			continue;
		w->fn(row.event, &row.duties[i], w->arg);
		w->found++;
		break;
	}
	journal_event_clear(&row);
	return JOURNAL_OK;
}

static bool names_target(sqlite3_stmt *s, int at, uint32_t target)
{
	struct duty *duties;
	size_t n;
	bool named = false;

	if (!duties_decode(sqlite3_column_blob(s, at), (size_t)sqlite3_column_bytes(s, at), &duties,
			   &n))
		return true; /* reading the whole row will tell what is wrong with it */
	for (size_t i = 0; i < n && !named; i++)
		named = duties[i].target == target;
	free(duties);
	return named;
}

enum journal_status journal_duties(struct journal *j, uint32_t target, uint64_t after, size_t limit,
				   size_t scan, uint64_t *reached, journal_duty_fn *fn, void *arg,
				   struct err *err)
{
	struct duty_walk w = {.target = target, .fn = fn, .arg = arg};
	enum journal_status status = JOURNAL_OK;

	*reached = after;
	for (size_t n = 0; n < scan && w.found < limit && status == JOURNAL_OK; n++) {
		sqlite3_stmt *s = journal_statement(j, SQL_EVENT_DUTIES);
		bool named = false;

		bind_number(s, 1, *reached);
		status = journal_step(j, s, err);
		if (status == JOURNAL_OK) {
			*reached = column_number(s, 0);
			named = names_target(s, 1, target);
		}
		sqlite3_reset(s);
		if (status == JOURNAL_ABSENT && *reached < j->last)
			*reached = j->last; /* what is not there was pruned or lost */
		if (named)
			status = hand_out(j, &w, *reached, err);
	}
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

enum {
	FLAG_OVERLAP = 3,
	FLAG_MEMBERS = 4,
	FLAG_UNKNOWN = 8,
	FLAG_TOLD = 16,
	FLAG_OWN = 32,
	FLAG_REPLAY = 64,
};

void journal_bind_delivery(sqlite3_stmt *s, const struct delivery *d)
{
	int flags = (d->duty.overlap & FLAG_OVERLAP) | (d->duty.members ? FLAG_MEMBERS : 0) |
		    (d->unknown ? FLAG_UNKNOWN : 0) | (d->told ? FLAG_TOLD : 0) |
		    (d->own ? FLAG_OWN : 0) | (d->replay ? FLAG_REPLAY : 0);

	sqlite3_bind_int64(s, 1, row_key(d->seq, d->duty.target));
	sqlite3_bind_int64(s, 2, d->duty.target);
	sqlite3_bind_int(s, 3, (int)d->state);
	sqlite3_bind_int(s, 4, flags);
	sqlite3_bind_int64(s, 5, d->duty.rule);
	sqlite3_bind_int64(s, 6, d->duty.then);
	bind_number(s, 7, d->duty.group);
	sqlite3_bind_int64(s, 8, d->round);
	sqlite3_bind_int64(s, 9, d->attempt);
	sqlite3_bind_int64(s, 10, d->emitted);
	sqlite3_bind_int64(s, 11, d->deaths);
	sqlite3_bind_int64(s, 12, d->due);
	sqlite3_bind_int64(s, 13, d->first_at);
	sqlite3_bind_int64(s, 14, d->begun_at);
	sqlite3_bind_int64(s, 15, d->ended_at);
	bind_number(s, 16, d->by);
	bind_text(s, 17, d->held);
	bind_text(s, 18, d->why);
	bind_text(s, 19, d->trail);
}

void journal_column_delivery(sqlite3_stmt *s, struct delivery *d)
{
	uint64_t key = column_number(s, 0);
	int flags = sqlite3_column_int(s, 3);

	*d = (struct delivery){
		.seq = key >> TARGET_BITS,
		.duty = {.target = (uint32_t)(key & ((1 << TARGET_BITS) - 1)),
			 .rule = (uint32_t)column_number(s, 4),
			 .then = (uint32_t)column_number(s, 5),
			 .group = column_number(s, 6),
			 .overlap = (uint8_t)(flags & FLAG_OVERLAP),
			 .members = (flags & FLAG_MEMBERS) != 0},
		.state = (enum delivery_state)(column_number(s, 2) % DELIVERY_STATES),
		.round = (uint32_t)column_number(s, 7),
		.attempt = (uint32_t)column_number(s, 8),
		.emitted = (uint32_t)column_number(s, 9),
		.deaths = (uint32_t)column_number(s, 10),
		.unknown = (flags & FLAG_UNKNOWN) != 0,
		.told = (flags & FLAG_TOLD) != 0,
		.own = (flags & FLAG_OWN) != 0,
		.replay = (flags & FLAG_REPLAY) != 0,
		.due = sqlite3_column_int64(s, 11),
		.first_at = sqlite3_column_int64(s, 12),
		.begun_at = sqlite3_column_int64(s, 13),
		.ended_at = sqlite3_column_int64(s, 14),
		.by = column_number(s, 15),
		.held = mem_text(column_text(s, 16)),
		.why = mem_text(column_text(s, 17)),
		.trail = mem_text(column_text(s, 18)),
	};
}

enum journal_status journal_put_delivery(struct journal *j, const struct delivery *d,
					 struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_PUT);

	if (d->duty.target >> TARGET_BITS) {
		err_set(err, "delivery of event %llu to target number %u: numbers end at 65535",
			(unsigned long long)d->seq, d->duty.target);
		return JOURNAL_FAILED;
	}
	journal_bind_delivery(s, d);
	return journal_run(j, s, err);
}

static enum journal_status take_delivery(struct journal *j, sqlite3_stmt *s, struct delivery *out,
					 struct err *err)
{
	enum journal_status status = journal_step(j, s, err);

	if (status == JOURNAL_OK)
		journal_column_delivery(s, out);
	sqlite3_reset(s);
	return status;
}

enum journal_status journal_delivery(struct journal *j, uint64_t seq, uint32_t target,
				     struct delivery *out, struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_GET);

	sqlite3_bind_int64(s, 1, row_key(seq, target));
	return take_delivery(j, s, out, err);
}

static bool show(const struct delivery *d, journal_delivery_fn *fn, void *arg)
{
	struct delivery copy = *d;
	bool go_on = fn(&copy, arg);

	delivery_clear(&copy);
	return go_on;
}

enum journal_status journal_deliveries(struct journal *j, uint64_t seq, journal_delivery_fn *fn,
				       void *arg, struct err *err)
{
	int64_t key = row_key(seq, 0);
	enum journal_status status;
	struct delivery d;

	do {
		sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_OF_EVENT);

		sqlite3_bind_int64(s, 1, key);
		sqlite3_bind_int64(s, 2, row_key(seq + 1, 0));
		status = take_delivery(j, s, &d, err);
		if (status == JOURNAL_OK)
			key = row_key(d.seq, d.duty.target) + 1;
	} while (status == JOURNAL_OK && show(&d, fn, arg));
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

enum journal_status journal_live(struct journal *j, uint32_t target, journal_delivery_fn *fn,
				 void *arg, struct err *err)
{
	int64_t key = -1;
	enum journal_status status;
	struct delivery d;

	do {
		sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_LIVE);

		sqlite3_bind_int64(s, 1, target);
		sqlite3_bind_int64(s, 2, key);
		status = take_delivery(j, s, &d, err);
		if (status == JOURNAL_OK)
			key = row_key(d.seq, d.duty.target);
	} while (status == JOURNAL_OK && show(&d, fn, arg));
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

enum journal_status journal_dead(struct journal *j, uint32_t target, uint64_t after, size_t limit,
				 journal_delivery_fn *fn, void *arg, struct err *err)
{
	int64_t key = row_key(after + 1, 0) - 1;
	enum journal_status status = JOURNAL_OK;
	bool go_on = true;

	while (limit > 0 && go_on) {
		sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_DEAD);
		struct delivery d;

		sqlite3_bind_int64(s, 1, key);
		status = take_delivery(j, s, &d, err);
		if (status != JOURNAL_OK)
			break;
		key = row_key(d.seq, d.duty.target);
		if (target == UINT32_MAX || target == d.duty.target) {
			go_on = show(&d, fn, arg);
			limit--;
		} else {
			delivery_clear(&d);
		}
	}
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

enum journal_status journal_done_after(struct journal *j, uint32_t target, uint64_t seq,
				       size_t limit, journal_delivery_fn *fn, void *arg,
				       struct err *err)
{
	int64_t before = INT64_MAX;
	enum journal_status status = JOURNAL_OK;
	struct delivery d;

	while (limit-- > 0) {
		sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_DONE_BEFORE);

		sqlite3_bind_int64(s, 1, row_key(seq + 1, 0) - 1);
		sqlite3_bind_int64(s, 2, before);
		sqlite3_bind_int64(s, 3, target);
		status = take_delivery(j, s, &d, err);
		if (status != JOURNAL_OK)
			break;
		before = row_key(d.seq, d.duty.target);
		if (!show(&d, fn, arg))
			break;
	}
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}
