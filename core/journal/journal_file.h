/*
 * journal_file - the inside of a journal: the open file and its prepared statements.
 *
 * Only for journal*.c and salvage.c; everybody else uses journal.h.
 */
#ifndef POINTSMAN_JOURNAL_JOURNAL_FILE_H
#define POINTSMAN_JOURNAL_JOURNAL_FILE_H

#include "journal/journal.h"

#include <sqlite3.h>

#define JOURNAL_SCHEMA 2 /* PRAGMA user_version */
/* Some six events of 1 KB: half the calls to the system that 4096 takes, and with few events in a
 * commit no more bytes. */
#define JOURNAL_PAGE 8192
/* What a file is made with; a salvaged one is made like any. */
#define JOURNAL_LAYOUT "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;"

enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_EVENT_ADD,
	SQL_EVENT_GET,
	SQL_EVENT_AFTER,
	SQL_EVENT_BEFORE,
	SQL_EVENT_EFFECT,
	SQL_EVENT_IDS,
	SQL_EVENT_SIZE,
	SQL_EVENT_FIRST,
	SQL_EVENT_LAST,
	SQL_EVENT_DELETE,
	SQL_SEEN_ADD,
	SQL_SEEN_PUT,
	SQL_SEEN_GET,
	SQL_SEEN_DELETE,
	SQL_DELIVERY_PUT,
	SQL_DELIVERY_GET,
	SQL_DELIVERY_IS,
	SQL_DELIVERY_OF_EVENT,
	SQL_DELIVERY_LIVE,
	SQL_DELIVERY_DEAD,
	SQL_DELIVERY_DEAD_COUNT,
	SQL_DELIVERY_DONE_BEFORE,
	SQL_DELIVERY_OPEN,
	SQL_DELIVERY_DELETE,
	SQL_VALUE_PUT,
	SQL_VALUE_DELETE,
	SQL_VALUE_GET,
	SQL_VALUE_FROM,
	SQL_VALUE_AFTER,
	SQL_VALUE_RENAME,
	SQL_PAGES,
	SQL_PAGES_FREE,
	SQL_VACUUM,
	SQL_COUNT,
};

struct journal {
	struct world *world;
	char *directory, *path;
	int lock;
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
	bool marked;                /* this process wrote the mark that says "in use" */
	bool had_trouble;           /* a write or read did not work */
	bool failed;                /* write nothing more */
	struct err failure;         /* why */
	bool checkpoint_due;        /* the log has grown past its size */
	uint64_t last, last_before; /* highest seq; the same before this transaction */
	/* Where the next look for old events and old dead letters begins. */
	uint64_t pruned;
	int64_t pruned_dead;
	uint64_t *unreadable; /* seqs whose rows failed their checksum, as met */
	size_t nunreadable, cap_unreadable, told_unreadable;
};

/* The statement, ready to be bound.  Give it back with sqlite3_reset() before anything
 * foreign runs. */
sqlite3_stmt *journal_statement(struct journal *j, enum statement which);
/* One row (OK), none (ABSENT), or trouble, said in *err. */
enum journal_status journal_step(struct journal *j, sqlite3_stmt *s, struct err *err);
/* A statement without rows, bound already. */
enum journal_status journal_run(struct journal *j, sqlite3_stmt *s, struct err *err);
/* What an SQLite result means for the caller. */
enum journal_status journal_trouble(struct journal *j, int rc, struct err *err);
/* Remember that the row of `seq` is not what was written. */
void journal_note_unreadable(struct journal *j, uint64_t seq);

/* Make what was done to names durable in the directory that holds `path`.  False with errno. */
bool journal_sync_directory(const char *path);

/* Set the reserve aside if it is not there and the disk has room for it. */
void journal_make_reserve(struct journal *j);

/* journal_schema.c: the tables, and statements on any connection to them. */
extern const char journal_schema[];
const char *journal_sql(enum statement which);

/* Rows of any connection: used on the journal and, in salvage, between two files. */
void journal_bind_event(sqlite3_stmt *s, const struct journal_event *row);
/* False if the row's checksum does not fit. */
bool journal_column_event(sqlite3_stmt *s, struct journal_event *row);
void journal_bind_delivery(sqlite3_stmt *s, const struct delivery *d);
/* False if the row is not what journal_bind_delivery() wrote. */
bool journal_column_delivery(sqlite3_stmt *s, struct delivery *d);

/* salvage.c: move what can be read of the damaged file into a new one, set the damaged one
 * aside.  What was lost is told by the value "lost" in the space "journal" of the new one. */
bool journal_salvage(struct world *world, const char *path, struct err *err);
/* What a salvage that was cut off has left to do, if it had saved all; before anything else. */
bool journal_finish_salvage(struct world *world, const char *path, struct err *err);

#endif
