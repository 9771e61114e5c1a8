/*
 * room - may more events be taken in?
 *
 * Looks at what is on its way to the disk (`max-intake`), the size of the journal
 * (`max-journal`) and what is free on its disk (`min-free`).  Loop thread only.
 */
#ifndef POINTSMAN_ENGINE_ROOM_H
#define POINTSMAN_ENGINE_ROOM_H

#include "base/loop.h"
#include "base/world.h"
#include "config/config.h"
#include "engine/engine.h"
#include "engine/journal_thread.h"

struct room;

struct room *room_new(struct world *world, struct loop *loop, const struct config *config);
void room_free(struct room *r);
void room_watch(struct room *r, struct journal_thread *t); /* from when the thread runs */

/* As engine_room(). */
enum engine_room room_for(struct room *r, size_t bytes, const char **why);
/* Told once, from the loop, when there is room again. */
void room_when(struct room *r, void (*fn)(void *arg), void *arg);

#endif
