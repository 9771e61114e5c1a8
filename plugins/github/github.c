/* github - a repository's events: by webhook, and from the API what a lost webhook would have
 * said. */
#include "github.h"

#include "base/mem.h"
#include "webhook.h"

#include <stdlib.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"repository", PM_STRING, 0, NULL, NULL,
	 "owner/name.  Without it the webhook may be an organization's: all that is sent counts."},
	{"branches", PM_STRING, PM_LIST, NULL, NULL,
	 "The branches whose pushes count, * standing for any run: main, release/*.  Without "
	 "`branches` and `tags`: all refs."},
	{"tags", PM_STRING, PM_LIST, NULL, NULL, "The tags that count, likewise."},
	{"secret", PM_STRING, PM_SECRET | PM_LIST, NULL, NULL,
	 "The webhook's secret; of several, any will do.  Without it there is no webhook."},
	{"path", PM_STRING, 0, NULL, NULL,
	 "Where the webhook is sent to; else / and the section's name."},
	{"sweep", PM_DURATION, 0, "0", NULL,
	 "How often the API is asked for what a lost webhook would have said; 0: never."},
	{"token", PM_STRING, PM_SECRET, NULL, NULL,
	 "For the API; public repositories can be asked without, 60 times an hour."},
	{"api", PM_URL, 0, "https://api.github.com", NULL, "Address of the API."},
	{0},
};

static const struct pm_type types[] = {
	{"github.push", "the full ref",
	 "ref before after repository:object ?head_commit:object ?first:bool *",
	 "A branch or tag was made or moved."},
	{"github.ref.deleted", "the full ref", "ref before after repository:object *",
	 "A branch or tag was deleted."},
	{"github.*", "the full ref, where there is one",
	 "?repository:object ?action ?sender:object *",
	 "Any other event of GitHub's, with its action: github.pull_request.opened."},
	{0},
};

/* owner/name, in the characters GitHub allows. */
static bool is_repository(const char *text)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t owner = strspn(text, allowed), name;

	if (owner == 0 || text[owner] != '/')
		return false;
	name = strspn(text + owner + 1, allowed);
	return name > 0 && text[owner + 1 + name] == '\0';
}

static bool check(struct pm_host *h)
{
	const char *wrong = NULL, *path = h->str(h, "path");
	const char *repository = h->str(h, "repository");
	int64_t sweep = h->num(h, "sweep");

	if (*repository && !is_repository(repository))
		wrong = "repository is written owner/name";
	else if (!*repository && sweep != 0)
		wrong = "`sweep` needs a `repository`";
	else if (!h->nth(h, "secret", 0) && sweep == 0)
		wrong = "set `secret` for webhooks, `sweep` to ask the API, or both";
	else if (sweep != 0 && sweep < 1000)
		wrong = "sweep is at least 1s, or 0";
	else if (*path && *path != '/')
		wrong = "path begins with /";
	if (wrong)
		h->log(h, PM_ERROR, "%s", wrong);
	return !wrong;
}

static bool create(struct pm_host *h)
{
	struct github *g = mem_new(struct github);

	g->api = api_new();
	g->sweep = sweep_new();
	h->self = g;
	return true;
}

static bool start(struct pm_host *h)
{
	const char *path = h->str(h, "path");

	if (h->nth(h, "secret", 0) && !h->listen(h, *path ? path : NULL, webhook_received, 0))
		return false;
	sweep_start(h);
	return true;
}

static void destroy(struct pm_host *h)
{
	struct github *g = github_of(h);

	sweep_free(g->sweep);
	api_free(g->api);
	free(g);
}

PM_PLUGIN(.kind = PM_SOURCE, .name = "github", .version = "1.0",
	  .summary = "Pushes and other events of a GitHub repository.", .keys = keys,
	  .types = types, .check = check, .create = create, .start = start, .resume = sweep_resume,
	  .stop = sweep_stop, .destroy = destroy);
