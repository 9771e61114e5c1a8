/* slack - post each event to a Slack incoming webhook.  All of it. */
#include <pointsman/plugin.h>

static const struct pm_key keys[] = {
	{"url", PM_URL, PM_REQUIRED | PM_SECRET, NULL, NULL,
	 "Incoming-webhook address, e.g. ${env:SLACK_WEBHOOK}."},
	{"body", PM_JSON_TEMPLATE, 0, "{\"text\": \"{{ type }}: {{ data.summary }}\"}", NULL,
	 "Message sent to Slack; {{ ... }} is filled in from the event."},
	{0},
};

static void deliver(struct pm_host *h, pm_delivery d)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};

	h->finish_by_http(h, d,
			  &PM_HTTP(.url = h->str(h, "url"), .headers = headers,
				   .body = h->render(h, d, "body")));
}

PM_PLUGIN(.kind = PM_SINK, .name = "slack", .version = "1.0",
	  .summary = "Post events to a Slack channel.", .keys = keys, .deliver = deliver);
