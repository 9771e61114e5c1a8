/*
 * room - may more events be taken in?
 *
 * Looks at the journal thread's queue, the size of the journal (`max-journal`) and what is
 * free on its disk (`min-free`).  Loop thread only.
 */
#ifndef POINTSMAN_ENGINE_ROOM_H
#define POINTSMAN_ENGINE_ROOM_H

#include "base/loop.h"
#include "base/world.h"
#include "config/config.h"
#include "engine/journal_thread.h"

struct room;

struct room *room_new(struct world *world, struct loop *loop, const struct config *config);
void room_free(struct room *r);
void room_watch(struct room *r, struct journal_thread *t); /* from when the thread runs */

bool room_is(struct room *r, const char **why); /* *why is good until the next call */
/* Told once, from the loop, when there is room again. */
void room_when(struct room *r, void (*fn)(void *arg), void *arg);

#endif
