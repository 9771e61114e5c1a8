#include "base/loop.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/world.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct soon {
	struct soon *next;
	loop_fn *fn;
	void *arg;
};

struct loop {
	struct event_base *base;
	struct event *soon_event;
	struct soon *soon, **soon_end;
	struct world *world;      /* whose clock timers follow; NULL: the system's */
	struct loop_timer *armed; /* with such a clock: by due, then as they were set */
	bool ran;                 /* something, in this turn */
};

struct loop_timer {
	struct loop *loop;
	struct event *event;            /* NULL with the clock of a world */
	struct loop_timer *after, **at; /* at NULL: not armed */
	int64_t due;                    /* boot time */
	loop_fn *fn;
	void *arg;
};

struct loop_watch {
	struct loop *loop;
	struct event *event;
	loop_fn *fn;
	void *arg;
};

void loop_refused(void)
{
	log_error("the system does not watch one more descriptor (%s); stopping. What was accepted "
		  "is in the journal and goes on at the next start",
		  strerror(errno));
	_exit(EX_OSERR);
}

/* Only what was asked for before this turn: work that asks for more work must not keep the
 * loop from its descriptors. */
static void run_soon(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct soon *list = l->soon;

	(void)fd;
	(void)what;
	l->soon = NULL;
	l->soon_end = &l->soon;
	while (list) {
		struct soon *s = list;

		list = s->next;
		l->ran = true;
		s->fn(s->arg);
		free(s);
	}
}

struct loop *loop_new(void)
{
	struct loop *l = mem_new(struct loop);

	l->soon_end = &l->soon;
	l->base = event_base_new();
	l->soon_event = l->base ? event_new(l->base, -1, 0, run_soon, l) : NULL;
	if (!l->soon_event) {
		loop_free(l);
		return NULL;
	}
	return l;
}

struct loop *loop_new_in(struct world *w)
{
	struct loop *l = loop_new();

	if (l)
		l->world = w;
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->soon) {
		struct soon *s = l->soon;

		l->soon = s->next;
		free(s);
	}
	if (l->soon_event)
		event_free(l->soon_event);
	if (l->base)
		event_base_free(l->base);
	free(l);
}

bool loop_run(struct loop *l)
{
	return event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0;
}

void loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

static void disarm(struct loop_timer *t)
{
	if (!t->at)
		return;
	*t->at = t->after;
	if (t->after)
		t->after->at = t->at;
	t->at = NULL;
}

static void arm(struct loop_timer *t, int64_t due)
{
	struct loop_timer **at = &t->loop->armed;

	disarm(t);
	t->due = due;
	while (*at && (*at)->due <= due)
		at = &(*at)->after;
	t->at = at;
	t->after = *at;
	if (t->after)
		t->after->at = &t->after;
	*at = t;
}

static bool is_due(const struct loop *l)
{
	return l->armed && l->armed->due <= l->world->boot(l->world);
}

/* One a turn: who simulates may let something else happen between two of them. */
static void run_due(struct loop *l)
{
	struct loop_timer *t = l->armed;

	if (!l->world || !is_due(l))
		return;
	disarm(t);
	l->ran = true;
	t->fn(t->arg);
}

bool loop_turn(struct loop *l)
{
	l->ran = false;
	event_base_loop(l->base, EVLOOP_NONBLOCK);
	run_due(l);
	return l->ran;
}

int64_t loop_next(const struct loop *l)
{
	return l->armed ? l->armed->due : INT64_MAX;
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->loop->ran = true;
	t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
	struct loop_timer *t = mem_new(struct loop_timer);

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	if (!l->world)
		t->event = evtimer_new(l->base, on_timer, t);
	return t;
}

void loop_timer_set(struct loop_timer *t, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	if (t->loop->world) {
		arm(t, t->loop->world->boot(t->loop->world) + ms);
		return;
	}
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	event_add(t->event, &tv);
}

void loop_timer_stop(struct loop_timer *t)
{
	if (t->event)
		event_del(t->event);
	disarm(t);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	if (t->event)
		event_free(t->event);
	disarm(t);
	free(t);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	(void)fd;
	(void)what;
	w->loop->ran = true;
	w->fn(w->arg);
}

static struct loop_watch *watch(struct loop *l, int fd, short what, loop_fn *fn, void *arg)
{
	struct loop_watch *w = mem_new(struct loop_watch);

	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	w->event = event_new(l->base, fd, what, on_watch, w);
	if (event_add(w->event, NULL) != 0)
		loop_refused();
	return w;
}

struct loop_watch *loop_watch_fd(struct loop *l, int fd, loop_fn *fn, void *arg)
{
	return watch(l, fd, EV_READ | EV_PERSIST, fn, arg);
}

struct loop_watch *loop_watch_signal(struct loop *l, int signal, loop_fn *fn, void *arg)
{
	return watch(l, signal, EV_SIGNAL | EV_PERSIST, fn, arg);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;
	event_free(w->event);
	free(w);
}

void loop_soon(struct loop *l, loop_fn *fn, void *arg)
{
	struct soon *s = mem_new(struct soon);

	s->fn = fn;
	s->arg = arg;
	*l->soon_end = s;
	l->soon_end = &s->next;
	event_active(l->soon_event, EV_TIMEOUT, 0);
}
