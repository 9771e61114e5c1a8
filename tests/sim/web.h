/*
 * web - whoever posts to the router's HTTP port.
 *
 * Each item in a request of its own, over a connection of its own or one kept from before; again
 * every few seconds until the answer is 202.
 */
#ifndef POINTSMAN_SIM_WEB_H
#define POINTSMAN_SIM_WEB_H

#include <stddef.h>

void web_post(size_t item); /* of the feed PLAN_WEB */
void web_life_over(void);
void web_free(void);

/* feeds.c: it was answered 202. */
void feeds_promised(size_t item);

#endif
