/*
 * life - the router, from its start to its end, and again over what it left on the disk.
 *
 * The real engine, runtime, plugins and server; only the world they live in is not.
 */
#ifndef POINTSMAN_SIM_LIFE_H
#define POINTSMAN_SIM_LIFE_H

#include <stdbool.h>

struct engine;
struct config;
struct http_server;

enum death {
	DEATH_STOP,  /* in order */
	DEATH_KILL,  /* what was written stays */
	DEATH_POWER, /* what was not synced may be lost */
};

/* Once, before the first life; directories of plugins, NULL-terminated. */
void life_prepare(const char *const *plugins);
bool life_begin(void); /* false: it could not be opened now */
void life_end(enum death how);
/* Stop in order: sources are quiet, calls may end; life_stopped() once that is over. */
void life_stop(void);
bool life_stopped(void);
/* It has said that the journal cannot be written any more. */
bool life_failed(void);

struct config *life_config(void);      /* read anew; the caller's */
unsigned life_number(void);            /* 1.. */
struct engine *life_engine(void);      /* NULL: it is dead, or dying and of no account */
struct http_server *life_server(void); /* the same */
void life_free(void);

#endif
