/*
 * explain - what routing makes of one event, rule by rule, and what each condition met.
 *
 * Routes the event with route_event(), from a state in which no rule holds anything.  What
 * fires at once from there is routed too.  An event that is a firing is routed as that of
 * its rule, if the plan has it.
 */
#ifndef POINTSMAN_ROUTE_EXPLAIN_H
#define POINTSMAN_ROUTE_EXPLAIN_H

#include "base/map.h"
#include "journal/cell.h"
#include "route/router.h"

#include <jansson.h>

/* A numbering for plan_number() where no journal gives one. */
struct explain_numbers {
	struct map map;
	uint32_t n;
};
struct plan_numbers explain_numbers(struct explain_numbers *n); /* zero-initialised before */
void explain_numbers_free(struct explain_numbers *n);

struct explanation;

/* `ev` is accepted (seq and at set). */
struct explanation *explain_event(const struct plan *p, struct event *ev);
void explanation_free(struct explanation *e);

struct explained_ask {     /* what a rule, or one of its inputs, asks for */
	const char *input; /* or NULL */
	bool matched;
	size_t n;
	struct condition *conditions;
	struct seen *seen;
};

struct explained_delivery {
	const char *target, *then; /* then: or NULL */
	enum event_view view;      /* of `event` */
};

struct explained { /* one rule */
	const struct rule_config *rule;
	bool matched;
	bool fired;                 /* the event is a firing of it */
	const json_t *decided;      /* its verdict as router.h has it; NULL unless it matched */
	struct explained_ask *asks; /* none if it is not enabled, or fired */
	size_t nasks;
	const struct cell *holds; /* what it would gather the event in, and wait; or NULL */
	struct event *event;      /* what is delivered: the event, or what it made the rule fire */
	struct explained_delivery *deliveries;
	size_t n;
};

/* The i-th rule of the configuration; false after the last.  Borrows from the explanation. */
bool explain_rule(const struct explanation *e, size_t i, struct explained *out);
void explained_clear(struct explained *x);

#endif
