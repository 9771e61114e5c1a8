/*
 * texts - many texts, one behind the other in one piece of memory.
 *
 * Zero-initialised is empty and valid.  A NUL follows each text.
 */
#ifndef POINTSMAN_CLI_TEXTS_H
#define POINTSMAN_CLI_TEXTS_H

#include "base/buf.h"

struct texts {
	struct buf bytes;
	size_t *ends; /* of each, its NUL included */
	size_t n, cap;
};

void texts_add(struct texts *t, const char *text, size_t len);
/* Until the next is added. */
const char *texts_get(const struct texts *t, size_t i, size_t *len);
void texts_free(struct texts *t);

#endif
