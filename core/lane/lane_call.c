/* Deliveries that share a call. */
#include "lane/lane_inside.h"

#include "base/mem.h"

#include <stdlib.h>

/* What goes carefully has its row written before it, and a probe asks only whether the target
 * is there. */
static bool goes_alone(const struct lane *l, const struct lane_entry *e)
{
	return l->settings.batch == 1 || e->look || l->careful || l->breaker.open;
}

bool lane_has_room(const struct lane *l)
{
	uint64_t places = (uint64_t)l->settings.concurrency * l->settings.batch;

	return (uint64_t)l->called + l->held < places &&
	       (l->filling || l->calls < l->settings.concurrency);
}

static bool fits(const struct lane_call *c, const struct lane_entry *e)
{
	return c->bytes + e->bytes <= LANE_CALL_BYTES && (!e->most || c->size < e->most);
}

void lane_make_fit(struct lane *l, const struct lane_entry *e)
{
	if (l->filling && (goes_alone(l, e) || !fits(l->filling, e)))
		l->filling = NULL;
}

bool lane_is_filling(const struct lane *l, const struct lane_entry *e)
{
	return e->call && e->call == l->filling;
}

static struct lane_call *begin(struct lane *l)
{
	struct lane_call *c = mem_new(struct lane_call);

	c->number = ++l->last_call;
	c->most = l->settings.batch;
	l->filling = c;
	l->calls++;
	return c;
}

void lane_join_call(struct lane *l, struct lane_entry *e)
{
	struct lane_call *c;

	if (goes_alone(l, e)) {
		l->calls++;
		return;
	}
	c = l->filling ? l->filling : begin(l);
	e->call = c;
	c->members++;
	c->size++;
	c->bytes += e->bytes;
	if (e->most && e->most < c->most)
		c->most = e->most;
	if (c->size >= c->most)
		l->filling = NULL;
}

/* Once one has left it, none may follow: it could overtake that one. */
void lane_leave_call(struct lane *l, struct lane_entry *e)
{
	struct lane_call *c = e->call;

	e->call = NULL;
	if (c && c == l->filling)
		l->filling = NULL;
	if (c && --c->members)
		return;
	free(c);
	l->calls--;
}

void lane_depart(struct lane *l, uint64_t call)
{
	if (l->filling && l->filling->number == call)
		l->filling = NULL;
}
