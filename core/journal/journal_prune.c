#include "journal/journal_file.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BYTES   300 /* of an event beside its payload, about */
#define AT_A_TIME   512 /* rows looked at in one call */
#define PAGES_SPARE 512 /* free pages kept in the file for what comes next */

static enum journal_status read_number(struct journal *j, enum statement which, int64_t *n,
				       struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, which);
	enum journal_status status = journal_step(j, s, err);

	*n = status == JOURNAL_OK ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

static enum journal_status drop_dead(struct journal *j, struct delivery *d, struct err *err)
{
	free(d->why);
	d->why = mem_text("dropped by keep-dead");
	d->state = DELIVERY_DROPPED;
	return journal_put_delivery(j, d, err);
}

/* One dead letter behind j->pruned_dead; ABSENT behind the last. */
static enum journal_status prune_dead_one(struct journal *j, const struct journal_limits *limits,
					  int64_t now, int64_t *count, struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, SQL_DELIVERY_DEAD);
	struct delivery d;
	enum journal_status status;

	sqlite3_bind_int64(s, 1, j->pruned_dead);
	status = journal_step(j, s, err);
	if (status == JOURNAL_OK) {
		j->pruned_dead = sqlite3_column_int64(s, 0);
		journal_column_delivery(s, &d);
	}
	sqlite3_reset(s);
	if (status != JOURNAL_OK)
		return status;
	if (*count > limits->keep_dead_count || d.ended_at < now - limits->keep_dead_ms) {
		status = drop_dead(j, &d, err);
		(*count)--;
	}
	delivery_clear(&d);
	return status;
}

static enum journal_status prune_dead(struct journal *j, const struct journal_limits *limits,
				      int64_t now, bool *more, struct err *err)
{
	int64_t count;
	enum journal_status status = read_number(j, SQL_DELIVERY_DEAD_COUNT, &count, err);

	for (int n = 0; n < AT_A_TIME && status == JOURNAL_OK; n++)
		status = prune_dead_one(j, limits, now, &count, err);
	if (status == JOURNAL_OK)
		*more = true;
	else
		j->pruned_dead = 0;
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

/* How much ended history is over its limit, in bytes.  What is still owed has no limit but
 * max-journal, so its share, taken by numbers, does not count.  Before that one is reached
 * history gives way to it: or intake would stop for the sake of what is over. */
static enum journal_status excess(struct journal *j, const struct journal_limits *limits,
				  int64_t *bytes, struct err *err)
{
	int64_t pages, unused, first;
	uint64_t end = limits->floor <= j->last ? limits->floor : j->last + 1;
	int64_t used, over;
	double share;
	enum journal_status status = read_number(j, SQL_PAGES, &pages, err);

	if (status == JOURNAL_OK)
		status = read_number(j, SQL_PAGES_FREE, &unused, err);
	if (status == JOURNAL_OK)
		status = read_number(j, SQL_EVENT_FIRST, &first, err);
	if (status != JOURNAL_OK)
		return status;
	share = (uint64_t)first < end
			? (double)(end - (uint64_t)first) / (double)(j->last + 1 - (uint64_t)first)
			: 0;
	used = (pages - unused) * JOURNAL_PAGE;
	over = limits->most ? used - limits->most : 0;
	*bytes = (int64_t)((double)(used - limits->apart) * share) - limits->keep_bytes;
	if (over > *bytes)
		*bytes = over;
	return status;
}

static enum journal_status run_on_event(struct journal *j, enum statement which, uint64_t seq,
					struct err *err)
{
	sqlite3_stmt *s = journal_statement(j, which);

	sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
	return journal_run(j, s, err);
}

static sqlite3_stmt *bind_keys(struct journal *j, enum statement which, uint64_t seq)
{
	sqlite3_stmt *s = journal_statement(j, which);

	sqlite3_bind_int64(s, 1, (sqlite3_int64)(seq << 16));
	sqlite3_bind_int64(s, 2, (sqlite3_int64)((seq + 1) << 16));
	return s;
}

static enum journal_status remove_event(struct journal *j, uint64_t seq, struct err *err)
{
	enum journal_status status = run_on_event(j, SQL_EVENT_DELETE, seq, err);

	if (status == JOURNAL_OK)
		status = run_on_event(j, SQL_SEEN_DELETE, seq, err);
	if (status == JOURNAL_OK)
		status = journal_run(j, bind_keys(j, SQL_DELIVERY_DELETE, seq), err);
	return status;
}

/* OK: some delivery of it is live or dead. */
static enum journal_status is_open(struct journal *j, uint64_t seq, struct err *err)
{
	sqlite3_stmt *s = bind_keys(j, SQL_DELIVERY_OPEN, seq);
	enum journal_status status = journal_step(j, s, err);

	sqlite3_reset(s);
	return status;
}

struct pruning {
	struct journal *j;
	const struct journal_limits *limits;
	int64_t now;
	int64_t excess;
	bool (*pinned)(uint64_t seq, void *arg);
	void *arg;
	bool removed;
	struct err *err;
};

/* One event behind j->pruned; ABSENT when the next is within the limits. */
static enum journal_status prune_one(struct pruning *p)
{
	struct journal *j = p->j;
	sqlite3_stmt *s = journal_statement(j, SQL_EVENT_SIZE);
	uint64_t seq = 0;
	int64_t at = 0, bytes = 0;
	enum journal_status status;

	sqlite3_bind_int64(s, 1, (sqlite3_int64)j->pruned);
	status = journal_step(j, s, p->err);
	if (status == JOURNAL_OK) {
		seq = (uint64_t)sqlite3_column_int64(s, 0);
		at = sqlite3_column_int64(s, 1);
		bytes = sqlite3_column_int64(s, 2) + ROW_BYTES;
	}
	sqlite3_reset(s);
	if (status != JOURNAL_OK)
		return status;
	if (seq >= p->limits->floor || (at >= p->now - p->limits->keep_ms && p->excess <= 0))
		return JOURNAL_ABSENT;
	j->pruned = seq;
	if (p->pinned(seq, p->arg))
		return JOURNAL_OK;
	status = is_open(j, seq, p->err);
	if (status != JOURNAL_ABSENT)
		return status;
	p->excess -= bytes;
	p->removed = true;
	return remove_event(j, seq, p->err);
}

static enum journal_status prune_events(struct pruning *p, bool *more)
{
	char last[24];
	int len = snprintf(last, sizeof last, "%llu", (unsigned long long)p->j->last);
	enum journal_status status = JOURNAL_OK;

	for (int n = 0; n < AT_A_TIME && status == JOURNAL_OK; n++)
		status = prune_one(p);
	if (status == JOURNAL_OK)
		*more = true;
	else
		p->j->pruned = 0; /* what was passed over is looked at again in the next round */
	if (p->removed && (status == JOURNAL_OK || status == JOURNAL_ABSENT))
		status = journal_put(p->j, "journal", "last", last, (size_t)len, p->err);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

int64_t journal_used(struct journal *j)
{
	int64_t pages = 0, unused = 0;
	struct err err;

	if (read_number(j, SQL_PAGES, &pages, &err) != JOURNAL_OK ||
	    read_number(j, SQL_PAGES_FREE, &unused, &err) != JOURNAL_OK)
		return 0; /* whatever is wrong, the next write tells */
	return (pages - unused) * JOURNAL_PAGE;
}

static enum journal_status give_back_pages(struct journal *j, bool *more, struct err *err)
{
	int64_t unused;
	enum journal_status status = read_number(j, SQL_PAGES_FREE, &unused, err);

	if (status != JOURNAL_OK || unused <= PAGES_SPARE)
		return status;
	*more = true;
	return journal_run(j, journal_statement(j, SQL_VACUUM), err);
}

enum journal_status journal_prune(struct journal *j, const struct journal_limits *limits,
				  int64_t now, bool (*pinned)(uint64_t seq, void *arg), void *arg,
				  bool *more, struct err *err)
{
	struct pruning p = {
		.j = j, .limits = limits, .now = now, .pinned = pinned, .arg = arg, .err = err};
	enum journal_status status;

	*more = false;
	status = prune_dead(j, limits, now, more, err);
	if (status == JOURNAL_OK)
		status = excess(j, limits, &p.excess, err);
	if (status == JOURNAL_OK)
		status = prune_events(&p, more);
	if (status == JOURNAL_OK)
		status = give_back_pages(j, more, err);
	journal_make_reserve(j);
	return status;
}
