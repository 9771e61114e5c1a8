// relay - post each event to an address, in C++.
#include <pointsman/plugin.h>

#include <string>

namespace {

const pm_key keys[] = {
	{"url", PM_URL, PM_REQUIRED, nullptr, nullptr, "Where to."},
	{nullptr, 0, 0, nullptr, nullptr, nullptr},
};

void deliver(pm_host *h, pm_delivery d)
{
	const std::string body = h->get(h, d, "event");
	const char *const headers[] = {"Content-Type: application/cloudevents+json", nullptr};
	const pm_http rq = PM_HTTP(.url = h->str(h, "url"), .headers = headers, .body = body.c_str(),
	                           .body_len = body.size(), .delivery = d);

	h->finish_by_http(h, d, &rq);
}

} // namespace

PM_PLUGIN(.kind = PM_SINK, .name = "relay", .version = "1.0",
          .summary = "Post events, from C++.", .keys = keys, .deliver = deliver);
