/* longjob - start a job, follow it to its end, survive a restart. */
#include <pointsman/plugin.h>

#include <string.h>

static const struct pm_key keys[] = {
	{"url", PM_URL, PM_REQUIRED, NULL, NULL, "POST starts a job, GET url/ID tells of it."},
	{"body", PM_JSON_TEMPLATE, 0, "{\"ref\": \"{{ data.after }}\"}", NULL, "What is posted."},
	{"poll", PM_DURATION, 0, "10s", "1s..10m", "How often to look."},
	{0},
};

static const struct pm_type types[] = {
	{"job.succeeded", "the job", "job", "It ended well."},
	{"job.failed", "the job", "job", "It ended badly."},
	{0},
};

static void looked(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	const char *state = m->status == 200 ? h->find(h, m->body, m->body_len, "status") : NULL;

	if (!state) {
		h->finish_as(h, d, m);
	} else if (strcmp(state, "ok") == 0 || strcmp(state, "failed") == 0) {
		h->emit(h,
			&PM_EMIT(.type = *state == 'o' ? "job.succeeded" : "job.failed", .cause = d,
				 .json = h->fill(h, d, PM_JSON_TEMPLATE,
						 "{\"job\": \"{{ delivery.held }}\"}", NULL)));
		h->finish(h, d, PM_OK, "");
	} else {
		h->hold(h, d, (uint32_t)h->num(h, "poll"), h->get(h, d, "delivery.held"));
	}
}

static void started(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	const char *job = m->status == 201 ? h->find(h, m->body, m->body_len, "id") : NULL;

	if (job)
		h->hold(h, d, (uint32_t)h->num(h, "poll"), job);
	else
		h->finish_as(h, d, m);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};

	if (h->get(h, d, "delivery.held"))
		h->http(h,
			&PM_HTTP(.url = h->fill(h, d, PM_URL,
						"{{ config.url }}/{{ delivery.held }}", NULL),
				 .delivery = d),
			looked, d);
	else
		h->http(h,
			&PM_HTTP(.url = h->str(h, "url"), .headers = headers, .delivery = d,
				 .body = h->render(h, d, "body")),
			started, d);
}

PM_PLUGIN(.kind = PM_ACTION, .name = "longjob", .version = "1.0",
	  .summary = "Start a job and follow it.", .keys = keys, .types = types,
	  .deliver = deliver);
