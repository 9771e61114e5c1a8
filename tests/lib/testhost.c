#include "testhost_inside.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIRST_NOW       INT64_C(1700000000000)
#define SAVED_MAX_BYTES (1024 * 1024)

void testhost_leave(struct testhost *t)
{
	scratch_clear(&t->scratch);
}

static pm_delivery seen_number(const struct handed *d)
{
	return (pm_delivery)d->call << 32 | d->number;
}

pm_delivery testhost_shown(pm_delivery seen)
{
	return seen & UINT32_MAX;
}

static struct handed *handed_of(struct testhost *t, pm_delivery number)
{
	if (number == 0 || number > t->nhanded)
		fail_msg("there is no delivery %llu", (unsigned long long)number);
	return t->handed[number - 1];
}

struct handed *testhost_handed(struct testhost *t, pm_delivery seen)
{
	pm_delivery number = testhost_shown(seen);
	struct handed *d = number > 0 && number <= t->nhanded ? t->handed[number - 1] : NULL;

	return d && seen_number(d) == seen && d->end == TESTHOST_OPEN ? d : NULL;
}

struct handed *testhost_open(struct testhost *t, pm_delivery seen, const char *call)
{
	pm_delivery number = testhost_shown(seen);

	if (number == 0 || number > t->nhanded)
		fail_msg("%s() of delivery %llx, which never was", call, (unsigned long long)seen);
	if (t->handed[number - 1]->dead && seen_number(t->handed[number - 1]) == seen)
		return NULL;
	if (!testhost_handed(t, seen))
		fail_msg("%s() of delivery %llu, which has ended already", call,
			 (unsigned long long)number);
	return t->handed[number - 1];
}

void testhost_ended(struct handed *d, enum testhost_end end, const char *why, int64_t after)
{
	d->end = end;
	free(d->why);
	d->why = mem_text(why ? why : "");
	d->retry_after = after;
}

static void host_finish(struct pm_host *h, pm_delivery seen, pm_result r, const char *why)
{
	struct handed *d = testhost_open(testhost_of(h), seen, "finish");
	enum testhost_end end = r == PM_OK      ? TESTHOST_OK
				: r == PM_RETRY ? TESTHOST_RETRY
						: TESTHOST_REJECT;

	if (r != PM_OK && (!why || !*why))
		fail_msg("finish() without OK does not say why");
	if (d)
		testhost_ended(d, end, why, -1);
}

static void host_hold(struct pm_host *h, pm_delivery seen, uint32_t ms, const char *state)
{
	struct handed *d = testhost_open(testhost_of(h), seen, "hold");
	char *held = mem_text(state ? state : "");

	if (!d) {
		free(held);
		return;
	}
	free(d->held);
	d->held = held;
	testhost_ended(d, TESTHOST_HELD, "", ms);
}

static const char *host_load(struct pm_host *h, const char *key)
{
	struct testhost *t = testhost_of(h);
	const char *value = map_get(&t->saved, key);

	return value ? scratch_text(&t->scratch, value, strlen(value)) : NULL;
}

static size_t saved_bytes(const struct testhost *t)
{
	struct map_entry *e;
	size_t sum = 0;

	for (size_t i = 0; (e = map_next(&t->saved, &i));)
		sum += strlen(e->key) + strlen(e->value);
	return sum;
}

static void host_save(struct pm_host *h, const char *key, const char *value)
{
	struct testhost *t = testhost_of(h);

	free(value ? map_put(&t->saved, key, mem_text(value)) : map_remove(&t->saved, key));
	if (saved_bytes(t) > SAVED_MAX_BYTES)
		fail_msg("save(\"%s\"): the saved state grew over 1 MB", key);
}

static void host_each(struct pm_host *h, const char *prefix,
		      void (*fn)(struct pm_host *h, const char *key, const char *value))
{
	struct testhost *t = testhost_of(h);
	struct map found = {0};
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&t->saved, &i));) {
		if (strncmp(e->key, prefix, strlen(prefix)) == 0)
			map_put(&found, e->key, t);
	}
	for (size_t i = 0; (e = map_next(&found, &i));) {
		const char *value = host_load(h, e->key);

		if (value)
			fn(h, scratch_text(&t->scratch, e->key, strlen(e->key)), value);
	}
	map_free(&found, NULL);
}

static void host_after(struct pm_host *h, uint32_t ms, pm_timer_fn *fn, uint64_t arg)
{
	struct testhost *t = testhost_of(h);
	struct timer **at = &t->timers, *timer = mem_new(struct timer);

	*timer = (struct timer){NULL, t->now + ms, fn, arg};
	while (*at && (*at)->due <= timer->due)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
}

static int64_t host_now(struct pm_host *h)
{
	return testhost_of(h)->now;
}

static uint64_t host_random(struct pm_host *h)
{
	struct testhost *t = testhost_of(h);

	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return t->random;
}

static void host_alive(struct pm_host *h, const char *problem)
{
	struct testhost *t = testhost_of(h);
	char *text = mem_text(problem ? problem : "");

	free(t->problem);
	t->problem = text;
}

static void host_log(struct pm_host *h, int32_t level, const char *fmt, ...)
{
	struct testhost *t = testhost_of(h);
	char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	if (level < PM_DEBUG || level > PM_ERROR)
		fail_msg("log() at level %d: %s", level, line ? line : "");
	free(t->log);
	t->log = line;
}

static void host_count(struct pm_host *h, const char *metric, int64_t by)
{
	struct testhost *t = testhost_of(h);
	int64_t *n = map_get(&t->counters, metric);

	if (!n) {
		n = mem_new(int64_t);
		map_put(&t->counters, metric, n);
	}
	*n += by;
}

struct resolution {
	char *value, *why;
};

static void ask_name(uint64_t ask, char name[32])
{
	snprintf(name, 32, "%llu", (unsigned long long)ask);
}

static void host_resolved(struct pm_host *h, uint64_t ask, const char *value, uint32_t ttl_ms,
			  const char *why)
{
	struct testhost *t = testhost_of(h);
	struct resolution *r;
	char name[32];

	(void)ttl_ms;
	ask_name(ask, name);
	r = map_get(&t->answers, name);
	if (!r || r->value || r->why)
		fail_msg("resolved(): ask %s was %s", name, r ? "answered before" : "never made");
	r->value = mem_text(value);
	r->why = mem_text(why ? why : "");
}

static const void *host_extension(struct pm_host *h, const char *id)
{
	(void)h;
	(void)id;
	return NULL;
}

static void fill_rest(struct pm_host *h)
{
	h->finish = host_finish;
	h->hold = host_hold;
	h->load = host_load;
	h->save = host_save;
	h->each = host_each;
	h->after = host_after;
	h->now = host_now;
	h->random = host_random;
	h->alive = host_alive;
	h->resolved = host_resolved;
	h->count = host_count;
	h->extension = host_extension;
}

static bool run(struct testhost *t, bool (*fn)(struct pm_host *h))
{
	bool good = !fn || fn(&t->host);

	testhost_leave(t);
	return good;
}

static void fill_for_check(struct testhost *t, const char *instance)
{
	t->host = (struct pm_host){.size = sizeof t->host, .instance = instance, .log = host_log};
	testhost_keys_fill(t);
}

/* check() gets str, num, nth and log only: calling another is a crash, as it should be. */
static bool create(struct testhost *t)
{
	if (!run(t, t->plugin->table.check))
		return false;
	testhost_text_fill(t);
	testhost_emit_fill(t);
	testhost_http_fill(t);
	fill_rest(&t->host);
	return run(t, t->plugin->table.create);
}

static void drop_timers(struct testhost *t)
{
	while (t->timers) {
		struct timer *timer = t->timers;

		t->timers = timer->next;
		free(timer);
	}
}

static void end_instance(struct testhost *t)
{
	if (t->plugin->table.stop)
		t->plugin->table.stop(&t->host);
	t->stopped = true;
	testhost_leave(t);
	testhost_unlisten(t);
	drop_timers(t);
	testhost_http_cancel(t);
	drop_timers(t);
	if (t->plugin->table.destroy)
		t->plugin->table.destroy(&t->host);
	testhost_leave(t);
}

static void free_handed(struct handed *d)
{
	free(d->document);
	free(d->why);
	free(d->held);
	free(d);
}

static void free_emitted(struct emitted *e)
{
	if (!e)
		return;
	free((char *)(uintptr_t)e->shown.type);
	free((char *)(uintptr_t)e->shown.id);
	free((char *)(uintptr_t)e->shown.source);
	free((char *)(uintptr_t)e->shown.subject);
	free((char *)(uintptr_t)e->shown.time);
	free((char *)(uintptr_t)e->shown.traceparent);
	free((char *)(uintptr_t)e->shown.json);
	free((char *)(uintptr_t)e->shown.refuse);
	free(e);
}

static void free_resolution(void *value)
{
	struct resolution *r = value;

	free(r->value);
	free(r->why);
	free(r);
}

static void free_all(struct testhost *t)
{
	while (t->emitted) {
		struct emitted *e = t->emitted;

		t->emitted = e->next;
		free_emitted(e);
	}
	free_emitted(t->taken);
	for (size_t i = 0; i < t->nhanded; i++)
		free_handed(t->handed[i]);
	free(t->handed);
	testhost_keys_free(t);
	plugin_free(t->plugin);
	map_free(&t->saved, free);
	map_free(&t->counters, free);
	map_free(&t->answers, free_resolution);
	buf_free(&t->reply);
	free(t->problem);
	free(t->log);
	free((char *)(uintptr_t)t->host.instance);
	free(t);
}

static char *last_refusal;

struct testhost *testhost_new(const struct pm_plugin *plugin, const char *instance,
			      const char *const *settings)
{
	struct testhost *t = mem_new(struct testhost);
	struct err err = {{0}};

	t->plugin = plugin_adopt(plugin, &err);
	if (!t->plugin)
		fail_msg("the plugin's table: %s", err.text);
	t->now = FIRST_NOW;
	testhost_keys_read(t, instance, settings);
	fill_for_check(t, mem_text(instance));
	if (create(t))
		return t;
	free(last_refusal);
	last_refusal = t->log;
	t->log = NULL;
	testhost_http_cancel(t);
	drop_timers(t);
	free_all(t);
	return NULL;
}

bool testhost_start(struct testhost *t)
{
	t->started = run(t, t->plugin->table.start);
	return t->started;
}

static void check_nothing_forgotten(struct testhost *t)
{
	for (size_t i = 0; i < t->nhanded; i++) {
		struct handed *d = t->handed[i];

		if (d->end == TESTHOST_OPEN && t->asking == NULL && t->timers == NULL)
			fail_msg("delivery %llu is forgotten: not finished, not held, and nothing "
				 "is under way that could finish it",
				 (unsigned long long)d->number);
	}
}

void testhost_lied_to(struct testhost *t)
{
	t->lied_to = true;
}

void testhost_free(struct testhost *t)
{
	if (!t)
		return;
	check_nothing_forgotten(t);
	end_instance(t);
	free_all(t);
}

void testhost_restart(struct testhost *t)
{
	const char *instance = t->host.instance;

	check_nothing_forgotten(t);
	end_instance(t);
	for (size_t i = 0; i < t->nhanded; i++) {
		if (t->handed[i]->end == TESTHOST_OPEN)
			testhost_ended(t->handed[i], TESTHOST_RETRY, "restart", -1);
	}
	fill_for_check(t, instance);
	t->stopped = false;
	if (!create(t))
		fail_msg("create() refused after a restart: %s", testhost_last_log(t));
	if (t->started && !testhost_start(t))
		fail_msg("start() refused after a restart: %s", testhost_last_log(t));
}

const char *testhost_last_log(struct testhost *t)
{
	const char *line = t ? t->log : last_refusal;

	return line ? line : "";
}

static void begin_call(struct handed *d)
{
	d->call++;
	if (d->end != TESTHOST_HELD && d->end != TESTHOST_SPLIT)
		d->attempt++;
	d->end = TESTHOST_OPEN;
}

static void call_deliver(struct testhost *t, struct handed *d)
{
	begin_call(d);
	t->plugin->table.deliver(&t->host, seen_number(d));
	testhost_leave(t);
}

static bool has_attribute(const char *json, const char *name)
{
	struct path path;
	size_t used;
	bool has;

	if (!path_parse(name, strlen(name), &path, &used, NULL))
		return false;
	has = json_find(json, strlen(json), &path, 0).kind != KIND_ABSENT;
	path_free(&path);
	return has;
}

/* The test's text with the attributes it leaves out in front: its numbers stay as written. */
static char *document(const char *json, size_t number)
{
	const char *inside = strchr(json, '{');
	struct buf b = {0};

	if (!inside)
		fail_msg("an event is a JSON object: %s", json);
	buf_char(&b, '{');
	if (!has_attribute(json, "specversion"))
		buf_text_add(&b, "\"specversion\":\"1.0\",");
	if (!has_attribute(json, "id"))
		buf_printf(&b, "\"id\":\"event-%zu\",", number);
	if (!has_attribute(json, "source"))
		buf_text_add(&b, "\"source\":\"test\",");
	if (!has_attribute(json, "type"))
		buf_text_add(&b, "\"type\":\"test.event\",");
	if (!has_attribute(json, "time"))
		buf_text_add(&b, "\"time\":\"2023-11-14T22:13:20.000Z\",");
	if (!has_attribute(json, "data"))
		buf_text_add(&b, "\"data\":{},");
	buf_text_add(&b, inside + 1);
	return buf_take(&b);
}

static struct handed *hand(struct testhost *t, const char *event_json)
{
	struct handed *d = mem_new(struct handed);

	mem_room(t->handed, t->nhanded, t->handed_cap);
	t->handed[t->nhanded++] = d;
	d->number = t->nhanded;
	d->document = document(event_json, t->nhanded);
	d->retry_after = -1;
	return d;
}

pm_delivery testhost_deliver(struct testhost *t, const char *event_json)
{
	struct handed *d = hand(t, event_json);

	if (!t->plugin->table.deliver)
		fail_msg("plugin %s has no deliver()", t->plugin->table.name);
	call_deliver(t, d);
	return d->number;
}

static void call_deliver_many(struct testhost *t, const pm_delivery *numbers, uint32_t n)
{
	pm_delivery *seen = mem_zero(n * sizeof *seen);

	if (!t->plugin->table.deliver_many)
		fail_msg("plugin %s has no deliver_many()", t->plugin->table.name);
	for (uint32_t i = 0; i < n; i++) {
		begin_call(handed_of(t, numbers[i]));
		seen[i] = seen_number(handed_of(t, numbers[i]));
	}
	t->plugin->table.deliver_many(&t->host, seen, n);
	free(seen);
	testhost_leave(t);
}

void testhost_deliver_many(struct testhost *t, const char *const *events, uint32_t n,
			   pm_delivery *out)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = hand(t, events[i])->number;
	call_deliver_many(t, out, n);
}

void testhost_again_many(struct testhost *t, const pm_delivery *numbers, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		enum testhost_end end = handed_of(t, numbers[i])->end;

		if (end != TESTHOST_RETRY && end != TESTHOST_SPLIT)
			fail_msg("delivery %llu is not to be tried again",
				 (unsigned long long)numbers[i]);
	}
	call_deliver_many(t, numbers, n);
}

void testhost_again(struct testhost *t, pm_delivery number)
{
	struct handed *d = handed_of(t, number);

	if (d->end != TESTHOST_HELD && d->end != TESTHOST_RETRY)
		fail_msg("delivery %llu is neither held nor to be retried",
			 (unsigned long long)number);
	call_deliver(t, d);
}

void testhost_cancel(struct testhost *t, pm_delivery number)
{
	struct handed *d = handed_of(t, number);

	if (!t->plugin->table.cancel)
		fail_msg("plugin %s has no cancel()", t->plugin->table.name);
	if (d->end == TESTHOST_HELD) {
		d->call++;
		d->end = TESTHOST_OPEN;
	}
	t->plugin->table.cancel(&t->host, seen_number(d));
	testhost_leave(t);
}

enum testhost_end testhost_end(struct testhost *t, pm_delivery d)
{
	return handed_of(t, d)->end;
}

const char *testhost_why(struct testhost *t, pm_delivery d)
{
	const char *why = handed_of(t, d)->why;

	return why ? why : "";
}

const char *testhost_held(struct testhost *t, pm_delivery d)
{
	return handed_of(t, d)->end == TESTHOST_HELD ? handed_of(t, d)->held : NULL;
}

int64_t testhost_retry_after(struct testhost *t, pm_delivery d)
{
	return handed_of(t, d)->retry_after;
}

int testhost_events(struct testhost *t)
{
	int n = 0;

	for (struct emitted *e = t->emitted; e; e = e->next)
		n++;
	return n;
}

const struct testhost_event *testhost_event(struct testhost *t)
{
	if (!t->emitted)
		fail_msg("no event was emitted");
	free_emitted(t->taken);
	t->taken = t->emitted;
	t->emitted = t->taken->next;
	return &t->taken->shown;
}

void testhost_full(struct testhost *t, int n)
{
	t->full = n;
}

void testhost_resume(struct testhost *t)
{
	t->full = 0;
	if (!t->wants_room)
		fail_msg("emit() was not refused: resume() would not be called");
	t->wants_room = false;
	if (t->plugin->table.resume)
		t->plugin->table.resume(&t->host);
	testhost_leave(t);
}

int64_t testhost_now(struct testhost *t)
{
	return t->now;
}

void testhost_set_clock(struct testhost *t, int64_t by)
{
	t->now += by;
	for (struct timer *timer = t->timers; timer; timer = timer->next)
		timer->due += by;
}

void testhost_advance(struct testhost *t, int64_t ms)
{
	int64_t until = t->now + ms;

	while (t->timers && t->timers->due <= until) {
		struct timer *timer = t->timers;

		t->timers = timer->next;
		if (timer->due > t->now)
			t->now = timer->due;
		timer->fn(&t->host, timer->arg);
		testhost_leave(t);
		free(timer);
	}
	t->now = until;
}

const char *testhost_saved(struct testhost *t, const char *key)
{
	return map_get(&t->saved, key);
}

int64_t testhost_counted(struct testhost *t, const char *metric)
{
	int64_t *n = map_get(&t->counters, metric);

	return n ? *n : 0;
}

const char *testhost_problem(struct testhost *t)
{
	return t->problem ? t->problem : "";
}

uint64_t testhost_resolve(struct testhost *t, const char *name)
{
	char number[32];

	if (!t->plugin->table.resolve)
		fail_msg("plugin %s has no resolve()", t->plugin->table.name);
	ask_name(++t->asks, number);
	map_put(&t->answers, number, mem_new(struct resolution));
	t->plugin->table.resolve(&t->host, t->asks, name);
	testhost_leave(t);
	return t->asks;
}

const char *testhost_resolved(struct testhost *t, uint64_t ask, const char **why)
{
	struct resolution *r;
	char number[32];

	ask_name(ask, number);
	r = map_get(&t->answers, number);
	if (!r)
		fail_msg("there was no ask %s", number);
	if (why)
		*why = r->why ? r->why : "";
	return r->value;
}
