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
	size_t most, share; /* bytes on the way, of all and of one source */
	int64_t looked_at;  /* boot time */
	bool full;          /* as last looked: disk or size */
	struct err why;
};

static void tell(void *arg);

static size_t sources_in(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->ninstances; i++)
		n += c->instances[i].kind == INSTANCE_SOURCE && c->instances[i].enabled;
	return n ? n : 1;
}

struct room *room_new(struct world *world, struct loop *loop, const struct config *config)
{
	struct room *r = mem_new(struct room);

	r->world = world;
	r->config = config;
	r->timer = loop_timer_new(loop, tell, r);
	r->looked_at = INT64_MIN / 2;
	r->most = (size_t)config->max_intake;
	r->share = r->most / sources_in(config);
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
	int64_t size = r->thread ? journal_thread_used(r->thread) : 0;
	/* Once full, some has to be free again, or it would stop and go with each event. */
	int64_t most = r->full ? c->max_journal / 16 * 15 : c->max_journal;
	int64_t least = r->full ? c->min_free / 16 * 17 : c->min_free;

	if (most > 0 && size > most) {
		err_set(&r->why, "the journal has %.1f %s, over `max-journal`",
			(double)size / (size < 1000000 ? 1e3 : 1e6), size < 1000000 ? "kB" : "MB");
		return true;
	}
	if (free_bytes >= 0 && free_bytes < least) {
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

enum engine_room room_for(struct room *r, size_t bytes, const char **why)
{
	look(r);
	*why = "";
	if (r->full)
		*why = r->why.text;
	else if (r->thread && journal_thread_disk_full(r->thread))
		*why = "the disk of the journal is full";
	else if (r->thread && journal_thread_in_hand(r->thread) >= r->most)
		*why = "the journal is behind";
	if (**why)
		return ROOM_NONE;
	if (bytes < r->share)
		return ROOM_FREE;
	*why = "its share of `max-intake` is on the way to the disk";
	return r->share < r->most ? ROOM_SHARE : ROOM_NONE;
}

static void tell(void *arg)
{
	struct room *r = arg;
	struct waiter *list = r->waiters;
	const char *why;

	if (room_for(r, 0, &why) != ROOM_FREE) {
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
