/* How an attempt ends: done, dead, superseded, dropped, or to be tried again. */
#include "lane/lane_inside.h"

#include "base/mem.h"
#include "base/units.h"
#include "lane/pause.h"
#include "lane/trail.h"

#include <stdlib.h>

void lane_uncall(struct lane *l, struct lane_entry *e)
{
	if (e->d.state == DELIVERY_CALLED) {
		l->called--;
		lane_leave_call(l, e);
	}
	if (e->d.state == DELIVERY_HELD)
		l->held--;
	heap_remove(&e->turn);
	heap_remove(&e->alarm);
	if (e->careful)
		l->careful_call = false;
	e->careful = false;
	e->delayed = false;
}

static void set_text(char **text, char *to)
{
	free(*text);
	*text = to;
}

static void add_trail(struct lane_entry *e, const char *result, const char *why,
		      struct lane_now now)
{
	e->d.trail = trail_add(e->d.trail, e->d.begun_at, now.wall, result, why);
}

/* Writes the last row and lets go of the entry. */
static void end(struct lane *l, struct lane_entry *e, enum delivery_state state,
		struct lane_now now, struct lane_effects *out)
{
	lane_uncall(l, e);
	lane_move(e, state);
	e->d.ended_at = now.wall;
	e->d.due = 0;
	lane_write(l, e, out);
}

static void let_go(struct lane *l, struct lane_entry *e)
{
	lane_leave(l, e);
	hashed_remove(&l->entries, &e->node);
	l->rows--;
	delivery_clear(&e->d);
	free(e);
}

void lane_end_done(struct lane *l, struct lane_entry *e, struct lane_now now,
		   struct lane_effects *out)
{
	if (e->d.trail)
		add_trail(e, "done", NULL, now);
	set_text(&e->d.why, NULL);
	set_text(&e->d.held, NULL);
	e->d.unknown = false;
	end(l, e, DELIVERY_DONE, now, out);
	l->done++;
	if (e->d.duty.then)
		lane_effect_add(out, LANE_THEN, &e->d);
	let_go(l, e);
}

void lane_end_dead(struct lane *l, struct lane_entry *e, const char *result, char *why,
		   struct lane_now now, struct lane_effects *out)
{
	bool announce = false;

	if (result)
		add_trail(e, result, why, now);
	set_text(&e->d.why, why);
	lane_uncall(l, e);
	lane_move(e, DELIVERY_DEAD);
	e->d.ended_at = now.wall;
	e->d.due = 0;
	e->d.told = true;
	if (!e->d.own)
		announce = obituary_add(&l->obituary, &e->d, now);
	lane_write(l, e, out);
	if (announce)
		lane_effect_add(out, LANE_DIED, &e->d);
	l->dead++;
	let_go(l, e);
}

void lane_end_dropped(struct lane *l, struct lane_entry *e, const char *why, struct lane_now now,
		      struct lane_effects *out)
{
	if (e->d.state == DELIVERY_CALLED)
		lane_effect_add(out, LANE_ABANDON, &e->d);
	set_text(&e->d.why, mem_text(why));
	end(l, e, DELIVERY_DROPPED, now, out);
	let_go(l, e);
}

static void superseded(struct lane *l, struct lane_entry *e, uint64_t by, struct lane_now now,
		       struct lane_effects *out)
{
	e->d.by = by;
	end(l, e, DELIVERY_SUPERSEDED, now, out);
	let_go(l, e);
}

static bool is_started(const struct lane_entry *e)
{
	return e->d.state == DELIVERY_CALLED || e->d.state == DELIVERY_HELD || e->d.unknown;
}

void lane_supersede(struct lane *l, struct lane_entry *newest, struct lane_now now,
		    struct lane_effects *out)
{
	struct chain_link *link = newest->overlap.chain->newest, *older;

	while (is_started(HEAP_OWNER(link, struct lane_entry, overlap))) {
		link = link->older;
		if (!link)
			return;
	}
	newest = HEAP_OWNER(link, struct lane_entry, overlap);
	for (link = link->older; link; link = older) {
		struct lane_entry *e = HEAP_OWNER(link, struct lane_entry, overlap);

		older = link->older;
		if (!is_started(e))
			superseded(l, e, newest->d.seq, now, out);
	}
}

/* Time in which the breaker was open is not counted. */
static int64_t budget_used(const struct lane *l, const struct lane_entry *e, struct lane_now now)
{
	return now.boot - e->first - breaker_open_since(&l->breaker, e->first, now);
}

static bool is_over_budget(const struct lane *l, const struct lane_entry *e, int64_t pause,
			   struct lane_now now)
{
	int64_t counted = l->breaker.open ? 0 : pause;

	return budget_used(l, e, now) + counted > l->settings.retry.for_ms;
}

static char *gave_up(const struct lane *l, const struct lane_entry *e, const char *why)
{
	char time[64];

	if (l->settings.retry.none)
		return mem_format("%s (retry = none)", why);
	return mem_format("gave up after %s, %u attempt%s: %s",
			  units_duration_text(l->settings.retry.for_ms, time, sizeof time),
			  e->d.attempt, e->d.attempt == 1 ? "" : "s", why);
}

static void retry_in(struct lane *l, struct lane_entry *e, int64_t pause, struct lane_now now,
		     struct lane_effects *out)
{
	lane_uncall(l, e);
	lane_move(e, DELIVERY_RETRY);
	e->due = now.boot + pause;
	e->d.due = now.wall + pause;
	lane_set_alarm(l, e);
	lane_write(l, e, out);
	lane_busy(l, e, false);
	lane_park_behind(l, e, out);
	if (e->d.duty.overlap == OVERLAP_SUPERSEDE)
		lane_supersede(l, e, now, out);
}

/* Nothing is said of this one yet: so it costs no attempt, and no time. */
void lane_split(struct lane *l, struct lane_entry *e, const char *why, struct lane_now now,
		struct lane_effects *out)
{
	uint32_t most = (e->call->size + 1) / 2;
	uint64_t seq = e->d.seq;

	add_trail(e, "split", why, now);
	lane_uncall(l, e);
	lane_move(e, DELIVERY_WAITING);
	e->most = most;
	e->d.attempt--;
	e->d.deaths = 0;
	lane_busy(l, e, false);
	if (e->d.duty.overlap == OVERLAP_SUPERSEDE)
		lane_supersede(l, e, now, out);
	if (lane_find(l, seq))
		lane_consider(l, e);
}

/* Asked to wait for longer than there is time, it has one more try at its end. */
static int64_t next_pause(const struct lane *l, const struct lane_entry *e, int64_t after_ms,
			  struct lane_now now)
{
	int64_t left = l->settings.retry.for_ms - budget_used(l, e, now);

	if (after_ms < 0)
		return pause_before(&l->settings.retry, e->d.attempt - 1, now.random);
	if (after_ms > left && left > 0)
		return left;
	return after_ms > 0 ? after_ms : 1;
}

void lane_fail(struct lane *l, struct lane_entry *e, const char *result, const char *why,
	       int64_t after_ms, bool unknown, struct lane_now now, struct lane_effects *out)
{
	const struct retry *retry = &l->settings.retry;
	int64_t pause = next_pause(l, e, after_ms, now);

	e->d.unknown = unknown;
	e->d.deaths = 0;
	if (retry->none || is_over_budget(l, e, pause, now)) {
		lane_end_dead(l, e, result, gave_up(l, e, why), now, out);
		return;
	}
	add_trail(e, result, why, now);
	set_text(&e->d.why, mem_text(why));
	retry_in(l, e, pause, now, out);
}

struct shift {
	struct lane *lane;
	struct lane_now now;
	struct lane_effects *out;
};

static bool shift_budget(struct hashed_node *node, void *arg)
{
	struct lane_entry *e = (struct lane_entry *)(void *)node;
	struct shift *s = arg;
	int64_t by;

	if (!e->d.first_at)
		return true;
	by = breaker_open_since(&s->lane->breaker, e->first, s->now);
	e->first += by;
	e->d.first_at += by;
	if (by && e->has_row && e->d.state != DELIVERY_CALLED)
		lane_write(s->lane, e, s->out);
	return true;
}

static void park_all(struct lane *l, struct lane_effects *out)
{
	struct lane_entry *next;

	for (struct lane_entry *e = l->first_bare; e; e = next) {
		next = e->after;
		lane_park(l, e, out);
	}
}

void lane_target_up(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	struct shift s = {l, now, out};
	struct delivery told = {.duty = {.target = l->target}};
	char time[64];

	if (!breaker_up(&l->breaker))
		return;
	hashed_each(&l->entries, shift_budget, &s);
	told.why = mem_format("it answers again, after %s",
			      units_duration_text(now.boot - l->breaker.since, time, sizeof time));
	lane_effect_add(out, LANE_CLOSED, &told);
	delivery_clear(&told);
	breaker_clear(&l->breaker);
	park_all(l, out);
}

void lane_tell(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	struct obituary *o = &l->obituary;
	uint32_t count;

	if (!obituary_due(o, now, &count))
		return;
	for (size_t i = 0; i < o->n; i++) {
		o->gathered[i].told = true;
		lane_effect_add(out, LANE_ROW, &o->gathered[i]);
	}
	lane_effect_add(out, LANE_DIED, &o->gathered[0])->count = count;
	obituary_told(o, now);
}
