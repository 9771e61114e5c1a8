#include "plugin/instance.h"

#include "base/log.h"
#include "base/mem.h"
#include "plugin/blocking.h"
#include "plugin/host.h"
#include "plugin/outgoing.h"

#include <stdlib.h>
#include <string.h>

#define SLOW_CALL_MS   100
#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS  60000

struct queued *queued_new(const char *name, instance_call_fn *call, void (*drop)(void *arg),
			  void *arg)
{
	struct queued *q = mem_new(struct queued);

	*q = (struct queued){NULL, name, call, drop, arg};
	return q;
}

void queued_drop(struct queued **list)
{
	while (*list) {
		struct queued *q = *list;

		*list = q->next;
		if (q->drop)
			q->drop(q->arg);
		free(q);
	}
}

struct txn *instance_txn(struct instance *i)
{
	if (!i->txn)
		i->txn = txn_new();
	return i->txn;
}

enum engine_room instance_room(struct instance *i)
{
	const char *why;

	return engine_room(instance_options(i)->engine,
			   i->on_the_way + (i->txn ? i->txn->weight : 0), &why);
}

static void on_durable(struct txn *t, void *arg)
{
	struct instance *i = arg;

	i->on_the_way -= t->weight;
	if (t->failed)
		return; /* the engine is about to end the process */
	if (i->thread)
		blocking_durable(i, t->number);
	outgoing_flush(i);
}

void instance_submit(struct instance *i)
{
	struct txn *t = i->txn;

	if (!t)
		return;
	i->txn = NULL;
	t->done = on_durable;
	t->arg = i;
	i->on_the_way += t->weight;
	i->gate = engine_submit(instance_options(i)->engine, t);
	outgoing_gate(i, i->gate);
}

void instance_enter(struct instance *i, const char *call)
{
	struct world *w = instance_world(i);

	i->in_call = true;
	i->call = (struct lastcall){i->host.instance, i->plugin->table.name, call, NULL};
	lastcall_enter(&i->call);
	i->call_began = w->boot(w);
	i->checked = NULL;
}

static void watch_time(struct instance *i)
{
	struct world *w = instance_world(i);
	int64_t took = w->boot(w) - i->call_began;

	if (took > SLOW_CALL_MS && !i->thread)
		log_warn("%s: plugin %s held the loop for %lld ms in %s; a plugin that blocks has "
			 "to say PM_BLOCKING",
			 i->host.instance, i->plugin->table.name, (long long)took, i->call.call);
}

void instance_leave(struct instance *i)
{
	lastcall_leave(&i->call);
	watch_time(i);
	instance_submit(i);
	scratch_clear(&i->scratch);
	i->checked = NULL;
	i->in_call = false;
	outgoing_flush(i);
}

static void run_one(struct instance *i, const char *name, instance_call_fn *call, void *arg)
{
	instance_enter(i, name);
	call(i, arg);
	instance_leave(i);
}

static void run_queue(struct instance *i)
{
	while (i->queue && !i->in_call) {
		struct queued *q = i->queue;

		i->queue = q->next;
		run_one(i, q->name, q->call, q->arg);
		free(q);
	}
}

bool instance_is_free(const struct instance *i)
{
	return !i->thread && !i->in_call && !i->queue;
}

void instance_run(struct instance *i, const char *name, instance_call_fn *call,
		  void (*drop)(void *arg), void *arg)
{
	struct queued **end = &i->queue;

	if (i->thread) {
		blocking_run(i, name, call, drop, arg);
		return;
	}
	if (instance_is_free(i)) {
		run_one(i, name, call, arg);
		run_queue(i);
		return;
	}
	while (*end)
		end = &(*end)->next;
	*end = queued_new(name, call, drop, arg);
	run_queue(i);
}

struct number {
	uint64_t number;
};

static void call_deliver(struct instance *i, void *arg)
{
	uint64_t number = ((struct number *)arg)->number;

	free(arg);
	if (!engine_find(instance_options(i)->engine, number))
		return; /* it waited so long that it was taken back */
	blocking_release(i);
	i->plugin->table.deliver(&i->host, number);
	blocking_take(i);
}

static void call_cancel(struct instance *i, void *arg)
{
	uint64_t number = ((struct number *)arg)->number;

	free(arg);
	blocking_release(i);
	i->plugin->table.cancel(&i->host, number);
	blocking_take(i);
}

static struct number *number_new(uint64_t n)
{
	struct number *number = mem_new(struct number);

	number->number = n;
	return number;
}

static void on_deliver(void *target, const struct engine_call *call)
{
	instance_run(target, "deliver()", call_deliver, free, number_new(call->number));
}

struct numbers {
	size_t n;
	uint64_t list[];
};

/* Those that waited so long that they were taken back are left out. */
static void call_deliver_many(struct instance *i, void *arg)
{
	struct numbers *numbers = arg;
	size_t n = 0;

	for (size_t k = 0; k < numbers->n; k++) {
		if (engine_find(instance_options(i)->engine, numbers->list[k]))
			numbers->list[n++] = numbers->list[k];
	}
	if (n) {
		blocking_release(i);
		i->plugin->table.deliver_many(&i->host, numbers->list, (uint32_t)n);
		blocking_take(i);
	}
	free(numbers);
}

static void on_deliver_many(void *target, const uint64_t *list, size_t n)
{
	struct numbers *numbers = mem_zero(sizeof *numbers + n * sizeof *list);

	numbers->n = n;
	memcpy(numbers->list, list, n * sizeof *list);
	instance_run(target, "deliver_many()", call_deliver_many, free, numbers);
}

static void on_cancel(void *target, uint64_t number)
{
	struct instance *i = target;

	if (i->plugin->table.cancel)
		instance_run(i, "cancel()", call_cancel, free, number_new(number));
}

static void on_abandon(void *target, uint64_t number)
{
	outgoing_abandon(target, number);
}

static void on_retry(void *arg)
{
	instance_advance(arg);
}

static void try_again(struct instance *i, enum instance_state state, const char *what)
{
	i->state = state;
	if (!*i->problem.text)
		err_set(&i->problem, "%s() of plugin %s failed without a reason", what,
			i->plugin->table.name);
	log_warn("%s: not ready: %s; tried again in %u s", i->host.instance, i->problem.text,
		 i->retry_ms / 1000);
	loop_timer_set(i->retry, i->retry_ms);
	i->retry_ms = i->retry_ms * 2 < RETRY_LAST_MS ? i->retry_ms * 2 : RETRY_LAST_MS;
}

static void become_ready(struct instance *i)
{
	i->state = INSTANCE_READY;
	i->retry_ms = RETRY_FIRST_MS;
	if (i->plugin->table.deliver)
		engine_ready(instance_options(i)->engine, i->host.instance, true);
	runtime_became_ready(i->runtime, i);
}

static bool ask_plugin(struct instance *i, bool (*fn)(struct pm_host *h))
{
	bool good = true;

	if (fn) {
		blocking_release(i);
		good = fn(&i->host);
		blocking_take(i);
	}
	return good;
}

static void call_start(struct instance *i, void *arg)
{
	(void)arg;
	if (i->state != INSTANCE_CREATED)
		return;
	i->call.call = "start()"; /* create() goes on into it */
	i->problem.text[0] = '\0';
	if (ask_plugin(i, i->plugin->table.start))
		become_ready(i);
	else
		try_again(i, INSTANCE_CREATED, "start");
}

static void call_create(struct instance *i, void *arg)
{
	i->problem.text[0] = '\0';
	if (!ask_plugin(i, i->plugin->table.create)) {
		try_again(i, INSTANCE_REFUSED, "create");
		return;
	}
	i->state = INSTANCE_CREATED;
	call_start(i, arg);
}

/* Give every secret that is known; say which is not. */
static bool secrets_known(struct instance *i)
{
	const struct values_secret *secret;
	const char *value, *why;

	for (size_t n = 0; (secret = values_secret(i->values, n)); n++) {
		value = secrets_get(runtime_secrets(i->runtime), secret->section, secret->name,
				    &why);
		if (value)
			values_resolve(i->values, n, value);
		else
			err_set(&i->problem, "waits for the secret ${%s:%s} of `%s`%s%s",
				secret->section, secret->name, secret->key, *why ? ": " : "", why);
	}
	return values_resolved(i->values);
}

void instance_advance(struct instance *i)
{
	switch (i->state) {
	case INSTANCE_WAITING:
		if (!secrets_known(i))
			return;
		i->state = INSTANCE_REFUSED;
		/* fall through */
	case INSTANCE_REFUSED: instance_run(i, "create()", call_create, NULL, NULL); break;
	case INSTANCE_CREATED: instance_run(i, "start()", call_start, NULL, NULL); break;
	default: break;
	}
}

int64_t instance_silence(const struct instance *i)
{
	struct world *w = instance_world(i);

	return i->alive_at ? w->boot(w) - i->alive_at : 0;
}

const char *instance_problem(struct instance *i)
{
	if (i->state == INSTANCE_READY && !i->stalled && (i->heard || !*i->problem.text))
		return "";
	if (i->state == INSTANCE_READY && !*i->problem.text) {
		err_set(&i->silent, "nothing heard from upstream for %lld s",
			(long long)instance_silence(i) / 1000);
		return i->silent.text;
	}
	return *i->problem.text ? i->problem.text : "it is being started";
}

void instance_secrets(struct instance *i)
{
	if (i->state == INSTANCE_WAITING)
		instance_advance(i);
	else if (i->state != INSTANCE_LOADING)
		secrets_known(i);
}

void instance_reread(struct instance *i)
{
	const struct values_secret *secret;

	if (values_reread(i->values))
		log_info("%s: a secret file has changed and was read again", i->host.instance);
	for (size_t n = 0; (secret = values_secret(i->values, n)); n++)
		secrets_refresh(runtime_secrets(i->runtime), secret->section);
}

struct loading {
	struct instance *instance;
	struct map saved;
	size_t bytes;
	struct err err;
};

static bool load_one(const char *key, const void *value, size_t len, void *arg)
{
	struct loading *l = arg;

	free(map_put(&l->saved, key, mem_slice(value, len)));
	l->bytes += strlen(key) + len;
	return true;
}

static void load_saved(struct journal *j, struct sequencer *s, void *arg)
{
	struct loading *l = arg;
	char space[32];

	(void)s;
	journal_saved_space(l->instance->number, space, sizeof space);
	journal_values(j, space, "", load_one, l, &l->err);
}

static void loaded(void *arg)
{
	struct loading *l = arg;
	struct instance *i = l->instance;

	i->saved = l->saved;
	i->saved_bytes = l->bytes;
	i->host.state_lost =
		!l->saved.count && engine_stats(instance_options(i)->engine).damaged != NULL;
	if (*l->err.text)
		log_error("%s: saved state: %s", i->host.instance, l->err.text);
	free(l);
	if (i->state != INSTANCE_LOADING)
		return; /* it was ended meanwhile */
	i->state = INSTANCE_WAITING;
	instance_advance(i);
}

static void begin_loading(struct instance *i)
{
	struct loading *l = mem_new(struct loading);

	l->instance = i;
	err_set(&i->problem, "its saved state is being read");
	engine_ask(instance_options(i)->engine, load_saved, loaded, l);
}

struct instance *instance_new(struct runtime *r, const struct instance_config *section,
			      const struct plugin *plugin, struct values *values)
{
	struct instance *i = mem_new(struct instance);
	struct engine_target mine = {
		.deliver = on_deliver, .cancel = on_cancel, .abandon = on_abandon, .target = i};

	i->runtime = r;
	i->section = section;
	i->plugin = plugin;
	i->values = values;
	i->retry_ms = RETRY_FIRST_MS;
	i->retry = loop_timer_new(instance_options(i)->loop, on_retry, i);
	i->number = engine_instance(instance_options(i)->engine, section->name);
	host_fill(i);
	if (plugin->table.kind & PM_BLOCKING && !blocking_start(i, &i->problem))
		log_error("%s: %s", section->name, i->problem.text);
	if (plugin->table.deliver) {
		mine.deliver_many = plugin->table.deliver_many ? on_deliver_many : NULL;
		engine_register(instance_options(i)->engine, section->name, &mine);
	}
	begin_loading(i);
	return i;
}

static bool created(const struct instance *i)
{
	return i->state == INSTANCE_CREATED || i->state == INSTANCE_READY ||
	       i->state == INSTANCE_STOPPED;
}

static void call_stop(struct instance *i, void *arg)
{
	(void)arg;
	if (!i->plugin->table.stop)
		return;
	blocking_release(i);
	i->plugin->table.stop(&i->host);
	blocking_take(i);
}

void instance_stop(struct instance *i)
{
	bool was_created = created(i);

	loop_timer_stop(i->retry);
	if (i->state == INSTANCE_STOPPED)
		return;
	i->state = was_created ? INSTANCE_STOPPED : INSTANCE_REFUSED;
	err_set(&i->problem, "stopped");
	if (was_created)
		instance_run(i, "stop()", call_stop, NULL, NULL);
}

static void call_destroy(struct instance *i, void *arg)
{
	(void)arg;
	outgoing_cancel(i);
	host_drop_timers(i);
	if (created(i) && i->plugin->table.destroy) {
		blocking_release(i);
		i->plugin->table.destroy(&i->host);
		blocking_take(i);
	}
}

void instance_close(struct instance *i)
{
	host_unlisten(i);
	queued_drop(&i->queue);
	if (i->thread)
		blocking_end(i, "destroy()", call_destroy);
	else
		instance_run(i, "destroy()", call_destroy, NULL, NULL);
	if (i->plugin->table.deliver)
		engine_ready(instance_options(i)->engine, i->host.instance, false);
}

void instance_free(struct instance *i)
{
	if (!i)
		return;
	loop_timer_free(i->retry);
	values_free(i->values);
	map_free(&i->saved, free);
	map_free(&i->counters, free);
	getter_free(&i->getter);
	outgoing_forget(i);
	free(i);
}
