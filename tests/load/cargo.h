/*
 * cargo - the events that are sent: CloudEvents whose ids tell their number.
 *
 *	{"specversion":"1.0","id":"PREFIX-17","source":"/load","type":"load.event",
 *	 "data":{"n":17,"route":"b","sent":1764313200000000,"f00":"..", "f01":"..", ..}}
 *
 * data.n is the number, data.route "a", "b", .. in turn (n modulo `routes`; behind "z" comes
 * "aa"), data.sent the moment it was to be sent (microseconds since 1970), and the rest text
 * that fills the event up to `size` bytes.
 */
#ifndef POINTSMAN_LOAD_CARGO_H
#define POINTSMAN_LOAD_CARGO_H

#include <stdint.h>

#include "base/buf.h"

struct cargo {
	const char *prefix;
	unsigned routes;
	struct buf filler;
};

/* `prefix` stays the caller's, and has nothing in it that JSON escapes. */
void cargo_init(struct cargo *c, const char *prefix, unsigned routes, size_t size);
void cargo_free(struct cargo *c);
void cargo_add(const struct cargo *c, uint64_t n, int64_t sent_us, struct buf *out);
/* "PREFIX-17" */
void cargo_add_id(const struct cargo *c, uint64_t n, struct buf *out);

#endif
