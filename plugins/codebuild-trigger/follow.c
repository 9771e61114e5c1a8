/* Following builds to their end: one BatchGetBuilds for all that are due. */
#include "trigger.h"

#include "awscall.h"
#include "awserror.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Held deliveries that are due together come in one after the other. */
#define GATHER_MS    100
#define PAUSE_MAX_MS 60000
#define MAX_IDS      100

enum stopping {
	NOT_STOPPING,
	STOPPING,  /* StopBuild is out */
	LAST_LOOK, /* it was refused: perhaps because the build has ended */
};

struct follow {
	struct follow *next;
	pm_delivery d;
	char *build;
	uint64_t batch; /* the BatchGetBuilds it is asked for in; 0: the next one */
	enum stopping stopping;
};

static void remove_follow(struct trigger *t, struct follow *f)
{
	struct follow **at = &t->follows;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	free(f->build);
	free(f);
}

static struct follow *find(const struct trigger *t, pm_delivery d)
{
	struct follow *f = t->follows;

	while (f && f->d != d)
		f = f->next;
	return f;
}

static struct follow *add(struct trigger *t, pm_delivery d, const char *build)
{
	struct follow *f = mem_new(struct follow);

	f->d = d;
	f->build = mem_text(build);
	f->next = t->follows;
	t->follows = f;
	return f;
}

void follow_free(struct trigger *t)
{
	while (t->follows)
		remove_follow(t, t->follows);
}

/* A next look further away than any pause was set before the clock was set back. */
uint32_t follow_pause(struct pm_host *h)
{
	struct trigger *t = trigger_of(h);
	uint32_t poll = (uint32_t)h->num(h, "poll");
	int64_t now = h->now(h), longest = 2 * (int64_t)poll + PAUSE_MAX_MS;

	if (t->next_look <= now || t->next_look > now + longest)
		t->next_look =
			now +
			(t->failures ? awscall_pause(h, t->failures, 2 * poll,
						     poll > PAUSE_MAX_MS ? poll : PAUSE_MAX_MS)
				     : poll - poll / 8 + (uint32_t)(h->random(h) % (poll / 4 + 1)));
	return (uint32_t)(t->next_look - now);
}

static void hold(struct pm_host *h, struct follow *f)
{
	h->hold(h, f->d, follow_pause(h), f->build);
	remove_follow(trigger_of(h), f);
}

static void end(struct pm_host *h, struct follow *f, const json_t *build, const char *reason)
{
	report_end(h, f->d, build, reason);
	h->finish(h, f->d, PM_OK, "");
	remove_follow(trigger_of(h), f);
}

static void give_up(struct pm_host *h, struct follow *f, const char *what, const char *detail)
{
	struct err why;

	err_set(&why, "build %s %s%s", f->build, what, detail);
	h->finish(h, f->d, PM_REJECT, why.text);
	remove_follow(trigger_of(h), f);
}

static const json_t *build_in(const json_t *body, const char *id)
{
	const json_t *builds = json_object_get(body, "builds");
	size_t i;
	json_t *build;

	json_array_foreach((json_t *)builds, i, build)
	{
		const char *is = json_string_value(json_object_get(build, "id"));

		if (is && strcmp(is, id) == 0)
			return build;
	}
	return NULL;
}

static bool is_unknown(const json_t *body, const char *id)
{
	const json_t *ids = json_object_get(body, "buildsNotFound");
	size_t i;
	json_t *is;

	json_array_foreach((json_t *)ids, i, is)
	{
		if (json_is_string(is) && strcmp(json_string_value(is), id) == 0)
			return true;
	}
	return false;
}

static void judge(struct pm_host *h, struct follow *f, const json_t *body)
{
	const json_t *build = build_in(body, f->build);

	if (f->stopping == STOPPING)
		return; /* the answer to StopBuild decides */
	if (build && report_ended(h, build))
		end(h, f, build, NULL);
	else if (is_unknown(body, f->build))
		give_up(h, f, "is not known to CodeBuild (any more)", "");
	else if (f->stopping == LAST_LOOK)
		give_up(h, f, "is over its deadline and could not be stopped; it may still run",
			"");
	else
		hold(h, f);
}

static void failed(struct pm_host *h, const struct err *why)
{
	if (!trigger_of(h)->failures++)
		h->log(h, PM_WARN, "BatchGetBuilds: %s; the builds are followed on", why->text);
}

static void on_builds(struct pm_host *h, const struct pm_message *m, uint64_t batch)
{
	struct trigger *t = trigger_of(h);
	struct follow *f, *next;
	struct err why;
	json_t *body = awscall_answer(m, &why);

	if (body)
		t->failures = 0;
	else
		failed(h, &why);
	for (f = t->follows; f; f = next) {
		next = f->next;
		if (f->batch == batch)
			judge(h, f, body);
	}
	json_decref(body);
}

/* Ask for up to a hundred; how many. */
static size_t ask_some(struct pm_host *h)
{
	struct trigger *t = trigger_of(h);
	json_t *ids = json_array();
	size_t n = 0;

	t->batch++;
	for (struct follow *f = t->follows; f && n < MAX_IDS; f = f->next) {
		if (f->batch || f->stopping == STOPPING)
			continue;
		f->batch = t->batch;
		json_array_append_new(ids, json_string(f->build));
		n++;
	}
	if (n)
		trigger_ask(h, "BatchGetBuilds", json_pack("{s:o}", "ids", ids), 0,
			    TRIGGER_BUILD_KB, on_builds, t->batch);
	else
		json_decref(ids);
	return n;
}

static void on_look(struct pm_host *h, uint64_t arg)
{
	(void)arg;
	trigger_of(h)->looking = false;
	while (ask_some(h) == MAX_IDS)
		;
}

static void look_soon(struct pm_host *h)
{
	struct trigger *t = trigger_of(h);

	if (!t->looking)
		h->after(h, GATHER_MS, on_look, 0);
	t->looking = true;
}

void follow_build(struct pm_host *h, pm_delivery d, const char *build)
{
	add(trigger_of(h), d, build);
	look_soon(h);
}

static void on_stopped(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	struct follow *f = find(trigger_of(h), d);
	struct err why;
	json_t *body, *build;

	if (!f)
		return;
	body = awscall_answer(m, &why);
	build = json_object_get(body, "build");
	if (build) {
		err_set(&why, "stopped by pointsman: its deadline of %s was over",
			h->str(h, "deadline"));
		end(h, f, build, why.text);
	} else if (m->status == 400) {
		f->stopping = LAST_LOOK;
		f->batch = 0;
		look_soon(h);
	} else {
		give_up(h, f, "is over its deadline and may still run; StopBuild: ", why.text);
	}
	json_decref(body);
}

void follow_stop(struct pm_host *h, pm_delivery d)
{
	const char *build = h->get(h, d, "delivery.held");
	struct follow *f = find(trigger_of(h), d);

	if (!build)
		return; /* not begun: the answer to StartBuild is not there yet */
	if (!f)
		f = add(trigger_of(h), d, build);
	f->stopping = STOPPING;
	trigger_ask(h, "StopBuild", json_pack("{s:s}", "id", build), d, 0, on_stopped, d);
}
