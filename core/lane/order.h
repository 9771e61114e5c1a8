/*
 * order - by what the deliveries of a target keep their order.
 */
#ifndef POINTSMAN_LANE_ORDER_H
#define POINTSMAN_LANE_ORDER_H

#include "event/event.h"
#include "lane/lane.h"

struct order { /* `order-by` of a section, read once: every delivery is looked at with it */
	enum order_by by;
	struct path source, value; /* empty if the order is not by a value */
};

/* False with *err if the section's path is none; free it all the same. */
bool order_read(struct order *o, const struct instance_config *section, struct err *err);
void order_free(struct order *o);
/* Hash of the value, in the event of a duty; 0: no order. */
uint64_t order_key(const struct order *o, const struct event *ev, const struct duty *duty);
/* What a lane asks of it. */
struct lane_event order_look(const struct order *o, const struct event *ev,
			     const struct duty *duty);

#endif
