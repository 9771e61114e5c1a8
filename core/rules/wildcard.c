#include "rules/wildcard.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void add_run(struct wildcard *w, size_t at)
{
	w->runs = mem_grow(w->runs, w->n + 1, sizeof *w->runs);
	w->runs[w->n++] = (struct wildcard_run){at, 0};
}

bool wildcard_parse(const char *text, size_t len, struct wildcard *out, struct err *err)
{
	size_t used = 0;

	*out = (struct wildcard){.text = mem_zero(len + 1)};
	add_run(out, 0);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '*') {
			if (i + 1 < len && text[i + 1] == '*') {
				err_set(err, "two stars in a row: one is any run already");
				goto bad;
			}
			add_run(out, used);
			continue;
		}
		if (text[i] == '\\' && (++i == len || (text[i] != '*' && text[i] != '\\'))) {
			err_set(err,
				"a backslash stands before a star or a backslash; in a text it is "
				"written \\\\");
			goto bad;
		}
		out->text[used++] = text[i];
		out->runs[out->n - 1].len++;
	}
	return true;
bad:
	wildcard_free(out);
	return false;
}

void wildcard_free(struct wildcard *w)
{
	free(w->text);
	free(w->runs);
	*w = (struct wildcard){0};
}

/* The first run is a prefix, the last a suffix, each between taken where it comes first:
 * that leaves the most for the rest. */
bool wildcard_match(const struct wildcard *w, const char *text, size_t len)
{
	const struct wildcard_run *first = &w->runs[0], *last = &w->runs[w->n - 1];
	const char *p = text, *end = text + len;

	if (first->len > len || memcmp(text, w->text, first->len) != 0)
		return false;
	if (w->n == 1)
		return first->len == len;
	p += first->len;
	if (last->len > (size_t)(end - p) ||
	    memcmp(end - last->len, w->text + last->at, last->len) != 0)
		return false;
	end -= last->len;
	for (size_t i = 1; i + 1 < w->n; i++) {
		p = memmem(p, (size_t)(end - p), w->text + w->runs[i].at, w->runs[i].len);
		if (!p)
			return false;
		p += w->runs[i].len;
	}
	return true;
}
