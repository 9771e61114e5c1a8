#include "journal/journal_file.h"

/* `event.cause` and `delivery.state` have partial indexes, so that an event without a cause
 * and a delivery that ended well cost one b-tree each.  What no statement asks about is packed
 * into one column.  Repeats are counted apart from their event, because a change would rewrite
 * its whole row. */
const char journal_schema[] =
	"CREATE TABLE event(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, sum INTEGER NOT NULL,"
	" cause INTEGER NOT NULL, duties BLOB, head BLOB NOT NULL, data BLOB NOT NULL);"
	"CREATE INDEX event_effect ON event(cause) WHERE cause <> 0;"
	"CREATE TABLE seen(seq INTEGER PRIMARY KEY, times INTEGER NOT NULL, at INTEGER NOT NULL);"
	"CREATE TABLE delivery(key INTEGER PRIMARY KEY, target INTEGER NOT NULL,"
	" state INTEGER NOT NULL, life BLOB NOT NULL);"
	"CREATE INDEX delivery_live ON delivery(target, key) WHERE state < 4;"
	"CREATE INDEX delivery_dead ON delivery(key) WHERE state = 5;"
	"CREATE TABLE value(space TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY(space, key)) WITHOUT ROWID;"
	"PRAGMA user_version = 2;";

_Static_assert(DELIVERY_DONE == 4 && DELIVERY_DEAD == 5, "the partial indexes say so");
_Static_assert(JOURNAL_SCHEMA == 2, "the schema says so");

#define EVENT    "SELECT seq, at, sum, cause, duties, head, data FROM event "
#define DELIVERY "SELECT key, target, state, life FROM delivery "

static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_EVENT_ADD] = "INSERT INTO event(seq, at, sum, cause, duties, head, data)"
			  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_EVENT_GET] = EVENT "WHERE seq = ?1",
	[SQL_EVENT_AFTER] = EVENT "WHERE seq > ?1 ORDER BY seq",
	[SQL_EVENT_BEFORE] = EVENT "WHERE seq < ?1 ORDER BY seq DESC LIMIT 1",
	[SQL_EVENT_EFFECT] = EVENT "WHERE cause = ?2 AND cause <> 0 AND seq > ?1"
				   " ORDER BY seq LIMIT 1",
	[SQL_EVENT_IDS] = "SELECT seq, at, head, length(data) FROM event WHERE seq > ?1"
			  " ORDER BY seq",
	[SQL_EVENT_SIZE] = "SELECT seq, at, length(data) FROM event WHERE seq > ?1"
			   " ORDER BY seq LIMIT 1",
	[SQL_EVENT_FIRST] = "SELECT min(seq) FROM event",
	[SQL_EVENT_LAST] = "SELECT max(seq) FROM event",
	[SQL_EVENT_DELETE] = "DELETE FROM event WHERE seq = ?1",
	[SQL_SEEN_ADD] = "INSERT INTO seen(seq, times, at) SELECT ?1, 1, ?2"
			 " WHERE EXISTS(SELECT 1 FROM event WHERE seq = ?1) ON CONFLICT(seq)"
			 " DO UPDATE SET times = times + 1, at = excluded.at",
	[SQL_SEEN_PUT] = "INSERT OR REPLACE INTO seen(seq, at, times) VALUES(?1, ?2, ?3)",
	[SQL_SEEN_GET] = "SELECT times, at FROM seen WHERE seq = ?1",
	[SQL_SEEN_DELETE] = "DELETE FROM seen WHERE seq = ?1",
	[SQL_DELIVERY_PUT] = "INSERT INTO delivery(key, target, state, life) VALUES(?1, ?2, ?3, ?4)"
			     " ON CONFLICT(key) DO UPDATE SET target = excluded.target,"
			     " state = excluded.state, life = excluded.life",
	[SQL_DELIVERY_GET] = DELIVERY "WHERE key = ?1",
	[SQL_DELIVERY_IS] = "SELECT 1 FROM delivery WHERE key = ?1",
	[SQL_DELIVERY_OF_EVENT] = DELIVERY "WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1",
	[SQL_DELIVERY_LIVE] = DELIVERY "WHERE target = ?1 AND key > ?2 AND state < 4"
				       " ORDER BY key LIMIT 1",
	[SQL_DELIVERY_DEAD] = DELIVERY "WHERE key > ?1 AND state = 5 ORDER BY key LIMIT 1",
	[SQL_DELIVERY_DEAD_COUNT] = "SELECT count(*) FROM delivery WHERE state = 5",
	[SQL_DELIVERY_DONE_BEFORE] = DELIVERY "WHERE key > ?1 AND key < ?2 AND target = ?3"
					      " AND state = 4 ORDER BY key DESC LIMIT 1",
	[SQL_DELIVERY_OPEN] = "SELECT 1 FROM delivery WHERE key >= ?1 AND key < ?2"
			      " AND (state < 4 OR state = 5) LIMIT 1",
	[SQL_DELIVERY_DELETE] = "DELETE FROM delivery WHERE key >= ?1 AND key < ?2",
	[SQL_VALUE_PUT] = "INSERT OR REPLACE INTO value(space, key, value) VALUES(?1, ?2, ?3)",
	[SQL_VALUE_DELETE] = "DELETE FROM value WHERE space = ?1 AND key = ?2",
	[SQL_VALUE_GET] = "SELECT value FROM value WHERE space = ?1 AND key = ?2",
	[SQL_VALUE_FROM] = "SELECT key, value FROM value WHERE space = ?1 AND key >= ?2"
			   " ORDER BY key LIMIT 1",
	[SQL_VALUE_AFTER] = "SELECT key, value FROM value WHERE space = ?1 AND key > ?2"
			    " ORDER BY key LIMIT 1",
	[SQL_VALUE_RENAME] = "UPDATE OR REPLACE value SET space = ?2 WHERE space = ?1",
	[SQL_PAGES] = "PRAGMA page_count",
	[SQL_PAGES_FREE] = "PRAGMA freelist_count",
	[SQL_VACUUM] = "PRAGMA incremental_vacuum(256)",
};

const char *journal_sql(enum statement which)
{
	return sql[which];
}
