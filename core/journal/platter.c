#include "journal/platter.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR 512

struct pending { /* in order of time */
	struct disk_op **list;
	size_t n, cap;
};

struct file {
	struct buf now, durable;
};

struct platter {
	struct file *files;
	size_t nfiles, cap;
	struct map names, durable_names; /* values: 1 + number of the file */
	struct pending pending;
};

static void *as_value(size_t file)
{
	return (void *)(uintptr_t)(file + 1);
}

void disk_op_unref(struct disk_op *c)
{
	if (!c || --c->refs > 0)
		return;
	buf_free(&c->text);
	free(c->name);
	free(c->to);
	free(c);
}

struct platter *platter_new(void)
{
	return mem_new(struct platter);
}

static void copy_bytes(struct buf *to, const struct buf *from)
{
	buf_cut(to, 0);
	if (from->len)
		buf_add(to, from->data, from->len);
}

static void copy_names(struct map *to, const struct map *from)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(from, &i));)
		map_put(to, e->key, e->value);
}

static void wait_for_sync(struct pending *w, struct disk_op *c)
{
	mem_room(w->list, w->n, w->cap);
	w->list[w->n++] = c;
	c->refs++;
}

/* All but what is visible and not durable. */
static struct platter *copy_durable(const struct platter *p)
{
	struct platter *copy = platter_new();

	while (copy->nfiles < p->nfiles)
		platter_new_file(copy);
	for (size_t i = 0; i < p->nfiles; i++)
		copy_bytes(&copy->files[i].durable, &p->files[i].durable);
	copy_names(&copy->durable_names, &p->durable_names);
	for (size_t i = 0; i < p->pending.n; i++)
		wait_for_sync(&copy->pending, p->pending.list[i]);
	return copy;
}

struct platter *platter_copy(const struct platter *p)
{
	struct platter *copy = copy_durable(p);

	for (size_t i = 0; i < p->nfiles; i++)
		copy_bytes(&copy->files[i].now, &p->files[i].now);
	copy_names(&copy->names, &p->names);
	return copy;
}

static void forget_pending(struct platter *p)
{
	for (size_t i = 0; i < p->pending.n; i++)
		disk_op_unref(p->pending.list[i]);
	p->pending.n = 0;
}

void platter_free(struct platter *p)
{
	if (!p)
		return;
	forget_pending(p);
	free(p->pending.list);
	for (size_t i = 0; i < p->nfiles; i++) {
		buf_free(&p->files[i].now);
		buf_free(&p->files[i].durable);
	}
	free(p->files);
	map_free(&p->names, NULL);
	map_free(&p->durable_names, NULL);
	free(p);
}

size_t platter_new_file(struct platter *p)
{
	mem_room(p->files, p->nfiles, p->cap);
	p->files[p->nfiles] = (struct file){0};
	return p->nfiles++;
}

bool platter_find(struct platter *p, const char *name, size_t *file)
{
	void *value = map_get(&p->names, name);

	if (value)
		*file = (size_t)(uintptr_t)value - 1;
	return value != NULL;
}

size_t platter_count(const struct platter *p, const char *part)
{
	struct map_entry *e;
	size_t n = 0;

	for (size_t i = 0; (e = map_next(&p->names, &i));)
		n += strstr(e->key, part) != NULL;
	return n;
}

const struct buf *platter_content(struct platter *p, size_t file)
{
	return &p->files[file].now;
}

static void grow(struct buf *b, size_t size)
{
	static const char zeros[4096];

	while (b->len < size)
		buf_add(b, zeros, size - b->len < sizeof zeros ? size - b->len : sizeof zeros);
}

static void put(struct buf *b, size_t at, const void *data, size_t len)
{
	if (!len)
		return;
	grow(b, at + len);
	memcpy(b->data + at, data, len);
}

static void change_file(struct buf *b, const struct disk_op *c)
{
	if (c->kind == OP_WRITE)
		put(b, c->at, c->text.data, c->text.len);
	else if (c->at < b->len)
		buf_cut(b, c->at);
	else
		grow(b, c->at);
}

static void change_names(struct map *names, const struct disk_op *c)
{
	if (c->kind != OP_NAME)
		map_remove(names, c->name);
	if (c->kind != OP_UNNAME)
		map_put(names, c->kind == OP_RENAME ? c->to : c->name, as_value(c->file));
}

static bool is_of_file(const struct disk_op *c)
{
	return c->kind == OP_WRITE || c->kind == OP_SIZE;
}

size_t platter_unsynced(const struct platter *p, bool names)
{
	size_t n = 0;

	for (size_t i = 0; i < p->pending.n; i++)
		n += !names || !is_of_file(p->pending.list[i]);
	return n;
}

static void make_durable(struct platter *p, const struct disk_op *c)
{
	if (is_of_file(c))
		change_file(&p->files[c->file].durable, c);
	else
		change_names(&p->durable_names, c);
}

void platter_settle(struct platter *p)
{
	for (size_t i = 0; i < p->pending.n; i++)
		make_durable(p, p->pending.list[i]);
	forget_pending(p);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Some cuts leave almost all, some almost nothing. */
static bool survives(uint32_t *seed, uint32_t density)
{
	static const uint32_t of_eight[] = {4, 7, 1};

	return next_random(seed) % 8 < of_eight[density % 3];
}

static void keep_sectors(struct buf *b, const struct disk_op *c, uint32_t *seed, uint32_t density)
{
	for (size_t done = 0, len; done < c->text.len; done += len) {
		size_t at = c->at + done;

		len = SECTOR - at % SECTOR;
		if (len > c->text.len - done)
			len = c->text.len - done;
		if (survives(seed, density))
			put(b, at, c->text.data + done, len);
		else if (next_random(seed) % 4 == 0) /* its size is written apart */
			grow(b, at + len);
	}
}

/* One piece of it is there, and behind that, perhaps, what was never written. */
static void keep_bytes(struct buf *b, const struct disk_op *c, uint32_t *seed, uint32_t density)
{
	size_t from = next_random(seed) % 2 ? next_random(seed) % (c->text.len + 1) : 0;
	size_t to = next_random(seed) % 2 ? next_random(seed) % (c->text.len + 1) : c->text.len;

	if (!survives(seed, density) || from >= to)
		return;
	put(b, c->at + from, c->text.data + from, to - from);
	for (size_t at = to; at < c->text.len && next_random(seed) % 64; at++)
		put(b, c->at + at, &(char){(char)next_random(seed)}, 1);
}

static void keep_some(struct platter *p, const struct disk_op *c, enum disk_loss loss,
		      uint32_t *seed, uint32_t density)
{
	struct buf *b = is_of_file(c) ? &p->files[c->file].durable : NULL;

	if (c->kind == OP_WRITE && loss == DISK_LOSE_BYTES)
		keep_bytes(b, c, seed, density);
	else if (c->kind == OP_WRITE)
		keep_sectors(b, c, seed, density);
	else if (survives(seed, density))
		make_durable(p, c);
}

static void keep_first(struct platter *p, uint32_t *seed)
{
	size_t n = p->pending.n ? next_random(seed) % (p->pending.n + 1) : 0;

	for (size_t i = 0; i < n; i++)
		make_durable(p, p->pending.list[i]);
	if (n < p->pending.n)
		keep_some(p, p->pending.list[n], DISK_LOSE_ANY, seed, 0);
}

void platter_cut(struct platter *p, enum disk_loss loss, uint32_t seed)
{
	uint32_t density = seed;

	if (loss == DISK_LOSE_LATEST)
		keep_first(p, &seed);
	for (size_t i = 0; i < p->pending.n && loss >= DISK_LOSE_ANY; i++)
		keep_some(p, p->pending.list[i], loss, &seed, density);
	forget_pending(p);
	for (size_t i = 0; i < p->nfiles; i++)
		copy_bytes(&p->files[i].now, &p->files[i].durable);
	map_free(&p->names, NULL);
	copy_names(&p->names, &p->durable_names);
}

struct platter *platter_left(const struct platter *p, enum disk_loss loss, uint32_t seed)
{
	struct platter *left = copy_durable(p);

	platter_cut(left, loss, seed);
	return left;
}

static bool concerns(const struct disk_op *pending, const struct disk_op *sync)
{
	if (sync->kind == OP_SYNC_NAMES)
		return !is_of_file(pending);
	return is_of_file(pending) && pending->file == sync->file;
}

/* Of a sync that fails nobody knows what it reached; the rest is not written by a later one. */
static void end_sync(struct platter *p, const struct disk_op *sync)
{
	struct pending *w = &p->pending;
	uint32_t seed = (uint32_t)sync->at;
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct disk_op *c = w->list[i];

		if (!concerns(c, sync)) {
			w->list[kept++] = c;
			continue;
		}
		if (sync->kind == OP_LOST_SYNC)
			keep_some(p, c, DISK_LOSE_ANY, &seed, seed);
		else
			make_durable(p, c);
		disk_op_unref(c);
	}
	w->n = kept;
}

void platter_apply(struct platter *p, struct disk_op *c)
{
	while (p->nfiles <= c->file)
		platter_new_file(p);
	switch (c->kind) {
	case OP_WRITE:
	case OP_SIZE: change_file(&p->files[c->file].now, c); break;
	case OP_NAME:
	case OP_UNNAME:
	case OP_RENAME: change_names(&p->names, c); break;
	case OP_SYNC:
	case OP_SYNC_NAMES:
	case OP_LOST_SYNC: end_sync(p, c); return;
	case OP_MARK: return;
	}
	wait_for_sync(&p->pending, c);
}

/* hash64() is slower, and this need not be good. */
static uint64_t hash_bytes(const struct buf *b)
{
	uint64_t h = b->len, word;
	size_t at = 0;

	for (; at + sizeof word <= b->len; at += sizeof word) {
		memcpy(&word, b->data + at, sizeof word);
		h = (h ^ word) * 0x9e3779b97f4a7c15U;
		h ^= h >> 32;
	}
	return b->len ? hash64(b->data + at, b->len - at, h) : h;
}

uint64_t platter_hash(const struct platter *p)
{
	uint64_t hash = 0;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&p->names, &i));) {
		const struct buf *b = &p->files[(size_t)(uintptr_t)e->value - 1].now;

		/* Whatever the order of the names. */
		hash += hash64(e->key, strlen(e->key), hash_bytes(b));
	}
	return hash;
}
