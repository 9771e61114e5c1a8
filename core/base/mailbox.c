#include "base/mailbox.h"

#include "base/mem.h"
#include "base/world.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	pthread_mutex_t lock;
	struct letter *first, **end;
	int fd; /* its counter is above 0 exactly while there are letters */
};

struct mailbox *mailbox_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct mailbox *m;

	if (fd < 0)
		return NULL;
	m = mem_new(struct mailbox);
	pthread_mutex_init(&m->lock, NULL);
	m->end = &m->first;
	m->fd = fd;
	return m;
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	close(m->fd);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void mailbox_send(struct mailbox *m, struct letter *l)
{
	bool wake;

	l->next = NULL;
	pthread_mutex_lock(&m->lock);
	wake = !m->first;
	*m->end = l;
	m->end = &l->next;
	if (wake)
		eventfd_write(m->fd, 1);
	pthread_mutex_unlock(&m->lock);
}

static struct letter *take_all(struct mailbox *m)
{
	struct letter *all;
	eventfd_t count;

	pthread_mutex_lock(&m->lock);
	all = m->first;
	if (all)
		eventfd_read(m->fd, &count);
	m->first = NULL;
	m->end = &m->first;
	pthread_mutex_unlock(&m->lock);
	return all;
}

static int poll_time(int64_t ms)
{
	return ms < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
}

struct letter *mailbox_take(struct mailbox *m, int64_t wait_ms)
{
	struct world *w = world_real();
	int64_t until = wait_ms > 0 ? w->boot(w) + wait_ms : 0;
	struct letter *all;

	while (!(all = take_all(m)) && wait_ms != 0) {
		struct pollfd p = {.fd = m->fd, .events = POLLIN};

		poll(&p, 1, poll_time(wait_ms));
		if (wait_ms > 0) {
			wait_ms = until - w->boot(w);
			wait_ms = wait_ms > 0 ? wait_ms : 0;
		}
	}
	return all;
}

int mailbox_fd(struct mailbox *m)
{
	return m->fd;
}
