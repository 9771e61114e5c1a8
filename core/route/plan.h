/*
 * plan - the rules of a configuration with everything looked up that routing needs.
 *
 * The inside of router.h's struct plan: for core/route only.
 */
#ifndef POINTSMAN_ROUTE_PLAN_H
#define POINTSMAN_ROUTE_PLAN_H

#include "journal/cell.h"
#include "route/router.h"

struct plan_slot { /* what plan_number() fills in is 0 until then, here and below */
	const char *name;
	uint32_t number;
	uint64_t text; /* hash of on, from, where and changed */
};

struct plan_duty {
	const char *name, *then_name; /* then_name: or NULL */
	uint32_t target, then;
};

struct plan_rule {
	const struct rule_config *config;
	uint32_t number;
	uint64_t text;       /* hash of all that decides what its cells hold */
	enum cell_kind kind; /* CELL_NONE: every match is a duty */
	struct plan_slot *slots;
	size_t nslots;
	struct plan_duty *duties; /* as many as config->n */
};

struct plan_selector { /* what each selector of the set decides, in order of rules */
	uint32_t rule; /* index */
	uint32_t slot; /* index; 0 in a rule without inputs */
};

struct plan {
	uint64_t serial; /* another one for each plan of the process; never 0 */
	const struct config *config;
	uint32_t generation;
	struct ruleset *set;
	struct plan_selector *selectors;
	size_t nselectors;
	struct plan_rule *rules; /* as in the configuration */
	size_t nrules;
	uint32_t *by_number; /* 1 + index of the rule with that number; 0: none */
	size_t nnumbers;
};

/* NULL if no rule has that number now. */
const struct plan_rule *plan_rule_numbered(const struct plan *p, uint32_t number);

#endif
