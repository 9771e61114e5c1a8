#include "aws/errand.h"

#include "base/mem.h"

#include <stdlib.h>

struct errand {
	struct http_client *client;
	uint64_t number;
	http_done_fn *done; /* NULL: dropped */
	void *arg;
};

static void on_answer(const struct http_answer *answer, void *arg)
{
	struct errand *e = arg;
	http_done_fn *done = e->done;

	arg = e->arg;
	free(e);
	if (done)
		done(answer, arg);
}

struct errand *errand_send(struct http_client *client, const struct http_request *rq,
			   http_done_fn *done, void *arg)
{
	struct errand *e = mem_new(struct errand);

	*e = (struct errand){.client = client, .done = done, .arg = arg};
	e->number = client->send(client, rq, on_answer, e);
	return e;
}

void errand_drop(struct errand *e)
{
	if (!e)
		return;
	e->done = NULL;
	e->client->cancel(e->client, e->number);
}
