/* What the ways of looking have in common. */
#include "watch.h"

#include "awscall.h"
#include "awserror.h"
#include "base/mem.h"
#include "base/units.h"
#include "s3answer.h"

#include <stdlib.h>
#include <string.h>

void watch_round(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	free(w->problem);
	w->problem = NULL;
	w->round++;
	w->waiting = 0;
}

void watch_failed(struct pm_host *h, const char *what, const struct pm_message *m)
{
	struct watch *w = watch_of(h);
	struct err why;

	awserror_why(m, what, &why);
	if (m->status == 403)
		err_set(&why,
			"%s: 403: not allowed; it takes s3:GetObject, and s3:ListBucket to tell "
			"\"absent\" from \"not allowed\"",
			what);
	if (!w->problem)
		w->problem = mem_text(why.text);
}

static void on_poll(struct pm_host *h, uint64_t round)
{
	struct watch *w = watch_of(h);

	if (!w->stopped && !w->paused && round == w->round)
		w->way->begin(h);
}

void watch_done(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	if (w->problem && (!w->last || strcmp(w->problem, w->last) != 0))
		h->log(h, PM_WARN, "%s; looked at again", w->problem);
	h->alive(h, w->problem);
	free(w->last);
	w->last = w->problem;
	w->problem = NULL;
	h->after(h, (uint32_t)h->num(h, "poll"), on_poll, w->round);
}

static bool in_keys(struct pm_host *h, const char *key)
{
	const char *one;
	uint32_t i;

	for (i = 0; (one = h->nth(h, "keys", i)); i++) {
		if (strcmp(one, key) == 0)
			return true;
	}
	return i == 0;
}

bool watch_wants(struct pm_host *h, const char *bucket, const char *key)
{
	const char *ours = h->str(h, "bucket"), *prefix = h->str(h, "prefix");

	return (!*ours || strcmp(ours, bucket) == 0) && in_keys(h, key) &&
	       strncmp(prefix, key, strlen(prefix)) == 0;
}

void watch_head(struct pm_host *h, const char *key, const char *etag, pm_done_fn *done,
		uint64_t arg)
{
	char service[128], *path = mem_format("/%s/%s", h->str(h, "bucket"), key);
	char *condition = etag ? mem_format("If-None-Match: \"%s\"", etag) : NULL;
	const char *headers[] = {condition, NULL};

	h->http(h,
		&PM_HTTP(.url = path, .aws = awscall_service(h, "s3", service), .method = "HEAD",
			 .headers = headers),
		done, arg);
	free(condition);
	free(path);
}

struct object watch_object(struct pm_host *h, const char *key, const struct pm_message *m,
			   char *etag, size_t size, char modified[32])
{
	struct object o = {.bucket = h->str(h, "bucket"), .key = key, .size = -1};
	const char *length = m->header(m, "Content-Length");

	o.etag = s3answer_etag(m, etag, size);
	o.version = s3answer_version(m);
	o.modified = object_http_time(m->header(m, "Last-Modified"), modified);
	if (m->status == 200 && (!length || !units_integer(length, &o.size)))
		o.size = -1;
	return o;
}

bool watch_room(struct pm_host *h, const struct object *o)
{
	struct watch *w = watch_of(h);
	bool fits = known_fits(w, o);

	if (!fits && !w->problem)
		w->problem = mem_format("there are more objects in s3://%s/%s than can be "
					"remembered; watch fewer, or use `queue`",
					h->str(h, "bucket"), h->str(h, "prefix"));
	return fits;
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool watch_take(struct pm_host *h, const struct object *o, bool first)
{
	struct watch *w = watch_of(h);
	const struct known *k = known_get(w, o->key);

	if (k && !k->gone && same(k->etag, o->etag) && same(k->version, o->version)) {
		if (!same(k->modified, o->modified)) /* the same content, written again */
			known_set(h, o);
		return true;
	}
	if (!watch_room(h, o))
		return true;
	if (object_changed(h, o, first) == PM_RETRY) {
		w->paused = true;
		return false;
	}
	known_set(h, o);
	return true;
}

bool watch_miss(struct pm_host *h, const char *key)
{
	struct watch *w = watch_of(h);
	const struct known *k = known_get(w, key);
	struct object o = {.bucket = h->str(h, "bucket"), .key = key, .size = -1};

	if (!k || k->gone)
		return true;
	o.etag = k->etag;
	o.version = k->version;
	o.modified = k->modified;
	if (object_removed(h, &o) == PM_RETRY) {
		w->paused = true;
		return false;
	}
	return true;
}
