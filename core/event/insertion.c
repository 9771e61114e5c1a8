#include "event/insertion.h"

#include "base/mem.h"
#include "json/check.h"
#include "json/escape.h"

#include <stdlib.h>
#include <string.h>

static size_t blanks(const char *text, size_t len, size_t at)
{
	while (at < len &&
	       (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
		at++;
	return at;
}

/* A text in quotes that no dot follows, which would make it a path. */
static size_t constant(const char *text, size_t len, struct insertion *out)
{
	size_t n;

	if (!len || text[0] != '"')
		return 0;
	n = json_string_end(text + 1, len - 1) + 2;
	if (n > len || (n < len && text[n] == '.') || !json_check(text, n, 0, NULL))
		return 0;
	out->text = mem_slice(text, n);
	return n;
}

static bool parse_filters(const char *text, size_t len, struct insertion *out, size_t *used,
			  struct err *err)
{
	for (*used = blanks(text, len, *used); *used < len && text[*used] == '|';) {
		struct filter f;
		size_t took;
		bool ok;

		*used = blanks(text, len, *used + 1);
		ok = filter_parse(text + *used, len - *used, &f, &took, err);
		*used += took;
		if (!ok)
			return false;
		out->filters = mem_grow(out->filters, out->nfilters + 1, sizeof f);
		out->filters[out->nfilters++] = f;
		*used = blanks(text, len, *used);
	}
	return true;
}

bool insertion_parse(const char *text, size_t len, bool constants, struct insertion *out,
		     size_t *used, struct err *err)
{
	size_t at = blanks(text, len, 0), took;
	bool ok = true;

	*out = (struct insertion){0};
	took = constants ? constant(text + at, len - at, out) : 0;
	if (!took)
		ok = path_parse(text + at, len - at, &out->path, &took, err);
	*used = at + took;
	if (ok && parse_filters(text, len, out, used, err))
		return true;
	insertion_free(out);
	return false;
}

bool insertion_whole(const char *text, struct insertion *out, struct err *err)
{
	size_t len = strlen(text), used;

	if (!insertion_parse(text, len, false, out, &used, err))
		return false;
	if (used == len)
		return true;
	err_set(err, "\"%s\": a filter is written after |", text);
	insertion_free(out);
	return false;
}

void insertion_free(struct insertion *in)
{
	path_free(&in->path);
	for (size_t i = 0; i < in->nfilters; i++)
		filter_free(&in->filters[i]);
	free(in->filters);
	free(in->text);
	*in = (struct insertion){0};
}

bool insertion_has_default(const struct insertion *in)
{
	for (size_t i = 0; i < in->nfilters; i++) {
		if (in->filters[i].kind == FILTER_OR)
			return true;
	}
	return false;
}

bool insertion_fill(const struct insertion *in, const struct template_source *from,
		    struct buf *scratch, struct piped *out, struct err *err)
{
	*out = (struct piped){0};
	if (in->text)
		out->value = json_root(in->text, strlen(in->text));
	else
		out->value = from->find(from->arg, &in->path, scratch);
	for (size_t i = 0; i < in->nfilters; i++) {
		if (!filter_apply(&in->filters[i], out, err)) {
			err_prefix(err, "%s", in->text ? in->text : in->path.text);
			return false;
		}
	}
	return true;
}

bool insertion_text(const struct insertion *in, const struct template_source *from,
		    struct buf *scratch, struct buf *out, struct err *err)
{
	struct piped value;
	bool ok = insertion_fill(in, from, scratch, &value, err) && !piped_nothing(&value);

	if (ok)
		piped_text(&value, out);
	piped_free(&value);
	return ok;
}
