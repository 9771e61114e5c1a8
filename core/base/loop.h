/*
 * loop - timers, file descriptors, signals and "soon", on one thread.
 *
 * libevent underneath; its header stays in loop.c and http/, because it too has a
 * `struct event`.  Callbacks run from loop_run(), never from inside the call that asked
 * for them.
 */
#ifndef POINTSMAN_BASE_LOOP_H
#define POINTSMAN_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_watch;
struct event_base;
struct world;

typedef void loop_fn(void *arg);

/* Ends the process, exit status 71 and one sentence, as mem.h does: the system (errno says why)
 * does not watch a descriptor for us, and what would have been heard from it cannot be. */
_Noreturn void loop_refused(void);

struct loop *loop_new(void); /* NULL if the system refuses */
/* One whose timers follow `boot` of a simulated world.  Nothing waits: who moves that clock
 * asks loop_next() how far, and calls loop_turn() then. */
struct loop *loop_new_in(struct world *w);
void loop_free(struct loop *l);
bool loop_run(struct loop *l);  /* until loop_stop(); false: the system refuses to wait */
void loop_stop(struct loop *l); /* returns from loop_run() after the running callback */
/* Run what is ready now without waiting; for tests.  False: nothing was. */
bool loop_turn(struct loop *l);
/* Of a loop in a simulated world: the boot time of its next timer; INT64_MAX: none. */
int64_t loop_next(const struct loop *l);
struct event_base *loop_base(struct loop *l); /* for http/ and aws/ */

/* Fires once, `ms` after it was set; setting it again moves it.  The callback may free it. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg);
void loop_timer_set(struct loop_timer *t, int64_t ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

/* Calls while `fd` is readable.  If the system refuses, see loop_refused(). */
struct loop_watch *loop_watch_fd(struct loop *l, int fd, loop_fn *fn, void *arg);
struct loop_watch *loop_watch_signal(struct loop *l, int signal, loop_fn *fn, void *arg);
void loop_watch_free(struct loop_watch *w); /* NULL is fine; the fd stays open */

/* Once, from the loop, in the order asked. */
void loop_soon(struct loop *l, loop_fn *fn, void *arg);

#endif
