/*
 * audit - what the journal says, held against what was promised outside.
 *
 * At every start, before the router reads it: what was promised to upstream is there; numbers
 * and ends once written stay; states moved as they may; what has ended for good is told to the
 * ledger.  What it read stays, for the verdict.
 */
#ifndef POINTSMAN_SIM_AUDIT_H
#define POINTSMAN_SIM_AUDIT_H

#include "base/buf.h"
#include "event/event.h"
#include "journal/delivery.h"
#include "life.h"
#include "plan.h"

struct audited_delivery {
	struct duty duty; /* its target 0: none of its own */
	bool has_row;
	enum delivery_state state;
	uint32_t round, attempt;
	char *why; /* or NULL */
};

struct audited {
	uint64_t seq;
	char *id, *source;
	char *first; /* name of the instance it came through */
	int feed;    /* -1: no item */
	size_t item;
	struct event *event; /* only in the last audit */
	struct audited_delivery to[PLAN_TARGETS];
};

bool audit_restart(void);                    /* false: the journal cannot be opened just now */
void audit_death(enum death how, bool told); /* `told`: the journal must know of it */
void audit_last(void);                       /* keeps the events, too */

size_t audit_size(void);
const struct audited *audit_row(size_t n);
int audit_target(uint32_t number); /* of the plan, by its number in the journal; -1: none */
bool audit_has_item(int feed, size_t n);
void audit_free(void);

#endif
