#include "thread.h"

#include "base/mem.h"
#include "sim.h"

#include <poll.h>
#include <stdlib.h>
#include <ucontext.h>

#define STACK (256 * 1024)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, stack, size)                                          \
	((void)(save), (void)(stack), (void)(size))
#define __sanitizer_finish_switch_fiber(save, stack, size)                                         \
	((void)(save), (void)(stack), (void)(size))
#endif

struct world_thread {
	ucontext_t context;
	void (*run)(void *arg);
	void *arg;
	char *stack;
	void *fake; /* the sanitizer's */
	bool over;
	int fd; /* what it waits for */
	int64_t until;
};

static struct world_thread *thread; /* one at a time: that of the router now living */
static ucontext_t outside;
static void *outside_fake;
static const void *outside_stack;
static size_t outside_size;
static bool running;

static void leave(struct world_thread *t)
{
	running = false;
	__sanitizer_start_switch_fiber(t->over ? NULL : &t->fake, outside_stack, outside_size);
	swapcontext(&t->context, &outside);
	__sanitizer_finish_switch_fiber(t->fake, &outside_stack, &outside_size);
}

static void enter(void)
{
	__sanitizer_finish_switch_fiber(NULL, &outside_stack, &outside_size);
	thread->run(thread->arg);
	thread->over = true;
	leave(thread);
}

static void resume(struct world_thread *t)
{
	running = true;
	__sanitizer_start_switch_fiber(&outside_fake, t->stack, STACK);
	swapcontext(&outside, &t->context);
	__sanitizer_finish_switch_fiber(outside_fake, NULL, NULL);
}

struct world_thread *thread_start(struct world *w, void (*run)(void *arg), void *arg)
{
	struct world_thread *t = mem_new(struct world_thread);

	(void)w;
	t->run = run;
	t->arg = arg;
	t->fd = -1;
	t->stack = mem_zero(STACK);
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK;
	makecontext(&t->context, enter, 0);
	thread = t;
	return t;
}

void thread_join(struct world *w, struct world_thread *t)
{
	(void)w;
	while (!t->over)
		resume(t);
	thread = NULL;
	free(t->stack);
	free(t);
}

void thread_wait(struct world *w, int fd, int64_t ms)
{
	(void)w;
	thread->fd = fd;
	thread->until = ms < 0 ? INT64_MAX : sim.boot + ms;
	leave(thread);
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&p, 1, 0) == 1;
}

bool thread_turn(void)
{
	if (!thread || thread->over || (thread->until > sim.boot && !is_readable(thread->fd)))
		return false;
	resume(thread);
	return true;
}

int64_t thread_due(void)
{
	return thread && !thread->over ? thread->until : INT64_MAX;
}

bool thread_is_running(void)
{
	return running;
}
