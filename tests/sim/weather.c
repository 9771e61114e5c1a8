#include "weather.h"

#include "plan.h"
#include "sim.h"

static enum weather now[PLAN_TARGETS];
static bool clear;

void weather_begin(void)
{
	for (int n = 0; n < PLAN_TARGETS; n++)
		now[n] = WEATHER_GOOD;
	clear = false;
}

void weather_change(int target, enum weather to)
{
	static const char *const words[] = {"good", "gone", "ill", "deaf", "slow", "mixed"};

	trace("%s: weather is %s", plan.targets[target].name, words[to]);
	now[target] = to;
}

void weather_clear(void)
{
	weather_begin();
	clear = true;
}

bool weather_is_clear(void)
{
	return clear;
}

static enum fate any_fate(bool puppet)
{
	static const enum fate fates[] = {FATE_LOST,  FATE_HANGS, FATE_REFUSED, FATE_FAILS,
					  FATE_FAILS, FATE_LATER, FATE_REJECTS};
	static const enum fate of_puppets[] = {FATE_FAILS, FATE_FAILS,   FATE_REJECTS,
					       FATE_HOLDS, FATE_FORGETS, FATE_TWICE};

	return puppet ? of_puppets[chance_below(&sim.chance, 6)]
		      : fates[chance_below(&sim.chance, 7)];
}

enum fate weather_fate(int target, bool puppet)
{
	switch (now[target]) {
	case WEATHER_GONE: return puppet ? FATE_FAILS : FATE_REFUSED;
	case WEATHER_ILL: return chance_hits(&sim.chance, 300) && !puppet ? FATE_LATER : FATE_FAILS;
	case WEATHER_DEAF: return puppet ? FATE_FORGETS : FATE_HANGS;
	case WEATHER_MIXED: return chance_hits(&sim.chance, 300) ? FATE_OK : any_fate(puppet);
	default: break;
	}
	if (!clear && chance_hits(&sim.chance, plan.targets[target].trouble))
		return any_fate(puppet);
	return puppet && chance_hits(&sim.chance, 50) ? FATE_HOLDS : FATE_OK;
}

int64_t weather_latency(int target)
{
	int64_t timeout = plan.targets[target].timeout_ms;

	if (now[target] == WEATHER_SLOW)
		return chance_between(&sim.chance, timeout * 8 / 10, timeout * 11 / 10);
	return chance_scale(&sim.chance, 1, 500);
}
