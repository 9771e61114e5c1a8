#include "cli/texts.h"

#include "base/mem.h"

#include <stdlib.h>

void texts_add(struct texts *t, const char *text, size_t len)
{
	buf_add(&t->bytes, text, len);
	buf_char(&t->bytes, '\0');
	mem_room(t->ends, t->n, t->cap);
	t->ends[t->n++] = t->bytes.len;
}

const char *texts_get(const struct texts *t, size_t i, size_t *len)
{
	size_t begin = i ? t->ends[i - 1] : 0;

	*len = t->ends[i] - begin - 1;
	return t->bytes.data + begin;
}

void texts_free(struct texts *t)
{
	buf_free(&t->bytes);
	free(t->ends);
	*t = (struct texts){0};
}
