#include "plugin/scratch.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct scratch_piece {
	struct scratch_piece *next;
	size_t len;
	char *text;   /* `bytes`, or taken over */
	char bytes[]; /* with a NUL behind */
};

static struct scratch_piece *add(struct scratch *s, size_t bytes)
{
	struct scratch_piece *piece = mem_grow(NULL, 1, sizeof *piece + bytes);

	piece->next = s->pieces;
	s->pieces = piece;
	return piece;
}

const char *scratch_text(struct scratch *s, const char *text, size_t len)
{
	struct scratch_piece *piece = add(s, len + 1);

	piece->len = len;
	piece->text = piece->bytes;
	if (len)
		memcpy(piece->bytes, text, len);
	piece->bytes[len] = '\0';
	return piece->text;
}

const char *scratch_take(struct scratch *s, struct buf *b)
{
	struct scratch_piece *piece = add(s, 0);

	piece->len = b->len;
	piece->text = buf_take(b);
	return piece->text;
}

/* Overwritten because it may be a secret, and so that a plugin that kept the pointer sees
 * garbage rather than luck. */
void scratch_clear(struct scratch *s)
{
	while (s->pieces) {
		struct scratch_piece *piece = s->pieces;

		s->pieces = piece->next;
		explicit_bzero(piece->text, piece->len);
		if (piece->text != piece->bytes)
			free(piece->text);
		free(piece);
	}
}
