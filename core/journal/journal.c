#include "journal/journal_file.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES       40
#define LOCK_PAUSE_NS    50000000
#define CHECKPOINT_PAGES 500
#define RESERVE_BYTES    (4 * 1024 * 1024)
#define CHECK_BYTES      (16 * 1024 * 1024) /* checked whole at every open up to this size */

/* auto_vacuum only takes before the first table, and before the switch to WAL writes the
 * first page.  FULL: with WAL, NORMAL may lose the last commits when the power fails, and
 * webhooks were answered on the strength of them.  EXCLUSIVE: one process owns the files,
 * so there need be no index shared with others. */
static const char pragmas[] =
	"PRAGMA locking_mode = EXCLUSIVE;" JOURNAL_LAYOUT "PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"PRAGMA journal_size_limit = 16777216;"
	"PRAGMA wal_autocheckpoint = 0;"
	"PRAGMA temp_store = MEMORY;";

static char *path_in(const struct journal *j, const char *name)
{
	return mem_format("%s/%s", j->directory, name);
}

static bool is_damage(int rc)
{
	return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

/* The name of a new file is durable only with its directory. */
bool journal_sync_directory(const char *path)
{
	char *copy = mem_text(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ok;
}

/* Found while running: the next start looks at every page and salvages. */
static void leave_suspicion(struct journal *j)
{
	char *path = path_in(j, "journal.suspect");
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	journal_sync_directory(path);
	free(path);
}

static enum journal_status fail(struct journal *j, struct err *err)
{
	j->failed = true;
	err_set(err, "%s", j->failure.text);
	return JOURNAL_FAILED;
}

enum journal_status journal_trouble(struct journal *j, int rc, struct err *err)
{
	int system = sqlite3_system_errno(j->db);

	j->had_trouble = true;
	if ((rc & 0xff) == SQLITE_FULL) {
		err_set(err, "journal %s: no room on the disk", j->path);
		return JOURNAL_FULL;
	}
	if (j->failed)
		return fail(j, err);
	if (is_damage(rc & 0xff)) {
		leave_suspicion(j);
		err_set(&j->failure,
			"journal %s is damaged (%s); nothing more is written, the next start "
			"saves what can be read",
			j->path, sqlite3_errmsg(j->db));
	} else {
		err_set(&j->failure, "journal %s: %s%s%s; nothing more is written", j->path,
			sqlite3_errmsg(j->db), system ? ": " : "", system ? strerror(system) : "");
	}
	return fail(j, err);
}

bool journal_had_trouble(const struct journal *j)
{
	return j->had_trouble;
}

sqlite3_stmt *journal_statement(struct journal *j, enum statement which)
{
	return j->statements[which];
}

enum journal_status journal_step(struct journal *j, sqlite3_stmt *s, struct err *err)
{
	int rc;

	if (j->failed)
		return fail(j, err);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		return JOURNAL_OK;
	if (rc == SQLITE_DONE)
		return JOURNAL_ABSENT;
	return journal_trouble(j, sqlite3_extended_errcode(j->db), err);
}

enum journal_status journal_run(struct journal *j, sqlite3_stmt *s, struct err *err)
{
	enum journal_status status = journal_step(j, s, err);

	while (status == JOURNAL_OK)
		status = journal_step(j, s, err);
	sqlite3_reset(s);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

void journal_note_unreadable(struct journal *j, uint64_t seq)
{
	for (size_t i = 0; i < j->nunreadable; i++) {
		if (j->unreadable[i] == seq)
			return;
	}
	log_error("journal %s: event %llu is not what was written and counts as lost", j->path,
		  (unsigned long long)seq);
	mem_room(j->unreadable, j->nunreadable, j->cap_unreadable);
	j->unreadable[j->nunreadable++] = seq;
}

char *journal_take_damage(struct journal *j)
{
	struct buf text = {0};

	if (j->told_unreadable == j->nunreadable)
		return NULL;
	buf_printf(&text, "%zu events with a wrong checksum:", j->nunreadable - j->told_unreadable);
	while (j->told_unreadable < j->nunreadable)
		buf_printf(&text, " %llu", (unsigned long long)j->unreadable[j->told_unreadable++]);
	return buf_take(&text);
}

/* A verb that looks at the journal while no daemon runs holds the lock for a moment only. */
static bool lock_soon(int fd)
{
	struct timespec pause = {0, LOCK_PAUSE_NS};

	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool take_lock(struct journal *j, struct err *err)
{
	char *path = path_in(j, "lock"), pid[32] = "";
	ssize_t n;

	j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->lock < 0) {
		err_set(err, "state directory %s: cannot open the file `lock`: %s", j->directory,
			strerror(errno));
	} else if (!lock_soon(j->lock)) {
		n = read(j->lock, pid, sizeof pid - 1);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		err_set(err, "state directory %s is in use by process %s", j->directory,
			*pid ? pid : "(unknown)");
		close(j->lock);
		j->lock = -1;
	} else {
		n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
		/* The number is for people; the lock holds without it. */
		if (ftruncate(j->lock, 0) != 0 || pwrite(j->lock, pid, (size_t)n, 0) != n)
			log_warn("state directory %s: cannot write the process id: %s",
				 j->directory, strerror(errno));
	}
	free(path);
	return j->lock >= 0;
}

/* Its own name, too, is durable only with the directory it is in, which need not be ours to
 * read if it was there before us. */
static bool make_directory(const struct journal *j, struct err *err)
{
	bool made = mkdir(j->directory, 0700) == 0;

	if (!made && errno != EEXIST) {
		err_set(err, "state directory %s: cannot make it: %s", j->directory,
			strerror(errno));
		return false;
	}
	if (!journal_sync_directory(j->directory) && made) {
		err_set(err, "state directory %s: cannot sync the directory it is in: %s",
			j->directory, strerror(errno));
		return false;
	}
	return true;
}

/* SQLite gives the log the mode of the file, so only this one need be made by us. */
static bool make_private_file(const struct journal *j, struct err *err)
{
	int fd;

	if (!journal_finish_salvage(j->world, j->path, err))
		return false;
	fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_set(err, "journal %s: cannot open it: %s", j->path, strerror(errno));
		return false;
	}
	close(fd);
	if (journal_sync_directory(j->path))
		return true;
	err_set(err, "state directory %s: cannot sync it: %s", j->directory, strerror(errno));
	return false;
}

static int read_number(sqlite3 *db, const char *sql, int64_t *n)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW) {
			*n = sqlite3_column_int64(s, 0);
			rc = SQLITE_OK;
		}
	}
	sqlite3_finalize(s);
	return rc;
}

static int note_log_size(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct journal *j = arg;

	(void)db;
	(void)name;
	if (pages >= CHECKPOINT_PAGES)
		j->checkpoint_due = true;
	return SQLITE_OK;
}

static int connect_file(struct journal *j)
{
	int rc = sqlite3_open_v2(j->path, &j->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				 j->world->vfs);

	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(j->db, 0);
		rc = sqlite3_exec(j->db, pragmas, NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		sqlite3_wal_hook(j->db, note_log_size, j);
	return rc;
}

static void disconnect(struct journal *j)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(j->statements[i]);
		j->statements[i] = NULL;
	}
	sqlite3_close(j->db);
	j->db = NULL;
}

/* The log stays as it is: moving it into the file would be one more write. */
static void disconnect_without_a_write(struct journal *j)
{
	if (j->db)
		sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	disconnect(j);
}

static int make_schema(struct journal *j)
{
	int rc = sqlite3_exec(j->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(j->db, journal_schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(j->db, "COMMIT", NULL, NULL, NULL);
	return rc;
}

static int prepare_all(struct journal *j)
{
	int rc = SQLITE_OK;

	for (int i = 0; i < SQL_COUNT && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(j->db, journal_sql((enum statement)i), -1,
					SQLITE_PREPARE_PERSISTENT, &j->statements[i], NULL);
	return rc;
}

/* SQLITE_CORRUPT if some page is not what it should be. */
static int check_pages(struct journal *j)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(j->db, "PRAGMA quick_check(1)", -1, &s, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		rc = strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0 ? SQLITE_OK
										: SQLITE_CORRUPT;
	sqlite3_finalize(s);
	return rc;
}

/* Looking at every page of a large file would hold up each start; there, damage is met by
 * whoever reads it, leaves a suspicion, and is looked for at the start that follows. */
static bool must_check(struct journal *j)
{
	char *suspect = path_in(j, "journal.suspect");
	bool suspected = access(suspect, F_OK) == 0;

	free(suspect);
	return suspected || journal_bytes(j) <= CHECK_BYTES;
}

static void clear_suspicion(struct journal *j)
{
	char *suspect = path_in(j, "journal.suspect");

	unlink(suspect);
	free(suspect);
}

static int open_tables(struct journal *j, bool *fresh, int64_t *version)
{
	int64_t tables = 0;
	int rc = connect_file(j);

	if (rc == SQLITE_OK)
		rc = read_number(j->db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (rc == SQLITE_OK)
		rc = read_number(j->db, "PRAGMA user_version", version);
	*fresh = tables == 0 && *version == 0;
	if (rc == SQLITE_OK && *fresh) {
		rc = make_schema(j);
		*version = JOURNAL_SCHEMA;
	}
	if (rc != SQLITE_OK || *version != JOURNAL_SCHEMA)
		return rc;
	if (rc == SQLITE_OK)
		rc = prepare_all(j);
	/* A statement that does not compile means tables that are not there. */
	if (rc == SQLITE_ERROR)
		rc = SQLITE_CORRUPT;
	return rc;
}

static int open_file(struct journal *j, bool *fresh, int64_t *version)
{
	int rc = open_tables(j, fresh, version);

	return rc == SQLITE_OK && *version == JOURNAL_SCHEMA && must_check(j) ? check_pages(j) : rc;
}

static bool explain_open(struct journal *j, int rc, int64_t version, struct err *err)
{
	if (rc == SQLITE_OK && version < JOURNAL_SCHEMA) {
		err_set(err,
			"journal %s was written by an older pointsman (layout %lld, this one knows "
			"%d), before the first release: use that one, or another state directory",
			j->path, (long long)version, JOURNAL_SCHEMA);
		return false;
	}
	if (rc == SQLITE_OK && version > JOURNAL_SCHEMA) {
		err_set(err,
			"journal %s was written by a newer pointsman (layout %lld, this one knows "
			"%d): use that one, or another state directory",
			j->path, (long long)version, JOURNAL_SCHEMA);
		return false;
	}
	if (rc != SQLITE_OK)
		err_set(err, "journal %s: cannot open it: %s", j->path,
			j->db ? sqlite3_errmsg(j->db) : sqlite3_errstr(rc));
	return rc == SQLITE_OK;
}

static bool open_or_salvage(struct journal *j, bool *fresh, struct err *err)
{
	int64_t version = 0;
	int rc = open_file(j, fresh, &version);

	if (is_damage(rc)) {
		log_error("journal %s is damaged (%s); saving what can be read", j->path,
			  sqlite3_errstr(rc));
		disconnect_without_a_write(j);
		if (!journal_salvage(j->world, j->path, err))
			return false;
		rc = open_file(j, fresh, &version);
	}
	if (!explain_open(j, rc, version, err))
		return false;
	clear_suspicion(j);
	return true;
}

static enum journal_status load_lost(struct journal *j, char **damaged, struct err *err)
{
	struct buf lost = {0};
	enum journal_status status = journal_get(j, "journal", "lost", &lost, err);

	if (status == JOURNAL_OK)
		*damaged = buf_take(&lost);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

/* A number once given stays given, though its event was pruned: prune leaves it here. */
static enum journal_status load_last(struct journal *j, struct err *err)
{
	struct buf kept = {0};
	sqlite3_stmt *s = journal_statement(j, SQL_EVENT_LAST);
	enum journal_status status = journal_step(j, s, err);

	if (status == JOURNAL_OK)
		j->last = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	if (status == JOURNAL_FAILED || status == JOURNAL_FULL)
		return status;
	status = journal_get(j, "journal", "last", &kept, err);
	if (status == JOURNAL_OK && strtoull(kept.data, NULL, 10) > j->last)
		j->last = strtoull(kept.data, NULL, 10);
	buf_free(&kept);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

/* The mark is there from the first open to the close that follows it. */
static enum journal_status mark_open(struct journal *j, bool *unclean, struct err *err)
{
	struct buf value = {0};
	enum journal_status status = journal_get(j, "journal", "open", &value, err);

	*unclean = status == JOURNAL_OK;
	buf_free(&value);
	if (status != JOURNAL_ABSENT)
		return status;
	status = journal_begin(j, err);
	if (status == JOURNAL_OK)
		status = journal_put(j, "journal", "open", "1", 1, err);
	if (status == JOURNAL_OK)
		status = journal_commit(j, err);
	j->marked = status == JOURNAL_OK;
	return status;
}

/* One that lost its bytes with the power is of no use. */
static bool is_reserve(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size >= RESERVE_BYTES;
}

void journal_make_reserve(struct journal *j)
{
	char *path = path_in(j, "reserve");
	int64_t room = j->world->disk_free(j->world, j->directory);
	int fd, problem;

	if (!is_reserve(path) && room > 4 * (int64_t)RESERVE_BYTES) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		problem = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES);
		if (problem) {
			log_warn("state directory %s: cannot set 4 MB aside for a full disk: %s",
				 j->directory, strerror(problem));
			unlink(path);
		}
		if (fd >= 0)
			close(fd);
	}
	free(path);
}

bool journal_spend_reserve(struct journal *j)
{
	char *path = path_in(j, "reserve");
	bool spent = unlink(path) == 0;

	free(path);
	return spent;
}

struct journal *journal_open(struct world *world, const char *directory,
			     struct journal_opened *found, struct err *err)
{
	struct journal *j = mem_new(struct journal);

	*found = (struct journal_opened){0};
	j->world = world;
	j->lock = -1;
	j->directory = mem_text(directory);
	j->path = path_in(j, "journal.db");
	if (!make_directory(j, err) || !take_lock(j, err) || !make_private_file(j, err) ||
	    !open_or_salvage(j, &found->fresh, err) || load_last(j, err) != JOURNAL_OK ||
	    load_lost(j, &found->damaged, err) != JOURNAL_OK ||
	    mark_open(j, &found->unclean, err) != JOURNAL_OK) {
		free(found->damaged);
		found->damaged = NULL;
		j->failed = true;
		journal_close(j);
		return NULL;
	}
	journal_make_reserve(j);
	return j;
}

struct journal *journal_open_in_memory(struct err *err)
{
	struct journal *j = mem_new(struct journal);
	int64_t version = 0;
	bool fresh;
	int rc;

	j->world = world_real();
	j->lock = -1;
	j->directory = mem_text("");
	j->path = mem_text(":memory:");
	rc = open_tables(j, &fresh, &version);
	if (explain_open(j, rc, version, err))
		return j;
	j->failed = true;
	journal_close(j);
	return NULL;
}

static enum journal_status forget(struct journal *j, const char *key, struct err *err)
{
	enum journal_status status = journal_begin(j, err);

	if (status == JOURNAL_OK)
		status = journal_put(j, "journal", key, NULL, 0, err);
	if (status == JOURNAL_OK)
		status = journal_commit(j, err);
	if (status != JOURNAL_OK)
		journal_rollback(j);
	return status;
}

enum journal_status journal_acknowledge(struct journal *j, struct err *err)
{
	return forget(j, "lost", err);
}

static void unmark(struct journal *j)
{
	struct err err;

	if (forget(j, "open", &err) != JOURNAL_OK)
		log_warn("%s; the next start treats this stop as a crash", err.text);
}

/* After a failed write the log on disk is the truth. */
static void close_files(struct journal *j)
{
	if (j->failed)
		disconnect_without_a_write(j);
	else
		disconnect(j);
	if (j->lock >= 0)
		close(j->lock);
	free(j->unreadable);
	free(j->directory);
	free(j->path);
	free(j);
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (!j->failed)
		unmark(j);
	close_files(j);
}

void journal_leave(struct journal *j)
{
	if (!j)
		return;
	if (!j->failed && j->marked)
		unmark(j);
	close_files(j);
}

enum journal_status journal_begin(struct journal *j, struct err *err)
{
	j->last_before = j->last;
	return journal_run(j, journal_statement(j, SQL_BEGIN), err);
}

/* SQLite's own checkpoint after a commit keeps its troubles to itself.  What was committed
 * stays committed; but a sync that failed must be the last one. */
static void checkpoint(struct journal *j)
{
	int rc = sqlite3_wal_checkpoint_v2(j->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	struct err err;

	if (rc == SQLITE_OK)
		j->checkpoint_due = false;
	else if (journal_trouble(j, rc, &err) == JOURNAL_FULL)
		log_warn("journal %s: no room to move its log into it; it is tried again", j->path);
}

enum journal_status journal_commit(struct journal *j, struct err *err)
{
	enum journal_status status = journal_run(j, journal_statement(j, SQL_COMMIT), err);

	if (status == JOURNAL_OK && j->checkpoint_due)
		checkpoint(j);
	return status;
}

void journal_rollback(struct journal *j)
{
	j->last = j->last_before;
	/* Some errors make SQLite roll back by itself. */
	if (!sqlite3_get_autocommit(j->db)) {
		sqlite3_step(j->statements[SQL_ROLLBACK]);
		sqlite3_reset(j->statements[SQL_ROLLBACK]);
	}
}

uint64_t journal_last_seq(const struct journal *j)
{
	return j->last;
}

static int64_t file_bytes(sqlite3 *db, int which)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;

	if (sqlite3_file_control(db, NULL, which, (void *)&file) != SQLITE_OK || !file ||
	    !file->pMethods || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return 0;
	return size;
}

int64_t journal_bytes(struct journal *j)
{
	return file_bytes(j->db, SQLITE_FCNTL_FILE_POINTER) +
	       file_bytes(j->db, SQLITE_FCNTL_JOURNAL_POINTER);
}
