#include "lane/obituary.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_quiet(const struct obituary *o, struct lane_now now)
{
	return o->quiet && now.boot < o->quiet_until;
}

static void be_quiet(struct obituary *o, struct lane_now now)
{
	o->quiet = true;
	o->quiet_until = now.boot + OBITUARY_EVERY_MS;
}

static void gather(struct obituary *o, const struct delivery *d)
{
	mem_room(o->gathered, o->n, o->cap);
	delivery_copy(&o->gathered[o->n++], d);
}

bool obituary_add(struct obituary *o, struct delivery *d, struct lane_now now)
{
	if (!is_quiet(o, now) && !o->n && !o->more) {
		d->told = true;
		be_quiet(o, now);
		return true;
	}
	d->told = o->n >= OBITUARY_MAX;
	if (d->told)
		o->more++;
	else
		gather(o, d);
	return false;
}

void obituary_recall(struct obituary *o, const struct delivery *d)
{
	if (o->n < OBITUARY_MAX)
		gather(o, d);
	else
		o->more++;
}

void obituary_forget(struct obituary *o, uint64_t seq)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->gathered[i].seq != seq)
			continue;
		delivery_clear(&o->gathered[i]);
		o->n--;
		memmove(&o->gathered[i], &o->gathered[i + 1], (o->n - i) * sizeof *o->gathered);
		return;
	}
}

bool obituary_due(const struct obituary *o, struct lane_now now, uint32_t *count)
{
	*count = (uint32_t)o->n + o->more;
	return o->n && !is_quiet(o, now);
}

void obituary_told(struct obituary *o, struct lane_now now)
{
	for (size_t i = 0; i < o->n; i++)
		delivery_clear(&o->gathered[i]);
	o->n = 0;
	o->more = 0;
	be_quiet(o, now);
}

int64_t obituary_next(const struct obituary *o)
{
	if (!o->n)
		return INT64_MAX;
	return o->quiet ? o->quiet_until : INT64_MIN;
}

void obituary_free(struct obituary *o)
{
	for (size_t i = 0; i < o->n; i++)
		delivery_clear(&o->gathered[i]);
	free(o->gathered);
	*o = (struct obituary){0};
}
