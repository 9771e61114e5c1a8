/* s3 - objects of a bucket that changed, by looking or by being told. */
#include "watch.h"

#include "awscall.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"bucket", PM_STRING, 0, NULL, NULL,
	 "The bucket; with `queue`: only notifications of this one."},
	{"keys", PM_STRING, PM_LIST, NULL, NULL,
	 "The objects to look at; with neither this nor `prefix`: all in the bucket."},
	{"prefix", PM_STRING, 0, NULL, NULL, "Look at all objects whose key begins so."},
	{"queue", PM_STRING, 0, NULL, NULL,
	 "URL of an SQS queue that gets the bucket's notifications: be told instead of looking."},
	{"poll", PM_DURATION, 0, "15s", "100ms..1d", "How often to look."},
	AWS_KEY_REGION(""),
	AWS_KEY_ENDPOINT,
	{0},
};

static const struct pm_type types[] = {
	{"s3.object.changed", "bucket/key",
	 "bucket key ?etag ?version-id ?size:number ?modified first:bool",
	 "The object is new or has new content; `first`: it was there when first looked at."},
	{"s3.object.removed", "bucket/key", "bucket key ?etag ?version-id",
	 "The object is not there any more."},
	{"s3.message.unreadable", "none", "queue reason ?message ?body",
	 "A message that is no notification; kept as a dead letter, never routed."},
	{0},
};

static const struct way *way_of(struct pm_host *h)
{
	if (*h->str(h, "queue"))
		return &queue_way;
	return h->nth(h, "keys", 0) ? &keys_way : &listing_way;
}

static bool check(struct pm_host *h)
{
	bool bucket = *h->str(h, "bucket"), queue = *h->str(h, "queue");

	if (!bucket && !queue) {
		h->log(h, PM_ERROR, "give `bucket`, or a `queue` that is told of one");
		return false;
	}
	if (!queue && h->nth(h, "keys", 0) && *h->str(h, "prefix")) {
		h->log(h, PM_ERROR, "give either `keys` or `prefix`");
		return false;
	}
	return true;
}

static bool create(struct pm_host *h)
{
	struct watch *w = mem_new(struct watch);

	h->self = w;
	w->way = way_of(h);
	return true;
}

/* Saved state is of one bucket and prefix; of another it would tell of removals. */
static char *scope_of(struct pm_host *h)
{
	return mem_format("%s %s/%s", watch_of(h)->way == &listing_way ? "all" : "keys",
			  h->str(h, "bucket"), h->str(h, "prefix"));
}

static void forget_unwanted(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&w->known, &i));) {
		char *key = mem_text(e->key);

		if (!watch_wants(h, h->str(h, "bucket"), key))
			known_forget(h, key);
		free(key);
	}
}

static void forget_all(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&w->known, &i));) {
		char *key = mem_text(e->key);

		known_forget(h, key);
		free(key);
	}
	h->save(h, "listed", NULL);
}

static void load_state(struct pm_host *h)
{
	struct watch *w = watch_of(h);
	char *scope = scope_of(h);
	const char *saved = h->load(h, "watching");
	bool same = saved && strcmp(saved, scope) == 0;

	known_load(h);
	if (saved && !same)
		forget_all(h);
	if (!same)
		h->save(h, "watching", scope);
	forget_unwanted(h);
	w->listed = same && h->load(h, "listed");
	free(scope);
}

static bool start(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	if (w->way == &queue_way)
		queue_load(h);
	else
		load_state(h);
	w->way->begin(h);
	return true;
}

static void resume(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	if (w->stopped || !w->paused)
		return;
	w->paused = false;
	w->way->resume(h);
}

static void stop(struct pm_host *h)
{
	watch_of(h)->stopped = true;
}

static void destroy(struct pm_host *h)
{
	struct watch *w = watch_of(h);

	known_free(w);
	queue_free(w);
	for (size_t i = 0; i < w->n; i++)
		free(w->changed[i]);
	free(w->changed);
	free(w->token);
	free(w->problem);
	free(w->last);
	free(w);
}

PM_PLUGIN(.kind = PM_SOURCE, .name = "s3", .version = "1.0",
	  .summary = "Tell of objects in an S3 bucket that changed.", .keys = keys, .types = types,
	  .check = check, .create = create, .start = start, .resume = resume, .stop = stop,
	  .destroy = destroy);
