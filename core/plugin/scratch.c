#include "plugin/scratch.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct scratch_piece {
	struct scratch_piece *next;
	size_t len;
	char *text;
};

static const char *keep(struct scratch *s, char *text, size_t len)
{
	struct scratch_piece *piece = mem_new(struct scratch_piece);

	*piece = (struct scratch_piece){s->pieces, len, text};
	s->pieces = piece;
	return text;
}

const char *scratch_text(struct scratch *s, const char *text, size_t len)
{
	return keep(s, mem_slice(text, len), len);
}

const char *scratch_take(struct scratch *s, struct buf *b)
{
	size_t len = b->len;

	return keep(s, buf_take(b), len);
}

/* Overwritten because it may be a secret, and so that a plugin that kept the pointer sees
 * garbage rather than luck. */
void scratch_clear(struct scratch *s)
{
	while (s->pieces) {
		struct scratch_piece *piece = s->pieces;

		s->pieces = piece->next;
		explicit_bzero(piece->text, piece->len);
		free(piece->text);
		free(piece);
	}
}
