/*
 * mailbox - a queue between two threads, bounded in bytes.
 *
 * Many senders, one receiver.  Mutex and eventfd; the receiver takes everything at once.
 * The receiver either waits (mailbox_take) or watches mailbox_fd() in its loop.
 */
#ifndef POINTSMAN_BASE_MAILBOX_H
#define POINTSMAN_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct letter { /* first member of whatever is sent */
	struct letter *next;
	size_t weight; /* bytes it stands for */
};

struct mailbox;

struct mailbox *mailbox_new(size_t max_bytes); /* NULL with errno if the system refuses */
void mailbox_free(struct mailbox *m);          /* the letters inside must have been taken */

/* Has room for more?  Only a hint for senders that can wait: mailbox_send() always
 * accepts, because what follows from a delivery is never refused. */
bool mailbox_has_room(struct mailbox *m);
void mailbox_send(struct mailbox *m, struct letter *l);
/* Everything sent so far, oldest first; waits up to `wait_ms` (-1: for ever, 0: not at
 * all) while there is nothing.  NULL: still nothing. */
struct letter *mailbox_take(struct mailbox *m, int64_t wait_ms);
int mailbox_fd(struct mailbox *m); /* readable while there is something */

#endif
