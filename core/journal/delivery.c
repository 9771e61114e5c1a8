#include "journal/delivery.h"

#include "base/hash.h"
#include "base/mem.h"
#include "journal/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOVE(to) (1u << DELIVERY_##to)

/* A held delivery may end or be held again outside its own call: a plugin that follows many
 * of them hears of all in one answer. */
static const struct {
	const char *name;
	unsigned moves;
} states[DELIVERY_STATES] = {
	[DELIVERY_WAITING] = {"waiting",
			      MOVE(CALLED) | MOVE(DEAD) | MOVE(SUPERSEDED) | MOVE(DROPPED)},
	[DELIVERY_CALLED] = {"in a call", MOVE(WAITING) | MOVE(HELD) | MOVE(RETRY) | MOVE(DONE) |
						  MOVE(DEAD) | MOVE(DROPPED)},
	[DELIVERY_HELD] = {"held", MOVE(CALLED) | MOVE(HELD) | MOVE(RETRY) | MOVE(DONE) |
					   MOVE(DEAD) | MOVE(DROPPED)},
	[DELIVERY_RETRY] = {"retry", MOVE(WAITING) | MOVE(CALLED) | MOVE(DEAD) | MOVE(SUPERSEDED) |
					     MOVE(DROPPED)},
	[DELIVERY_DONE] = {"done", 0},
	[DELIVERY_DEAD] = {"dead", MOVE(WAITING) | MOVE(DROPPED)},
	[DELIVERY_SUPERSEDED] = {"superseded", 0},
	[DELIVERY_DROPPED] = {"dropped", 0},
};

bool delivery_may_move(enum delivery_state from, enum delivery_state to)
{
	return states[from].moves >> to & 1;
}

const char *delivery_state_name(enum delivery_state s)
{
	return states[s].name;
}

bool delivery_ended(enum delivery_state s)
{
	return s >= DELIVERY_DONE;
}

/* A duty is a byte of flags, then the target, and what of rule, then and group is not 0.
 * The group is a hash. */
enum {
	FLAG_OVERLAP = 3,
	FLAG_MEMBERS = 4,
	FLAG_RULE = 8,
	FLAG_THEN = 16,
	FLAG_GROUP = 32,
	FLAG_ALL = 63,
};

void duties_encode(const struct duty *duties, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct duty *d = &duties[i];
		int flags = (d->overlap & FLAG_OVERLAP) | (d->members ? FLAG_MEMBERS : 0) |
			    (d->rule ? FLAG_RULE : 0) | (d->then ? FLAG_THEN : 0) |
			    (d->group ? FLAG_GROUP : 0);

		buf_char(out, (char)flags);
		packed_add(out, d->target);
		if (d->rule)
			packed_add(out, d->rule);
		if (d->then)
			packed_add(out, d->then);
		if (d->group)
			packed_add_hash(out, d->group);
	}
}

static struct duty get_duty(struct packed *r)
{
	unsigned flags = (unsigned char)*r->at++;
	struct duty d = {.overlap = (uint8_t)(flags & FLAG_OVERLAP),
			 .members = (flags & FLAG_MEMBERS) != 0};

	if (flags & ~(unsigned)FLAG_ALL)
		r->bad = true;
	d.target = packed_number32(r);
	if (flags & FLAG_RULE)
		d.rule = packed_number32(r);
	if (flags & FLAG_THEN)
		d.then = packed_number32(r);
	if (flags & FLAG_GROUP)
		d.group = packed_hash(r);
	return d;
}

bool duties_decode(const void *bytes, size_t len, struct duty **duties, size_t *n)
{
	struct packed r = {.at = bytes, .end = len ? (const unsigned char *)bytes + len : bytes};
	struct duty *list = NULL;
	size_t used = 0, cap = 0;

	while (r.at < r.end && !r.bad) {
		mem_room(list, used, cap);
		list[used++] = get_duty(&r);
	}
	if (r.bad) {
		free(list);
		list = NULL;
		used = 0;
	}
	*duties = list;
	*n = used;
	return !r.bad;
}

void delivery_clear(struct delivery *d)
{
	free(d->held);
	free(d->why);
	free(d->trail);
	d->held = d->why = d->trail = NULL;
}

void delivery_copy(struct delivery *to, const struct delivery *from)
{
	*to = *from;
	to->held = mem_text(from->held);
	to->why = mem_text(from->why);
	to->trail = mem_text(from->trail);
}

void delivery_key(const char *instance, const char *source, const char *id, const char *target,
		  uint32_t round, char out[33])
{
	const char *parts[] = {instance, source, id, target};
	char few[512], *bytes = few, number[16], *at;
	unsigned char digest[32];
	size_t size[4], len = 0;
	int digits = snprintf(number, sizeof number, "%u", round);

	/* The NUL behind each part keeps "a", "bc" apart from "ab", "c". */
	for (size_t i = 0; i < 4; i++)
		len += size[i] = strlen(parts[i]) + 1;
	len += (size_t)digits;
	if (len > sizeof few)
		bytes = mem_grow(NULL, len, 1);
	at = bytes;
	for (size_t i = 0; i < 4; at += size[i++])
		memcpy(at, parts[i], size[i]);
	memcpy(at, number, (size_t)digits);
	hash_sha256(bytes, len, digest);
	hash_hex(digest, 16, out);
	if (bytes != few)
		free(bytes);
}
