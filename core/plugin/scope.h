/*
 * scope - what a path means in a template of a section.
 *
 * Attributes and `data` of the event, `inputs` and `window` of a firing, `event`,
 * `delivery.*`, `config.KEY`, and `my.*` in a plugin's own text.  A plugin that runs and a
 * preview ask the same code.
 */
#ifndef POINTSMAN_PLUGIN_SCOPE_H
#define POINTSMAN_PLUGIN_SCOPE_H

#include "event/event.h"
#include "event/template.h"
#include "plugin/values.h"

struct scope { /* borrows all it points to */
	const struct values *values;
	const struct event *event; /* NULL: no delivery, so only `config` and `my` mean something */
	enum event_view view;
	/* delivery.*; the texts are not NULL where there is an event, but for `held` */
	const char *key, *rule, *held;
	uint32_t attempt;
	const char *const *vars; /* my.*: name, value, .., NULL; or NULL */
};

/* Good as long as `scope`. */
struct template_source scope_source(struct scope *scope);

#endif
