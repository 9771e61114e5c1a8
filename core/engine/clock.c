#include "engine/clock.h"

#include "base/log.h"
#include "base/units.h"

#define SET_MS 1000 /* less is a clock that is being corrected */

static void tell(int64_t by)
{
	char time[64];

	log_warn("the wall clock was set %s by %s; deliveries wait as long as before",
		 by > 0 ? "forward" : "back",
		 units_duration_text(by > 0 ? by : -by, time, sizeof time));
}

static void keep_breaker(struct target *t, struct txn *txn)
{
	char *open = lane_breaker_save(t->lane);
	struct change *change;

	if (!open)
		return;
	change = txn_add(txn, CHANGE_BREAKER);
	change->target = t->number;
	change->value = open;
}

void clock_look(struct engine *e)
{
	struct lane_now now = engine_now(e);
	int64_t by = now.wall - now.boot - e->ahead;
	struct map_entry *entry;
	struct txn *txn;

	if (by > -SET_MS && by < SET_MS)
		return;
	e->ahead += by;
	tell(by);
	txn = txn_new();
	for (size_t i = 0; (entry = map_next(&e->targets, &i));) {
		struct target *t = entry->value;

		lane_clock_set(t->lane, now, &e->effects);
		target_effects(t, txn);
		keep_breaker(t, txn);
	}
	engine_hand_over(e, txn);
}
