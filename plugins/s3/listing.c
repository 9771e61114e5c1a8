/* Looking at all below a prefix: a listing, then a HEAD for each object that is new in it, for
 * a listing says nothing of versions. */
#include "watch.h"

#include "awscall.h"
#include "base/mem.h"
#include "s3answer.h"
#include "xml.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_KB 4096

static void ask_page(struct pm_host *h);
static void look_at_next(struct pm_host *h);

static void drop_changed(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->changed[i]);
	free(w->changed);
	w->changed = NULL;
	w->n = w->cap = w->at = 0;
}

static bool is_current(const struct watch *w, uint64_t round)
{
	return !w->stopped && !w->paused && round == w->round;
}

/* What was known and is in no page of a whole listing is gone. */
static void sweep(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&w->known, &i));) {
		const struct known *k = e->value;
		char *key;

		if (k->round == w->round)
			continue;
		key = mem_text(e->key);
		if (watch_miss(h, key))
			known_forget(h, key);
		free(key);
		if (w->paused)
			return;
	}
}

static void finish(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	sweep(h);
	if (w->paused)
		return;
	if (!w->listed && !w->problem) {
		w->listed = true;
		h->save(h, "listed", "yes");
	}
	watch_done(h);
}

static void on_head(struct pm_host *h, const struct pm_message *m, uint64_t round)
{
	struct watch *w = watch_of(h);
	char etag[256], modified[32], *what;
	const char *key;
	struct object o;

	if (!is_current(w, round))
		return;
	key = w->changed[w->at++];
	if (m->status == 200) {
		o = watch_object(h, key, m, etag, sizeof etag, modified);
		if (!watch_take(h, &o, !w->listed))
			return;
	} else if (m->status != 404) {
		what = mem_format("HEAD s3://%s/%s", h->str(h, "bucket"), key);
		watch_failed(h, what, m);
		free(what);
	}
	look_at_next(h);
}

static void look_at_next(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	if (w->at < w->n) {
		watch_head(h, w->changed[w->at], NULL, on_head, w->round);
		return;
	}
	drop_changed(w);
	if (w->token)
		ask_page(h);
	else
		finish(h);
}

/* Listings give the time as "2009-10-12T17:50:30.000Z", HEAD only whole seconds. */
static bool same_second(const char *a, const char *b)
{
	size_t n = strlen("2009-10-12T17:50:30");

	return !a || !b || strncmp(a, b, n) == 0;
}

static void take_entry(struct pm_host *h, const struct xml *entry, bool encoded)
{
	struct watch *w = watch_of(h);
	const char *name = xml_text(entry, "Key"), *quoted = xml_text(entry, "ETag");
	char etag[256], *key;
	struct known *k;

	if (!name)
		return;
	key = encoded ? object_decoded_key(name) : mem_text(name);
	s3answer_bare(quoted ? quoted : "", etag, sizeof etag);
	k = known_get(w, key);
	if (k)
		k->round = w->round;
	if (k && !k->gone && k->etag && strcmp(k->etag, etag) == 0 &&
	    same_second(k->modified, xml_text(entry, "LastModified"))) {
		free(key);
		return;
	}
	if (!watch_room(h, &(struct object){.key = key, .etag = etag, .modified = quoted})) {
		free(key);
		return;
	}
	mem_room(w->changed, w->n, w->cap);
	w->changed[w->n++] = key;
}

static void take_page(struct pm_host *h, const struct xml *page)
{
	struct watch *w = watch_of(h);
	const char *encoding = xml_text(page, "EncodingType");
	const char *more = xml_text(page, "IsTruncated");
	const char *token = xml_text(page, "NextContinuationToken");
	const struct xml *entry = xml_child(page, "Contents");

	for (; entry; entry = xml_again(entry))
		take_entry(h, entry, encoding && strcmp(encoding, "url") == 0);
	free(w->token);
	w->token = more && strcmp(more, "true") == 0 ? mem_text(token) : NULL;
	look_at_next(h);
}

static void on_page(struct pm_host *h, const struct pm_message *m, uint64_t round)
{
	struct watch *w = watch_of(h);
	struct err why;
	struct xml *page;
	char *what;

	if (!is_current(w, round))
		return;
	page = m->status == 200 ? xml_parse(m->body, m->body_len, &why) : NULL;
	if (page) {
		take_page(h, page);
		xml_free(page);
		return;
	}
	what = mem_format("ListObjectsV2 of s3://%s/%s%s%s", h->str(h, "bucket"),
			  h->str(h, "prefix"), m->status == 200 ? ": " : "",
			  m->status == 200 ? why.text : "");
	watch_failed(h, what, m);
	free(what);
	watch_done(h);
}

static void ask_page(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	char service[128], *path = mem_format("/%s/", h->str(h, "bucket"));
	const char *query[] = {"list-type",
			       "2",
			       "encoding-type",
			       "url",
			       "prefix",
			       h->str(h, "prefix"),
			       w->token ? "continuation-token" : NULL,
			       w->token,
			       NULL};

	h->http(h,
		&PM_HTTP(.url = path, .aws = awscall_service(h, "s3", service), .query = query,
			 .max_kb = PAGE_KB),
		on_page, w->round);
	free(path);
}

static void begin(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	watch_round(h);
	drop_changed(w);
	free(w->token);
	w->token = NULL;
	ask_page(h);
}

const struct way listing_way = {.begin = begin, .resume = begin};
