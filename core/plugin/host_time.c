#include "base/mem.h"
#include "plugin/blocking.h"
#include "plugin/host.h"

#include <stdlib.h>

struct host_timer {
	struct host_timer *next;
	struct instance *instance;
	struct loop_timer *timer;
	pm_timer_fn *fn;
	uint64_t arg;
};

static void forget(struct host_timer *timer)
{
	struct host_timer **at = &timer->instance->timers;

	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	loop_timer_free(timer->timer);
	free(timer);
}

static void fire(struct instance *i, void *arg)
{
	struct host_timer *timer = arg;
	pm_timer_fn *fn = timer->fn;
	uint64_t number = timer->arg;

	forget(timer);
	blocking_release(i);
	fn(&i->host, number);
	blocking_take(i);
}

static void on_due(void *arg)
{
	struct host_timer *timer = arg;

	instance_run(timer->instance, "a timer", fire, NULL, timer);
}

static void host_after(struct pm_host *h, uint32_t ms, pm_timer_fn *fn, uint64_t arg)
{
	struct instance *i = instance_of(h);
	struct host_timer *timer = mem_new(struct host_timer);

	timer->instance = i;
	timer->fn = fn;
	timer->arg = arg;
	timer->timer = loop_timer_new(instance_options(i)->loop, on_due, timer);
	timer->next = i->timers;
	i->timers = timer;
	loop_timer_set(timer->timer, ms);
}

void host_drop_timers(struct instance *i)
{
	while (i->timers)
		forget(i->timers);
}

static int64_t host_now(struct pm_host *h)
{
	struct world *w = instance_world(instance_of(h));

	return w->wall(w);
}

static uint64_t host_random(struct pm_host *h)
{
	return world_random64(instance_world(instance_of(h)));
}

void host_fill_time(struct pm_host *h)
{
	h->after = host_after;
	h->now = host_now;
	h->random = host_random;
}
