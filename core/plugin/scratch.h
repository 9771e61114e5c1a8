/*
 * scratch - what a plugin may read until its function returns.
 *
 * Every piece of text the host hands out lives here and is overwritten and freed when the
 * call ends, so that a kept pointer shows at once under a sanitizer.
 */
#ifndef POINTSMAN_PLUGIN_SCRATCH_H
#define POINTSMAN_PLUGIN_SCRATCH_H

#include "base/buf.h"

#include <stddef.h>

struct scratch {
	struct scratch_piece *pieces;
};

const char *scratch_text(struct scratch *s, const char *text, size_t len); /* a copy */
const char *scratch_take(struct scratch *s, struct buf *b); /* its bytes; b is empty then */
void scratch_clear(struct scratch *s);

#endif
