/*
 * buf - bytes that grow.
 *
 * Zero-initialised is empty and valid.  `data` is NUL-terminated once anything was
 * added (buf_text() always gives a string).  The owner frees with buf_free().
 */
#ifndef POINTSMAN_BASE_BUF_H
#define POINTSMAN_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

void buf_add(struct buf *b, const void *data, size_t len);
/* Exactly so much room, if it has none yet and what will be added is known. */
void buf_room(struct buf *b, size_t len);
void buf_text_add(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; `text` must be UTF-8. */
void buf_json_string(struct buf *b, const char *text, size_t len);
/* The inside of a JSON string, without quotes. */
void buf_json_escaped(struct buf *b, const char *text, size_t len);
/* What is left of the file; stops as soon as b has more than `most` bytes, which is for the
 * caller to refuse.  False with errno: it cannot be read. */
bool buf_read(struct buf *b, FILE *file, size_t most);
void buf_cut(struct buf *b, size_t len);   /* keep the first len bytes */
const char *buf_text(const struct buf *b); /* "" when empty */
char *buf_take(struct buf *b);             /* the bytes, now the caller's; b is empty */
void buf_free(struct buf *b);              /* NULL-safe, leaves an empty buffer */

#endif
