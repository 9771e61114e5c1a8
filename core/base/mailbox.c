#include "base/mailbox.h"

#include "base/mem.h"

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

struct letter *mailbox_take(struct mailbox *m)
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

int mailbox_fd(struct mailbox *m)
{
	return m->fd;
}
