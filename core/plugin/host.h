/*
 * host - the functions of struct pm_host.
 *
 * host_fill() wires an instance's table; each function is documented in
 * include/pointsman/plugin.h.  The rest of this header is what the parts of the host and
 * the instance owe each other.
 */
#ifndef POINTSMAN_PLUGIN_HOST_H
#define POINTSMAN_PLUGIN_HOST_H

#include "plugin/instance.h"

void host_fill(struct instance *i);

/* host_text.c: configuration, event, templates */
void host_fill_text(struct pm_host *h);
/* host_duty.c: finish, hold, emit, state, alive, log, count */
void host_fill_duty(struct pm_host *h);
/* host_http.c: http, finish_by_http, finish_as, finish_many_by_http */
void host_fill_http(struct pm_host *h);
/* host_listen.c: listen, reply, hmac */
void host_fill_listen(struct pm_host *h);
/* host_time.c: after, now, random */
void host_fill_time(struct pm_host *h);
/* blocking.c: the same functions, for calls from a thread of the instance's own */
void host_fill_blocking(struct pm_host *h);

static inline struct instance *instance_of(struct pm_host *h)
{
	return (struct instance *)(void *)h; /* `host` is its first member */
}

/* Finish with what an answer means; nothing if the number is stale. */
void host_end(struct instance *i, pm_delivery d, const struct ending *ending);
/* Finish all of one request with what its answer means. */
void host_end_many(struct instance *i, const pm_delivery *d, size_t n, const struct ending *ending);
/* The host's own count() and log() of an error: those of the plugin's table are for calls
 * from outside, which a blocking plugin's thread makes without the loop. */
void host_count_up(struct instance *i, const char *metric, int64_t by);
void host_trouble(struct instance *i, const char *text);
void host_unlisten(struct instance *i);
void host_drop_timers(struct instance *i);

#endif
