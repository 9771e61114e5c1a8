/*
 * seen - what one condition met in one event, and what it made of it.
 */
#ifndef POINTSMAN_RULES_SEEN_H
#define POINTSMAN_RULES_SEEN_H

#include "base/buf.h"
#include "json/find.h"

#include <stddef.h>

enum verdict {
	VERDICT_UNASKED, /* decided before this condition was reached */
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_ABSENT, /* fail: the field is not there */
	VERDICT_TYPE,   /* fail: the field is of another type */
};

#define SEEN_VALUES 8 /* so many of several values are told */

struct seen {
	enum verdict verdict;
	/* The value that decided, as it stands in the event; where none did alone, all there
	 * were, joined by ", "; empty: none.  Nothing is masked yet. */
	struct buf value;
	size_t more;      /* values beyond those told */
	long element;     /* of several values, the one that decided, from 0; else -1 */
	long any;         /* inside `any`, the element that was looked at, from 0; else -1 */
	struct buf other; /* values of the path on the right side; of `changed`, the old one */
};

#define SEEN_NOTHING ((struct seen){.element = -1, .any = -1})
void seen_clear(struct seen *s);
/* One more value at the end of a list in `out`. */
void seen_put(struct buf *out, const struct json_value *value);

#endif
