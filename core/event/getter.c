#include "event/getter.h"

#include "base/mem.h"
#include "event/insertion.h"

#include <stdlib.h>

#define SCRATCH_MOST (64 * 1024) /* bytes: what a large value left behind is given back */

static struct insertion *parsed(struct getter *g, const char *text, struct err *err)
{
	struct insertion *in = map_get(&g->parsed, text), one;

	if (in)
		return in;
	if (!insertion_whole(text, &one, err))
		return NULL;
	in = mem_new(struct insertion);
	*in = one;
	map_put(&g->parsed, text, in);
	return in;
}

bool getter_get(struct getter *g, const char *text, const struct template_source *from,
		struct buf *out, struct err *err)
{
	const struct insertion *in;
	bool found;

	if (g->parsed.count >= GETTER_MOST && !map_get(&g->parsed, text))
		return template_get(text, from, out, err);
	in = parsed(g, text, err);
	found = in && insertion_text(in, from, &g->scratch, out, err);
	if (g->scratch.cap > SCRATCH_MOST)
		buf_free(&g->scratch);
	return found;
}

static void destroy(void *value)
{
	insertion_free(value);
	free(value);
}

void getter_free(struct getter *g)
{
	map_free(&g->parsed, destroy);
	buf_free(&g->scratch);
}
