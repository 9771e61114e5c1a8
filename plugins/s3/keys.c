/* Looking at named objects: one conditional HEAD each. */
#include "watch.h"

#include "base/mem.h"
#include "s3answer.h"

#include <stdlib.h>
#include <string.h>

static uint64_t ticket(const struct watch *w, uint32_t i)
{
	return w->round << 32 | i;
}

/* A 304 has the same entity tag, and may say that it is another version all the same. */
static void not_modified(struct pm_host *h, const char *key, const struct pm_message *m)
{
	const struct known *k = known_get(watch_of(h), key);
	const char *version = s3answer_version(m);
	char modified[32];
	struct object o = {
		.bucket = h->str(h, "bucket"), .key = key, .version = version, .size = -1};

	if (!k || k->gone || !version || (k->version && strcmp(k->version, version) == 0))
		return;
	o.etag = k->etag;
	o.modified = object_http_time(m->header(m, "Last-Modified"), modified);
	watch_take(h, &o, false);
}

static void looked(struct pm_host *h, const char *key, const struct pm_message *m)
{
	struct watch *w = watch_of(h);
	char etag[256], modified[32], *what;
	struct object o;

	if (m->status == 200) {
		o = watch_object(h, key, m, etag, sizeof etag, modified);
		watch_take(h, &o, !known_get(w, key));
	} else if (m->status == 304) {
		not_modified(h, key, m);
	} else if (m->status == 404) {
		if (watch_miss(h, key) && (!known_get(w, key) || !known_get(w, key)->gone))
			known_gone(h, key);
	} else {
		what = mem_format("HEAD s3://%s/%s", h->str(h, "bucket"), key);
		watch_failed(h, what, m);
		free(what);
	}
}

static void on_head(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct watch *w = watch_of(h);
	const char *key = h->nth(h, "keys", (uint32_t)arg);

	if (w->stopped || w->paused || arg >> 32 != w->round)
		return;
	if (key)
		looked(h, key, m);
	if (!w->paused && --w->waiting == 0)
		watch_done(h);
}

static void begin(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	const char *key;

	watch_round(h);
	for (uint32_t i = 0; (key = h->nth(h, "keys", i)); i++) {
		const struct known *k = known_get(w, key);

		w->waiting++;
		watch_head(h, key, k ? k->etag : NULL, on_head, ticket(w, i));
	}
}

const struct way keys_way = {.begin = begin, .resume = begin};
