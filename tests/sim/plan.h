/*
 * plan - what a seed's world is made of: sources, targets, rules, and how much goes wrong.
 *
 * With it what must come of it, told without asking the router: the targets of an event that no
 * rule gathers.
 */
#ifndef POINTSMAN_SIM_PLAN_H
#define POINTSMAN_SIM_PLAN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define PLAN_TARGETS 7
#define PLAN_RULES   16
#define PLAN_FEEDS   4 /* the last is the web */
#define PLAN_KINDS   3 /* of items: "a", "b", "c" */
#define PLAN_WEB     (PLAN_FEEDS - 1)

enum target_kind { TARGET_HTTP, TARGET_SINK, TARGET_ACTION };

struct plan_target {
	char name[16];
	enum target_kind kind;
	int64_t for_ms, min_ms, max_ms; /* retry; for_ms 0: none */
	int64_t timeout_ms, deadline_ms;
	uint32_t concurrency;
	uint32_t rate, burst; /* per minute; 0: no limit */
	unsigned trouble;     /* how often something goes wrong, in a thousand, on a good day */
	bool follows;         /* by `then` of another: may get old events late */
};

struct plan_feed {
	char name[16];
	bool used;
	bool queue;       /* acknowledges each item; else it keeps a cursor */
	int64_t every_ms; /* an item, on the average */
	int64_t poll_ms;
	unsigned subjects;
	unsigned again; /* how often it sends an old item again, in a thousand */
};

struct plan_faults { /* how often on the average, ms; 0: never */
	int64_t down_every, down_ms;
	int64_t kill_every, cut_every, stop_every, broken_every;
	int64_t full_every, full_ms;
	int64_t clock_every, clock_ms;
	int64_t slow_ms;  /* a sync takes up to */
	unsigned leaving; /* the power fails just when something has left, in a million */
};

struct plan_gathering {
	bool counts; /* `count`: what does not make up the number is forgotten */
	bool about[PLAN_FEEDS][PLAN_KINDS];
};

struct plan {
	struct plan_target targets[PLAN_TARGETS];
	unsigned ntargets;
	struct plan_feed feeds[PLAN_FEEDS];
	struct plan_faults faults;
	/* Bit n: the target n has a duty of its own for an item of that feed and kind. */
	unsigned duties[PLAN_FEEDS][PLAN_KINDS];
	struct plan_gathering gathering[PLAN_RULES]; /* if `gathers` */
	bool gathers[PLAN_RULES];                    /* has inputs or a window; of rule rN */
	struct buf text;                             /* the configuration, but for [pointsman] */
};
extern struct plan plan;

void plan_make(void);
void plan_clear(void);
int plan_target(const char *name); /* -1: none */
int plan_feed(const char *name);   /* -1: none */
/* What names an event in a delivery by `rule`: a firing is shown as its newest member. */
char *plan_event(const char *rule, const char *source, const char *id);

#endif
