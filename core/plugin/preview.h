/*
 * preview - what the keys of a target become for one event, without calling the target.
 *
 * Asks nobody: a secret that is not resolved yet stands as it was written.  What comes out
 * is for people: secrets are masked.
 */
#ifndef POINTSMAN_PLUGIN_PREVIEW_H
#define POINTSMAN_PLUGIN_PREVIEW_H

#include "plugin/scope.h"

struct preview_key {
	const char *key; /* belongs to the values */
	char *text;      /* what it becomes; NULL: there is a problem */
	char *problem;   /* "data.x is absent; ..", which would make a dead letter; or NULL */
};

struct preview {
	struct preview_key *keys; /* those with a template, defaults after what was written */
	size_t n;
};

/* `scope` says the values, the event, its view and the delivery; scope->event is not NULL. */
void preview_make(struct scope *scope, struct preview *out);
void preview_clear(struct preview *p);

/* One key: a template filled in, any other as it stands.  False with the problem in `out`
 * instead, which names the key if the plugin does not declare it. */
bool preview_key(struct scope *scope, const char *key, struct buf *out);

#endif
