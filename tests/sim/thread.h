/*
 * thread - the journal's thread in a simulated world: it runs only when its turn comes.
 *
 * A stack of its own that is switched to; so what it does in a turn, and when, is the same for
 * the same seed.
 */
#ifndef POINTSMAN_SIM_THREAD_H
#define POINTSMAN_SIM_THREAD_H

#include "base/world.h"

#include <stdbool.h>

/* For struct world. */
struct world_thread *thread_start(struct world *w, void (*run)(void *arg), void *arg);
void thread_join(struct world *w, struct world_thread *t);
void thread_wait(struct world *w, int fd, int64_t ms);

bool thread_turn(void);       /* let it run until it waits; false: it has nothing to wait for yet */
int64_t thread_due(void);     /* boot time until which it waits; INT64_MAX: there is none */
bool thread_is_running(void); /* we are on it */

#endif
