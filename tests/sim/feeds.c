#include "feeds.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "life.h"
#include "plan.h"
#include "sim.h"
#include "web.h"

#include <pointsman/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE   20
#define HIDDEN_MS (30 * SECOND)

static struct {
	struct item *items;
	size_t n, cap;
	size_t taken; /* by a cursor, in this life */
} feeds[PLAN_FEEDS];
static bool ended;

size_t feeds_size(int feed)
{
	return feeds[feed].n;
}

const struct item *feeds_item(int feed, size_t n)
{
	return &feeds[feed].items[n];
}

static void add_item(int f)
{
	struct item item = {
		.kind = (char)('a' + chance_below(&sim.chance, PLAN_KINDS)),
		.subject = (unsigned)chance_below(&sim.chance, plan.feeds[f].subjects),
		.k = (unsigned)chance_below(&sim.chance, 3),
	};

	mem_room(feeds[f].items, feeds[f].n, feeds[f].cap);
	feeds[f].items[feeds[f].n++] = item;
	trace("%s: item %zu", plan.feeds[f].name, feeds[f].n - 1);
	if (f == PLAN_WEB)
		web_post(feeds[f].n - 1);
}

static void produce(uint64_t f)
{
	size_t n = chance_hits(&sim.chance, 30) ? 1 + chance_below(&sim.chance, 40) : 1;

	if (ended)
		return;
	while (n-- && feeds[f].n < FEEDS_MOST_ITEMS)
		add_item((int)f);
	sim_at(chance_between(&sim.chance, 1, 2 * plan.feeds[f].every_ms), produce, f);
}

void feeds_begin(void)
{
	ended = false;
	for (unsigned f = 0; f < PLAN_FEEDS; f++) {
		if (plan.feeds[f].used)
			sim_at(0, produce, f);
	}
}

void feeds_end(void)
{
	ended = true;
}

static bool is_drained(int f)
{
	if (f != PLAN_WEB && !plan.feeds[f].queue)
		return feeds[f].taken == feeds[f].n;
	for (size_t n = 0; n < feeds[f].n; n++) {
		if (!feeds[f].items[n].acknowledged)
			return false;
	}
	return true;
}

bool feeds_drained(void)
{
	for (int f = 0; f < PLAN_FEEDS; f++) {
		if (plan.feeds[f].used && !is_drained(f))
			return false;
	}
	return true;
}

static struct item *item_of(const char *path)
{
	char name[16] = "";
	size_t n = 0;
	int f;

	if (sscanf(path, "ack?%15[^/]/%zu", name, &n) != 2)
		return NULL;
	f = plan_feed(name);
	return f >= 0 && n < feeds[f].n ? &feeds[f].items[n] : NULL;
}

void feeds_left(const char *path)
{
	trace("%s leaves", path);
	item_of(path)->promised = true;
}

void feeds_acknowledged(const char *path)
{
	trace("%s arrives", path);
	item_of(path)->acknowledged = true;
}

void feeds_promised(size_t n)
{
	feeds[PLAN_WEB].items[n].promised = feeds[PLAN_WEB].items[n].acknowledged = true;
}

static pm_result emit(struct pm_host *h, int f, size_t n)
{
	const struct item *item = &feeds[f].items[n];
	char id[48], subject[16], json[96];

	snprintf(id, sizeof id, "%s/%zu", plan.feeds[f].name, n);
	snprintf(subject, sizeof subject, "s%u", item->subject);
	snprintf(json, sizeof json, "{\"n\":%zu,\"kind\":\"%c\",\"k\":\"k%u\"}", n, item->kind,
		 item->k);
	return h->emit(h,
		       &PM_EMIT(.type = "item.added", .id = id, .subject = subject, .json = json));
}

/* Now and then one that was told long ago is told again: it is known. */
static void emit_again(struct pm_host *h, int f, size_t from)
{
	if (from && chance_hits(&sim.chance, plan.feeds[f].again))
		emit(h, f, (size_t)chance_below(&sim.chance, from));
}

static bool read_cursor(struct pm_host *h, int f)
{
	const char *saved = h->load(h, "cursor");
	size_t from = saved ? strtoul(saved, NULL, 10) : 0, n = from;
	size_t most = 1 + (size_t)chance_below(&sim.chance, AT_ONCE);
	pm_result r = PM_OK;
	char text[32];

	emit_again(h, f, from);
	while (n < feeds[f].n && n < from + most && (r = emit(h, f, n)) == PM_OK)
		n++;
	expect(r != PM_REJECT, "%s: item %zu fit to be accepted expected, found it refused",
	       plan.feeds[f].name, n);
	if (n > from) {
		snprintf(text, sizeof text, "%zu", n);
		h->save(h, "cursor", text);
	}
	feeds[f].taken = n;
	return r == PM_OK;
}

static void on_acknowledged(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	(void)h;
	(void)m;
	(void)arg;
}

static bool read_queue(struct pm_host *h, int f)
{
	size_t most = 1 + (size_t)chance_below(&sim.chance, AT_ONCE);

	for (size_t n = 0; n < feeds[f].n && most; n++) {
		struct item *item = &feeds[f].items[n];
		char url[96];

		if (item->acknowledged || item->hidden_until > sim.boot)
			continue;
		if (emit(h, f, n) != PM_OK)
			return false;
		most--;
		item->hidden_until = sim.boot + HIDDEN_MS;
		snprintf(url, sizeof url, "http://127.0.0.1:9000/ack?%s/%zu", plan.feeds[f].name,
			 n);
		h->http(h, &PM_HTTP(.url = url, .method = "POST"), on_acknowledged, 0);
	}
	return true;
}

static void poll_feed(struct pm_host *h, uint64_t f)
{
	bool room = plan.feeds[f].queue ? read_queue(h, (int)f) : read_cursor(h, (int)f);

	h->alive(h, NULL);
	if (room)
		h->after(h, (uint32_t)plan.feeds[f].poll_ms, poll_feed, f);
}

bool feeds_start(struct pm_host *h)
{
	uint64_t f = (uint64_t)plan_feed(h->instance);

	feeds[f].taken = 0;
	h->after(h, 1, poll_feed, f);
	return true;
}

void feeds_resume(struct pm_host *h)
{
	poll_feed(h, (uint64_t)plan_feed(h->instance));
}

void feeds_life_over(void)
{
	for (int f = 0; f < PLAN_FEEDS; f++)
		feeds[f].taken = 0;
	web_life_over();
}

void feeds_free(void)
{
	for (int f = 0; f < PLAN_FEEDS; f++)
		free(feeds[f].items);
	memset(feeds, 0, sizeof feeds);
	web_free();
}
