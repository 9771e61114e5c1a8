#include "plugin/blocking.h"

#include "base/mem.h"
#include "plugin/host.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum borrowed { LOOP_OWN, LOOP_WANTED, LOOP_LENT };

struct thread {
	struct instance *instance;
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum borrowed loop;
	struct queued *first, **end;
	struct queued *last; /* the final call; set: finish with it */
	bool ended;
	uint64_t durable;
	int knock; /* eventfd: the loop is wanted */
	struct loop_watch *watch;
	struct pm_host direct; /* the host's functions for the loop thread */
};

static void take(struct thread *t)
{
	uint64_t one = 1;

	pthread_mutex_lock(&t->lock);
	assert(t->loop == LOOP_OWN); /* what borrows twice gives back too early */
	t->loop = LOOP_WANTED;
	pthread_cond_broadcast(&t->changed);
	while (write(t->knock, &one, sizeof one) < 0)
		;
	while (t->loop != LOOP_LENT)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

static void release(struct thread *t)
{
	pthread_mutex_lock(&t->lock);
	t->loop = LOOP_OWN;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* With the lock held, on the loop thread. */
static void lend(struct thread *t)
{
	t->loop = LOOP_LENT;
	pthread_cond_broadcast(&t->changed);
	while (t->loop == LOOP_LENT)
		pthread_cond_wait(&t->changed, &t->lock);
}

static void on_knock(void *arg)
{
	struct thread *t = arg;
	uint64_t n;

	if (read(t->knock, &n, sizeof n) < 0)
		return;
	pthread_mutex_lock(&t->lock);
	if (t->loop == LOOP_WANTED)
		lend(t);
	pthread_mutex_unlock(&t->lock);
}

void blocking_release(struct instance *i)
{
	if (i->thread)
		release(i->thread);
}

void blocking_take(struct instance *i)
{
	if (i->thread)
		take(i->thread);
}

static struct queued *next_call(struct thread *t)
{
	struct queued *q;

	pthread_mutex_lock(&t->lock);
	while (!t->first && !t->last)
		pthread_cond_wait(&t->changed, &t->lock);
	q = t->last ? t->last : t->first;
	if (q == t->first) {
		t->first = q->next;
		if (!t->first)
			t->end = &t->first;
	}
	pthread_mutex_unlock(&t->lock);
	return q;
}

static void *work(void *arg)
{
	struct thread *t = arg;
	bool last = false;

	while (!last) {
		struct queued *q = next_call(t);

		take(t);
		last = q == t->last;
		instance_enter(t->instance, q->name);
		q->call(t->instance, q->arg);
		instance_leave(t->instance);
		release(t);
		free(q);
	}
	pthread_mutex_lock(&t->lock);
	t->ended = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

bool blocking_start(struct instance *i, struct err *err)
{
	struct thread *t = mem_new(struct thread);
	int problem;

	t->instance = i;
	t->end = &t->first;
	t->knock = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	problem = t->knock < 0 ? errno : 0;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	if (!problem)
		problem = pthread_create(&t->id, NULL, work, t);
	if (problem) {
		err_set(err, "no thread for plugin %s, which blocks: the system refuses one (%s)",
			i->plugin->table.name, strerror(problem));
		if (t->knock >= 0)
			close(t->knock);
		free(t);
		return false;
	}
	t->watch = loop_watch_fd(instance_options(i)->loop, t->knock, on_knock, t);
	t->direct = i->host;
	i->thread = t;
	host_fill_blocking(&i->host);
	return true;
}

void blocking_run(struct instance *i, const char *name, instance_call_fn *call,
		  void (*drop)(void *arg), void *arg)
{
	struct thread *t = i->thread;
	struct queued *q = queued_new(name, call, drop, arg);

	pthread_mutex_lock(&t->lock);
	*t->end = q;
	t->end = &q->next;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void drop_queue(struct thread *t)
{
	queued_drop(&t->first);
	t->end = &t->first;
}

void blocking_end(struct instance *i, const char *name, instance_call_fn *last)
{
	struct thread *t = i->thread;

	pthread_mutex_lock(&t->lock);
	drop_queue(t);
	t->last = queued_new(name, last, NULL, NULL);
	pthread_cond_broadcast(&t->changed);
	while (!t->ended) {
		if (t->loop == LOOP_WANTED)
			lend(t);
		else
			pthread_cond_wait(&t->changed, &t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->id, NULL);
	drop_queue(t);
	loop_watch_free(t->watch);
	close(t->knock);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	i->thread = NULL;
	free(t);
}

void blocking_durable(struct instance *i, uint64_t number)
{
	struct thread *t = i->thread;

	pthread_mutex_lock(&t->lock);
	t->durable = number;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* What blocks returns when it is durable; a thread that is being ended waits no longer. */
static bool wait_durable(struct thread *t, uint64_t number)
{
	bool durable;

	pthread_mutex_lock(&t->lock);
	while (t->durable < number && !t->last)
		pthread_cond_wait(&t->changed, &t->lock);
	durable = t->durable >= number;
	pthread_mutex_unlock(&t->lock);
	return durable;
}

static struct thread *borrow(struct pm_host *h)
{
	struct thread *t = instance_of(h)->thread;

	take(t);
	return t;
}

/* extension() touches nothing of the loop's; all others borrow it. */
#define BORROWING(result_type, name, parameters, arguments)                                        \
	static result_type name##_blocking parameters                                              \
	{                                                                                          \
		struct thread *t = borrow(h);                                                      \
		result_type result = t->direct.name arguments;                                     \
                                                                                                   \
		release(t);                                                                        \
		return result;                                                                     \
	}
#define BORROWING_VOID(name, parameters, arguments)                                                \
	static void name##_blocking parameters                                                     \
	{                                                                                          \
		struct thread *t = borrow(h);                                                      \
                                                                                                   \
		t->direct.name arguments;                                                          \
		release(t);                                                                        \
	}

BORROWING(const char *, str, (struct pm_host * h, const char *key), (h, key))
BORROWING(int64_t, num, (struct pm_host * h, const char *key), (h, key))
BORROWING(const char *, nth, (struct pm_host * h, const char *key, uint32_t n), (h, key, n))
BORROWING(const char *, get, (struct pm_host * h, pm_delivery d, const char *path), (h, d, path))
BORROWING(const char *, find, (struct pm_host * h, const void *json, size_t len, const char *path),
	  (h, json, len, path))
BORROWING(const char *, render, (struct pm_host * h, pm_delivery d, const char *key), (h, d, key))
BORROWING(const char *, fill,
	  (struct pm_host * h, pm_delivery d, int32_t type, const char *text,
	   const char *const *vars),
	  (h, d, type, text, vars))
BORROWING_VOID(finish_by_http, (struct pm_host * h, pm_delivery d, const struct pm_http *rq),
	       (h, d, rq))
BORROWING_VOID(finish_as, (struct pm_host * h, pm_delivery d, const struct pm_message *m),
	       (h, d, m))
BORROWING_VOID(finish_many_by_http,
	       (struct pm_host * h, const pm_delivery *d, uint32_t n, const struct pm_http *rq),
	       (h, d, n, rq))
BORROWING_VOID(http, (struct pm_host * h, const struct pm_http *rq, pm_done_fn *done, uint64_t arg),
	       (h, rq, done, arg))
BORROWING(bool, listen, (struct pm_host * h, const char *path, pm_inbound_fn *fn, uint64_t arg),
	  (h, path, fn, arg))
BORROWING_VOID(reply, (struct pm_host * h, const char *type, const void *body, size_t len),
	       (h, type, body, len))
BORROWING(const char *, hmac,
	  (struct pm_host * h, const char *key, const char *how, const void *data, size_t len),
	  (h, key, how, data, len))
BORROWING(bool, hmac_ok,
	  (struct pm_host * h, const char *key, const char *how, const void *data, size_t len,
	   const char *mac),
	  (h, key, how, data, len, mac))
BORROWING_VOID(after, (struct pm_host * h, uint32_t ms, pm_timer_fn *fn, uint64_t arg),
	       (h, ms, fn, arg))
BORROWING(int64_t, now, (struct pm_host * h), (h))
BORROWING(uint64_t, random, (struct pm_host * h), (h))
BORROWING(const char *, load, (struct pm_host * h, const char *key), (h, key))
BORROWING_VOID(alive, (struct pm_host * h, const char *problem), (h, problem))
BORROWING_VOID(resolved,
	       (struct pm_host * h, uint64_t ask, const char *value, uint32_t ttl_ms,
		const char *why),
	       (h, ask, value, ttl_ms, why))
BORROWING_VOID(count, (struct pm_host * h, const char *metric, int64_t by), (h, metric, by))

static void log_blocking(struct pm_host *h, int32_t level, const char *fmt, ...)
{
	char *text = NULL;
	struct thread *t;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text)
		return;
	t = borrow(h);
	t->direct.log(h, level, "%s", text);
	release(t);
	free(text);
}

/* The lane knows at once that a delivery ended, so its row must not lag behind: what another
 * delivery writes meanwhile may rest on it. */
static void finish_blocking(struct pm_host *h, pm_delivery d, pm_result r, const char *why)
{
	struct thread *t = borrow(h);

	t->direct.finish(h, d, r, why);
	instance_submit(t->instance);
	release(t);
}

static void hold_blocking(struct pm_host *h, pm_delivery d, uint32_t ms, const char *state)
{
	struct thread *t = borrow(h);

	t->direct.hold(h, d, ms, state);
	instance_submit(t->instance);
	release(t);
}

static pm_result emit_blocking(struct pm_host *h, const struct pm_emit *e)
{
	struct thread *t = borrow(h);
	pm_result result = t->direct.emit(h, e);
	uint64_t number;

	instance_submit(t->instance);
	number = t->instance->gate;
	release(t);
	return wait_durable(t, number) ? result : PM_RETRY;
}

static void save_blocking(struct pm_host *h, const char *key, const char *value)
{
	struct thread *t = borrow(h);
	uint64_t number;

	t->direct.save(h, key, value);
	instance_submit(t->instance);
	number = t->instance->gate;
	release(t);
	wait_durable(t, number);
}

/* The walk calls back into the plugin, which must find the loop its own to borrow: so the
 * keys and values are gathered first. */
static __thread struct map *walking; /* key to value; both are the call's scratch */

static void gather(struct pm_host *h, const char *key, const char *value)
{
	(void)h;
	map_put(walking, key, (char *)(uintptr_t)value);
}

static void each_blocking(struct pm_host *h, const char *prefix,
			  void (*fn)(struct pm_host *h, const char *key, const char *value))
{
	struct thread *t = borrow(h);
	struct map found = {0};
	struct map_entry *e;

	walking = &found;
	t->direct.each(h, prefix, gather);
	release(t);
	for (size_t at = 0; (e = map_next(&found, &at));)
		fn(h, e->key, e->value);
	map_free(&found, NULL);
}

void host_fill_blocking(struct pm_host *h)
{
	h->str = str_blocking;
	h->num = num_blocking;
	h->nth = nth_blocking;
	h->get = get_blocking;
	h->find = find_blocking;
	h->render = render_blocking;
	h->fill = fill_blocking;
	h->finish = finish_blocking;
	h->hold = hold_blocking;
	h->finish_by_http = finish_by_http_blocking;
	h->finish_as = finish_as_blocking;
	h->finish_many_by_http = finish_many_by_http_blocking;
	h->emit = emit_blocking;
	h->http = http_blocking;
	h->listen = listen_blocking;
	h->reply = reply_blocking;
	h->hmac = hmac_blocking;
	h->hmac_ok = hmac_ok_blocking;
	h->after = after_blocking;
	h->now = now_blocking;
	h->random = random_blocking;
	h->load = load_blocking;
	h->save = save_blocking;
	h->each = each_blocking;
	h->alive = alive_blocking;
	h->resolved = resolved_blocking;
	h->log = log_blocking;
	h->count = count_blocking;
}
