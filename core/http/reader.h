/*
 * reader - one HTTP/1.1 request at a time, out of bytes as they arrive.
 *
 * Pure: no socket, no clock.  Strict where leniency lets two readers disagree about where
 * a request ends: no folded headers, no two lengths, no length beside chunks, a Host in
 * every HTTP/1.1 request.  Memory is bounded by the limits whatever arrives.
 */
#ifndef POINTSMAN_HTTP_READER_H
#define POINTSMAN_HTTP_READER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_reading {
	HTTP_MORE,    /* give it more bytes */
	HTTP_BODY,    /* the head is there, a body follows (`left` bytes, if `has_length`),
			 for which the sender may wait to be asked; then as HTTP_MORE */
	HTTP_WHOLE,   /* the request is there; further bytes belong to the next one */
	HTTP_REFUSED, /* `refusal` says how to answer; nothing after it can be read */
};

struct http_reader {
	size_t max_head, max_body; /* set by the owner, kept by http_reader_clear() */

	char *method, *path, *target; /* once the head is read; path: target without query */
	struct buf fields;            /* "name\0value\0".., in order */
	struct buf body;
	bool keep_alive;
	int refusal; /* 400, 413, 431, 501 or 505 */

	uint64_t left; /* of the body or of the chunk */
	bool has_length;
	bool wants_continue; /* waits for "100 Continue" */

	int state;
	struct buf line;
	size_t head_bytes;
	bool is_11, is_chunked;
};

/* Read from `data`; *used says how much of it was this request's. */
enum http_reading http_reader_feed(struct http_reader *r, const char *data, size_t len,
				   size_t *used);
/* Did a request begin? */
bool http_reader_began(const struct http_reader *r);
const char *http_reader_field(const struct http_reader *r, const char *name); /* or NULL */
/* Ready for the next request; also frees all memory. */
void http_reader_clear(struct http_reader *r);

#endif
