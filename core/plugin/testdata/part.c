/* part - plugins for test_check.c; which one, says the macro. */
#include <pointsman/plugin.h>

#if defined PART_SOURCE
#define KIND PM_SOURCE
#define NAME "source"

static const struct pm_key keys[] = {
	{"table", PM_STRING, 0, 0, 0, "A table."},
	{"stream", PM_STRING, 0, 0, 0, "A stream."},
	{0},
};

static const struct pm_type types[] = {
	{"item.added", "the key", "new:object", "New."},
	{"item.changed", "the key", "new:object old:object", "Changed."},
	{"item.removed", "the key", "old:object", "Gone."},
	{"repo.push", "the ref", "ref after ?note", "A push."},
	{"web.*", "none", "*", "Anything."},
	{0},
};

static bool check(struct pm_host *h)
{
	if (*h->str(h, "table") && *h->str(h, "stream")) {
		h->log(h, PM_ERROR, "stream: not together with `table`");
		return false;
	}
	if (h->num(h, "timeout") > 60000)
		h->log(h, PM_WARN, "a minute is enough");
	return *h->str(h, "table") != 'x';
}

#elif defined PART_ACTION
#define KIND PM_ACTION
#define NAME "action"

static const struct pm_key keys[] = {
	{"text", PM_TEMPLATE, 0, 0, 0, "A text."},
	{0},
};

static const struct pm_type types[] = {
	{"job.done", "the job", "job seconds:number ?version", "It ended well."},
	{"job.failed", "the job", "job reason", "It ended badly."},
	{0},
};

#else

#if defined PART_SECRETS
#define KIND PM_SECRETS
#define NAME "secrets"
#elif defined PART_NEEDY
#define KIND  PM_SINK
#define NAME  "needy"
#define NEEDS "data.new data.old"
#else
#define KIND PM_SINK
#define NAME "sink"
#endif

static const struct pm_key keys[] = {
	{"text", PM_TEMPLATE, 0, 0, 0, "A text."},
	{"json", PM_JSON_TEMPLATE, 0, 0, 0, "A JSON text."},
	{"token", PM_STRING, PM_SECRET, 0, 0, "A secret."},
#if defined PART_NEEDY
	{"summary", PM_TEMPLATE, 0, "{{ data.summary }}", 0, "A text."},
#endif
	{0},
};

#endif

#ifndef NEEDS
#define NEEDS 0
#endif

#if defined PART_SOURCE
#define ROLE .types = types, .check = check
#elif defined PART_SECRETS
static void resolve(struct pm_host *h, uint64_t ask, const char *name)
{
	h->resolved(h, ask, name, 0, "");
}
#define ROLE .resolve = resolve
#else
static void deliver(struct pm_host *h, pm_delivery d)
{
	h->finish(h, d, PM_OK, "");
}
#if defined PART_ACTION
#define ROLE .types = types, .deliver = deliver
#else
#define ROLE .deliver = deliver
#endif
#endif

PM_PLUGIN(.kind = KIND, .name = NAME, .version = "1.0", .summary = "For tests.", .keys = keys,
	  .needs = NEEDS, ROLE);
