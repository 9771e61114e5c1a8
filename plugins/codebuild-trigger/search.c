/* Did an earlier attempt start a build already?  It carries the delivery's key. */
#include "trigger.h"

#include "awscall.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PAGES 10 /* of a hundred builds, newest first */

/* The clocks may differ, and StartBuild may have been slow. */
#define EARLIER_MS (15 * 60 * 1000)

struct search {
	struct search *next;
	pm_delivery d;
	int64_t since; /* when its StartBuild may have been sent first */
	char *token;   /* of the next page, or NULL */
	unsigned pages;
};

static void on_list(struct pm_host *h, const struct pm_message *m, uint64_t d);

static struct search *find(struct pm_host *h, pm_delivery d)
{
	struct search *s = trigger_of(h)->searches;

	while (s && s->d != d)
		s = s->next;
	return s;
}

static void remove_search(struct trigger *t, struct search *s)
{
	struct search **at = &t->searches;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s->token);
	free(s);
}

void search_free(struct trigger *t)
{
	while (t->searches)
		remove_search(t, t->searches);
}

static void ask_list(struct pm_host *h, struct search *s)
{
	const char *project = h->render(h, s->d, "project");

	if (!project) {
		remove_search(trigger_of(h), s);
		return;
	}
	s->pages++;
	trigger_ask(h, "ListBuildsForProject",
		    json_pack("{s:s, s:s, s:s*}", "projectName", project, "sortOrder", "DESCENDING",
			      "nextToken", s->token),
		    s->d, 0, on_list, s->d);
}

static bool is_ours(const json_t *build, const char *key)
{
	const json_t *variables =
		json_object_get(json_object_get(build, "environment"), "environmentVariables");
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)variables, i, v)
	{
		const char *name = json_string_value(json_object_get(v, "name"));
		const char *value = json_string_value(json_object_get(v, "value"));

		if (name && value && strcmp(name, TRIGGER_MARKER) == 0 && strcmp(value, key) == 0)
			return true;
	}
	return false;
}

static void none(struct pm_host *h, struct search *s)
{
	pm_delivery d = s->d;

	remove_search(trigger_of(h), s);
	trigger_start(h, d);
}

static void refused(struct pm_host *h, struct search *s, const struct pm_message *m)
{
	h->finish_as(h, s->d, m);
	remove_search(trigger_of(h), s);
}

/* 200, and yet not what was asked for. */
static void senseless(struct pm_host *h, struct search *s, const struct err *why)
{
	h->finish(h, s->d, PM_RETRY, why->text);
	remove_search(trigger_of(h), s);
}

/* The answer's tree, or NULL after ending what asked for it. */
static json_t *answer_of(struct pm_host *h, struct search *s, const struct pm_message *m)
{
	struct err why;
	json_t *body = awscall_answer(m, &why);

	if (!body && m->status == 200)
		senseless(h, s, &why);
	else if (!body)
		refused(h, s, m);
	return body;
}

static void on_builds(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	struct search *s = find(h, d);
	const char *key = h->get(h, d, "delivery.key");
	bool older = false, found = false;
	json_t *body, *build;
	size_t i;

	if (!s)
		return;
	body = answer_of(h, s, m);
	if (!body)
		return;
	json_array_foreach(json_object_get(body, "builds"), i, build)
	{
		double start = json_number_value(json_object_get(build, "startTime"));

		older = older || (start > 0 && start * 1000 < (double)(s->since - EARLIER_MS));
		found = key && is_ours(build, key);
		if (found)
			break;
	}
	if (found) {
		remove_search(trigger_of(h), s);
		trigger_adopt(h, d, build);
	} else if (!older && s->token && s->pages < MAX_PAGES) {
		ask_list(h, s);
	} else {
		none(h, s);
	}
	json_decref(body);
}

static void on_list(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	struct search *s = find(h, d);
	json_t *body, *ids;

	if (!s)
		return;
	body = answer_of(h, s, m);
	if (!body)
		return;
	ids = json_object_get(body, "ids");
	free(s->token);
	s->token = mem_text(json_string_value(json_object_get(body, "nextToken")));
	if (json_array_size(ids))
		trigger_ask(h, "BatchGetBuilds", json_pack("{s:O}", "ids", ids), d,
			    TRIGGER_BUILD_KB, on_builds, d);
	else
		none(h, s);
	json_decref(body);
}

void search_begin(struct pm_host *h, pm_delivery d, int64_t since)
{
	struct search *s = mem_new(struct search);

	s->d = d;
	s->since = since;
	s->next = trigger_of(h)->searches;
	trigger_of(h)->searches = s;
	ask_list(h, s);
}
