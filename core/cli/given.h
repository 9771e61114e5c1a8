/*
 * given - what is given to a verb as a file, or on standard input.
 */
#ifndef POINTSMAN_CLI_GIVEN_H
#define POINTSMAN_CLI_GIVEN_H

#include "base/buf.h"
#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>

/* The bytes of the file (`-`: standard input), as buf_read() takes them.  False: standard error
 * was told why not. */
bool given_bytes(const char *name, size_t most, struct buf *out);
/* The text of a CloudEvents object: that in the file (`-`: standard input), completed with
 * what it lacks by the options and defaults; with --type, the file may also be the payload
 * alone.  Its bytes stay as they are.  An exit status, EX_OK unless standard error was told
 * why not; the caller frees `event` in any case. */
int given_event(const struct options *o, const char *name, struct buf *event);

#endif
