/*
 * ledger - what the targets saw of each delivery, and whether they may see it so.
 *
 * Kept outside of the router, over all its lives.  A delivery is known by its idempotency key.
 * At each call that begins is checked: one key for one event and target, and one event and
 * target for one key; nothing again that is done for certain; no more calls at once than
 * `concurrency`, no more in a time than `rate`; not before `Retry-After`; one probe at a time
 * while the breaker is open.
 */
#ifndef POINTSMAN_SIM_LEDGER_H
#define POINTSMAN_SIM_LEDGER_H

#include "plan.h"

#include <stddef.h>

enum said { /* how a call ended, as the router was told */
	    SAID_OK,
	    SAID_AGAIN,   /* to be tried again */
	    SAID_REJECT,  /* never */
	    SAID_NOTHING, /* no answer, or the process is gone */
};

struct span { /* of a call, or of several with holds between, in steps */
	uint64_t begun, ended;
};

struct entry {
	char key[33], *id; /* of the event */
	int target;
	unsigned attempts;
	bool open;                 /* in a call, or held */
	bool probe;                /* begun while the breaker was open */
	bool settled;              /* ended, and that is on the disk */
	bool rejected;             /* the target said so at least once */
	bool known;                /* the journal has it; of the last audit */
	int64_t first_at, last_at; /* ms: of the first attempt, and the end of the last one */
	int64_t open_after;        /* the same, at last_at */
	int64_t open_before;       /* how long the target's breaker had been open at first_at */
	int64_t not_before;        /* ms, in that life */
	unsigned life;             /* of the last call */
	uint64_t number;    /* of the transaction that holds its end; 0: it was not told OK */
	uint64_t succeeded; /* step at which the target did it; 0: never */
	struct span *spans;
	size_t nspans, cap;
};

/* A call begins; its entry's number. */
size_t ledger_begin(int target, const char *key, const char *id);
void ledger_done(size_t entry); /* the target has done it, whatever the router hears */
void ledger_end(size_t entry, enum said said, int64_t after_ms); /* the router was told */
/* After each step. */
void ledger_step(void);
void ledger_life_begins(void);
/* The router's process is gone: nothing is in a call any more. */
void ledger_life_over(void);

struct entry *ledger_entry(size_t n);
struct entry *ledger_find(const char *key); /* or NULL */
size_t ledger_size(void);
int64_t ledger_open_ms(int target); /* how long its breaker has been open, in all */
uint64_t ledger_calls(void);        /* all attempts so far */
void ledger_free(void);

#endif
