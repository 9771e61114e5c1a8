#include "posted.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX  "message/"
#define KEPT_MS (7 * 24 * 3600 * INT64_C(1000))

/* What a walk over the saved messages finds; the host's each() passes nothing through. */
struct oldest {
	size_t count;
	int64_t at;
	char *key;
};

static char *state_key(const char *about)
{
	return mem_format(PREFIX "%s", about);
}

static bool read_posted(const char *value, struct posted *p)
{
	return value && sscanf(value, "%63s %63s", p->channel, p->ts) == 2;
}

bool posted_find(struct pm_host *h, const char *about, struct posted *p)
{
	char *key = state_key(about);
	bool found = read_posted(h->load(h, key), p);

	free(key);
	return found;
}

void posted_forget(struct pm_host *h, const char *about)
{
	char *key = state_key(about);

	h->save(h, key, NULL);
	free(key);
}

/* A message's ts is the time it was posted, in seconds. */
static void look(struct pm_host *h, const char *key, const char *value)
{
	struct oldest *o = h->self;
	struct posted p = {{0}, {0}};
	int64_t at = read_posted(value, &p) ? strtoll(p.ts, NULL, 10) * 1000 : 0;

	if (at < h->now(h) - KEPT_MS) {
		h->save(h, key, NULL);
		return;
	}
	o->count++;
	if (!o->key || at < o->at) {
		free(o->key);
		o->key = mem_text(key);
		o->at = at;
	}
}

static void make_room(struct pm_host *h)
{
	struct oldest o = {0};

	h->self = &o;
	h->each(h, PREFIX, look);
	h->self = NULL;
	if (o.count >= POSTED_MOST)
		h->save(h, o.key, NULL);
	free(o.key);
}

void posted_keep(struct pm_host *h, const char *about, const struct posted *p)
{
	char *key = state_key(about), *value = mem_format("%s %s", p->channel, p->ts);

	make_room(h);
	h->save(h, key, value);
	free(value);
	free(key);
}
