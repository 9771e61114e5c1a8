#include "faults.h"

#include "journal/testdisk.h"
#include "life.h"
#include "plan.h"
#include "powerdisk.h"
#include "sim.h"
#include "weather.h"

#define MID_BATCH_MS MINUTE /* until a cut that waits for a write happens anyway */

static struct {
	bool ended, full, broken;
	bool dying; /* at the end of this step */
	enum death how;
	unsigned cut; /* counts cuts that wait for a write */
	bool stopping;
} faults;

static void every(int64_t ms, void (*fn)(uint64_t arg))
{
	if (ms && !faults.ended)
		sim_at(chance_between(&sim.chance, 1, 2 * ms), fn, 0);
}

static void die(enum death how)
{
	faults.dying = true;
	faults.how = how;
}

static void clears_up(uint64_t target)
{
	weather_change((int)target, WEATHER_GOOD);
}

static void go_down(uint64_t arg)
{
	uint64_t target = chance_below(&sim.chance, plan.ntargets);

	(void)arg;
	if (faults.ended)
		return;
	weather_change((int)target, (enum weather)chance_between(&sim.chance, 1, WEATHERS - 1));
	sim_at(chance_scale(&sim.chance, SECOND, plan.faults.down_ms), clears_up, target);
	every(plan.faults.down_every, go_down);
}

/* No write has come: it dies between two batches. */
static void cut_late(uint64_t cut)
{
	if (cut == faults.cut && life_engine() && !faults.ended)
		die(faults.how);
}

static void strike(enum death how)
{
	if (!life_engine())
		return;
	if (chance_hits(&sim.chance, 500)) {
		die(how);
		return;
	}
	faults.how = how;
	faults.cut++;
	powerdisk_stop(1 + (uint32_t)chance_below(&sim.chance, 40));
	sim_at(MID_BATCH_MS, cut_late, faults.cut);
}

static void kill_it(uint64_t arg)
{
	(void)arg;
	if (faults.ended)
		return;
	strike(DEATH_KILL);
	every(plan.faults.kill_every, kill_it);
}

static void cut_power(uint64_t arg)
{
	(void)arg;
	if (faults.ended)
		return;
	strike(DEATH_POWER);
	every(plan.faults.cut_every, cut_power);
}

static void stop_it(uint64_t arg)
{
	(void)arg;
	if (faults.ended)
		return;
	if (life_engine() && !faults.stopping) {
		faults.stopping = true;
		life_stop();
	}
	every(plan.faults.stop_every, stop_it);
}

static void break_disk(uint64_t arg)
{
	(void)arg;
	if (faults.ended)
		return;
	trace("disk: the next writes meet an I/O error");
	faults.broken = true;
	disk_fail(DISK_BROKEN, 1 + (uint32_t)chance_below(&sim.chance, 40));
	every(plan.faults.broken_every, break_disk);
}

static int64_t disk_free(struct world *w, const char *path)
{
	(void)w;
	(void)path;
	return faults.full ? 0 : INT64_C(1) << 40;
}

bool faults_disk_is_well(void)
{
	return !faults.full && !faults.broken;
}

static void has_room(uint64_t arg)
{
	(void)arg;
	trace("disk: has room");
	faults.full = false;
	disk_stay_full(false);
}

static void fill_disk(uint64_t arg)
{
	(void)arg;
	if (faults.ended)
		return;
	trace("disk: full");
	faults.full = true;
	disk_stay_full(chance_hits(&sim.chance, 800)); /* else only too full for intake */
	sim_at(chance_scale(&sim.chance, SECOND, plan.faults.full_ms), has_room, 0);
	every(plan.faults.full_every, fill_disk);
}

static void step_clock(uint64_t arg)
{
	int64_t by = chance_scale(&sim.chance, 1, plan.faults.clock_ms);

	(void)arg;
	if (faults.ended)
		return;
	by = chance_hits(&sim.chance, 500) ? by : -by;
	trace("clock: set by %lld ms", (long long)by);
	sim.wall_ahead += by;
	every(plan.faults.clock_every, step_clock);
}

void faults_begin(void)
{
	const struct plan_faults *f = &plan.faults;

	faults.ended = faults.full = faults.broken = faults.dying = faults.stopping = false;
	sim.world.disk_free = disk_free;
	weather_begin();
	powerdisk_slow(f->slow_ms);
	every(f->down_every, go_down);
	every(f->kill_every, kill_it);
	every(f->cut_every, cut_power);
	every(f->stop_every, stop_it);
	every(f->broken_every, break_disk);
	every(f->full_every, fill_disk);
	every(f->clock_every, step_clock);
}

void faults_end(void)
{
	trace("from now on all goes well");
	faults.ended = true;
	faults.cut++;
	weather_clear();
	has_room(0);
	faults.broken = false;
	disk_fail(DISK_GOOD, 0);
	if (!powerdisk_stopped())
		powerdisk_go();
}

void faults_something_left(void)
{
	if (!faults.ended && life_engine() && plan.faults.leaving &&
	    chance_below(&sim.chance, 1000000) < plan.faults.leaving)
		die(DEATH_POWER);
}

static void be_born(uint64_t arg)
{
	(void)arg;
	if (!life_begin())
		sim_at(10 * SECOND, be_born, 0);
}

void faults_step(void)
{
	if (!life_engine())
		return;
	if (powerdisk_stopped() || (life_failed() && !faults.dying))
		die(powerdisk_stopped()             ? faults.how
		    : chance_hits(&sim.chance, 300) ? DEATH_POWER
						    : DEATH_KILL);
	if (faults.stopping && life_stopped() && !faults.dying)
		die(DEATH_STOP);
	if (!faults.dying)
		return;
	faults.dying = faults.stopping = false;
	faults.cut++;
	life_end(faults.how);
	faults.broken = false;
	sim_at(chance_scale(&sim.chance, 100, 2 * MINUTE), be_born, 0);
}
