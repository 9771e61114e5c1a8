/*
 * patterns - what `match` matches events with, one a line: EventBridge patterns about the
 * payload, or expressions whose paths begin with data.
 *
 * Zero-initialised is empty and valid.
 */
#ifndef POINTSMAN_CLI_PATTERNS_H
#define POINTSMAN_CLI_PATTERNS_H

#include "cli/lines.h"
#include "cli/texts.h"
#include "matcher/matcher.h"

struct patterns {
	bool where; /* they are expressions; to be set before reading */
	struct texts texts;
};

/* All lines.  A pattern that is not right is a fault of its line, and not added. */
void patterns_read(struct patterns *p, struct lines *l);
/* From the text, each time. */
struct matcher *patterns_compile(const struct patterns *p);
void patterns_free(struct patterns *p);

#endif
