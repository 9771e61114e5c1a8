#include "cli/libraries.h"

#include "base/mem.h"

#include <event2/event.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdlib.h>

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return mem_malloc(size);
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return mem_realloc(old, size);
}

static void crypto_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static sqlite3_mem_methods sqlite_own;

static void *sqlite_malloc(int size)
{
	void *p = sqlite_own.xMalloc(size);

	if (!p)
		mem_exhausted();
	return p;
}

static void *sqlite_realloc(void *old, int size)
{
	void *p = sqlite_own.xRealloc(old, size);

	if (!p)
		mem_exhausted();
	return p;
}

/* SQLite asks how large its pieces are, which only its own functions know. */
static void share_with_sqlite(void)
{
	sqlite3_mem_methods ours;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_own);
	ours = sqlite_own;
	ours.xMalloc = sqlite_malloc;
	ours.xRealloc = sqlite_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}

void libraries_share_memory(void)
{
	event_set_mem_functions(mem_malloc, mem_realloc, free);
	CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
	json_set_alloc_funcs(mem_malloc, free);
	share_with_sqlite();
}
