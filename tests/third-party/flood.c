/* flood - a source that emits without end or measure, most of it unfit. */
#include <pointsman/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 50
#define LARGE   (1040 * 1024)
#define DEEP    200

static const struct pm_key keys[] = {
	{"events", PM_INT, 0, "100", "1..", "How many."},
	{"sort", PM_ENUM, 0, "good", "good|utf8|large|deep|json|type|time|all", "Of what sort."},
	{"at-once", PM_BOOL, 0, "no", NULL, "All in one call."},
	{0},
};

static const struct pm_type types[] = {
	{"order.placed", "the customer", "number:number", "A drop of it."},
	{0},
};

struct flood {
	long long next;
	char *large, *deep;
};

static bool create(struct pm_host *h)
{
	struct flood *f = calloc(1, sizeof *f);

	f->large = malloc(LARGE + 16);
	sprintf(f->large, "{\"x\":\"%*s\"}", LARGE, "");
	f->deep = malloc(2 * DEEP + 16);
	strcpy(f->deep, "{\"x\":");
	memset(f->deep + 5, '[', DEEP);
	memset(f->deep + 5 + DEEP, ']', DEEP);
	strcpy(f->deep + 5 + 2 * DEEP, "}");
	h->self = f;
	return true;
}

static void destroy(struct pm_host *h)
{
	struct flood *f = h->self;

	free(f->large);
	free(f->deep);
	free(f);
}

static pm_result emit(struct pm_host *h, long long n)
{
	static const char *const sorts[] = {"good", "utf8", "large", "deep",
					    "json", "type", "time"};
	struct flood *f = h->self;
	const char *sort = h->str(h, "sort");
	char id[32], json[64];
	struct pm_emit e = PM_EMIT(.type = "order.placed", .id = id, .json = json);

	if (strcmp(sort, "all") == 0)
		sort = sorts[n % 7];
	sprintf(id, "f%lld", n);
	sprintf(json, "{\"number\":%lld}", n);
	if (strcmp(sort, "utf8") == 0)
		sprintf(json, "{\"number\":\"%lld\xff\"}", n);
	else if (strcmp(sort, "large") == 0)
		e.json = f->large;
	else if (strcmp(sort, "deep") == 0)
		e.json = f->deep;
	else if (strcmp(sort, "json") == 0)
		sprintf(json, "%lld, and no object", n);
	else if (strcmp(sort, "type") == 0)
		e.type = "order.unheard-of";
	else if (strcmp(sort, "time") == 0)
		e.time = "yesterday";
	return h->emit(h, &e);
}

static void pour(struct pm_host *h, uint64_t arg)
{
	struct flood *f = h->self;
	long long end = h->num(h, "events");
	bool all = h->num(h, "at-once");

	(void)arg;
	for (int i = 0; f->next < end && (all || i < AT_ONCE); i++) {
		if (emit(h, f->next) == PM_RETRY)
			return;
		f->next++;
	}
	h->count(h, "poured", 1);
	if (f->next < end)
		h->after(h, 1, pour, 0);
}

static bool start(struct pm_host *h)
{
	h->after(h, 1, pour, 0);
	return true;
}

static void resume(struct pm_host *h)
{
	pour(h, 0);
}

PM_PLUGIN(.kind = PM_SOURCE, .name = "flood", .version = "1.0", .summary = "Emit too much.",
	  .keys = keys, .types = types, .create = create, .start = start, .resume = resume,
	  .destroy = destroy);
