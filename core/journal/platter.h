/*
 * platter - what the files of a disk hold, what of it is durable, and what a power cut leaves.
 *
 * The inside of testdisk.  Changes are applied one after the other; each is visible at once,
 * and durable when its file was synced, or, for a name, its directory.  There is one
 * directory.  Files have numbers, so that one that was deleted or renamed is still itself.
 */
#ifndef POINTSMAN_JOURNAL_PLATTER_H
#define POINTSMAN_JOURNAL_PLATTER_H

#include "base/buf.h"
#include "base/map.h"
#include "journal/testdisk.h"

#include <stddef.h>

enum disk_op_kind {
	OP_WRITE,      /* `text` at `at` of `file` */
	OP_SIZE,       /* of `file` to `at` */
	OP_NAME,       /* `name` is `file` now */
	OP_UNNAME,     /* `name` is no file */
	OP_RENAME,     /* `file`, until now `name`, is `to` */
	OP_SYNC,       /* what was done to `file` is durable */
	OP_SYNC_NAMES, /* what was done to names is */
	OP_LOST_SYNC,  /* a sync of `file` failed: what it was to make durable is dropped */
	OP_MARK,       /* nothing happens; `at` is for who reads it */
};

struct disk_op {
	enum disk_op_kind kind;
	size_t file;
	size_t at;
	struct buf text;
	char *name, *to;
	unsigned refs;
};

struct platter;

struct platter *platter_new(void);
struct platter *platter_copy(const struct platter *p);
void platter_free(struct platter *p);

size_t platter_new_file(struct platter *p); /* empty, without a name */
bool platter_find(struct platter *p, const char *name, size_t *file);
size_t platter_count(const struct platter *p, const char *part); /* names with this in them */
const struct buf *platter_content(struct platter *p, size_t file);
/* Operations, or of them those on names, not yet durable. */
size_t platter_unsynced(const struct platter *p, bool names);
/* The platter keeps a reference of its own while it needs one. */
void platter_apply(struct platter *p, struct disk_op *c);
void platter_settle(struct platter *p); /* all that is there is durable */
/* Only what is durable is left, and of the rest what `loss` says; all of it is durable then. */
void platter_cut(struct platter *p, enum disk_loss loss, uint32_t seed);
/* A new one with what a cut leaves of this one. */
struct platter *platter_left(const struct platter *p, enum disk_loss loss, uint32_t seed);
/* The same for what has the same names and bytes. */
uint64_t platter_hash(const struct platter *p);

void disk_op_unref(struct disk_op *c);

#endif
