#include "verdict.h"

#include "audit.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "config/config.h"
#include "feeds.h"
#include "lane/order.h"
#include "ledger.h"
#include "plan.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLACK_MS MINUTE /* of what is only looked at now and then */

static struct config *config;

/* The delivery's calls, of its last round; NULL: there was none. */
static struct entry *calls_of(const struct audited *r, unsigned n)
{
	char key[33];

	delivery_key(r->first, r->source, r->id, plan.targets[n].name, r->to[n].round, key);
	return ledger_find(key);
}

static void check_end(const struct audited *r, unsigned n)
{
	const struct audited_delivery *a = &r->to[n];
	struct entry *e = calls_of(r, n);
	unsigned long long seq = r->seq;

	if (e)
		e->known = true;
	expect(!a->duty.target || a->has_row, "event %llu (%s) to %s: an end expected, found none",
	       seq, r->id, plan.targets[n].name);
	if (!a->has_row)
		return;
	expect(delivery_ended(a->state), "event %llu (%s) to %s: an end expected, found it %s", seq,
	       r->id, plan.targets[n].name, delivery_state_name(a->state));
	expect(a->state != DELIVERY_DONE || (e && e->succeeded),
	       "event %llu (%s) to %s: done expected to have arrived, found it never did", seq,
	       r->id, plan.targets[n].name);
}

/* `a then b`, and what an action emits with its end, are in the transaction of that end. */
static void check_what_follows(const struct audited *r, unsigned n, const struct map *ids)
{
	const struct audited_delivery *a = &r->to[n];
	int then = a->duty.then ? audit_target(a->duty.then) : -1;
	char key[33], *id;

	if (a->state != DELIVERY_DONE || !a->has_row)
		return;
	if (then >= 0)
		expect(r->to[then].has_row,
		       "event %s, done by %s: then %s expected, found that it was not begun", r->id,
		       plan.targets[n].name, plan.targets[then].name);
	if (plan.targets[n].kind != TARGET_ACTION)
		return;
	delivery_key(r->first, r->source, r->id, plan.targets[n].name, a->round, key);
	id = mem_format("%s/item.done/0", key);
	expect(map_get(ids, id) != NULL,
	       "event %s, done by %s: an item.done of it expected, found none", r->id,
	       plan.targets[n].name);
	free(id);
}

static bool begins(const char *text, const char *with)
{
	return text && strncmp(text, with, strlen(with)) == 0;
}

/* Time in which the breaker was open is not counted. */
static void check_patience(const struct audited *r, unsigned n)
{
	const struct plan_target *t = &plan.targets[n];
	const struct entry *e = calls_of(r, n);
	int64_t used, longest = t->max_ms > MINUTE ? t->max_ms : MINUTE; /* Retry-After */

	if (r->to[n].state != DELIVERY_DEAD || !begins(r->to[n].why, "gave up after"))
		return;
	expect(e != NULL, "event %s to %s: given up after an attempt expected, found none", r->id,
	       t->name);
	used = e->last_at - e->first_at - (e->open_after - e->open_before);
	expect(plan.faults.clock_every || used + longest + SLACK_MS >= t->for_ms,
	       "event %s to %s: tried for %lld s expected, found given up after %lld s", r->id,
	       t->name, (long long)t->for_ms / 1000, (long long)used / 1000);
}

static void check_duties(const struct audited *r)
{
	unsigned expected, found = 0;

	if (r->feed < 0)
		return;
	expected = plan.duties[r->feed][feeds_item(r->feed, r->item)->kind - 'a'];
	for (unsigned n = 0; n < plan.ntargets; n++)
		found |= (unsigned)(r->to[n].duty.target != 0) << n;
	expect(found == expected, "%s: duties %x expected, found %x", r->id, expected, found);
}

static void check_all_taken(void)
{
	for (int f = 0; f < PLAN_FEEDS; f++) {
		for (size_t n = 0; n < feeds_size(f); n++)
			expect(audit_has_item(f, n),
			       "%s: item %zu accepted expected, found it lost", plan.feeds[f].name,
			       n);
	}
}

static void check_known(void)
{
	for (size_t i = 0; i < ledger_size(); i++) {
		const struct entry *e = ledger_entry(i);

		expect(e->known, "%s: only what was accepted expected, found event %s delivered",
		       plan.targets[e->target].name, e->id);
	}
}

/* Calls that share something: they come one after another. */
struct turn {
	uint64_t shared; /* hash */
	uint64_t seq;
	const struct entry *calls;
	bool done;
};

static struct {
	struct turn *list;
	size_t n, cap;
} turns;

static void add_turn(uint64_t shared, const struct audited *r, unsigned n)
{
	struct entry *e = calls_of(r, n);

	if (!shared || !e)
		return;
	mem_room(turns.list, turns.n, turns.cap);
	turns.list[turns.n++] = (struct turn){shared, r->seq, e, r->to[n].state == DELIVERY_DONE};
}

static int by_number(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->shared != y->shared)
		return x->shared < y->shared ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Of those that are done, none began before the one ahead of it was done.  One that was refused
 * was dead for a while, if only until the power failed. */
static void check_order(unsigned n)
{
	const struct turn *before = NULL;

	qsort(turns.list, turns.n, sizeof *turns.list, by_number);
	for (size_t i = 0; i < turns.n; i++) {
		const struct turn *t = &turns.list[i];

		if (!t->done)
			continue;
		if (before && before->shared == t->shared)
			expect(t->calls->spans[0].begun >= before->calls->succeeded,
			       "%s: event %s (step %llu) after event %s was done (step %llu) "
			       "expected, found it before",
			       plan.targets[n].name, t->calls->id,
			       (unsigned long long)t->calls->spans[0].begun, before->calls->id,
			       (unsigned long long)before->calls->succeeded);
		before = t->calls->rejected ? before : t;
	}
}

struct stretch {
	uint64_t shared;
	struct span span;
	const struct entry *calls;
};

static int by_begin(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	if (x->shared != y->shared)
		return x->shared < y->shared ? -1 : 1;
	return x->span.begun < y->span.begun ? -1 : x->span.begun > y->span.begun;
}

static void check_apart(unsigned n)
{
	struct stretch *list = NULL;
	size_t used = 0, cap = 0;

	for (size_t i = 0; i < turns.n; i++) {
		/* A held one may have ended by its deadline without a word to the puppet. */
		if (plan.targets[n].kind != TARGET_HTTP && !turns.list[i].done)
			continue;
		for (size_t k = 0; k < turns.list[i].calls->nspans; k++) {
			mem_room(list, used, cap);
			list[used++] = (struct stretch){turns.list[i].shared,
							turns.list[i].calls->spans[k],
							turns.list[i].calls};
		}
	}
	if (used)
		qsort(list, used, sizeof *list, by_begin);
	for (size_t i = 1; i < used; i++)
		expect(list[i].shared != list[i - 1].shared ||
			       list[i].span.begun >= list[i - 1].span.ended,
		       "%s: event %s (step %llu) not while event %s is under way (until step %llu) "
		       "expected, found it so",
		       plan.targets[n].name, list[i].calls->id,
		       (unsigned long long)list[i].span.begun, list[i - 1].calls->id,
		       (unsigned long long)list[i - 1].span.ended);
	free(list);
}

static uint64_t order_of(const struct order *o, const struct audited *r, unsigned n)
{
	return r->to[n].duty.target ? order_key(o, r->event, &r->to[n].duty) : 0;
}

static uint64_t overlap_of(const struct audited *r, unsigned n)
{
	const struct duty *d = &r->to[n].duty;

	return d->target && d->overlap != OVERLAP_PARALLEL
		       ? hash64(&d->rule, sizeof d->rule, d->group)
		       : 0;
}

static void check_turns(unsigned n)
{
	struct order order;
	struct err err;

	expect(order_read(&order, config_instance(config, plan.targets[n].name), &err),
	       "an order expected");
	turns.n = 0;
	for (size_t i = 0; i < audit_size(); i++)
		add_turn(order_of(&order, audit_row(i), n), audit_row(i), n);
	if (turns.n)
		check_order(n);
	check_apart(n);
	turns.n = 0;
	for (size_t i = 0; i < audit_size(); i++)
		add_turn(overlap_of(audit_row(i), n), audit_row(i), n);
	check_apart(n);
	order_free(&order);
}

static unsigned short *in_windows[PLAN_FEEDS]; /* how often an item was in one */

static void count_members(const char *data)
{
	static const char mark[] = "\"id\":\"";

	for (const char *at = data; (at = strstr(at, mark)); at++) {
		char name[16];
		size_t item;
		int f;

		if (sscanf(at + sizeof mark - 1, "%15[^/]/%zu\"", name, &item) == 2 &&
		    (f = plan_feed(name)) >= 0)
			in_windows[f][item]++;
	}
}

/* Each item a rule gathers is in exactly one of its windows; with `count`, in one at most. */
static void check_windows(unsigned rule)
{
	const struct plan_gathering *g = &plan.gathering[rule];
	char name[16];

	snprintf(name, sizeof name, "r%u", rule);
	for (int f = 0; f < PLAN_FEEDS; f++)
		in_windows[f] = mem_zero((feeds_size(f) + 1) * sizeof *in_windows[f]);
	for (size_t i = 0; i < audit_size(); i++) {
		const struct event *ev = audit_row(i)->event;

		if (strcmp(ev->type, "pointsman.rule.fired") == 0 && strcmp(ev->source, name) == 0)
			count_members(ev->data);
	}
	for (int f = 0; f < PLAN_FEEDS; f++) {
		for (size_t n = 0; n < feeds_size(f); n++) {
			bool about = g->about[f][feeds_item(f, n)->kind - 'a'];
			unsigned found = in_windows[f][n], least = about && !g->counts;

			expect(found >= least && found <= about,
			       "%s: item %zu of %s in %u to %u windows expected, found it in %u",
			       name, n, plan.feeds[f].name, least, about, found);
		}
		free(in_windows[f]);
	}
}

void verdict(void)
{
	struct map ids = {0};

	config = life_config();
	for (size_t i = 0; i < audit_size(); i++)
		map_put(&ids, audit_row(i)->id, audit_row(i)->id);
	check_all_taken();
	for (size_t i = 0; i < audit_size(); i++) {
		check_duties(audit_row(i));
		for (unsigned n = 0; n < plan.ntargets; n++) {
			check_end(audit_row(i), n);
			check_what_follows(audit_row(i), n, &ids);
			check_patience(audit_row(i), n);
		}
	}
	check_known();
	for (unsigned n = 0; n < plan.ntargets; n++)
		check_turns(n);
	for (unsigned n = 0; n < PLAN_RULES; n++) {
		if (plan.gathers[n])
			check_windows(n);
	}
	free(turns.list);
	memset(&turns, 0, sizeof turns);
	map_free(&ids, NULL);
	config_free(config);
}
