/*
 * blocking - a thread for an instance whose plugin may block.
 *
 * Every call into the plugin runs on that thread.  All else (the instance, the engine, the
 * loop) belongs to the loop thread; the instance's thread borrows it: the loop thread
 * stands still, inside a callback of its own, until it is given back.  So one call at a
 * time touches the core, without locks in it.
 */
#ifndef POINTSMAN_PLUGIN_BLOCKING_H
#define POINTSMAN_PLUGIN_BLOCKING_H

#include "plugin/instance.h"

/* False with *err if no thread is to be had. */
bool blocking_start(struct instance *i, struct err *err);
/* Queue a call; it runs with the loop borrowed. */
void blocking_run(struct instance *i, const char *name, instance_call_fn *call,
		  void (*drop)(void *arg), void *arg);
/* Drop what is queued, run `last`, end the thread.  Serves the thread meanwhile. */
void blocking_end(struct instance *i, const char *name, instance_call_fn *last);

/* On the instance's thread; nothing for instances without one: give the loop back around a
 * call into the plugin, and borrow it again after. */
void blocking_release(struct instance *i);
void blocking_take(struct instance *i);
/* On the loop: transactions up to `number` are durable. */
void blocking_durable(struct instance *i, uint64_t number);

#endif
