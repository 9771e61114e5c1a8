#include "audit.h"

#include "base/mem.h"
#include "feeds.h"
#include "journal/journal.h"
#include "journal/names.h"
#include "ledger.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct audited *rows; /* by seq */
	size_t n, cap;
	uint32_t numbers[PLAN_TARGETS]; /* of targets, in the journal */
	struct journal *journal;
	bool there[PLAN_FEEDS][FEEDS_MOST_ITEMS];
	enum death death;
	bool died, last;
} audit;

size_t audit_size(void)
{
	return audit.n;
}

const struct audited *audit_row(size_t n)
{
	return &audit.rows[n];
}

bool audit_has_item(int feed, size_t n)
{
	return audit.there[feed][n];
}

int audit_target(uint32_t number)
{
	for (unsigned n = 0; n < plan.ntargets; n++) {
		if (audit.numbers[n] == number)
			return (int)n;
	}
	return -1;
}

static struct audited *find(uint64_t seq)
{
	size_t low = 0, high = audit.n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (audit.rows[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < audit.n && audit.rows[low].seq == seq ? &audit.rows[low] : NULL;
}

static void know_item(struct audited *r, const struct event *ev)
{
	char name[16];

	r->feed = -1;
	if (strcmp(ev->type, "item.added") != 0 ||
	    sscanf(ev->id, "%15[^/]/%zu", name, &r->item) != 2)
		return;
	r->feed = plan_feed(name);
	expect(r->feed >= 0 && r->item < feeds_size(r->feed),
	       "only what happened upstream expected, found %s", ev->id);
}

static struct audited *row_new(const struct event *ev)
{
	struct audited *r;

	expect(!audit.n || ev->seq > audit.rows[audit.n - 1].seq,
	       "an event that is new to have a new number expected, found %llu",
	       (unsigned long long)ev->seq);
	mem_room(audit.rows, audit.n, audit.cap);
	r = &audit.rows[audit.n++];
	*r = (struct audited){
		.seq = ev->seq,
		.id = mem_text(ev->id),
		.source = mem_text(ev->source),
		.first = mem_text(ev->instance),
	};
	know_item(r, ev);
	return r;
}

static void take_duties(struct audited *r, const struct journal_event *e)
{
	for (size_t i = 0; i < e->nduties; i++) {
		int n = audit_target(e->duties[i].target);

		if (n >= 0)
			r->to[n].duty = e->duties[i];
	}
}

static bool may_follow(const struct audited_delivery *before, const struct delivery *now)
{
	if (now->round < before->round ||
	    (now->round == before->round && now->attempt < before->attempt))
		return false;
	/* One that has not ended may have moved several times since; and what died may have begun
	 * anew, by another `then`. */
	return !delivery_ended(before->state) || before->state == DELIVERY_DEAD ||
	       before->state == now->state || delivery_may_move(before->state, now->state);
}

static void settle(const struct audited *r, int n, uint32_t round)
{
	struct entry *e;
	char key[33];

	delivery_key(r->first, r->source, r->id, plan.targets[n].name, round, key);
	e = ledger_find(key);
	if (e)
		e->settled = true;
}

static bool take_delivery(const struct delivery *d, void *arg)
{
	struct audited *r = arg;
	int n = audit_target(d->duty.target);
	struct audited_delivery *a = n >= 0 ? &r->to[n] : NULL;
	bool was_ended;

	if (!a)
		return true;
	was_ended = a->has_row && delivery_ended(a->state);
	expect(!a->has_row || may_follow(a, d),
	       "event %llu to %s: what may follow %s, attempt %u, expected; found %s, attempt %u",
	       (unsigned long long)r->seq, plan.targets[n].name, delivery_state_name(a->state),
	       a->attempt, delivery_state_name(d->state), d->attempt);
	a->has_row = true;
	a->state = d->state;
	a->round = d->round;
	a->attempt = d->attempt;
	free(a->why);
	a->why = mem_text(d->why);
	if (delivery_ended(d->state) && !was_ended)
		settle(r, n, d->round);
	return true;
}

static bool take_event(const struct journal_event *e, void *arg)
{
	const struct event *ev = e->event;
	struct audited *r = find(ev->seq);

	(void)arg;
	if (!r)
		r = row_new(ev);
	expect(strcmp(r->id, ev->id) == 0, "event %llu to stay %s expected, found %s",
	       (unsigned long long)r->seq, r->id, ev->id);
	if (audit.last)
		r->event = event_ref(e->event);
	take_duties(r, e);
	if (r->feed >= 0) {
		expect(!audit.there[r->feed][r->item], "%s accepted once expected, found it twice",
		       ev->id);
		audit.there[r->feed][r->item] = true;
	}
	journal_deliveries(audit.journal, r->seq, take_delivery, r, NULL);
	return true;
}

static bool open_journal(void)
{
	struct journal_opened found = {0};
	struct err err = {{0}};

	audit.journal = journal_open(&sim.world, ".", &found, &err);
	if (!audit.journal) {
		trace("audit: %s", err.text);
		return false;
	}
	expect(!found.damaged, "a journal that is whole expected, found: %s",
	       found.damaged ? found.damaged : "");
	expect(!audit.died || found.fresh || found.unclean == (audit.death != DEATH_STOP),
	       "%s stop expected to be found, found the other",
	       audit.death == DEATH_STOP ? "an orderly" : "a sudden");
	return true;
}

static void know_names(void)
{
	struct err err = {{0}};
	struct names *names = names_load(audit.journal, &err);

	expect(names != NULL, "names expected, found: %s", err.text);
	for (unsigned n = 0; n < plan.ntargets; n++)
		audit.numbers[n] = names_find(names, NAME_INSTANCE, plan.targets[n].name);
	names_free(names);
}

static void forget_items(void)
{
	for (int f = 0; f < PLAN_FEEDS; f++)
		memset(audit.there[f], 0, sizeof audit.there[f]);
}

/* All of it takes its time: most of the time only what is new. */
static void read_journal(void)
{
	bool all = audit.last || chance_hits(&sim.chance, 250);
	uint64_t from = all || !audit.n ? 0 : audit.rows[audit.n - 1].seq;
	enum journal_status status;
	struct err err = {{0}};

	know_names();
	if (all)
		forget_items();
	status = journal_events(audit.journal, from, false, SIZE_MAX / 2, take_event, NULL, &err);
	expect(status != JOURNAL_FAILED, "a journal that can be read expected, found: %s",
	       err.text);
	journal_leave(audit.journal);
}

static void check_promises(void)
{
	for (int f = 0; f < PLAN_FEEDS; f++) {
		for (size_t n = 0; n < feeds_size(f); n++)
			expect(!feeds_item(f, n)->promised || audit.there[f][n],
			       "%s: item %zu to be there expected, because upstream was told that "
			       "it is safe; found it lost",
			       plan.feeds[f].name, n);
	}
}

bool audit_restart(void)
{
	if (!open_journal())
		return false;
	read_journal();
	check_promises();
	return true;
}

void audit_death(enum death how, bool told)
{
	audit.died = told;
	audit.death = how;
}

void audit_last(void)
{
	audit.last = true;
	expect(audit_restart(), "a journal that can be opened expected, found none");
}

void audit_free(void)
{
	for (size_t i = 0; i < audit.n; i++) {
		struct audited *r = &audit.rows[i];

		free(r->id);
		free(r->source);
		free(r->first);
		event_unref(r->event);
		for (int n = 0; n < PLAN_TARGETS; n++)
			free(r->to[n].why);
	}
	free(audit.rows);
	memset(&audit, 0, sizeof audit);
}
