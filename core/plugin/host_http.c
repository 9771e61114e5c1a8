/* Asking others: what leaves goes through outgoing.h. */
#include "plugin/host.h"
#include "plugin/outgoing.h"

#include <string.h>

static void host_http(struct pm_host *h, const struct pm_http *rq, pm_done_fn *done, uint64_t arg)
{
	outgoing_request(instance_of(h), rq, done, arg);
}

static void host_finish_by_http(struct pm_host *h, pm_delivery d, const struct pm_http *rq)
{
	struct instance *i = instance_of(h);
	struct pm_http copy = {0};

	/* render() may just have ended it: then there is nothing to send for. */
	if (!engine_find(instance_options(i)->engine, d))
		return;
	memcpy(&copy, rq, rq->size < sizeof copy ? rq->size : sizeof copy);
	copy.size = sizeof copy;
	copy.delivery = d;
	outgoing_request(i, &copy, NULL, 0);
}

static void host_finish_many_by_http(struct pm_host *h, const pm_delivery *d, uint32_t n,
				     const struct pm_http *rq)
{
	struct pm_http copy = {0};

	memcpy(&copy, rq, rq->size < sizeof copy ? rq->size : sizeof copy);
	copy.size = sizeof copy;
	copy.delivery = 0;
	outgoing_for_many(instance_of(h), &copy, d, n);
}

static void host_finish_as(struct pm_host *h, pm_delivery d, const struct pm_message *m)
{
	const struct answer_message *message = (const struct answer_message *)(const void *)m;
	struct instance *i = instance_of(h);
	struct world *w = instance_world(i);
	struct ending ending = answer_read(message->answer, message->asked, w->wall(w));

	host_end(i, d, &ending);
}

void host_fill_http(struct pm_host *h)
{
	h->http = host_http;
	h->finish_by_http = host_finish_by_http;
	h->finish_as = host_finish_as;
	h->finish_many_by_http = host_finish_many_by_http;
}
