/*
 * template - text with `{{ path | filter }}` in it.
 *
 * Filters: json or("x") upper lower short cut(n) duration part("/", n) strip("refs/tags/").
 * (event/filter.h says what each does; they apply from left to right, to a default too.)
 * A text in quotes may stand in place of a path: {{ "{{" }} gives two braces.
 * What is inserted is escaped for the place it lands in, but for `config.KEY`, the operator's
 * own text, which is so in JSON alone; number text is copied, never
 * converted.  Absent and null are alike: or(..) gives a value, else rendering fails and
 * names the path.
 */
#ifndef POINTSMAN_EVENT_TEMPLATE_H
#define POINTSMAN_EVENT_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "json/find.h"

enum template_kind {
	TEMPLATE_TEXT, /* as it is */
	TEMPLATE_JSON, /* inside quotes: JSON string text; outside: one JSON value */
	TEMPLATE_URL,  /* percent-encoded */
	TEMPLATE_XML,  /* & < > become entities */
};

#define TEMPLATE_MAX_BYTES (16 * 1024 * 1024)

struct template;

/* Where a path gets its value from; `scratch` as in event_find(). */
struct template_source {
	struct json_value (*find)(void *arg, const struct path *path, struct buf *scratch);
	void *arg;
};

/* NULL with *err, and in *at the offset of the mistake, if it is none.  For TEMPLATE_JSON
 * the text must be JSON whatever the values are. */
struct template *template_parse(enum template_kind kind, const char *text, size_t *at,
				struct err *err);
void template_free(struct template *t);
/* The paths it uses, in order, for checks against declared fields; texts in quotes are
 * none.  `path` and `has_default` are filled in if there is an i-th, and may be NULL. */
size_t template_paths(const struct template *t, size_t i, const struct path **path,
		      bool *has_default); /* returns how many there are */

/* False with *err naming the path if a value is absent, or over the limit, or has a NUL
 * character for a place that is no JSON or URL; `out` is then as it was. */
bool template_render(const struct template *t, const struct template_source *from, struct buf *out,
		     struct err *err);

/* A path with filters as `get()` takes it (`data.n | json`): false if the value is absent or
 * null, with *err as it was, and false with *err filled on a mistake. */
bool template_get(const char *path_and_filters, const struct template_source *from, struct buf *out,
		  struct err *err);

#endif
