/* sample - plugins for test_loader.c; which one, says the macro. */
#if defined SAMPLE_MINOR
#define PM_ABI_MINOR 7
#endif
#include <pointsman/plugin.h>

#if defined SAMPLE_NOTHING

PM_EXPORT extern const int sample_nothing;
const int sample_nothing = 1;

#elif defined SAMPLE_MAJOR

PM_EXPORT extern const int pointsman_plugin_v2;
const int pointsman_plugin_v2 = 2;

#else

#if defined SAMPLE_UNDEFINED
extern int sample_of_nobody(void);
#endif

static void deliver(struct pm_host *h, pm_delivery d)
{
#if defined SAMPLE_UNDEFINED
	if (sample_of_nobody())
		return;
#endif
	h->finish(h, d, PM_OK, "");
}

#if defined SAMPLE_TABLE
#define NAME "table"
static const struct pm_key keys[] = {{"retry", PM_INT, 0, 0, 0, "Belongs to the host."}, {0}};
#else
#define NAME "good"
static const struct pm_key keys[] = {{"url", PM_URL, 0, 0, 0, "An address."}, {0}};
#endif

PM_PLUGIN(.kind = PM_SINK, .name = NAME, .version = "1.0", .summary = "A sample.", .keys = keys,
	  .deliver = deliver);

#endif
