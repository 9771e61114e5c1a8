#include "lane/lane_inside.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>

#define GRACE_MS 500 /* a request has `timeout` too, and is to say why it ended */

struct lane_settings lane_settings_of(const struct instance_config *section)
{
	return (struct lane_settings){
		.retry = section->retry,
		.rate = section->rate,
		.concurrency = section->concurrency,
		.batch = section->batch,
		.timeout_ms = section->timeout_ms + GRACE_MS,
		.deadline_ms = section->deadline_ms,
		.ordered = section->order_by != ORDER_NONE,
		.max_waiting = LANE_MAX_WAITING,
		.max_rows = LANE_MAX_ROWS,
	};
}

static void set(struct lane *l, const struct lane_settings *settings)
{
	l->settings = *settings;
	if (!l->settings.batch)
		l->settings.batch = 1;
}

struct lane *lane_new(uint32_t target, const struct lane_settings *settings, uint64_t cursor)
{
	struct lane *l = mem_new(struct lane);

	l->target = target;
	set(l, settings);
	l->reached = cursor;
	return l;
}

static bool drop(struct hashed_node *node, void *arg)
{
	struct lane_entry *e = (struct lane_entry *)(void *)node;

	if (e->call)
		lane_leave_call(arg, e);
	delivery_clear(&e->d);
	free(e);
	return false;
}

void lane_free(struct lane *l)
{
	if (!l)
		return;
	hashed_each(&l->entries, drop, l);
	hashed_free(&l->entries);
	chains_free(&l->orders);
	chains_free(&l->overlaps);
	heap_free(&l->ready);
	heap_free(&l->looks);
	heap_free(&l->alarms);
	buckets_free(&l->buckets);
	breaker_clear(&l->breaker);
	obituary_free(&l->obituary);
	free(l);
}

void lane_configure(struct lane *l, const struct lane_settings *settings)
{
	set(l, settings);
	buckets_open(&l->buckets, &l->ready);
}

struct lane_entry *lane_find(const struct lane *l, uint64_t seq)
{
	return (struct lane_entry *)(void *)hashed_find(&l->entries, seq);
}

/* Once nothing is left that could have been in flight, the lane goes as usual. */
static void settle_care(struct lane *l, struct lane_now now)
{
	bool all_known = l->reached >= l->careful_last || lane_wants(l) < LANE_READ_LEAST;

	if (!l->careful || l->careful_call || l->paused || l->resting)
		return;
	if (!l->careful_left || (all_known && !lane_has_turn(l, now)))
		l->careful = false;
}

/* Behind every input: what it made possible. */
static void go_on(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	lane_tell(l, now, out);
	settle_care(l, now);
	lane_advance(l, now, out);
}

static void append_bare(struct lane *l, struct lane_entry *e)
{
	e->before = l->last_bare;
	*(l->last_bare ? &l->last_bare->after : &l->first_bare) = e;
	l->last_bare = e;
	l->bare++;
}

static void join_chains(struct lane *l, struct lane_entry *e, uint64_t key)
{
	const struct duty *duty = &e->d.duty;

	if (key && l->settings.ordered)
		chains_join(&l->orders, key, &e->order, e->d.seq);
	if (duty->overlap != OVERLAP_PARALLEL)
		chains_join(&l->overlaps, hash64(&duty->rule, sizeof duty->rule, duty->group),
			    &e->overlap, e->d.seq);
}

/* `e` may be gone afterwards: a redriven one that comes too late. */
static void arrive(struct lane *l, struct lane_entry *e, struct lane_now now,
		   struct lane_effects *out)
{
	uint64_t seq = e->d.seq;

	if (e->d.duty.overlap == OVERLAP_SUPERSEDE)
		lane_supersede(l, e, now, out);
	if (!lane_find(l, seq))
		return;
	lane_consider(l, e);
	lane_park(l, e, out);
}

void lane_offer(struct lane *l, const struct lane_event *ev, const struct duty *duty,
		struct lane_now now, struct lane_effects *out)
{
	struct lane_entry *e;

	if (lane_find(l, ev->seq))
		return;
	e = mem_new(struct lane_entry);
	e->d = (struct delivery){.seq = ev->seq, .duty = *duty, .own = ev->own};
	e->bytes = ev->bytes;
	e->suspect = l->careful && ev->seq <= l->careful_last;
	hashed_add(&l->entries, &e->node, ev->seq);
	append_bare(l, e);
	join_chains(l, e, ev->key);
	arrive(l, e, now, out);
	go_on(l, now, out);
}

static int64_t since(int64_t stored, struct lane_now now)
{
	return now.boot - (stored && now.wall > stored ? now.wall - stored : 0);
}

void lane_delayed(struct lane *l, uint64_t seq)
{
	struct lane_entry *e = lane_find(l, seq);

	if (!e || e->d.state != DELIVERY_CALLED || e->cancelled)
		return;
	e->delayed = true;
	lane_set_alarm(l, e);
}

void lane_begun(struct lane *l, uint64_t seq, struct lane_now now)
{
	struct lane_entry *e = lane_find(l, seq);

	if (!e || !e->delayed)
		return;
	e->delayed = false;
	e->called = now.boot;
	lane_set_alarm(l, e);
}

/* The wall clock may have been set back while nobody looked: nothing is due later than one
 * interval from now. */
static void recall_due(struct lane_entry *e, int64_t interval, struct lane_now now)
{
	int64_t latest = now.wall + interval;

	if (e->d.due > latest)
		e->d.due = latest;
	e->due = now.boot + (e->d.due > now.wall ? e->d.due - now.wall : 0);
}

static void hold(struct lane *l, struct lane_entry *e, struct lane_now now,
		 struct lane_effects *out)
{
	l->held++;
	lane_busy(l, e, true);
	if (e->due <= now.boot && !l->paused)
		heap_put(&l->looks, &e->turn, (int64_t)e->d.seq);
	lane_set_alarm(l, e);
	lane_park_behind(l, e, out);
}

static void recall_retry(struct lane *l, struct lane_entry *e, struct lane_now now,
			 struct lane_effects *out)
{
	recall_due(e, l->settings.retry.max_ms, now);
	if (e->due > now.boot)
		lane_set_alarm(l, e);
	arrive(l, e, now, out);
}

/* The process ended with it in a call.  After a clean stop nobody is to blame. */
static void recall_called(struct lane *l, struct lane_entry *e, struct lane_now now,
			  struct lane_effects *out)
{
	l->called++;
	l->calls++;
	e->d.unknown = true;
	e->d.due = 0;
	e->due = now.boot;
	if (l->careful && ++e->d.deaths >= LANE_DEATHS) {
		lane_end_dead(l, e, "died",
			      mem_format("the process died %u times while plugin and event were "
					 "together in a call",
					 e->d.deaths),
			      now, out);
		return;
	}
	lane_uncall(l, e);
	lane_move(e, e->d.held ? DELIVERY_HELD : DELIVERY_WAITING);
	lane_write(l, e, out);
	if (e->d.held)
		hold(l, e, now, out);
	else
		arrive(l, e, now, out);
}

static void recall_live(struct lane *l, struct lane_entry *e, struct lane_now now,
			struct lane_effects *out)
{
	switch (e->d.state) {
	case DELIVERY_CALLED: recall_called(l, e, now, out); break;
	case DELIVERY_RETRY: recall_retry(l, e, now, out); break;
	case DELIVERY_HELD:
		recall_due(e, l->settings.deadline_ms, now);
		hold(l, e, now, out);
		break;
	default: arrive(l, e, now, out); break;
	}
}

void lane_recall(struct lane *l, const struct delivery *row, const struct lane_event *ev,
		 struct lane_now now, struct lane_effects *out)
{
	struct lane_entry *e;

	if (row->state == DELIVERY_DEAD && !row->told && !row->own)
		obituary_recall(&l->obituary, row);
	if (delivery_ended(row->state) || lane_find(l, row->seq))
		return;
	obituary_forget(&l->obituary, row->seq);
	e = mem_new(struct lane_entry);
	delivery_copy(&e->d, row);
	e->bytes = ev->bytes;
	e->has_row = true;
	l->rows++;
	e->first = since(row->first_at, now);
	e->began = since(row->begun_at, now);
	e->suspect = l->careful && row->seq <= l->careful_last;
	hashed_add(&l->entries, &e->node, row->seq);
	join_chains(l, e, ev->key);
	recall_live(l, e, now, out);
	go_on(l, now, out);
}

void lane_reached(struct lane *l, uint64_t seq)
{
	if (seq > l->reached)
		l->reached = seq;
}

static size_t most_waiting(const struct lane *l)
{
	size_t calls = (size_t)l->settings.concurrency * l->settings.batch;

	return calls * 2 > l->settings.max_waiting ? calls * 2 : l->settings.max_waiting;
}

size_t lane_wants(const struct lane *l)
{
	size_t most = most_waiting(l);
	size_t bare = l->bare < most ? most - l->bare : 0;
	size_t rows = l->rows < l->settings.max_rows ? l->settings.max_rows - l->rows : 0;

	return bare < rows ? bare : rows;
}

uint64_t lane_cursor(const struct lane *l)
{
	return l->first_bare && l->first_bare->d.seq <= l->reached ? l->first_bare->d.seq - 1
								   : l->reached;
}

static bool in_hand(const struct lane_entry *e)
{
	return e && (e->d.state == DELIVERY_CALLED || e->d.state == DELIVERY_HELD);
}

static void target_down(struct lane *l, uint64_t seq, const char *why, int64_t after_ms,
			struct lane_now now, struct lane_effects *out)
{
	struct delivery told = {.seq = seq, .duty = {.target = l->target}};

	if (!breaker_down(&l->breaker, &l->settings.retry, seq, why, after_ms, now))
		return;
	told.why = mem_text(why);
	lane_effect_add(out, LANE_OPENED, &told);
	delivery_clear(&told);
}

/* One call that fails is one sign, however many deliveries were in it. */
static bool known_down(struct lane_entry *e)
{
	bool known = e->call && e->call->down;

	if (e->call)
		e->call->down = true;
	return known;
}

static void fail_or_end(struct lane *l, struct lane_entry *e, enum lane_result result,
			const char *why, int64_t after_ms, bool unknown, struct lane_now now,
			struct lane_effects *out)
{
	switch (result) {
	case LANE_OK: lane_end_done(l, e, now, out); break;
	case LANE_REJECT:
		e->d.unknown = unknown;
		lane_end_dead(l, e, "rejected", mem_text(why), now, out);
		break;
	case LANE_SPLIT: lane_split(l, e, why, now, out); break;
	case LANE_DOWN: lane_fail(l, e, "down", why, after_ms, unknown, now, out); break;
	case LANE_AGAIN: lane_fail(l, e, "failed", why, after_ms, unknown, now, out); break;
	}
}

void lane_finished(struct lane *l, uint64_t seq, enum lane_result result, const char *why,
		   int64_t after_ms, bool unknown, struct lane_now now, struct lane_effects *out)
{
	struct lane_entry *e = lane_find(l, seq);
	bool news = result == LANE_DOWN && in_hand(e) && !known_down(e);

	if (!in_hand(e))
		return;
	if (!why || !*why)
		why = "the plugin gave no reason";
	if (result == LANE_SPLIT && (!e->call || e->call->size == 1))
		result = LANE_REJECT;
	if (result != LANE_DOWN)
		lane_target_up(l, now, out);
	fail_or_end(l, e, result, why, after_ms, unknown, now, out);
	if (news)
		target_down(l, seq, why, after_ms, now, out);
	go_on(l, now, out);
}

static void set_held(struct lane_entry *e, int64_t ms, const char *state, uint32_t emitted,
		     struct lane_now now)
{
	char *copy = mem_text(state ? state : "");

	free(e->d.held);
	e->d.held = copy;
	e->d.emitted += emitted;
	e->d.deaths = 0;
	e->d.due = now.wall + (ms > 0 ? ms : 1);
	e->due = now.boot + (ms > 0 ? ms : 1);
}

void lane_held(struct lane *l, uint64_t seq, int64_t ms, const char *state, uint32_t emitted,
	       struct lane_now now, struct lane_effects *out)
{
	struct lane_entry *e = lane_find(l, seq);

	if (!in_hand(e))
		return;
	lane_target_up(l, now, out);
	lane_uncall(l, e);
	lane_move(e, DELIVERY_HELD);
	set_held(e, ms, state, emitted, now);
	lane_write(l, e, out);
	hold(l, e, now, out);
	go_on(l, now, out);
}

static void timed_out(struct lane *l, struct lane_entry *e, struct lane_now now,
		      struct lane_effects *out)
{
	uint64_t seq = e->d.seq;
	char time[64], why[128];

	snprintf(why, sizeof why, "the plugin did not finish within %s",
		 units_duration_text(l->settings.timeout_ms, time, sizeof time));
	lane_effect_add(out, LANE_ABANDON, &e->d);
	lane_fail(l, e, "timed out", why, -1, true, now, out);
	breaker_probe_over(&l->breaker, &l->settings.retry, seq, true, now);
}

static void deadline_over(struct lane *l, struct lane_entry *e, struct lane_now now,
			  struct lane_effects *out)
{
	uint64_t seq = e->d.seq;
	char time[64];

	lane_effect_add(out, LANE_ABANDON, &e->d);
	e->d.unknown = true;
	lane_end_dead(l, e, "timed out",
		      mem_format("not ended within its deadline of %s",
				 units_duration_text(l->settings.deadline_ms, time, sizeof time)),
		      now, out);
	breaker_probe_over(&l->breaker, &l->settings.retry, seq, true, now);
}

/* From here on a held one is in a call, so that cancel() has a number to finish. */
static void cancel(struct lane *l, struct lane_entry *e, struct lane_now now,
		   struct lane_effects *out)
{
	e->cancelled = true;
	e->over_at = now.boot + l->settings.timeout_ms;
	if (e->d.state == DELIVERY_HELD) {
		lane_uncall(l, e);
		lane_move(e, DELIVERY_CALLED);
		l->called++;
		l->calls++;
		e->called = now.boot;
		e->look = true;
	}
	lane_set_alarm(l, e);
	lane_effect_add(out, LANE_CANCEL, &e->d);
}

static void alarm_in_hand(struct lane *l, struct lane_entry *e, struct lane_now now,
			  struct lane_effects *out)
{
	bool called = e->d.state == DELIVERY_CALLED;

	if (e->cancelled && now.boot >= e->over_at) {
		deadline_over(l, e, now, out);
	} else if (called && !e->cancelled && !e->delayed &&
		   now.boot >= e->called + l->settings.timeout_ms) {
		timed_out(l, e, now, out);
	} else if (!e->cancelled && now.boot >= e->began + l->settings.deadline_ms) {
		cancel(l, e, now, out);
	} else {
		if (!called && now.boot >= e->due)
			heap_put(&l->looks, &e->turn, (int64_t)e->d.seq);
		lane_set_alarm(l, e);
	}
}

static void ring(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	struct heap_node *top;

	while ((top = heap_top(&l->alarms)) && top->rank <= now.boot) {
		struct lane_entry *e = HEAP_OWNER(top, struct lane_entry, alarm);

		heap_remove(top);
		if (e->d.state == DELIVERY_RETRY)
			lane_consider(l, e);
		else
			alarm_in_hand(l, e, now, out);
	}
}

void lane_tick(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	if (!l->paused)
		ring(l, now, out);
	go_on(l, now, out);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_start(const struct lane *l)
{
	int64_t at;

	if (l->careful || l->resting || !lane_has_room(l))
		return INT64_MAX;
	if (l->breaker.open && l->breaker.probe)
		return INT64_MAX;
	at = l->ready.n ? INT64_MIN : buckets_refill_at(&l->buckets);
	return l->breaker.open && at < l->breaker.probe_at ? l->breaker.probe_at : at;
}

int64_t lane_next(const struct lane *l, struct lane_now now)
{
	const struct heap_node *alarm = heap_top(&l->alarms);
	int64_t next = obituary_next(&l->obituary);

	if (!l->paused) {
		next = least(next, alarm ? alarm->rank : INT64_MAX);
		next = least(next, next_start(l));
	}
	return next < now.boot ? now.boot : next;
}

struct pausing {
	struct lane *lane;
	struct lane_now now;
	struct lane_effects *out;
};

/* An attempt that is taken back may have been sent. */
static void take_back(struct lane *l, struct lane_entry *e, struct lane_now now,
		      struct lane_effects *out)
{
	bool look = e->look, careful = e->careful;

	lane_effect_add(out, LANE_ABANDON, &e->d);
	breaker_probe_over(&l->breaker, &l->settings.retry, e->d.seq, false, now);
	lane_uncall(l, e);
	lane_move(e, look ? DELIVERY_HELD : DELIVERY_WAITING);
	e->suspect = careful;
	if (look) {
		e->due = now.boot;
		e->d.due = now.wall;
		hold(l, e, now, out);
	} else {
		e->d.unknown = true;
		lane_busy(l, e, false);
		lane_consider(l, e);
	}
	if (careful)
		lane_write(l, e, out);
}

static bool pause_one(struct hashed_node *node, void *arg)
{
	struct lane_entry *e = (struct lane_entry *)(void *)node;
	struct pausing *p = arg;

	if (e->d.state == DELIVERY_CALLED)
		take_back(p->lane, e, p->now, p->out);
	return true;
}

/* Meanwhile alarms do not ring: nobody is there to be called or cancelled. */
void lane_pause(struct lane *l, bool paused, struct lane_now now, struct lane_effects *out)
{
	struct pausing p = {l, now, out};

	if (l->paused == paused)
		return;
	l->paused = paused;
	if (paused)
		hashed_each(&l->entries, pause_one, &p);
	else
		ring(l, now, out);
	go_on(l, now, out);
}

void lane_rest(struct lane *l, bool resting)
{
	l->resting = resting;
}

void lane_careful(struct lane *l, uint64_t last)
{
	l->careful = true;
	l->careful_last = last;
	l->careful_left = 2 * l->settings.concurrency * l->settings.batch;
}

bool lane_is_careful(const struct lane *l)
{
	return l->careful;
}

void lane_permit(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	if (!l->careful || l->careful_call || l->paused)
		return;
	if (!lane_start_one(l, now, out))
		go_on(l, now, out);
}

struct restating {
	struct lane *lane;
	struct lane_now now;
	struct lane_effects *out;
};

static bool restate(struct hashed_node *node, void *arg)
{
	struct lane_entry *e = (struct lane_entry *)(void *)node;
	struct restating *r = arg;
	int64_t ahead = r->now.wall - r->now.boot;

	if (e->d.first_at)
		e->d.first_at = e->first + ahead;
	if (e->d.begun_at)
		e->d.begun_at = e->began + ahead;
	if (e->d.state == DELIVERY_RETRY || e->d.state == DELIVERY_HELD)
		e->d.due = e->due + ahead;
	if (e->has_row && e->d.state != DELIVERY_CALLED)
		lane_write(r->lane, e, r->out);
	return true;
}

void lane_clock_set(struct lane *l, struct lane_now now, struct lane_effects *out)
{
	struct restating r = {l, now, out};

	if (l->breaker.open)
		l->breaker.opened_at = now.wall - (now.boot - l->breaker.since);
	hashed_each(&l->entries, restate, &r);
}

bool lane_drop(struct lane *l, uint64_t seq, const char *why, struct lane_now now,
	       struct lane_effects *out)
{
	struct lane_entry *e = lane_find(l, seq);

	if (!e)
		return false;
	lane_end_dropped(l, e, why, now, out);
	breaker_probe_over(&l->breaker, &l->settings.retry, seq, false, now);
	go_on(l, now, out);
	return true;
}

void lane_forget(struct lane *l, uint64_t seq)
{
	obituary_forget(&l->obituary, seq);
}

static bool count(struct hashed_node *node, void *arg)
{
	const struct lane_entry *e = (struct lane_entry *)(void *)node;
	struct lane_stats *s = arg;

	s->waiting += e->d.state == DELIVERY_WAITING;
	s->retry += e->d.state == DELIVERY_RETRY;
	if (e->d.state == DELIVERY_RETRY && (!s->oldest_at || e->d.first_at < s->oldest_at))
		s->oldest_at = e->d.first_at;
	return true;
}

struct lane_stats lane_stats(const struct lane *l)
{
	struct hashed entries = l->entries;
	struct lane_stats s = {
		.called = l->called,
		.held = l->held,
		.open = l->breaker.open,
		.opened_at = l->breaker.opened_at,
		.done = l->done,
		.dead = l->dead,
		.attempts = l->attempts,
	};

	hashed_each(&entries, count, &s);
	return s;
}

char *lane_breaker_save(const struct lane *l)
{
	return breaker_save(&l->breaker);
}

void lane_breaker_load(struct lane *l, const char *text, struct lane_now now)
{
	breaker_load(&l->breaker, text, now);
}
