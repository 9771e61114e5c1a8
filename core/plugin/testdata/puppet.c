/* puppet - plugins whose functions the tests of the host bring; which one, says the macro. */
#define PM_ABI_MINOR 1
#include <pointsman/plugin.h>

#if defined PUPPET_SOURCE
#define KIND PM_SOURCE
#define NAME "puppet-source"
#elif defined PUPPET_ACTION
#define KIND PM_ACTION
#define NAME "puppet-action"
#elif defined PUPPET_SINK
#define KIND PM_SINK
#define NAME "puppet-sink"
#elif defined PUPPET_SECRETS
#define KIND PM_SECRETS
#define NAME "puppet-secrets"
#elif defined PUPPET_BLOCKING
#define KIND (PM_ACTION | PM_BLOCKING)
#define NAME "puppet-blocking"
#endif

/* Its functions are those that are called; the rest of it is not looked at. */
PM_EXPORT extern struct pm_plugin puppet;
struct pm_plugin puppet;

static const struct pm_key keys[] = {
	{"text", PM_TEMPLATE, 0, "{{ data.n }}", 0, "A text."},
	{"token", PM_STRING, PM_SECRET, 0, 0, "A secret."},
	{0},
};

static bool create(struct pm_host *h)
{
	return !puppet.create || puppet.create(h);
}

static bool start(struct pm_host *h)
{
	return !puppet.start || puppet.start(h);
}

static void stop(struct pm_host *h)
{
	if (puppet.stop)
		puppet.stop(h);
}

static void destroy(struct pm_host *h)
{
	if (puppet.destroy)
		puppet.destroy(h);
}

#if defined PUPPET_SECRETS
static void resolve(struct pm_host *h, uint64_t ask, const char *name)
{
	if (puppet.resolve)
		puppet.resolve(h, ask, name);
}
#define ROLE .resolve = resolve
#endif

#if defined PUPPET_SOURCE || defined PUPPET_ACTION || defined PUPPET_BLOCKING
static const struct pm_type types[] = {
	{"item.added", "the item", "*", "Something is there."},
	{"item.done", "the item", "*", "Something was done."},
	{0},
};
#endif

#if defined PUPPET_SOURCE
static void resume(struct pm_host *h)
{
	if (puppet.resume)
		puppet.resume(h);
}
#define ROLE .types = types, .resume = resume
#endif

#if defined PUPPET_ACTION || defined PUPPET_SINK || defined PUPPET_BLOCKING
static void deliver(struct pm_host *h, pm_delivery d)
{
	if (puppet.deliver)
		puppet.deliver(h, d);
	else
		h->finish(h, d, PM_OK, "");
}

static void deliver_many(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	if (puppet.deliver_many)
		puppet.deliver_many(h, d, n);
	else
		for (uint32_t i = 0; i < n; i++)
			deliver(h, d[i]);
}

static void cancel(struct pm_host *h, pm_delivery d)
{
	if (puppet.cancel)
		puppet.cancel(h, d);
}
#if defined PUPPET_SINK
#define ROLE .deliver = deliver, .cancel = cancel, .deliver_many = deliver_many
#else
#define ROLE .types = types, .deliver = deliver, .cancel = cancel, .deliver_many = deliver_many
#endif
#endif

PM_PLUGIN(.kind = KIND, .name = NAME, .version = "1.0", .summary = "For tests.", .keys = keys,
	  .create = create, .start = start, .stop = stop, .destroy = destroy, ROLE);
