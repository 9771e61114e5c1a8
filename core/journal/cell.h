/*
 * cell - what one rule remembers for one group: slots, an open window, a count.
 *
 * A plain value, copied as one.  Stored in the journal's space "cell" under cell_key() as the JSON
 * that cell_text() writes.
 */
#ifndef POINTSMAN_JOURNAL_CELL_H
#define POINTSMAN_JOURNAL_CELL_H

#include "base/buf.h"
#include "base/heap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cell_kind { CELL_NONE, CELL_INPUTS, CELL_WINDOW, CELL_COUNT };

struct cell_slot {
	uint32_t input; /* its lasting number */
	uint64_t text;  /* hash of what the input asks for: other text, another slot */
	uint64_t seq;   /* of the latest event; 0: empty */
	int64_t at;     /* when that one was accepted */
	bool fresh;     /* it came after the last firing */
};

struct cell_member {
	uint64_t seq;
	int64_t at;
};

struct cell {
	enum cell_kind kind;
	uint32_t rule; /* its lasting number */
	char *group;   /* "": none */
	int64_t used;  /* when an event last touched it */
	bool open;     /* a quiet period runs: */
	int64_t opened, last;
	uint64_t bytes; /* of the members */
	struct cell_slot *slots;
	size_t nslots;
	struct cell_member *members; /* oldest first */
	size_t n, cap;
	int64_t due; /* when time alone changes it, as its rule is now; not stored */
	/* Its places in the router's state; in none while it is only a value. */
	struct heap_node by_due, by_use;
};

struct cell *cell_new(enum cell_kind kind, uint32_t rule, const char *group, size_t nslots);
struct cell *cell_copy(const struct cell *c);
void cell_free(struct cell *c); /* NULL is fine */
void cell_add(struct cell *c, uint64_t seq, int64_t at);
/* Forget the first n members. */
void cell_forget(struct cell *c, size_t n);
bool cell_empty(const struct cell *c);

char *cell_key(uint32_t rule, const char *group); /* the caller's */
void cell_text(const struct cell *c, struct buf *out);
/* NULL if key and text are not what the two above write. */
struct cell *cell_parse(const char *key, const char *text, size_t len);

#endif
