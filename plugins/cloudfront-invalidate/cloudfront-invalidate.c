/* cloudfront-invalidate - make CloudFront forget what it keeps of a bucket. */
#include "batch.h"
#include "origin.h"

#include "awscall.h"
#include "awserror.h"
#include "base/mem.h"
#include "xml.h"

#include <pointsman/plugin.h>
#include <stdlib.h>
#include <string.h>

#define API       "/2020-05-31/distribution"
#define PAGE      "100"
#define PAGE_KB   8192
#define MAX_PAGES 100
#define AGAIN     "TooManyInvalidationsInProgress"

static const struct pm_key keys[] = {
	{"bucket", PM_STRING, 0, NULL, NULL,
	 "The bucket: every distribution that has it as an origin is found."},
	{"distribution", PM_STRING, 0, NULL, NULL, "The distribution's id, instead of `bucket`."},
	{"several", PM_ENUM, 0, "all", "all|refuse",
	 "What to do when several distributions have the bucket behind them."},
	{"paths", PM_TEMPLATE, PM_LIST, "/*", NULL,
	 "What to invalidate: paths from the root, a * at the end only."},
	{"wait", PM_BOOL, 0, "no", NULL, "Be done only when CloudFront has finished."},
	{"poll", PM_DURATION, 0, "10s", "100ms..10m", "With `wait`: how often to ask."},
	AWS_KEY_REGION("us-east-1"),
	AWS_KEY_ENDPOINT,
	{0},
};

struct work { /* one delivery */
	struct work *next;
	pm_delivery d;
	char **ids; /* distributions; when waiting "ID/INVALIDATION" */
	size_t n, cap;
	size_t at;    /* the one that is asked about */
	char *marker; /* of the next page */
	unsigned pages;
	struct buf state; /* of hold(): the invalidations made, or not finished yet */
	bool off;         /* one that matches is disabled or a staging one */
};

struct invalidator {
	struct work *all;
};

static void ask_page(struct pm_host *h, struct work *w);
static void invalidate_next(struct pm_host *h, struct work *w);
static void look_at_next(struct pm_host *h, struct work *w);

static struct work *find(struct pm_host *h, pm_delivery d)
{
	struct work *w = ((struct invalidator *)h->self)->all;

	while (w && w->d != d)
		w = w->next;
	return w;
}

static struct work *begin(struct pm_host *h, pm_delivery d)
{
	struct invalidator *self = h->self;
	struct work *w = mem_new(struct work);

	w->d = d;
	w->next = self->all;
	self->all = w;
	return w;
}

static void add_id(struct work *w, const char *id, size_t len)
{
	mem_room(w->ids, w->n, w->cap);
	w->ids[w->n++] = mem_slice(id, len);
}

static void end(struct pm_host *h, struct work *w)
{
	struct work **at = &((struct invalidator *)h->self)->all;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	for (size_t i = 0; i < w->n; i++)
		free(w->ids[i]);
	free(w->ids);
	free(w->marker);
	buf_free(&w->state);
	free(w);
}

static void finish(struct pm_host *h, struct work *w, pm_result r, const char *why)
{
	h->finish(h, w->d, r, why);
	end(h, w);
}

static void finish_as(struct pm_host *h, struct work *w, const struct pm_message *m)
{
	h->finish_as(h, w->d, m);
	end(h, w);
}

static void senseless(struct pm_host *h, struct work *w, const char *what, struct err *err)
{
	err_prefix(err, "%s: HTTP 200 or 201, but", what);
	finish(h, w, PM_RETRY, err->text);
}

static void ask(struct pm_host *h, struct work *w, struct pm_http rq, pm_done_fn *done)
{
	char service[128];

	rq.size = sizeof rq;
	rq.aws = awscall_service(h, "cloudfront", service);
	rq.delivery = w->d;
	rq.again = AGAIN;
	h->http(h, &rq, done, w->d);
}

static bool is(const struct xml *x, const char *path, const char *value)
{
	const char *text = xml_text(x, path);

	return text && strcasecmp(text, value) == 0;
}

static bool has_origin(const struct xml *distribution, const char *bucket)
{
	const struct xml *items = xml_child(xml_child(distribution, "Origins"), "Items");
	const struct xml *origin = xml_child(items, "Origin");

	for (; origin; origin = xml_again(origin)) {
		const char *host = xml_text(origin, "DomainName");

		if (host && origin_is_bucket(host, bucket))
			return true;
	}
	return false;
}

static void take_page(struct pm_host *h, struct work *w, const struct xml *list)
{
	const struct xml *d = xml_child(xml_child(list, "Items"), "DistributionSummary");

	for (; d; d = xml_again(d)) {
		const char *id = xml_text(d, "Id");

		if (!id || !has_origin(d, h->str(h, "bucket")))
			continue;
		if (is(d, "Enabled", "false") || is(d, "Staging", "true"))
			w->off = true;
		else
			add_id(w, id, strlen(id));
	}
}

static char *names(const struct work *w)
{
	struct buf all = {0};

	for (size_t i = 0; i < w->n; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", w->ids[i]);
	return buf_take(&all);
}

static void found_all(struct pm_host *h, struct work *w)
{
	const char *bucket = h->str(h, "bucket");
	char *all = names(w);
	struct err why;

	if (w->n == 0) {
		err_set(&why, "no distribution has bucket %s behind an origin%s", bucket,
			w->off ? " (but for one that is disabled or for staging)" : "");
		finish(h, w, PM_REJECT, why.text);
	} else if (w->n > 1 && h->num(h, "several") == 1) {
		err_set(&why,
			"%zu distributions have bucket %s behind them (%s): name one as "
			"`distribution`",
			w->n, bucket, all);
		finish(h, w, PM_REJECT, why.text);
	} else {
		if (w->n > 1)
			h->log(h, PM_INFO, "%zu distributions have bucket %s behind them: %s", w->n,
			       bucket, all);
		invalidate_next(h, w);
	}
	free(all);
}

static void on_page(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	struct work *w = find(h, d);
	struct err why;
	struct xml *list;
	const char *next;

	if (!w)
		return;
	if (m->status != 200) {
		finish_as(h, w, m);
		return;
	}
	err_set(&why, "the answer is no DistributionList");
	list = xml_parse(m->body, m->body_len, &why);
	if (!list || strcmp(list->name, "DistributionList") != 0) {
		xml_free(list);
		senseless(h, w, "ListDistributions", &why);
		return;
	}
	take_page(h, w, list);
	next = is(list, "IsTruncated", "true") ? xml_text(list, "NextMarker") : NULL;
	free(w->marker);
	w->marker = mem_text(next);
	if (next && *next && ++w->pages < MAX_PAGES)
		ask_page(h, w);
	else
		found_all(h, w);
	xml_free(list);
}

static void ask_page(struct pm_host *h, struct work *w)
{
	const char *query[] = {"MaxItems", PAGE, w->marker ? "Marker" : NULL, w->marker, NULL};

	ask(h, w, (struct pm_http){.url = API, .query = query, .max_kb = PAGE_KB}, on_page);
}

static void free_paths(char **paths)
{
	for (size_t i = 0; paths && paths[i]; i++)
		free(paths[i]);
	free(paths);
}

/* Filled in and encoded, NULL-terminated.  NULL: the delivery is finished. */
static char **paths_of(struct pm_host *h, struct work *w)
{
	char **paths = mem_zero((BATCH_MAX_PATHS + 1) * sizeof *paths);
	const char *template, *path;
	struct err why;

	for (uint32_t i = 0; i < BATCH_MAX_PATHS && (template = h->nth(h, "paths", i)); i++) {
		struct buf encoded = {0};

		path = h->fill(h, w->d, PM_TEMPLATE, template, NULL);
		if (path && batch_path(path, &encoded, &why)) {
			paths[i] = buf_take(&encoded);
			continue;
		}
		buf_free(&encoded);
		free_paths(paths);
		if (path)
			finish(h, w, PM_REJECT, why.text);
		else
			end(h, w);
		return NULL;
	}
	return paths;
}

static void all_made(struct pm_host *h, struct work *w)
{
	if (!h->num(h, "wait")) {
		finish(h, w, PM_OK, "");
		return;
	}
	h->hold(h, w->d, (uint32_t)h->num(h, "poll"), buf_text(&w->state));
	end(h, w);
}

static void on_made(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	struct work *w = find(h, d);
	struct err why = {"no Id in the answer"};
	struct xml *made;
	const char *id;

	if (!w)
		return;
	if (m->status != 201 && m->status != 200) {
		finish_as(h, w, m);
		return;
	}
	made = xml_parse(m->body, m->body_len, &why);
	id = xml_text(made, "Id");
	if (!id || !*id) {
		senseless(h, w, "CreateInvalidation", &why);
	} else {
		buf_printf(&w->state, "%s%s/%s", w->at ? " " : "", w->ids[w->at], id);
		w->at++;
		invalidate_next(h, w);
	}
	xml_free(made);
}

static void invalidate_next(struct pm_host *h, struct work *w)
{
	static const char *const headers[] = {"Content-Type: application/xml", NULL};
	struct buf body = {0};
	char **paths, *path;

	if (w->at == w->n) {
		all_made(h, w);
		return;
	}
	paths = paths_of(h, w);
	if (!paths)
		return;
	batch_xml(h->get(h, w->d, "delivery.key"), (const char *const *)paths, &body);
	path = mem_format(API "/%s/invalidation", w->ids[w->at]);
	ask(h, w,
	    (struct pm_http){.url = path,
			     .method = "POST",
			     .headers = headers,
			     .body = body.data,
			     .body_len = body.len},
	    on_made);
	free(path);
	buf_free(&body);
	free_paths(paths);
}

static void hold_on(struct pm_host *h, struct work *w)
{
	h->hold(h, w->d, (uint32_t)h->num(h, "poll"), buf_text(&w->state));
	end(h, w);
}

/* Made they are, so trouble in asking is no reason to make them again: keep the rest. */
static void keep_rest(struct work *w)
{
	for (; w->at < w->n; w->at++)
		buf_printf(&w->state, "%s%s", w->state.len ? " " : "", w->ids[w->at]);
}

static void on_looked(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	struct work *w = find(h, d);
	struct err why;
	struct awserror e;
	struct xml *x;

	if (!w)
		return;
	awserror_read(m, &e);
	if (m->status == 404 || m->status == 403) {
		finish_as(h, w, m);
		return;
	}
	x = m->status == 200 ? xml_parse(m->body, m->body_len, &why) : NULL;
	if (!x) {
		if (m->status != 200)
			awserror_text(&e, &why);
		h->log(h, PM_WARN, "GetInvalidation of %s: %s; asked again", w->ids[w->at],
		       why.text);
		keep_rest(w);
		hold_on(h, w);
		return;
	}
	if (!is(x, "Status", "Completed"))
		buf_printf(&w->state, "%s%s", w->state.len ? " " : "", w->ids[w->at]);
	w->at++;
	look_at_next(h, w);
	xml_free(x);
}

static void look_at_next(struct pm_host *h, struct work *w)
{
	const char *slash;
	char *path;

	if (w->at == w->n && w->state.len) {
		hold_on(h, w);
		return;
	}
	if (w->at == w->n) {
		finish(h, w, PM_OK, "");
		return;
	}
	slash = strchr(w->ids[w->at], '/');
	path = mem_format(API "/%.*s/invalidation%s", (int)(slash - w->ids[w->at]), w->ids[w->at],
			  slash);
	ask(h, w, (struct pm_http){.url = path}, on_looked);
	free(path);
}

static void wait_for(struct pm_host *h, struct work *w, const char *held)
{
	while (*held) {
		size_t len = strcspn(held, " ");

		if (memchr(held, '/', len))
			add_id(w, held, len);
		held += len + strspn(held + len, " ");
	}
	look_at_next(h, w);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	struct work *w = begin(h, d);
	const char *held = h->get(h, d, "delivery.held");
	const char *distribution = h->str(h, "distribution");

	if (held) {
		wait_for(h, w, held);
	} else if (*distribution) {
		add_id(w, distribution, strlen(distribution));
		invalidate_next(h, w);
	} else {
		ask_page(h, w);
	}
}

static bool check_paths(struct pm_host *h)
{
	const char *path;
	struct err why = {"none is given"};
	uint32_t n = 0;
	bool ok = true;

	for (; ok && (path = h->nth(h, "paths", n)); n++) {
		struct buf unused = {0};

		/* What templates make is judged when it is made. */
		ok = strstr(path, "{{") || batch_path(path, &unused, &why);
		buf_free(&unused);
	}
	if (n > BATCH_MAX_PATHS)
		err_set(&why, "%u are too many, CloudFront takes %d", n, BATCH_MAX_PATHS);
	ok = ok && n && n <= BATCH_MAX_PATHS;
	if (!ok)
		h->log(h, PM_ERROR, "paths: %s", why.text);
	return ok;
}

static bool check(struct pm_host *h)
{
	bool bucket = *h->str(h, "bucket"), distribution = *h->str(h, "distribution");

	if (bucket == distribution)
		h->log(h, PM_ERROR, "give either `bucket` or `distribution`");
	return check_paths(h) && bucket != distribution;
}

static bool create(struct pm_host *h)
{
	h->self = mem_new(struct invalidator);
	return true;
}

static void destroy(struct pm_host *h)
{
	struct invalidator *self = h->self;

	while (self->all)
		end(h, self->all);
	free(self);
}

PM_PLUGIN(.kind = PM_SINK, .name = "cloudfront-invalidate", .version = "1.0",
	  .summary = "Invalidate what CloudFront keeps of a bucket.", .keys = keys, .check = check,
	  .create = create, .deliver = deliver, .destroy = destroy);
