/*
 * router - route(plan, state, input) -> verdicts, duties, state changes.
 *
 * Pure: reads no clock, touches no disk.  An input is an event, or a moment at which
 * deadlines of windows may have come due; each carries `at`, which never goes back.  The
 * state (slots, windows, counts) changes only by router_apply() of what a routing said, so
 * that explaining, testing and replaying feed the same function and keep or throw away
 * what it says.
 */
#ifndef POINTSMAN_ENGINE_ROUTER_H
#define POINTSMAN_ENGINE_ROUTER_H

#include "config/config.h"
#include "engine/delivery.h"
#include "event/event.h"
#include "rules/ruleset.h"

struct plan; /* a configuration's rules, compiled; immutable */

/* Numbers for names: names_number() in a daemon, any numbering in a test. */
struct plan_numbers {
	uint32_t (*number)(void *arg, int kind, const char *name, const char *was);
	void *arg;
};
struct plan *plan_new(const struct config *config, uint32_t generation,
                      const struct plan_numbers *numbers, struct err *err);
void plan_free(struct plan *p);

struct router_state; /* slots, windows and counts of all rules and groups */

struct router_state *router_state_new(void);
void router_state_free(struct router_state *s);

struct firing { /* a rule with inputs, coalesce or count fires */
	uint32_t rule;         /* index in the configuration */
	char *group;           /* value of group-by, or "" */
	struct member {
		const char *input; /* its name, or NULL in a window; belongs to the plan */
		uint64_t seq;
	} *members;            /* inputs in their order in `inputs`; windows oldest first */
	size_t n;
	uint64_t newest;       /* seq of the newest member */
	uint64_t number;       /* counts the firings of the rule and group, from 1 */
};

struct cell_change { /* the new state of one rule and group, or of its absence */
	char *key;   /* stable text: what it is stored under */
	char *value; /* its JSON, or NULL: gone */
};

struct outcome {
	struct duty *duties;
	size_t nduties;
	struct firing *firings;
	size_t nfirings;
	struct cell_change *changes;
	size_t nchanges;
	struct { uint32_t rule; char *group; } *dropped; /* groups given up: over `groups` */
	size_t ndropped;
	struct buf decided; /* verdicts, JSON: [{"rule":"release","input":"repo","matched":true},
	                       {"rule":"x","failed":["where",0]}, ..] of rules whose on and from
	                       matched; kept with the event */
};
void outcome_clear(struct outcome *o);

/* `ev` is accepted (seq and at set).  A firing's own event is routed with `fired` naming it:
 * the rule's targets become duties, besides what other rules make of the event. */
void route_event(const struct plan *p, const struct router_state *s, const struct event *ev,
                 const struct firing *fired, struct outcome *out);
void route_deadline(const struct plan *p, const struct router_state *s, int64_t at,
                    struct outcome *out);
int64_t router_next_deadline(const struct plan *p, const struct router_state *s); /* INT64_MAX: none */

/* Take over what a routing said.  Also used to load: key and value as stored; cells of rules
 * or with slots the plan does not know any more are dropped (names in *lost). */
void router_apply(struct router_state *s, const struct plan *p, const struct cell_change *changes,
                  size_t n);
/* The lowest event seq any open window or slot still refers to; UINT64_MAX: none.  And is
 * this one referred to? */
uint64_t router_floor(const struct router_state *s);
bool router_holds(const struct router_state *s, uint64_t seq);

/* The payload of the firing's event, its members given in the same order. */
void firing_payload(const struct plan *p, const struct firing *f, struct event *const *members,
                    struct buf *out);
const char *plan_rule_name(const struct plan *p, uint32_t rule);

#endif
