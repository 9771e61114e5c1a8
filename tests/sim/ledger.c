#include "ledger.h"

#include "base/map.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "life.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define DELAYED_MS MINUTE /* between a lane's start and the call: the journal may be asked */

static struct {
	struct entry *entries;
	size_t n, cap;
	struct map by_key, by_event; /* to 1 + index; by_event: "target id" */
	size_t *told;                /* OK, and not yet known in which transaction */
	size_t ntold, told_cap;
	uint64_t calls;
	struct {
		unsigned open;
		double tokens;
		int64_t tokens_at;
		bool breaker;
		int64_t breaker_at, breaker_ms; /* looked at; open so far */
		int64_t opened_at;
	} targets[PLAN_TARGETS];
} ledger;

struct entry *ledger_entry(size_t n)
{
	return &ledger.entries[n];
}

size_t ledger_size(void)
{
	return ledger.n;
}

uint64_t ledger_calls(void)
{
	return ledger.calls;
}

static void *number_of(size_t n)
{
	return (void *)(uintptr_t)(n + 1);
}

static struct entry *at(void *number)
{
	return number ? &ledger.entries[(uintptr_t)number - 1] : NULL;
}

struct entry *ledger_find(const char *key)
{
	return at(map_get(&ledger.by_key, key));
}

int64_t ledger_open_ms(int target)
{
	return ledger.targets[target].breaker_ms;
}

/* The breaker's state is looked at often enough to know how long it was open. */
static void look_at_breaker(int n)
{
	struct lane_stats stats = {0};
	bool was = ledger.targets[n].breaker;

	if (was)
		ledger.targets[n].breaker_ms += sim.boot - ledger.targets[n].breaker_at;
	ledger.targets[n].breaker_at = sim.boot;
	if (!life_engine())
		return;
	engine_lane_stats(life_engine(), plan.targets[n].name, &stats);
	ledger.targets[n].breaker = stats.open;
	if (stats.open && !was)
		ledger.targets[n].opened_at = sim.boot;
	for (size_t i = 0; i < ledger.n && was && !stats.open; i++) {
		if (ledger.entries[i].target == n)
			ledger.entries[i].probe = false;
	}
	expect(stats.called + stats.held <= plan.targets[n].concurrency,
	       "%s: at most %u in hand expected, found %u called and %u held", plan.targets[n].name,
	       plan.targets[n].concurrency, stats.called, stats.held);
	expect(stats.waiting + stats.retry + stats.called + stats.held <=
		       LANE_MAX_WAITING + LANE_MAX_ROWS + 1,
	       "%s: a bounded lane expected, found %u deliveries in it", plan.targets[n].name,
	       stats.waiting + stats.retry);
}

static size_t entry_new(int target, const char *key, const char *id)
{
	struct entry *e;

	mem_room(ledger.entries, ledger.n, ledger.cap);
	e = &ledger.entries[ledger.n];
	*e = (struct entry){.target = target, .id = mem_text(id)};
	memcpy(e->key, key, sizeof e->key - 1);
	map_put(&ledger.by_key, key, number_of(ledger.n));
	return ledger.n++;
}

static size_t find_or_make(int target, const char *key, const char *id)
{
	struct entry *e = ledger_find(key), *other;
	char *event = mem_format("%d %s", target, id);
	size_t n;

	expect(!e || (e->target == target && strcmp(e->id, id) == 0),
	       "one delivery for the key %s expected, found event %s to %s and event %s to %s", key,
	       e ? e->id : "", e ? plan.targets[e->target].name : "", id,
	       plan.targets[target].name);
	other = at(map_get(&ledger.by_event, event));
	expect(!other || strcmp(other->key, key) == 0,
	       "%s: the key %s expected at each attempt of event %s, found %s",
	       plan.targets[target].name, other ? other->key : "", id, key);
	n = e ? (size_t)(e - ledger.entries) : entry_new(target, key, id);
	map_put(&ledger.by_event, event, number_of(n));
	free(event);
	return n;
}

static void check_rate(int n)
{
	const struct plan_target *t = &plan.targets[n];
	double most = t->burst + t->concurrency, *tokens = &ledger.targets[n].tokens;

	if (!t->rate)
		return;
	*tokens += (double)(sim.boot - ledger.targets[n].tokens_at) * t->rate / (double)MINUTE;
	ledger.targets[n].tokens_at = sim.boot;
	*tokens = *tokens < most ? *tokens : most;
	*tokens -= 1;
	expect(*tokens >= -1e-6,
	       "%s: at most %u attempts a minute, %u at once, expected; found more", t->name,
	       t->rate, t->burst);
}

static void check_probe(struct entry *e)
{
	unsigned probes = 0;

	if (!ledger.targets[e->target].breaker ||
	    sim.boot < ledger.targets[e->target].opened_at + DELAYED_MS)
		return;
	e->probe = true;
	for (size_t i = 0; i < ledger.n; i++) {
		const struct entry *o = &ledger.entries[i];

		probes += o->target == e->target && o->open && o->probe;
	}
	expect(probes <= 1, "%s: one probe at a time expected, found %u",
	       plan.targets[e->target].name, probes);
}

/* What died is begun anew by the `then` of another first that is done. */
static void begin_anew(struct entry *e)
{
	if (e->settled && e->rejected && plan.targets[e->target].follows) {
		e->settled = e->rejected = false;
		e->attempts = 0;
	}
}

size_t ledger_begin(int target, const char *key, const char *id)
{
	size_t n = find_or_make(target, key, id);
	struct entry *e = &ledger.entries[n];
	const char *name = plan.targets[target].name;

	look_at_breaker(target);
	trace("%s: event %s begins, key %s", name, id, key);
	expect(!e->open, "%s: one call at a time of event %s expected, found a second", name, id);
	begin_anew(e);
	expect(!e->settled, "%s: event %s had ended for good: no call expected, found one", name,
	       id);
	expect(e->life != life_number() || !e->number,
	       "%s: event %s was done in this life: no call expected, found one", name, id);
	expect(e->life != life_number() || sim.boot >= e->not_before,
	       "%s: event %s was to wait until %lld ms (Retry-After), found begun at %lld", name,
	       id, (long long)e->not_before, (long long)sim.boot);
	if (!e->attempts++) {
		e->first_at = sim.boot;
		e->open_before = ledger.targets[target].breaker_ms;
	}
	ledger.calls++;
	e->open = true;
	e->probe = false;
	e->life = life_number();
	e->number = 0;
	mem_room(e->spans, e->nspans, e->cap);
	e->spans[e->nspans++] = (struct span){sim.step, 0};
	ledger.targets[target].open++;
	/* A held one may end by its deadline without a word to the puppet. */
	expect(plan.targets[target].kind != TARGET_HTTP ||
		       ledger.targets[target].open <= plan.targets[target].concurrency,
	       "%s: at most %u calls at once expected, found %u", name,
	       plan.targets[target].concurrency, ledger.targets[target].open);
	check_rate(target);
	check_probe(e);
	return n;
}

void ledger_done(size_t n)
{
	struct entry *e = &ledger.entries[n];

	trace("%s: event %s is done there", plan.targets[e->target].name, e->id);
	if (!e->succeeded)
		e->succeeded = sim.step;
}

static void close_entry(struct entry *e)
{
	e->open = false;
	look_at_breaker(e->target);
	e->last_at = sim.boot;
	e->open_after = ledger.targets[e->target].breaker_ms;
	e->spans[e->nspans - 1].ended = sim.step;
	ledger.targets[e->target].open--;
}

void ledger_end(size_t n, enum said said, int64_t after_ms)
{
	static const char *const words[] = {"ok", "again", "reject", "nothing"};
	struct entry *e = &ledger.entries[n];
	const struct plan_target *t = &plan.targets[e->target];
	int64_t left = t->for_ms - (sim.boot - e->first_at);

	if (!e->open)
		return;
	trace("%s: event %s ends: %s", t->name, e->id, words[said]);
	close_entry(e);
	e->rejected |= said == SAID_REJECT;
	e->not_before = after_ms > 0 ? sim.boot + (after_ms < left ? after_ms : left) : 0;
	if (said != SAID_OK)
		return;
	e->number = UINT64_MAX;
	mem_room(ledger.told, ledger.ntold, ledger.told_cap);
	ledger.told[ledger.ntold++] = n;
}

void ledger_step(void)
{
	struct engine *e = life_engine();

	if (!e)
		return;
	while (ledger.ntold)
		ledger.entries[ledger.told[--ledger.ntold]].number = engine_submitted(e);
	for (unsigned n = 0; n < plan.ntargets; n++) {
		if (sim.boot >= ledger.targets[n].breaker_at + 500)
			look_at_breaker((int)n);
	}
}

/* What was done and is not known to be on the disk may come again. */
void ledger_life_over(void)
{
	uint64_t durable = engine_durable(life_engine());

	for (size_t i = 0; i < ledger.n; i++) {
		struct entry *e = &ledger.entries[i];

		if (e->open)
			close_entry(e);
		if (e->life == life_number() && e->number && e->number <= durable)
			e->settled = true;
		e->number = 0;
		e->probe = false;
	}
	ledger.ntold = 0;
	for (unsigned n = 0; n < plan.ntargets; n++)
		look_at_breaker((int)n);
}

/* Buckets are full then. */
void ledger_life_begins(void)
{
	for (unsigned n = 0; n < plan.ntargets; n++) {
		ledger.targets[n].tokens = plan.targets[n].burst + plan.targets[n].concurrency;
		ledger.targets[n].tokens_at = sim.boot;
	}
}

void ledger_free(void)
{
	for (size_t i = 0; i < ledger.n; i++) {
		free(ledger.entries[i].id);
		free(ledger.entries[i].spans);
	}
	free(ledger.entries);
	free(ledger.told);
	map_free(&ledger.by_key, NULL);
	map_free(&ledger.by_event, NULL);
	memset(&ledger, 0, sizeof ledger);
}
