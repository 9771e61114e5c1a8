/*
 * weather - how each target is just now, and what it makes of a call.
 */
#ifndef POINTSMAN_SIM_WEATHER_H
#define POINTSMAN_SIM_WEATHER_H

#include <stdbool.h>
#include <stdint.h>

enum weather {
	WEATHER_GOOD,  /* but for the target's usual trouble */
	WEATHER_GONE,  /* refuses connections; a puppet says "again" */
	WEATHER_ILL,   /* 5xx, 429 */
	WEATHER_DEAF,  /* takes requests, never answers */
	WEATHER_SLOW,  /* answers about when time is up */
	WEATHER_MIXED, /* any of all that, call by call */
};
#define WEATHERS 6

enum fate { /* of one call */
	    FATE_OK,
	    FATE_LOST,    /* done, and the answer is lost */
	    FATE_HANGS,   /* never answered; done or not */
	    FATE_REFUSED, /* never arrived */
	    FATE_FAILS,   /* 5xx */
	    FATE_LATER,   /* 429 or 503 with Retry-After */
	    FATE_REJECTS, /* 4xx */
	    FATE_HOLDS,   /* puppets: called again later */
	    FATE_FORGETS, /* puppets: never finished */
	    FATE_TWICE,   /* puppets: finished twice */
};

void weather_begin(void); /* good everywhere */
void weather_change(int target, enum weather to);
void weather_clear(void); /* good for ever, and no trouble any more */
bool weather_is_clear(void);
enum fate weather_fate(int target, bool puppet);
int64_t weather_latency(int target); /* ms until a call is over */

#endif
