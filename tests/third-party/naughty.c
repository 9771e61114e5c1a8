/* naughty - a sink that does what a plugin must not, as the event asks. */
#include <pointsman/plugin.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct pm_key keys[] = {{0}};

static void deliver(struct pm_host *h, pm_delivery d)
{
	const char *mood = h->get(h, d, "data.mood");

	if (!mood)
		mood = "";
	if (strcmp(mood, "kill") == 0)
		abort();
	if (strcmp(mood, "forget") == 0)
		return;
	if (strcmp(mood, "block") == 0)
		usleep(300000);
	h->finish(h, d, PM_OK, "");
	if (strcmp(mood, "twice") == 0)
		h->finish(h, d, PM_REJECT, "again");
}

PM_PLUGIN(.kind = PM_SINK NAUGHTY_FLAGS, .name = "naughty", .version = "1.0",
	  .summary = "Misbehave.", .keys = keys, .deliver = deliver);
