#include "base/map.h"
#include "base/mem.h"
#include "github.h"
#include "head.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The API's replicas lag: what it says to have moved back so soon is asked a second time. */
#define SETTLE_MS      (60 * 1000)
#define SECOND_LOOK_MS 2000
#define PAUSE_MOST_MS  (5 * 60 * 1000)

/* A question: where do the refs that begin with refs/PREFIX stand? */
struct look {
	struct look *next;
	char *prefix; /* "heads/main", "tags/" */
	int64_t not_before;
	unsigned failures;
	bool regular; /* part of a sweep */
	bool second;  /* the answer is believed, even if it is a step back */
};

struct sweep {
	struct look *waiting;
	struct look *current; /* asked just now */
	int64_t started;      /* the current look */
	struct map found;     /* full ref to struct found, of the pages so far */
	struct map overtaken; /* full refs that a webhook moved meanwhile */
	unsigned pages;
	bool moved;   /* something is not where it was */
	bool doubted; /* something in this answer was not believed */
	bool full;    /* emit() has no room: wait for resume() */
	bool stopped;
	int64_t armed; /* when the next timer comes; 0: none */
};

struct found {
	char sha[HEAD_SHA];
	bool commit; /* or an annotated tag */
};

static struct sweep *sweep_of(struct pm_host *h)
{
	return github_of(h)->sweep;
}

struct sweep *sweep_new(void)
{
	return mem_new(struct sweep);
}

static void look_free(struct look *l)
{
	if (!l)
		return;
	free(l->prefix);
	free(l);
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	while (s->waiting) {
		struct look *l = s->waiting;

		s->waiting = l->next;
		look_free(l);
	}
	look_free(s->current);
	map_free(&s->found, free);
	map_free(&s->overtaken, NULL);
	free(s);
}

bool sweep_can_ask(struct pm_host *h)
{
	return *h->str(h, "repository") && (h->num(h, "sweep") > 0 || *h->str(h, "token"));
}

char *sweep_payload(const char *repository, const char *ref, const char *before, const char *after,
		    const char *commit, bool first)
{
	json_t *o = json_pack("{ss ss ss sb sb s{ss}}", "ref", ref, "before", before, "after",
			      after, "created", head_is_zero(before), "deleted",
			      head_is_zero(after), "repository", "full_name", repository);
	char *text;

	if (commit)
		json_object_set_new(o, "head_commit", json_pack("{ss}", "id", commit));
	if (first)
		json_object_set_new(o, "first", json_true());
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static char *key_of(const char *kind, const char *prefix)
{
	return mem_format("%s/%s", kind, prefix);
}

static void save(struct pm_host *h, const char *kind, const char *prefix, const char *value)
{
	char *key = key_of(kind, prefix);

	h->save(h, key, value);
	free(key);
}

static const char *load(struct pm_host *h, const char *kind, const char *prefix)
{
	char *key = key_of(kind, prefix);
	const char *value = h->load(h, key);

	free(key);
	return value;
}

static void forget(struct pm_host *h, const char *key, const char *value)
{
	(void)value;
	h->save(h, key, NULL);
}

/* "Unchanged" would no longer mean that we know where refs stand. */
static void forget_etags(struct pm_host *h)
{
	h->each(h, "etag/", forget);
}

void sweep_overtaken(struct pm_host *h, const char *ref)
{
	struct sweep *s = sweep_of(h);

	forget_etags(h);
	if (s->current)
		map_put(&s->overtaken, ref, s);
}

static void pump(struct pm_host *h);

static void on_timer(struct pm_host *h, uint64_t arg)
{
	(void)arg;
	sweep_of(h)->armed = 0;
	pump(h);
}

static void wake_at(struct pm_host *h, int64_t when)
{
	struct sweep *s = sweep_of(h);
	int64_t now = h->now(h);

	if (s->armed > now && s->armed <= when)
		return;
	s->armed = when > now ? when : now + 1;
	h->after(h, (uint32_t)(s->armed - now), on_timer, 0);
}

/* Taken up again if it is waiting already. */
static struct look *queue(struct sweep *s, const char *prefix)
{
	struct look **at = &s->waiting;

	while (*at && strcmp((*at)->prefix, prefix) != 0)
		at = &(*at)->next;
	if (!*at) {
		*at = mem_new(struct look);
		(*at)->prefix = mem_text(prefix);
		(*at)->not_before = INT64_MAX;
	}
	return *at;
}

static void bring_forward(struct look *l, int64_t not_before)
{
	if (not_before < l->not_before)
		l->not_before = not_before;
}

static void hint(struct pm_host *h, const char *ref, uint32_t pause, bool second)
{
	const char *prefix = ref + strlen("refs/");
	struct look *l = queue(sweep_of(h), prefix);

	save(h, "ask", prefix, "1");
	bring_forward(l, h->now(h) + pause);
	l->second = second;
}

void sweep_hint(struct pm_host *h, const char *ref)
{
	hint(h, ref, 0, false);
	pump(h);
}

/* The look did not succeed: try it again later. */
static void postpone(struct pm_host *h, int64_t not_before)
{
	struct sweep *s = sweep_of(h);
	struct look *l = s->current;

	s->current = NULL;
	l->not_before = not_before;
	l->next = s->waiting;
	s->waiting = l;
	pump(h);
}

static void failed(struct pm_host *h, const char *why)
{
	struct look *l = sweep_of(h)->current;
	int64_t pause = INT64_C(1000) << (l->failures < 20 ? l->failures : 20);

	l->failures++;
	if (pause > PAUSE_MOST_MS)
		pause = PAUSE_MOST_MS;
	pause = pause / 2 + (int64_t)(h->random(h) % (uint64_t)(pause / 2));
	h->alive(h, why);
	postpone(h, h->now(h) + pause);
}

/* Emit that the ref stands at `sha` now, if we did not know. */
static pm_result moved(struct pm_host *h, const char *ref, struct head *head, const char *sha,
		       bool commit, bool first)
{
	struct move move = {.name = ref, .ref = ref, .after = sha};
	char *json;
	char before[HEAD_SHA];
	pm_result r;

	snprintf(before, sizeof before, "%s", *head->sha ? head->sha : head_zero(sha));
	move.before = before;
	json = sweep_payload(h->str(h, "repository"), ref, before, sha, commit ? sha : NULL, first);
	move.json = json;
	r = head_move(h, head, &move);
	sweep_of(h)->moved |= r == PM_OK;
	free(json);
	return r;
}

/* A webhook may have overtaken the answer, or the answer may come from a replica behind.
 * *second: whether the next one is to be believed. */
static bool doubtful(struct sweep *s, const char *ref, const struct head *head, const char *sha,
		     bool *second)
{
	bool back = strcmp(sha, head->previous) == 0 && s->started - head->at <= SETTLE_MS;

	if (map_get(&s->overtaken, ref)) {
		*second = s->current->second;
		return true;
	}
	*second = true;
	return back && !s->current->second;
}

static pm_result reconcile(struct pm_host *h, const char *ref, const char *sha, bool commit)
{
	struct sweep *s = sweep_of(h);
	bool second, first = false;
	struct head head;

	if (!head_wanted(h, ref))
		return PM_OK;
	if (!head_load(h, ref, &head))
		first = s->current->regular && !load(h, "swept", s->current->prefix);
	else if (strcmp(head.sha, sha) == 0)
		return PM_OK;
	else if (doubtful(s, ref, &head, sha, &second)) {
		s->doubted = true;
		hint(h, ref, SECOND_LOOK_MS, second);
		return PM_OK;
	}
	return moved(h, ref, &head, sha, commit, first);
}

/* A saved ref that the answer should have had. */
static void look_for(struct pm_host *h, const char *key, const char *value)
{
	struct sweep *s = sweep_of(h);
	const char *ref = key + strlen("ref/");
	struct head head;

	(void)value;
	if (s->full || map_get(&s->found, ref) || !head_wanted(h, ref) ||
	    !head_load(h, ref, &head) || head_is_zero(head.sha))
		return;
	/* Between two pages a list may shift: ask for that ref alone. */
	if (s->pages > 1) {
		hint(h, ref, 0, true);
		return;
	}
	if (reconcile(h, ref, head_zero(head.sha), false) == PM_RETRY)
		s->full = true;
}

static void compare(struct pm_host *h)
{
	struct sweep *s = sweep_of(h);
	struct map_entry *e;
	char *prefix;

	for (size_t i = 0; !s->full && (e = map_next(&s->found, &i));) {
		const struct found *f = e->value;

		if (reconcile(h, e->key, f->sha, f->commit) == PM_RETRY)
			s->full = true;
	}
	prefix = mem_format("ref/refs/%s", s->current->prefix);
	h->each(h, prefix, look_for);
	free(prefix);
	if (s->moved)
		forget_etags(h);
}

static void done(struct pm_host *h)
{
	struct sweep *s = sweep_of(h);
	struct look *l = s->current;

	if (l->regular && !load(h, "swept", l->prefix))
		save(h, "swept", l->prefix, "1");
	if (load(h, "ask", l->prefix) && !s->doubted)
		save(h, "ask", l->prefix, NULL);
	h->alive(h, NULL);
	s->current = NULL;
	look_free(l);
	pump(h);
}

/* All pages are there. */
static void finish_look(struct pm_host *h, const char *etag)
{
	struct sweep *s = sweep_of(h);
	struct look *l = s->current;

	compare(h);
	if (s->full) {
		postpone(h, 0);
		return;
	}
	save(h, "etag", l->prefix, s->pages == 1 && !s->doubted ? etag : NULL);
	done(h);
}

static void add_ref(struct sweep *s, const json_t *item)
{
	const char *ref = json_string_value(json_object_get(item, "ref"));
	const json_t *object = json_object_get(item, "object");
	const char *sha = json_string_value(json_object_get(object, "sha"));
	const char *type = json_string_value(json_object_get(object, "type"));
	struct found *f;

	if (!ref || strncmp(ref, "refs/", 5) != 0 || !head_is_sha(sha))
		return;
	f = mem_new(struct found);
	snprintf(f->sha, sizeof f->sha, "%s", sha);
	f->commit = type && strcmp(type, "commit") == 0;
	free(map_put(&s->found, ref, f));
}

static void on_answer(struct pm_host *h, const struct api_answer *a)
{
	struct sweep *s = sweep_of(h);
	json_t *item;
	size_t i;

	if (s->stopped) {
		look_free(s->current);
		s->current = NULL;
		return;
	}
	switch (a->result) {
	case API_FAILED: failed(h, a->why); return;
	case API_LIMITED:
		h->alive(h, a->why);
		postpone(h, 0);
		return;
	case API_UNCHANGED: done(h); return;
	case API_GOOD: break;
	}
	s->pages++;
	json_array_foreach(a->body, i, item) add_ref(s, item);
	if (a->next)
		api_ask_page(h, a->next, on_answer);
	else
		finish_look(h, a->etag);
}

static void begin(struct pm_host *h, struct look *l)
{
	struct sweep *s = sweep_of(h);
	char *path = mem_format("git/matching-refs/%s", l->prefix);

	s->current = l;
	s->started = h->now(h);
	s->pages = 0;
	s->moved = s->doubted = false;
	map_free(&s->found, free);
	map_free(&s->overtaken, NULL);
	s->found = s->overtaken = (struct map){0};
	api_ask(h, path, load(h, "etag", l->prefix), on_answer);
	free(path);
}

/* Nothing is put off for longer; what seems to be was, before the clock was set back. */
static int64_t longest_pause(struct pm_host *h)
{
	int64_t sweep = h->num(h, "sweep");

	return sweep > API_PAUSE_MOST_MS ? sweep : API_PAUSE_MOST_MS;
}

/* The next look that is due; else a timer for the one that will be. */
static void pump(struct pm_host *h)
{
	struct sweep *s = sweep_of(h);
	int64_t now = h->now(h), soonest = INT64_MAX, free_at = api_free_at(h);
	int64_t latest = now + longest_pause(h);

	if (s->stopped || s->full || s->current)
		return;
	for (struct look **at = &s->waiting; *at; at = &(*at)->next) {
		int64_t due = (*at)->not_before > free_at ? (*at)->not_before : free_at;

		if (due <= now || due > latest) {
			struct look *l = *at;

			*at = l->next;
			l->next = NULL;
			begin(h, l);
			return;
		}
		if (due < soonest)
			soonest = due;
	}
	if (soonest != INT64_MAX)
		wake_at(h, soonest);
}

static void queue_regular(struct pm_host *h, const char *kind, const char *pattern)
{
	char *prefix = mem_format("%s/%.*s", kind, (int)strcspn(pattern, "*"), pattern);
	struct look *l = queue(sweep_of(h), prefix);

	l->regular = true;
	if (l->not_before == INT64_MAX)
		l->not_before = 0;
	free(prefix);
}

static void queue_list(struct pm_host *h, const char *kind, const char *key)
{
	const char *pattern;

	for (uint32_t i = 0; (pattern = h->nth(h, key, i)); i++)
		queue_regular(h, kind, pattern);
}

static void on_sweep(struct pm_host *h, uint64_t arg)
{
	(void)arg;
	if (sweep_of(h)->stopped)
		return;
	queue_list(h, "heads", "branches");
	queue_list(h, "tags", "tags");
	if (!h->nth(h, "branches", 0) && !h->nth(h, "tags", 0)) {
		queue_regular(h, "heads", "");
		queue_regular(h, "tags", "");
	}
	h->after(h, (uint32_t)h->num(h, "sweep"), on_sweep, 0);
	pump(h);
}

/* A hint from before the restart. */
static void ask_again(struct pm_host *h, const char *key, const char *value)
{
	(void)value;
	bring_forward(queue(sweep_of(h), key + strlen("ask/")), 0);
}

void sweep_start(struct pm_host *h)
{
	if (!sweep_can_ask(h))
		return;
	h->each(h, "ask/", ask_again);
	if (h->num(h, "sweep") > 0)
		on_sweep(h, 0);
	else
		pump(h);
}

void sweep_stop(struct pm_host *h)
{
	sweep_of(h)->stopped = true;
}

void sweep_resume(struct pm_host *h)
{
	sweep_of(h)->full = false;
	pump(h);
}
