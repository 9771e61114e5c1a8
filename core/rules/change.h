/*
 * change - what `changed` asks: does a value differ from what it was before?
 *
 * The path lies below data.new and is compared with the same one below data.old.
 */
#ifndef POINTSMAN_RULES_CHANGE_H
#define POINTSMAN_RULES_CHANGE_H

#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"
#include "json/path.h"

struct change {
	struct path now, before;
};

/* In the arena.  NULL with *err if the text is no path below data.new. */
struct change *change_parse(struct arena *a, const char *text, struct err *err);

enum changed {
	CHANGED_YES,
	CHANGED_NO,     /* it is as it was */
	CHANGED_ABSENT, /* there is nothing to compare, or the item is gone */
};

/* An item that is new has changed in all it has. */
enum changed change_of(const struct change *c, const struct event *ev, struct buf *scratch);

#endif
