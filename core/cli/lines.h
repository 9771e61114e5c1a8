/*
 * lines - a file, or standard input, line by line; and what is wrong in them.
 *
 * A line ends with LF or CRLF, the last one with or without; a byte order mark at the start
 * is skipped.  A line of over LINES_MAX bytes is a fault and passed over.  Faults are told
 * on standard error as `file:line:column: message`, the first LINES_FAULTS of them.
 */
#ifndef POINTSMAN_CLI_LINES_H
#define POINTSMAN_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINES_MAX    (64 * 1024 * 1024)
#define LINES_FAULTS 20

struct lines {
	const char *name; /* as given: "-" is standard input */
	int fd;
	off_t start; /* in a file, where it was opened; -1: it can be read only once */
	char *bytes;
	size_t from, seen, to, cap; /* next line, searched so far, read so far, room */
	bool overlong;              /* the line being read */
	uint64_t number;            /* of the line given last, from 1 */
	uint64_t faults;
	bool trouble; /* reading failed; said already */
};

/* False: it cannot be opened, which was said on standard error. */
bool lines_open(struct lines *l, const char *name);
/* *text is a string of *len bytes, until the next call.  False at the end, and when reading
 * fails. */
bool lines_next(struct lines *l, char **text, size_t *len);
/* Is the next line here already, so that lines_next() will not wait? */
bool lines_waiting(const struct lines *l);
/* Can it be read once more, from where it was opened?  lines_rewind() goes there. */
bool lines_again(const struct lines *l);
bool lines_rewind(struct lines *l);

/* Something is wrong with the line given last; columns count bytes, from 1. */
void lines_fault(struct lines *l, size_t column, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends the complaints: says how many were kept back.  True if there was no fault and no
 * trouble. */
bool lines_good(const struct lines *l);
/* EX_OK, EX_DATAERR or EX_IOERR. */
int lines_status(const struct lines *l);
void lines_close(struct lines *l);

#endif
