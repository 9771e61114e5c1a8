#include "engine/room.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

#define LOOK_MS 1000 /* disk and journal size change slowly */
#define SOON_MS 20   /* the queue does not */

struct waiter {
	struct waiter *next;
	void (*fn)(void *arg);
	void *arg;
};

struct room {
	struct world *world;
	const struct config *config;
	struct journal_thread *thread;
	struct loop_timer *timer;
	struct waiter *waiters;
	int64_t looked_at; /* boot time */
	bool full;         /* as last looked: disk or size */
	struct err why;
};

static void tell(void *arg);

struct room *room_new(struct world *world, struct loop *loop, const struct config *config)
{
	struct room *r = mem_new(struct room);

	r->world = world;
	r->config = config;
	r->timer = loop_timer_new(loop, tell, r);
	r->looked_at = INT64_MIN / 2;
	return r;
}

void room_free(struct room *r)
{
	if (!r)
		return;
	while (r->waiters) {
		struct waiter *w = r->waiters;

		r->waiters = w->next;
		free(w);
	}
	loop_timer_free(r->timer);
	free(r);
}

void room_watch(struct room *r, struct journal_thread *t)
{
	r->thread = t;
}

static bool measure(struct room *r)
{
	const struct config *c = r->config;
	int64_t free_bytes = r->world->disk_free(r->world, c->state);
	int64_t size = r->thread ? journal_thread_bytes(r->thread) : 0;

	if (c->max_journal > 0 && size > c->max_journal) {
		err_set(&r->why, "the journal has %.1f %s, over `max-journal`",
			(double)size / (size < 1000000 ? 1e3 : 1e6), size < 1000000 ? "kB" : "MB");
		return true;
	}
	if (free_bytes >= 0 && free_bytes < c->min_free) {
		err_set(&r->why, "%lld MB are free on the disk of %s, less than `min-free`",
			(long long)free_bytes / 1000000, c->state);
		return true;
	}
	return false;
}

static void look(struct room *r)
{
	int64_t now = r->world->boot(r->world);
	bool was = r->full;

	if (now - r->looked_at < LOOK_MS)
		return;
	r->looked_at = now;
	r->full = measure(r);
	if (r->full && !was)
		log_error("intake stops: %s; deliveries go on", r->why.text);
	else if (was && !r->full)
		log_info("intake goes on: there is room again");
}

bool room_is(struct room *r, const char **why)
{
	look(r);
	*why = "";
	if (r->full)
		*why = r->why.text;
	else if (r->thread && journal_thread_disk_full(r->thread))
		*why = "the disk of the journal is full";
	else if (r->thread && !journal_thread_has_room(r->thread))
		*why = "the journal is behind";
	return !**why;
}

static void tell(void *arg)
{
	struct room *r = arg;
	struct waiter *list = r->waiters;
	const char *why;

	if (!room_is(r, &why)) {
		loop_timer_set(r->timer, r->full ? LOOK_MS : SOON_MS);
		return;
	}
	r->waiters = NULL;
	while (list) {
		struct waiter *w = list;

		list = w->next;
		w->fn(w->arg);
		free(w);
	}
}

static bool waits(const struct room *r, void (*fn)(void *arg), const void *arg)
{
	for (const struct waiter *w = r->waiters; w; w = w->next) {
		if (w->fn == fn && w->arg == arg)
			return true;
	}
	return false;
}

void room_when(struct room *r, void (*fn)(void *arg), void *arg)
{
	struct waiter *w;

	if (waits(r, fn, arg))
		return;
	w = mem_new(struct waiter);
	*w = (struct waiter){r->waiters, fn, arg};
	r->waiters = w;
	loop_timer_set(r->timer, SOON_MS);
}
