#include "journal/journal_file.h"

#include "base/hash.h"
#include "base/mem.h"
#include "journal/packed.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_BITS 16

/* Who asks for more than there can be gets the end. */
static int64_t row_key(uint64_t seq, uint32_t target)
{
	const uint64_t most = INT64_MAX >> TARGET_BITS;

	return (int64_t)((seq < most ? seq : most) << TARGET_BITS | target);
}

void journal_event_clear(struct journal_event *row)
{
	event_unref(row->event);
	free(row->duties);
	free(row->decided);
	*row = (struct journal_event){0};
}

/* Over everything in the row. */
static uint64_t checksum(const struct event *ev, const struct packed *duties,
			 const struct packed *head)
{
	uint64_t sum = hash64(NULL, 0, ev->seq);

	sum = hash64(NULL, 0, sum ^ (uint64_t)ev->at);
	sum = hash64(NULL, 0, sum ^ ev->cause);
	sum = hash64(duties->at, (size_t)(duties->end - duties->at), sum);
	sum = hash64(head->at, (size_t)(head->end - head->at), sum);
	return hash64(ev->data, ev->data_len, sum);
}

static struct packed bytes_of(const struct buf *b)
{
	return (struct packed){b->data, b->data ? b->data + b->len : NULL, false};
}

static void bind_number(sqlite3_stmt *s, int at, uint64_t n)
{
	sqlite3_bind_int64(s, at, (sqlite3_int64)n);
}

static void pack_head(const struct journal_event *row, struct buf *out)
{
	const struct event *ev = row->event;

	packed_add(out, row->generation);
	packed_add(out, row->refused);
	packed_add(out, ev->origin);
	packed_add(out, ev->hops);
	packed_add_text(out, ev->instance);
	packed_add_text(out, ev->source);
	packed_add_text(out, ev->id);
	packed_add_text(out, ev->type);
	packed_add_text(out, ev->subject);
	packed_add_text(out, ev->time);
	packed_add_text(out, ev->traceparent);
	packed_add_text(out, ev->caused_by);
	packed_add_text(out, row->decided);
}

/* `decided` stays in the bytes. */
static void read_head(struct packed *p, struct journal_event *row, struct event *ev)
{
	row->generation = packed_number32(p);
	row->refused = packed_number32(p) != 0;
	ev->origin = packed_number(p);
	ev->hops = packed_number32(p);
	ev->instance = packed_text(p);
	ev->source = packed_text(p);
	ev->id = packed_text(p);
	ev->type = packed_text(p);
	ev->subject = packed_text(p);
	ev->time = packed_text(p);
	ev->traceparent = packed_text(p);
	ev->caused_by = packed_text(p);
	row->decided = (char *)(uintptr_t)packed_text(p);
	p->bad = p->bad || !ev->instance || !ev->source || !ev->id || !ev->type;
}

void journal_bind_event(sqlite3_stmt *s, const struct journal_event *row)
{
	const struct event *ev = row->event;
	struct buf duties = {0}, head = {0};
	struct packed duty_bytes, head_bytes;

	duties_encode(row->duties, row->nduties, &duties);
	pack_head(row, &head);
	duty_bytes = bytes_of(&duties);
	head_bytes = bytes_of(&head);
	bind_number(s, 1, ev->seq);
	sqlite3_bind_int64(s, 2, ev->at);
	bind_number(s, 3, checksum(ev, &duty_bytes, &head_bytes));
	bind_number(s, 4, ev->cause);
	sqlite3_bind_blob(s, 5, duties.data, (int)duties.len, free);
	sqlite3_bind_blob(s, 6, head.data, (int)head.len, free);
	sqlite3_bind_blob64(s, 7, ev->data_len ? ev->data : "", ev->data_len, SQLITE_STATIC);
}

static uint64_t column_number(sqlite3_stmt *s, int at)
{
	return (uint64_t)sqlite3_column_int64(s, at);
}

static struct packed column_packed(sqlite3_stmt *s, int at)
{
	const char *bytes = sqlite3_column_blob(s, at);
	int len = sqlite3_column_bytes(s, at);

	return (struct packed){bytes, bytes ? bytes + len : NULL, false};
}

bool journal_column_event(sqlite3_stmt *s, struct journal_event *row)
{
	struct event ev = {
		.seq = column_number(s, 0),
		.at = sqlite3_column_int64(s, 1),
		.cause = column_number(s, 3),
		.data = sqlite3_column_blob(s, 6),
		.data_len = (size_t)sqlite3_column_bytes(s, 6),
	};
	struct packed duties = column_packed(s, 4), head = column_packed(s, 5), left = head;

	*row = (struct journal_event){0};
	ev.data = ev.data ? ev.data : "";
	if (checksum(&ev, &duties, &head) != column_number(s, 2))
		return false;
	read_head(&left, row, &ev);
	row->decided = mem_text(row->decided);
	if (left.bad || !duties_decode(duties.at, (size_t)(duties.end - duties.at), &row->duties,
				       &row->nduties))
		return false;
	row->event = event_create(&ev);
	return true;
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
		struct packed head = column_packed(s, 2);
		struct journal_event row;
		struct event ev;

		read_head(&head, &row, &ev);
		if (head.bad)
			continue; /* whoever wants the event will find that it is lost */
		go_on = fn(
			&(struct journal_id){
				.seq = column_number(s, 0),
				.at = sqlite3_column_int64(s, 1),
				.instance = ev.instance,
				.source = ev.source,
				.id = ev.id,
				.type = ev.type,
				.bytes = (size_t)sqlite3_column_int64(s, 3),
			},
			arg);
	}
	sqlite3_reset(s);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

enum journal_status journal_effects(struct journal *j, uint64_t seq, journal_event_fn *fn,
				    void *arg, struct err *err)
{
	return walk_events(j, SQL_EVENT_EFFECT, seq, seq, SIZE_MAX, fn, arg, err);
}

struct duty_walk {
	struct journal *j;
	sqlite3_stmt *events; /* at a row */
	uint32_t target;
	size_t found;
	bool enough;
	journal_duty_fn *fn;
	void *arg;
	struct err *err;
};

/* The duty to the target among those of the row, or NULL. */
static const struct duty *duty_to(uint32_t target, const struct duty *duties, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (duties[i].target == target)
			return &duties[i];
	}
	return NULL;
}

static bool names_target(const struct duty_walk *w)
{
	struct packed bytes = column_packed(w->events, 4);
	struct duty *duties;
	size_t n;
	bool named;

	if (!duties_decode(bytes.at, (size_t)(bytes.end - bytes.at), &duties, &n))
		return true; /* reading the whole row will tell what is wrong with it */
	named = duty_to(w->target, duties, n);
	free(duties);
	return named;
}

static enum journal_status has_row(struct duty_walk *w, uint64_t seq)
{
	sqlite3_stmt *s = journal_statement(w->j, SQL_DELIVERY_IS);
	enum journal_status status;

	sqlite3_bind_int64(s, 1, row_key(seq, w->target));
	status = journal_step(w->j, s, w->err);
	sqlite3_reset(s);
	return status;
}

static enum journal_status hand_out(struct duty_walk *w, uint64_t seq)
{
	enum journal_status status = has_row(w, seq);
	const struct duty *duty;
	struct journal_event row;

	if (status != JOURNAL_ABSENT)
		return status;
	if (journal_column_event(w->events, &row)) {
		duty = duty_to(w->target, row.duties, row.nduties);
		w->enough = !w->fn(row.event, duty, w->arg);
		w->found++;
	} else {
		journal_note_unreadable(w->j, seq);
	}
	journal_event_clear(&row);
	return JOURNAL_OK;
}

enum journal_status journal_duties(struct journal *j, uint32_t target, uint64_t after, size_t limit,
				   size_t scan, uint64_t *reached, journal_duty_fn *fn, void *arg,
				   struct err *err)
{
	struct duty_walk w = {.j = j,
			      .events = journal_statement(j, SQL_EVENT_AFTER),
			      .target = target,
			      .fn = fn,
			      .arg = arg,
			      .err = err};
	enum journal_status status = JOURNAL_OK;

	*reached = after;
	bind_number(w.events, 1, after);
	for (size_t n = 0; n < scan && w.found < limit && !w.enough && status == JOURNAL_OK; n++) {
		status = journal_step(j, w.events, err);
		if (status == JOURNAL_OK)
			*reached = column_number(w.events, 0);
		else if (status == JOURNAL_ABSENT && *reached < j->last)
			*reached = j->last; /* what is not there was pruned or lost */
		if (status == JOURNAL_OK && names_target(&w))
			status = hand_out(&w, *reached);
	}
	sqlite3_reset(w.events);
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
	unsigned flags = (d->duty.overlap & FLAG_OVERLAP) | (d->duty.members ? FLAG_MEMBERS : 0) |
			 (d->unknown ? FLAG_UNKNOWN : 0) | (d->told ? FLAG_TOLD : 0) |
			 (d->own ? FLAG_OWN : 0) | (d->replay ? FLAG_REPLAY : 0);
	struct buf life = {0};

	packed_add(&life, flags);
	packed_add(&life, d->duty.rule);
	packed_add(&life, d->duty.then);
	packed_add_hash(&life, d->duty.group);
	packed_add(&life, d->round);
	packed_add(&life, d->attempt);
	packed_add(&life, d->emitted);
	packed_add(&life, d->deaths);
	packed_add(&life, (uint64_t)d->due);
	packed_add(&life, (uint64_t)d->first_at);
	packed_add(&life, (uint64_t)d->begun_at);
	packed_add(&life, (uint64_t)d->ended_at);
	packed_add(&life, d->by);
	packed_add_text(&life, d->held);
	packed_add_text(&life, d->why);
	packed_add_text(&life, d->trail);
	sqlite3_bind_int64(s, 1, row_key(d->seq, d->duty.target));
	sqlite3_bind_int64(s, 2, d->duty.target);
	sqlite3_bind_int(s, 3, (int)d->state);
	sqlite3_bind_blob(s, 4, life.data, (int)life.len, free);
}

bool journal_column_delivery(sqlite3_stmt *s, struct delivery *d)
{
	uint64_t key = column_number(s, 0);
	struct packed life = column_packed(s, 3);
	unsigned flags = packed_number32(&life);

	*d = (struct delivery){
		.seq = key >> TARGET_BITS,
		.duty = {.target = (uint32_t)(key & ((1 << TARGET_BITS) - 1)),
			 .overlap = (uint8_t)(flags & FLAG_OVERLAP),
			 .members = (flags & FLAG_MEMBERS) != 0},
		.state = (enum delivery_state)(column_number(s, 2) % DELIVERY_STATES),
		.unknown = (flags & FLAG_UNKNOWN) != 0,
		.told = (flags & FLAG_TOLD) != 0,
		.own = (flags & FLAG_OWN) != 0,
		.replay = (flags & FLAG_REPLAY) != 0,
	};
	d->duty.rule = packed_number32(&life);
	d->duty.then = packed_number32(&life);
	d->duty.group = packed_hash(&life);
	d->round = packed_number32(&life);
	d->attempt = packed_number32(&life);
	d->emitted = packed_number32(&life);
	d->deaths = packed_number32(&life);
	d->due = (int64_t)packed_number(&life);
	d->first_at = (int64_t)packed_number(&life);
	d->begun_at = (int64_t)packed_number(&life);
	d->ended_at = (int64_t)packed_number(&life);
	d->by = packed_number(&life);
	d->held = mem_text(packed_text(&life));
	d->why = mem_text(packed_text(&life));
	d->trail = mem_text(packed_text(&life));
	return !life.bad;
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
