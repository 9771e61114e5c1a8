#include "lane/lane_inside.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

void lane_effects_empty(struct lane_effects *e)
{
	for (size_t i = 0; i < e->n; i++)
		delivery_clear(&e->list[i].delivery);
	e->n = 0;
}

void lane_effects_clear(struct lane_effects *e)
{
	lane_effects_empty(e);
	free(e->list);
	*e = (struct lane_effects){0};
}

struct lane_effect *lane_effect_add(struct lane_effects *out, enum lane_effect_kind kind,
				    const struct delivery *d)
{
	struct lane_effect *effect;

	mem_room(out->list, out->n, out->cap);
	effect = &out->list[out->n++];
	*effect = (struct lane_effect){.kind = kind, .count = 1};
	delivery_copy(&effect->delivery, d);
	return effect;
}

static void forget_bare(struct lane *l, struct lane_entry *e)
{
	*(e->before ? &e->before->after : &l->first_bare) = e->after;
	*(e->after ? &e->after->before : &l->last_bare) = e->before;
	e->before = e->after = NULL;
	l->bare--;
}

void lane_write(struct lane *l, struct lane_entry *e, struct lane_effects *out)
{
	lane_effect_add(out, LANE_ROW, &e->d);
	if (e->has_row)
		return;
	e->has_row = true;
	forget_bare(l, e);
	l->rows++;
}

void lane_move(struct lane_entry *e, enum delivery_state to)
{
	assert(delivery_may_move(e->d.state, to));
	e->d.state = to;
}
