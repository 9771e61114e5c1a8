#include "journal/disk_tape.h"

#include "base/mem.h"

#include <stdlib.h>

struct disk_tape {
	struct platter *start;
	struct disk_op **ops;
	size_t n, cap;
	/* What is on the disk behind the first `reached`. */
	struct platter *now;
	size_t reached;
};

struct disk_tape *disk_tape_new(const struct platter *start)
{
	struct disk_tape *t = mem_new(struct disk_tape);

	t->start = platter_copy(start);
	return t;
}

void disk_tape_record(struct disk_tape *t, struct disk_op *op)
{
	mem_room(t->ops, t->n, t->cap);
	t->ops[t->n++] = op;
	op->refs++;
}

void disk_tape_free(struct disk_tape *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		disk_op_unref(t->ops[i]);
	free(t->ops);
	platter_free(t->start);
	platter_free(t->now);
	free(t);
}

size_t disk_tape_length(const struct disk_tape *t)
{
	return t->n;
}

bool disk_tape_syncs(const struct disk_tape *t, size_t at)
{
	return at < t->n && (t->ops[at]->kind == OP_SYNC || t->ops[at]->kind == OP_SYNC_NAMES);
}

struct platter *disk_tape_left(struct disk_tape *t, size_t at, enum disk_loss loss, uint32_t seed)
{
	if (!t->now || at < t->reached) {
		platter_free(t->now);
		t->now = platter_copy(t->start);
		t->reached = 0;
	}
	while (t->reached < at)
		platter_apply(t->now, t->ops[t->reached++]);
	return platter_left(t->now, loss, seed);
}

size_t disk_tape_unsynced(const struct disk_tape *t, bool names)
{
	return t->now ? platter_unsynced(t->now, names) : 0;
}

void disk_tape_marks(const struct disk_tape *t, size_t at, void (*fn)(uint64_t remark, void *arg),
		     void *arg)
{
	for (size_t i = 0; i < at; i++) {
		if (t->ops[i]->kind == OP_MARK)
			fn(t->ops[i]->at, arg);
	}
}
