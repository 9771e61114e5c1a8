/* What is known of objects, in memory and as saved state: "etag version modified", each "-"
 * if there is none; "gone" for one that was looked for in vain. */
#include "watch.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* An instance may save 1 MB; some of it is for other things. */
#define MAX_BYTES (900 * 1024)

static char *state_key(const char *key)
{
	return mem_format("object/%s", key);
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 1;
}

static size_t cost(const char *key, const char *etag, const char *version, const char *modified)
{
	return strlen("object/") + strlen(key) + length(etag) + length(version) + length(modified) +
	       2;
}

static void clear(struct known *k)
{
	free(k->etag);
	free(k->version);
	free(k->modified);
	k->etag = k->version = k->modified = NULL;
	k->gone = false;
}

static void destroy(void *value)
{
	clear(value);
	free(value);
}

struct known *known_get(const struct watch *w, const char *key)
{
	return map_get(&w->known, key);
}

bool known_fits(const struct watch *w, const struct object *o)
{
	return known_get(w, o->key) ||
	       w->bytes + cost(o->key, o->etag, o->version, o->modified) <= MAX_BYTES;
}

/* The entry, empty, and not counted in `bytes`. */
static struct known *renewed(struct watch *w, const char *key)
{
	struct known *k = known_get(w, key);

	if (!k) {
		k = mem_new(struct known);
		map_put(&w->known, key, k);
		return k;
	}
	w->bytes -= cost(key, k->etag, k->version, k->modified);
	clear(k);
	return k;
}

static void count(struct watch *w, const char *key, const struct known *k)
{
	w->bytes += cost(key, k->etag, k->version, k->modified);
}

void known_set(struct pm_host *h, const struct object *o)
{
	struct watch *w = watch_of(h);
	char *name = state_key(o->key);
	char *value = mem_format("%s %s %s", o->etag ? o->etag : "-", o->version ? o->version : "-",
				 o->modified ? o->modified : "-");
	/* Copied first: `o` may hold texts of the entry itself. */
	struct known copy = {.etag = mem_text(o->etag),
			     .version = mem_text(o->version),
			     .modified = mem_text(o->modified),
			     .round = w->round};
	struct known *k = renewed(w, o->key);

	*k = copy;
	count(w, o->key, k);
	h->save(h, name, value);
	free(name);
	free(value);
}

void known_gone(struct pm_host *h, const char *key)
{
	struct watch *w = watch_of(h);
	struct known *k = renewed(w, key);
	char *name = state_key(key);

	k->gone = true;
	count(w, key, k);
	h->save(h, name, "gone");
	free(name);
}

void known_forget(struct pm_host *h, const char *key)
{
	struct watch *w = watch_of(h);
	struct known *k = known_get(w, key);
	char *name = state_key(key);

	if (k) {
		w->bytes -= cost(key, k->etag, k->version, k->modified);
		destroy(map_remove(&w->known, key));
	}
	h->save(h, name, NULL);
	free(name);
}

static char *word(const char **at)
{
	size_t len = strcspn(*at, " ");
	char *text = len == 1 && **at == '-' ? NULL : mem_slice(*at, len);

	*at += len + ((*at)[len] == ' ');
	return text;
}

static void load_one(struct pm_host *h, const char *name, const char *value)
{
	const char *key = name + strlen("object/");
	struct known *k = renewed(watch_of(h), key);

	k->gone = strcmp(value, "gone") == 0;
	if (!k->gone) {
		k->etag = word(&value);
		k->version = word(&value);
		k->modified = word(&value);
	}
	count(watch_of(h), key, k);
}

void known_load(struct pm_host *h)
{
	h->each(h, "object/", load_one);
}

void known_free(struct watch *w)
{
	map_free(&w->known, destroy);
}
