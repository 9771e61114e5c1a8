/*
 * message - where an HTTP/1.1 message ends in a stream of bytes.
 *
 * For the tools beside it, which speak to servers and clients that say Content-Length: a
 * chunked message is MESSAGE_BAD.
 */
#ifndef POINTSMAN_LOAD_MESSAGE_H
#define POINTSMAN_LOAD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

enum message_state {
	MESSAGE_PART, /* more bytes are to come; head_len is set once the head is whole */
	MESSAGE_WHOLE,
	MESSAGE_BAD,
};

/* Points into the bytes that message_read() was given. */
struct message {
	const char *head; /* the first line, the headers, the empty line */
	size_t head_len;
	const char *body;
	size_t body_len;
};

enum message_state message_read(const char *data, size_t len, struct message *m);
/* The value, without blanks around it, and its length; NULL: no such header. */
const char *message_header(const struct message *m, const char *name, size_t *len);
bool message_header_is(const struct message *m, const char *name, const char *value);

#endif
