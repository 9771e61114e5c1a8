#include "targets.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "faults.h"
#include "ledger.h"
#include "life.h"
#include "sim.h"
#include "weather.h"

#include <pointsman/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hand { /* a delivery in a puppet's hands */
	struct hand *next;
	pm_delivery d;
	size_t entry;
	int target;
	enum fate fate;
};

static struct hand *hands;

static struct hand *find(pm_delivery d)
{
	struct hand *hand = hands;

	while (hand && hand->d != d)
		hand = hand->next;
	return hand;
}

static void forget(struct hand *hand)
{
	struct hand **at = &hands;

	while (*at != hand)
		at = &(*at)->next;
	*at = hand->next;
	free(hand);
}

void targets_step(void)
{
	struct hand *next;

	for (struct hand *hand = hands; hand && life_engine(); hand = next) {
		next = hand->next;
		if (engine_find(life_engine(), hand->d))
			continue;
		ledger_end(hand->entry, SAID_NOTHING, 0);
		forget(hand);
	}
}

void targets_life_over(void)
{
	while (hands)
		forget(hands);
}

static void finish(struct pm_host *h, struct hand *hand, pm_result r)
{
	pm_delivery d = hand->d;

	if (r == PM_OK)
		ledger_done(hand->entry);
	h->finish(h, d, r, r == PM_OK ? "" : "the weather");
	ledger_end(hand->entry, r == PM_OK ? SAID_OK : r == PM_RETRY ? SAID_AGAIN : SAID_REJECT, 0);
	forget(hand);
}

static void emit(struct pm_host *h, const struct hand *hand)
{
	if (plan.targets[hand->target].kind == TARGET_ACTION)
		h->emit(h, &PM_EMIT(.type = "item.done", .subject = h->instance, .json = "{}",
				    .cause = hand->d));
}

static void hold(struct pm_host *h, struct hand *hand)
{
	int64_t ms = chance_scale(&sim.chance, 100, 2 * MINUTE);

	if (chance_hits(&sim.chance, 200))
		emit(h, hand);
	trace("%s: held for %lld ms", h->instance, (long long)ms);
	h->hold(h, hand->d, (uint32_t)ms, "waiting");
	forget(hand);
}

static void on_due(struct pm_host *h, uint64_t d)
{
	struct hand *hand = find(d);

	targets_step();
	hand = find(d);
	if (!hand) {
		h->finish(h, d, PM_OK, ""); /* too late: ignored */
		return;
	}
	switch (hand->fate) {
	case FATE_HOLDS: hold(h, hand); break;
	case FATE_FORGETS: break;
	case FATE_REJECTS: finish(h, hand, PM_REJECT); break;
	case FATE_TWICE:
		emit(h, hand);
		finish(h, hand, PM_OK);
		h->finish(h, d, PM_RETRY, "again?");
		break;
	case FATE_OK:
		emit(h, hand);
		finish(h, hand, PM_OK);
		break;
	default: finish(h, hand, PM_RETRY); break;
	}
}

static struct hand *take(struct pm_host *h, pm_delivery d)
{
	struct hand *hand = mem_new(struct hand);
	const char *key = h->get(h, d, "delivery.key");
	struct entry *held = ledger_find(key);
	char *id;

	hand->d = d;
	hand->target = plan_target(h->instance);
	hand->next = hands;
	if (held && held->open) {
		hand->entry = (size_t)(held - ledger_entry(0));
	} else {
		id = plan_event(h->get(h, d, "delivery.rule"), h->get(h, d, "source"),
				h->get(h, d, "id"));
		hand->entry = ledger_begin(hand->target, key, id);
		free(id);
	}
	hands = hand;
	return hand;
}

void targets_deliver(struct pm_host *h, uint64_t d)
{
	struct hand *hand;
	int64_t latency;

	targets_step();
	hand = take(h, d);
	hand->fate = weather_fate(hand->target, true);
	latency = weather_latency(hand->target);
	faults_something_left();
	if (chance_hits(&sim.chance, 100))
		on_due(h, d);
	else
		h->after(h, (uint32_t)latency, on_due, d);
}

void targets_cancel(struct pm_host *h, uint64_t d)
{
	struct hand *hand;

	targets_step();
	hand = find(d);
	trace("%s: cancel", h->instance);
	if (!hand)
		hand = take(h, d);
	switch (chance_below(&sim.chance, 4)) {
	case 0:
		emit(h, hand);
		finish(h, hand, PM_OK);
		break;
	case 1: finish(h, hand, PM_REJECT); break;
	case 2: finish(h, hand, PM_RETRY); break;
	default: hand->fate = FATE_FORGETS; break;
	}
}
