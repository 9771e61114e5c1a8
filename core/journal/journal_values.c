#include "journal/journal_file.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3_stmt *bind_name(struct journal *j, enum statement which, const char *space,
			       const char *key)
{
	sqlite3_stmt *s = journal_statement(j, which);

	sqlite3_bind_text(s, 1, space, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
	return s;
}

enum journal_status journal_put(struct journal *j, const char *space, const char *key,
				const void *value, size_t len, struct err *err)
{
	sqlite3_stmt *s = bind_name(j, value ? SQL_VALUE_PUT : SQL_VALUE_DELETE, space, key);

	if (value)
		sqlite3_bind_blob64(s, 3, len ? value : "", len, SQLITE_STATIC);
	return journal_run(j, s, err);
}

enum journal_status journal_get(struct journal *j, const char *space, const char *key,
				struct buf *out, struct err *err)
{
	sqlite3_stmt *s = bind_name(j, SQL_VALUE_GET, space, key);
	enum journal_status status = journal_step(j, s, err);

	if (status == JOURNAL_OK)
		buf_add(out, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
	sqlite3_reset(s);
	return status;
}

/* Copies, so that `fn` may use the journal as it likes. */
enum journal_status journal_values(struct journal *j, const char *space, const char *prefix,
				   journal_value_fn *fn, void *arg, struct err *err)
{
	char *key = mem_text(prefix);
	enum statement which = SQL_VALUE_FROM;
	enum journal_status status;
	bool go_on = true;

	do {
		sqlite3_stmt *s = bind_name(j, which, space, key);
		struct buf value = {0};
		char *found = NULL;

		status = journal_step(j, s, err);
		if (status == JOURNAL_OK) {
			found = mem_text((const char *)sqlite3_column_text(s, 0));
			buf_add(&value, sqlite3_column_blob(s, 1),
				(size_t)sqlite3_column_bytes(s, 1));
		}
		sqlite3_reset(s);
		go_on = found && strncmp(found, prefix, strlen(prefix)) == 0 &&
			fn(found, value.data, value.len, arg);
		buf_free(&value);
		free(key);
		key = found;
		which = SQL_VALUE_AFTER;
	} while (go_on);
	free(key);
	return status == JOURNAL_ABSENT ? JOURNAL_OK : status;
}

void journal_saved_space(uint32_t instance, char *out, size_t size)
{
	snprintf(out, size, "save/%" PRIu32, instance);
}

enum journal_status journal_rename(struct journal *j, const char *from, const char *to,
				   struct err *err)
{
	return journal_run(j, bind_name(j, SQL_VALUE_RENAME, from, to), err);
}
