/*
 * router - route(plan, state, input) -> verdicts, duties, state changes.
 *
 * Pure: reads no clock, touches no disk.  An input is an event, or a moment at which
 * deadlines of windows may have come due; each carries `at`, which never goes back.  The
 * state (slots, windows, counts) changes only by router_apply() of what a routing said, so
 * that explaining, testing and replaying feed the same function and keep or throw away
 * what it says.
 *
 * An event whose `group-by` value is absent belongs to the group "".  What is due is fired
 * before an event that comes later is added to it.
 */
#ifndef POINTSMAN_ROUTE_ROUTER_H
#define POINTSMAN_ROUTE_ROUTER_H

#include "config/config.h"
#include "event/event.h"
#include "journal/delivery.h"
#include "matcher/ruleset.h"

#define FIRING_MAX_EVENTS 1000 /* a window closes early at either */
#define FIRING_MAX_WINDOW (1024 * 1024)
#define FIRING_MAX_BYTES  (8 * 1024 * 1024) /* of all members */

struct cell; /* cell.h */
struct plan; /* a configuration's rules, compiled; immutable; `config` must outlive it */

/* Numbers for names: names_number() in a daemon, any numbering in a test. */
struct plan_numbers {
	uint32_t (*number)(void *arg, int kind, const char *name, const char *was);
	void *arg;
};
/* In two steps, because compiling a large set takes its time and numbers belong to the journal's
 * thread.  The first may run on any thread, while others route by other plans; nobody routes by
 * a plan before the second.  NULL with *err if a rule does not compile. */
struct plan *plan_prepare(const struct config *config, struct err *err);
/* False if there is no number for a name: the plan is good for plan_free() only. */
bool plan_number(struct plan *p, uint32_t generation, const struct plan_numbers *numbers);
void plan_free(struct plan *p); /* NULL is fine */

/* Slots, windows and counts of all rules and groups.  Of one thread, also where only read. */
struct router_state;

struct router_state *router_state_new(void);
void router_state_free(struct router_state *s);

struct firing {        /* a rule with inputs, coalesce or count fires */
	uint32_t rule; /* index in the configuration */
	char *group;   /* value of group-by, or "" */
	struct member {
		const char *input; /* its name, or NULL in a window; belongs to the plan */
		uint64_t seq;
	} * members; /* inputs in their order in `inputs`; windows oldest first */
	size_t n;
	uint64_t newest; /* seq of the newest member */
	uint64_t number; /* grows with each firing of the rule and group, and is never
			    used again, even for a group given up: the newest's seq */
};

struct cell_change {       /* the new state of one rule and group, or of its absence */
	char *key;         /* stable text: what it is stored under */
	struct cell *cell; /* NULL: gone */
};

struct outcome {
	struct duty *duties;
	size_t nduties;
	struct firing *firings;
	size_t nfirings;
	struct cell_change *changes;
	size_t nchanges;
	struct group_dropped {
		uint32_t rule; /* index */
		char *group;
	} * dropped; /* groups given up: over `groups` */
	size_t ndropped;
	/* Verdicts, kept with the event, as JSON; empty if there are none:
	 *   {"rule":"release","input":"repo","group":"g","matched":true}
	 * and in it "taken":[targets another rule had already], "spared":[targets the event is
	 * about], and in that of a shadow rule "shadow":[targets it would have been delivered
	 * to], empty where the event is only gathered; and of rules that fit by type and instance
	 * but failed later:
	 *   {"rule":"x","failed":["where",0,"absent"]}
	 * the condition (a leaf of `where` or a test of the `pattern`, ["pattern",0], by its
	 * number, or ["changed"]) and, if that is why, "absent" or "type".  The latter are left out
	 * where over RULESET_NEAR rules and inputs fit by type and instance. */
	struct buf decided;
};
void outcome_clear(struct outcome *o);

/* `ev` is accepted (seq and at set).  A firing's own event is routed with `fired` naming it:
 * the rule's targets become duties, besides what other rules make of the event. */
void route_event(const struct plan *p, const struct router_state *s, const struct event *ev,
		 const struct firing *fired, struct outcome *out);
/* At most ROUTER_FIRINGS at a time, so that a transaction stays small: the others are still
 * due. */
#define ROUTER_FIRINGS 16
void route_deadline(const struct plan *p, struct router_state *s, int64_t at, struct outcome *out);
int64_t router_next_deadline(const struct plan *p, struct router_state *s); /* INT64_MAX: none */

/* Take over what a routing said: the cells move from `o` to `s`. */
void router_apply(struct router_state *s, struct outcome *o);

/* A cell as stored.  False if nothing of it fits the plan any more.  What was emptied (a
 * rule that is gone, a slot whose text changed) is said in *lost, if not NULL, one line
 * each; the cell as it then is should be stored again. */
bool router_load(struct router_state *s, const struct plan *p, const char *key, const char *text,
		 size_t len, struct buf *lost);
/* for (size_t i = 0; (key = router_next(s, &i));) walks the keys of all cells. */
const char *router_next(const struct router_state *s, size_t *i);
/* The text to store under `key`; false if there is no such cell. */
bool router_cell(const struct router_state *s, const char *key, struct buf *out);

/* What the rule of that number holds for the group; NULL: nothing. */
const struct cell *router_peek(const struct router_state *s, uint32_t rule, const char *group);

/* The events that open windows, counts and slots still refer to, ascending; the caller
 * frees. */
uint64_t *router_held(const struct router_state *s, size_t *n);

/* The payload of the firing's event, its members given in the same order; NULL: lost.  It
 * may be larger than EVENT_MAX_BYTES. */
void firing_payload(const struct plan *p, const struct firing *f, struct event *const *members,
		    struct buf *out);
/* Each member on its way there, the last one first: it takes the reference over, and gives
 * back the event or, once *bytes (0 at first) of them are over FIRING_MAX_BYTES, one without
 * its data.  NULL is fine. */
struct event *firing_member(struct event *ev, size_t *bytes);
const char *plan_rule_name(const struct plan *p, uint32_t rule);

/* What deciding costs: a row for each rule, or for each input of it.  The caller frees. */
struct plan_cost {
	const char *rule, *input; /* input: or NULL */
	struct matcher_cost cost;
};
struct plan_cost *plan_costs(const struct plan *p, size_t *n);
size_t plan_bytes(const struct plan *p); /* of memory, of all rules compiled */

/* What the i-th rule met since the plan was made, its inputs added up; false after the last. */
struct rule_count {
	const char *name;
	bool shadow;
	uint64_t matches;
	uint64_t mismatches; /* comparisons with a value of another type */
};
bool plan_count(const struct plan *p, size_t i, struct rule_count *out);

#endif
