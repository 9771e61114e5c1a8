/*
 * insertion - what stands between {{ and }}: a path, or a text in quotes, with filters.
 */
#ifndef POINTSMAN_EVENT_INSERTION_H
#define POINTSMAN_EVENT_INSERTION_H

#include "event/filter.h"
#include "event/template.h"

struct insertion {
	struct path path; /* empty for a text in quotes */
	char *text;       /* .. which is this, as JSON */
	struct filter *filters;
	size_t nfilters;
};

/* Parse at the start of `text`, blanks around included; as path_parse() does.  A name in
 * quotes that stands alone is text if `constants`, else a path. */
bool insertion_parse(const char *text, size_t len, bool constants, struct insertion *out,
		     size_t *used, struct err *err);
/* The whole text; a name in quotes is a path. */
bool insertion_whole(const char *text, struct insertion *out, struct err *err);
void insertion_free(struct insertion *in);

bool insertion_has_default(const struct insertion *in);
/* Fetch the value and pass it through the filters.  False with *err if a filter cannot
 * take it; that there is none is piped_nothing()'s to say.  The caller frees `out`, and
 * keeps `scratch` as long. */
bool insertion_fill(const struct insertion *in, const struct template_source *from,
		    struct buf *scratch, struct piped *out, struct err *err);
/* The value as text; false if there is none, with *err filled if that is a mistake. */
bool insertion_text(const struct insertion *in, const struct template_source *from,
		    struct buf *scratch, struct buf *out, struct err *err);

#endif
