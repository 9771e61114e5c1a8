/*
 * filter - what may follow a path after `|`.
 *
 *   json            the JSON text of the value (strings with their quotes)
 *   or("x")         this value, if there is none so far; also a number, true, false, null
 *   upper lower     the text in the other case
 *   short           a commit-like id (more than 7 hex digits) cut to 7; else unchanged
 *   cut(n)          at most n characters; where something is cut, the last is an ellipsis
 *   duration        a number of seconds for people: 4m 10s
 *   part("/", n)    the n-th part between separators, from 0; from the end if negative
 *   strip("x")      without this prefix; unchanged if it does not begin so
 *
 * They apply from left to right, to what or() gave as well.  Where there is no value they
 * do nothing; a part that is not there is no value.
 */
#ifndef POINTSMAN_EVENT_FILTER_H
#define POINTSMAN_EVENT_FILTER_H

#include "base/buf.h"
#include "base/err.h"
#include "json/find.h"

#include <stdbool.h>
#include <stddef.h>

enum filter_kind {
	FILTER_JSON,
	FILTER_OR,
	FILTER_UPPER,
	FILTER_LOWER,
	FILTER_SHORT,
	FILTER_CUT,
	FILTER_DURATION,
	FILTER_PART,
	FILTER_STRIP,
};

struct filter {
	enum filter_kind kind;
	char *text; /* or: JSON; part, strip: plain text */
	size_t len;
	long n;
};

/* Parse one filter, the blanks after `|` skipped; as path_parse() does. */
bool filter_parse(const char *text, size_t len, struct filter *out, size_t *used, struct err *err);
void filter_free(struct filter *f);

/* A value on its way through filters. */
struct piped {
	struct json_value value; /* while no filter has made text of it */
	struct buf text;
	bool made;       /* the value is `text` */
	bool json;       /* .. or the JSON text of it */
	bool given;      /* or() said it, null included */
	const char *why; /* there is no value because of this filter */
};

bool piped_nothing(const struct piped *p);
/* False with *err if the filter cannot take this value. */
bool filter_apply(const struct filter *f, struct piped *p, struct err *err);
/* The value as text, or as one JSON value. */
void piped_text(const struct piped *p, struct buf *out);
void piped_json(const struct piped *p, struct buf *out);
void piped_free(struct piped *p);

#endif
