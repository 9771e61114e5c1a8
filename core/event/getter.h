/*
 * getter - template_get() for somebody who asks for the same paths again and again.
 *
 * Each text is parsed once, and there is one buffer to find values in.  Zero-initialised is
 * ready; one thread at a time.
 */
#ifndef POINTSMAN_EVENT_GETTER_H
#define POINTSMAN_EVENT_GETTER_H

#include "base/map.h"
#include "event/template.h"

#define GETTER_MOST 64 /* texts that are kept; others are parsed each time */

struct getter {
	struct map parsed; /* text to struct insertion */
	struct buf scratch;
};

/* As template_get(). */
bool getter_get(struct getter *g, const char *path_and_filters, const struct template_source *from,
		struct buf *out, struct err *err);
void getter_free(struct getter *g);

#endif
