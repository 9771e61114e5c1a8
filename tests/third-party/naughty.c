/* naughty - a sink that does what a plugin must not, as the event asks. */
#include <pointsman/plugin.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct pm_key keys[] = {
	{"dies-in", PM_ENUM, 0, "nothing", "nothing|create|start", "Where it kills the process."},
	{0},
};

static void segfault(void)
{
	volatile int *nowhere = NULL;

	*nowhere = 1;
}

static bool create(struct pm_host *h)
{
	if (strcmp(h->str(h, "dies-in"), "create") == 0)
		segfault();
	return true;
}

static bool start(struct pm_host *h)
{
	if (strcmp(h->str(h, "dies-in"), "start") == 0)
		segfault();
	return true;
}

/* Whatever is not stdin, stdout or stderr, and not its own either. */
static void close_all(void)
{
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
}

/* Until there is nothing left to have. */
static void leak(void)
{
	for (size_t size = 16 << 20; size > 0; size /= 2) {
		while (malloc(size))
			;
	}
}

static void finish_late(struct pm_host *h, uint64_t d)
{
	h->finish(h, d, PM_REJECT, "too late");
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	const char *mood = h->get(h, d, "data.mood");

	if (!mood)
		mood = "";
	if (strcmp(mood, "abort") == 0)
		abort();
	if (strcmp(mood, "segfault") == 0)
		segfault();
	if (strcmp(mood, "exit") == 0)
		exit(0);
	if (strcmp(mood, "close") == 0)
		close_all();
	if (strcmp(mood, "leak") == 0)
		leak();
	if (strcmp(mood, "hang") == 0) {
		for (;;)
			pause();
	}
	if (strcmp(mood, "forget") == 0)
		return;
	if (strcmp(mood, "late") == 0 && strcmp(h->get(h, d, "delivery.attempt"), "1") == 0) {
		h->after(h, 2000, finish_late, d);
		return;
	}
	if (strcmp(mood, "block") == 0)
		usleep(300000);
	h->finish(h, d, PM_OK, "");
	if (strcmp(mood, "twice") == 0)
		h->finish(h, d, PM_REJECT, "again");
}

PM_PLUGIN(.kind = PM_SINK NAUGHTY_FLAGS, .name = "naughty", .version = "1.0",
	  .summary = "Misbehave.", .keys = keys, .create = create, .start = start,
	  .deliver = deliver);
