/*
 * items - the events in a body: one JSON object, an array of them, or lines of them.
 *
 * Not a parser: it trusts the body to be JSON, and goes over it once.
 */
#ifndef POINTSMAN_LOAD_ITEMS_H
#define POINTSMAN_LOAD_ITEMS_H

#include <stddef.h>
#include <stdint.h>

struct item {
	const char *id; /* the member "id" of the object, as it is written; or NULL */
	size_t id_len;
	const char *key; /* its "idempotencykey", likewise */
	size_t key_len;
	int64_t sent_us; /* the first number called "sent" anywhere in it; 0: there is none */
};

/* Tell of each object that is in no other; how many there are. */
size_t items_each(const char *body, size_t len, void (*tell)(void *arg, const struct item *item),
		  void *arg);

#endif
