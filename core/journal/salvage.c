#include "journal/journal_file.h"

#include "base/log.h"
#include "base/mem.h"
#include "journal/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROBES     4096 /* attempts to read past damage, per table */
#define TOLD       20   /* gaps named one by one */
#define ROOM_SPARE (16 * 1024 * 1024)
#define SEQ_GUESS  65536   /* numbers that may have been given beyond the highest one seen */
#define SEQ_LEAP   1000000 /* left out afterwards, so that no lost number is given again */

struct range {
	int64_t lo, hi;
};

struct ranges {
	struct range *list;
	size_t n, cap;
};

struct rescue {
	sqlite3 *from, *to;
	struct buf *lost;
	uint64_t highest; /* number seen on any row */
	size_t bad_sums, bad_rows;
	/* The disk has no room for two journals: only what is still needed is copied. */
	bool tight;
	sqlite3_stmt *open; /* has an event a delivery that is live or dead? */
	uint64_t cursor;    /* the lowest */
	uint64_t *held;     /* events of slots and windows */
	size_t nheld, cap_held;
	size_t left;
	int trouble; /* SQLite's, of the first row that could not be written */
};

struct table {
	const char *what; /* "events" */
	int shift;        /* from key to seq */
	const char *forwards, *backwards;
	enum statement insert;
	void (*copy)(struct rescue *r, sqlite3_stmt *row, sqlite3_stmt *insert);
};

static void add_range(struct ranges *set, int64_t lo, int64_t hi)
{
	if (lo > hi)
		return;
	mem_room(set->list, set->n, set->cap);
	set->list[set->n++] = (struct range){lo, hi};
}

static void saw(struct rescue *r, uint64_t seq)
{
	if (seq > r->highest)
		r->highest = seq;
}

/* A damaged file may have a row twice. */
static void insert_row(struct rescue *r, sqlite3_stmt *insert)
{
	int rc = sqlite3_step(insert);

	sqlite3_reset(insert);
	if (rc != SQLITE_DONE && rc != SQLITE_CONSTRAINT && !r->trouble)
		r->trouble = rc;
}

static void copy_columns(struct rescue *r, sqlite3_stmt *row, sqlite3_stmt *insert)
{
	for (int i = 0; i < sqlite3_column_count(row); i++)
		sqlite3_bind_value(insert, i + 1, sqlite3_column_value(row, i));
	insert_row(r, insert);
	sqlite3_clear_bindings(insert);
}

static bool is_needed(struct rescue *r, uint64_t seq)
{
	bool open;

	for (size_t i = 0; i < r->nheld; i++) {
		if (r->held[i] == seq)
			return true;
	}
	sqlite3_bind_int64(r->open, 1, (sqlite3_int64)(seq << 16));
	sqlite3_bind_int64(r->open, 2, (sqlite3_int64)((seq + 1) << 16));
	open = sqlite3_step(r->open) == SQLITE_ROW;
	sqlite3_reset(r->open);
	return open || seq > r->cursor;
}

static void copy_event(struct rescue *r, sqlite3_stmt *row, sqlite3_stmt *insert)
{
	uint64_t seq = (uint64_t)sqlite3_column_int64(row, 0);
	struct journal_event ev;

	saw(r, seq);
	if (!journal_column_event(row, &ev))
		r->bad_sums++;
	else if (r->tight && !is_needed(r, seq))
		r->left++;
	else
		copy_columns(r, row, insert);
	journal_event_clear(&ev);
}

static void copy_delivery(struct rescue *r, sqlite3_stmt *row, sqlite3_stmt *insert)
{
	struct delivery d;

	if (journal_column_delivery(row, &d))
		copy_columns(r, row, insert);
	else
		r->bad_rows++;
	saw(r, d.seq);
	delivery_clear(&d);
}

static void copy_seen(struct rescue *r, sqlite3_stmt *row, sqlite3_stmt *insert)
{
	saw(r, (uint64_t)sqlite3_column_int64(row, 0));
	copy_columns(r, row, insert);
}

#define WITHIN(key) " WHERE " key " >= ?1 AND " key " <= ?2 ORDER BY " key
#define BOTH_WAYS(columns, table, key)                                                             \
	"SELECT " columns " FROM " table WITHIN(key),                                              \
		"SELECT " columns " FROM " table WITHIN(key) " DESC"
#define EVENT_COLUMNS    "seq, at, sum, cause, duties, head, data"
#define DELIVERY_COLUMNS "key, target, state, life"

static const struct table deliveries = {"deliveries of events", 16,
					BOTH_WAYS(DELIVERY_COLUMNS, "delivery", "key"),
					SQL_DELIVERY_PUT, copy_delivery};
static const struct table repeats = {"counts of repeats of events", 0,
				     BOTH_WAYS("seq, at, times", "seen", "seq"), SQL_SEEN_PUT,
				     copy_seen};
static const struct table events = {"events", 0, BOTH_WAYS(EVENT_COLUMNS, "event", "seq"),
				    SQL_EVENT_ADD, copy_event};

/* Copy rows until the end (true) or the first that cannot be read; *last is the key of the
 * last that could. */
static bool copy_run(struct rescue *r, const struct table *t, const char *sql, struct range in,
		     sqlite3_stmt *insert, int64_t *last)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(r->from, sql, -1, &s, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(s, 1, in.lo);
		sqlite3_bind_int64(s, 2, in.hi);
		while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
			*last = sqlite3_column_int64(s, 0);
			t->copy(r, s, insert);
		}
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE;
}

/* What lies between two pages that cannot be read is found by halving: any key in it leads
 * to a good page.  Breadth first, so that the budget is spent evenly. */
static void copy_table(struct rescue *r, const struct table *t, int64_t top, struct ranges *gaps)
{
	struct ranges todo = {0};
	sqlite3_stmt *insert = NULL;

	sqlite3_prepare_v2(r->to, journal_sql(t->insert), -1, &insert, NULL);
	add_range(&todo, 0, top);
	for (size_t i = 0; i < todo.n; i++) {
		struct range in = todo.list[i];
		int64_t low = in.lo - 1, high = in.hi + 1, middle;

		if (i >= PROBES) {
			add_range(gaps, in.lo, in.hi);
			continue;
		}
		if (copy_run(r, t, t->forwards, in, insert, &low))
			continue;
		in.lo = low + 1;
		if (copy_run(r, t, t->backwards, in, insert, &high))
			continue;
		middle = low + (high - low) / 2;
		if (high - low <= 2) {
			add_range(gaps, low + 1, high - 1);
			continue;
		}
		add_range(&todo, low + 1, middle);
		add_range(&todo, middle + 1, high - 1);
	}
	sqlite3_finalize(insert);
	free(todo.list);
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void tell_gap(struct rescue *r, const struct table *t, struct range gap, bool first)
{
	long long lo = (long long)(gap.lo >> t->shift), hi = (long long)(gap.hi >> t->shift);

	if (first)
		buf_printf(r->lost, "%s%s ", r->lost->len ? "; " : "", t->what);
	else
		buf_text_add(r->lost, ", ");
	if (lo == hi)
		buf_printf(r->lost, "%lld", lo);
	else if (hi > (long long)r->highest)
		buf_printf(r->lost, "from %lld on", lo);
	else
		buf_printf(r->lost, "%lld to %lld", lo, hi);
}

static void tell_gaps(struct rescue *r, const struct table *t, struct ranges *gaps)
{
	size_t told = 0;

	if (gaps->n)
		qsort(gaps->list, gaps->n, sizeof *gaps->list, by_start);
	for (size_t i = 0; i < gaps->n;) {
		struct range gap = gaps->list[i++];

		for (; i < gaps->n && gaps->list[i].lo <= gap.hi + 1; i++)
			gap.hi = gaps->list[i].hi;
		if (told < TOLD)
			tell_gap(r, t, gap, told == 0);
		told++;
	}
	if (told > TOLD)
		buf_printf(r->lost, " and %zu more", told - TOLD);
	free(gaps->list);
	*gaps = (struct ranges){0};
}

static void rescue_table(struct rescue *r, const struct table *t)
{
	struct ranges gaps = {0};

	copy_table(r, t, (int64_t)((r->highest + SEQ_GUESS) << t->shift), &gaps);
	tell_gaps(r, t, &gaps);
}

static void hold(struct rescue *r, uint64_t seq)
{
	mem_room(r->held, r->nheld, r->cap_held);
	r->held[r->nheld++] = seq;
}

static void hold_cell(struct rescue *r, const char *key, const char *text)
{
	struct cell *c = cell_parse(key, text, strlen(text));

	for (size_t i = 0; c && i < c->nslots; i++)
		hold(r, c->slots[i].seq);
	for (size_t i = 0; c && i < c->n; i++)
		hold(r, c->members[i].seq);
	cell_free(c);
}

static void note_cursor(struct rescue *r, uint64_t seq)
{
	saw(r, seq);
	if (seq < r->cursor)
		r->cursor = seq;
}

static void copy_value(struct rescue *r, sqlite3_stmt *row, sqlite3_stmt *insert)
{
	const char *space = (const char *)sqlite3_column_text(row, 0);
	const char *key = (const char *)sqlite3_column_text(row, 1);
	char *value = mem_slice(sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2));

	if (space && strcmp(space, "cursor") == 0)
		note_cursor(r, strtoull(value, NULL, 10));
	else if (space && key && strcmp(space, "cell") == 0)
		hold_cell(r, key, value);
	else if (space && key && strcmp(space, "journal") == 0 && strcmp(key, "last") == 0)
		saw(r, strtoull(value, NULL, 10));
	free(value);
	copy_columns(r, row, insert);
}

/* Forwards, then backwards: keys are words, so there is no halving. */
static void rescue_values(struct rescue *r)
{
	static const char *const ways[] = {
		"SELECT space, key, value FROM value ORDER BY space, key",
		"SELECT space, key, value FROM value ORDER BY space DESC, key DESC",
	};
	sqlite3_stmt *insert = NULL, *s = NULL;
	int rc = SQLITE_ERROR;

	sqlite3_prepare_v2(r->to, journal_sql(SQL_VALUE_PUT), -1, &insert, NULL);
	for (size_t i = 0; i < 2 && rc != SQLITE_DONE; i++) {
		rc = sqlite3_prepare_v2(r->from, ways[i], -1, &s, NULL);
		while (rc == SQLITE_OK || rc == SQLITE_ROW) {
			rc = sqlite3_step(s);
			if (rc == SQLITE_ROW)
				copy_value(r, s, insert);
		}
		sqlite3_finalize(s);
		s = NULL;
		if (i == 0 && rc != SQLITE_DONE)
			buf_text_add(r->lost, "some cursors, saved states, slots or windows");
	}
	sqlite3_finalize(insert);
}

/* Told as dead, with why; *last is its key.  False behind the last. */
static bool end_orphan(struct rescue *r, sqlite3_stmt *find, sqlite3_stmt *put, int64_t *last)
{
	struct delivery d;
	bool found;

	sqlite3_bind_int64(find, 1, *last);
	found = sqlite3_step(find) == SQLITE_ROW;
	if (found) {
		*last = sqlite3_column_int64(find, 0);
		journal_column_delivery(find, &d);
	}
	sqlite3_reset(find);
	if (!found)
		return false;
	d.state = DELIVERY_DEAD;
	free(d.why);
	d.why = mem_text("its event was lost with the damaged journal");
	journal_bind_delivery(put, &d);
	insert_row(r, put);
	delivery_clear(&d);
	return true;
}

/* A delivery needs its event. */
static void end_orphans(struct rescue *r)
{
	sqlite3_stmt *find = NULL, *put = NULL;
	int64_t last = -1;
	size_t orphans = 0;

	sqlite3_prepare_v2(r->to,
			   "SELECT " DELIVERY_COLUMNS " FROM delivery WHERE key > ?1 AND state < 4"
			   " AND NOT EXISTS (SELECT 1 FROM event WHERE seq = delivery.key >> 16)"
			   " ORDER BY key LIMIT 1",
			   -1, &find, NULL);
	sqlite3_prepare_v2(r->to, journal_sql(SQL_DELIVERY_PUT), -1, &put, NULL);
	while (end_orphan(r, find, put, &last))
		orphans++;
	sqlite3_finalize(find);
	sqlite3_finalize(put);
	if (orphans > 0)
		buf_printf(r->lost, "%s%zu unfinished deliveries of lost events are dead letters",
			   r->lost->len ? "; " : "", orphans);
}

static void put_value(struct rescue *r, const char *key, const char *value)
{
	sqlite3_stmt *s = NULL;

	sqlite3_prepare_v2(r->to, journal_sql(SQL_VALUE_PUT), -1, &s, NULL);
	sqlite3_bind_text(s, 1, "journal", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 3, value, (int)strlen(value), SQLITE_STATIC);
	insert_row(r, s);
	sqlite3_finalize(s);
}

static void find_highest(struct rescue *r)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(r->from, journal_sql(SQL_EVENT_LAST), -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		saw(r, (uint64_t)sqlite3_column_int64(s, 0));
	sqlite3_finalize(s);
}

static void rescue_all(struct rescue *r, const char *aside)
{
	char number[32];

	find_highest(r);
	rescue_values(r);
	if (r->cursor == UINT64_MAX)
		r->cursor = 0;
	rescue_table(r, &deliveries);
	rescue_table(r, &repeats);
	rescue_table(r, &events);
	if (r->left)
		buf_printf(r->lost,
			   "%s%zu ended events stay in the damaged file only, because the disk has "
			   "no room for two",
			   r->lost->len ? "; " : "", r->left);
	if (r->bad_sums)
		buf_printf(r->lost, "%s%zu events with a wrong checksum", r->lost->len ? "; " : "",
			   r->bad_sums);
	if (r->bad_rows)
		buf_printf(r->lost, "%s%zu deliveries with a broken row", r->lost->len ? "; " : "",
			   r->bad_rows);
	end_orphans(r);
	if (!r->lost->len)
		buf_text_add(r->lost, "nothing that could be found missing");
	buf_printf(r->lost, "; the damaged file is kept as %s", aside);
	snprintf(number, sizeof number, "%llu", (unsigned long long)r->highest + SEQ_LEAP);
	put_value(r, "last", number);
	put_value(r, "lost", buf_text(r->lost));
}

static bool make_new(struct rescue *r, struct world *world, const char *path, struct err *err)
{
	static const char settings[] = JOURNAL_LAYOUT "PRAGMA synchronous = FULL;";

	unlink(path);
	if (sqlite3_open_v2(path, &r->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, world->vfs) ==
		    SQLITE_OK &&
	    (world->vfs || chmod(path, 0600) == 0) &&
	    sqlite3_exec(r->to, settings, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(r->to, journal_schema, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(r->to, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(r->to, journal_sql(SQL_DELIVERY_OPEN), -1, &r->open, NULL) ==
		    SQLITE_OK)
		return true;
	err_set(err, "journal: cannot make %s to save what can be read of the damaged one: %s",
		path, sqlite3_errmsg(r->to));
	return false;
}

static bool finish_new(struct rescue *r, const char *path, struct err *err)
{
	if (!r->trouble && sqlite3_exec(r->to, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return true;
	err_set(err, "journal: cannot write %s with what was saved of the damaged one: %s", path,
		r->trouble ? sqlite3_errstr(r->trouble) : sqlite3_errmsg(r->to));
	return false;
}

/* Read only what is there: a write, a checkpoint too, could spoil what is left.  The schema
 * counts as writable so that a file shorter than it says is read all the same. */
static bool open_old(struct rescue *r, struct world *world, const char *path)
{
	static const char settings[] =
		"PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
		"PRAGMA writable_schema = ON; SELECT count(*) FROM sqlite_schema";

	if (sqlite3_open_v2(path, &r->from, SQLITE_OPEN_READWRITE, world->vfs) != SQLITE_OK)
		return false;
	sqlite3_db_config(r->from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return sqlite3_exec(r->from, settings, NULL, NULL, NULL) == SQLITE_OK;
}

static bool copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char bytes[JOURNAL_PAGE];
	size_t n = 0;
	bool ok = in && out;

	while (ok && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
		ok = fwrite(bytes, 1, n, out) == n;
	if (in)
		fclose(in);
	if (out)
		ok = fclose(out) == 0 && ok;
	return ok;
}

static void put_big_endian(unsigned char *at, uint32_t n)
{
	for (int i = 3; i >= 0; i--, n >>= 8)
		at[i] = (unsigned char)n;
}

/* The first page says where the tables begin, and that is the same in every journal: take
 * it from the new one, with its own number of pages and as a file with a log. */
static bool replace_first_page(const char *path, const char *fresh)
{
	int to = open(path, O_WRONLY | O_CLOEXEC), from = open(fresh, O_RDONLY | O_CLOEXEC);
	unsigned char page[JOURNAL_PAGE];
	off_t size = to >= 0 ? lseek(to, 0, SEEK_END) : 0;
	bool ok = size >= JOURNAL_PAGE && from >= 0 &&
		  pread(from, page, JOURNAL_PAGE, 0) == JOURNAL_PAGE;

	if (ok) {
		page[18] = page[19] = 2;
		put_big_endian(page + 28, (uint32_t)(size / JOURNAL_PAGE));
		memcpy(page + 92, page + 24, 4);
		ok = pwrite(to, page, JOURNAL_PAGE, 0) == JOURNAL_PAGE;
	}
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	return ok;
}

/* Reads from a copy then: the damaged file is kept as it was found. */
static void open_headless(struct rescue *r, struct world *world, const char *path,
			  const char *fresh, const char *copy)
{
	char *log = mem_format("%s-wal", path), *log_copy = mem_format("%s-wal", copy);

	if (copy_file(path, copy) && replace_first_page(copy, fresh)) {
		if (access(log, F_OK) == 0)
			copy_file(log, log_copy);
		sqlite3_close(r->from);
		open_old(r, world, copy);
	}
	free(log);
	free(log_copy);
}

static void remove_copy(const char *copy)
{
	char *log = mem_format("%s-wal", copy);

	unlink(copy);
	unlink(log);
	free(log);
}

static char *dated_name(struct world *world, const char *path)
{
	time_t now = (time_t)(world->wall(world) / 1000);
	char date[32], *name = NULL;
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof date, "%Y%m%d-%H%M%S", &tm);
	for (int n = 1; !name || access(name, F_OK) == 0; n++) {
		free(name);
		name = n == 1 ? mem_format("%s.damaged-%s", path, date)
			      : mem_format("%s.damaged-%s-%d", path, date, n);
	}
	return name;
}

static char *whole_name(const char *path)
{
	return mem_format("%s.salvaged", path);
}

/* From here on the damaged file is no longer needed, and journal_finish_salvage() goes on
 * with this one whatever happens. */
static bool call_whole(const char *path, const char *fresh, struct err *err)
{
	char *whole = whole_name(path);
	bool ok = rename(fresh, whole) == 0 && journal_sync_directory(path);

	if (!ok)
		err_set(err, "journal: cannot rename %s to %s: %s", fresh, whole, strerror(errno));
	free(whole);
	return ok;
}

static bool move_if_there(const char *from, const char *to)
{
	return rename(from, to) == 0 || errno == ENOENT;
}

/* The damaged file and its log are away for good before the new one takes their place: a
 * log beside a file of the same name would be taken for that one's. */
static bool replace(const char *path, const char *aside, const char *whole)
{
	char *log = mem_format("%s-wal", path), *aside_log = mem_format("%s-wal", aside);
	bool ok = move_if_there(path, aside) && move_if_there(log, aside_log) &&
		  journal_sync_directory(path) && rename(whole, path) == 0 &&
		  journal_sync_directory(path);

	free(log);
	free(aside_log);
	return ok;
}

bool journal_finish_salvage(struct world *world, const char *path, struct err *err)
{
	char *whole = whole_name(path), *aside = dated_name(world, path);
	bool ok = access(whole, F_OK) != 0 || replace(path, aside, whole);

	if (!ok)
		err_set(err,
			"journal %s is damaged; cannot set it aside as %s and put %s in its place: "
			"%s",
			path, aside, whole, strerror(errno));
	free(whole);
	free(aside);
	return ok;
}

static bool is_tight(struct world *world, const char *path)
{
	char *copy = mem_text(path);
	int64_t room = world->disk_free(world, dirname(copy));
	struct stat st;

	free(copy);
	return room >= 0 && stat(path, &st) == 0 && room < st.st_size + ROOM_SPARE;
}

bool journal_salvage(struct world *world, const char *path, struct err *err)
{
	struct buf lost = {0};
	char *fresh = mem_format("%s.salvaging", path), *aside = dated_name(world, path);
	char *copy = mem_format("%s.copy", path);
	struct rescue r = {.lost = &lost, .cursor = UINT64_MAX, .tight = is_tight(world, path)};
	bool ok = make_new(&r, world, fresh, err);

	if (ok) {
		if (!open_old(&r, world, path))
			open_headless(&r, world, path, fresh, copy);
		rescue_all(&r, aside);
		sqlite3_close(r.from);
		remove_copy(copy);
		ok = finish_new(&r, fresh, err);
	}
	sqlite3_finalize(r.open);
	sqlite3_close(r.to);
	free(r.held);
	ok = ok && call_whole(path, fresh, err) && journal_finish_salvage(world, path, err);
	if (ok)
		log_warn("journal %s was damaged; lost: %s", path, buf_text(&lost));
	buf_free(&lost);
	free(fresh);
	free(aside);
	free(copy);
	return ok;
}
