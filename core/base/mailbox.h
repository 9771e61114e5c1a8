/*
 * mailbox - a queue between two threads.
 *
 * Many senders, one receiver.  Mutex and eventfd; the receiver takes everything at once.
 * The receiver watches mailbox_fd() in its loop, or waits for it (world.h).  It always accepts,
 * because what follows from a delivery is never refused: who brings more has to look first
 * whether there is room (engine_room()).
 */
#ifndef POINTSMAN_BASE_MAILBOX_H
#define POINTSMAN_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct letter { /* first member of whatever is sent */
	struct letter *next;
};

struct mailbox;

struct mailbox *mailbox_new(void);    /* NULL with errno if the system refuses */
void mailbox_free(struct mailbox *m); /* the letters inside must have been taken */

void mailbox_send(struct mailbox *m, struct letter *l);
struct letter *mailbox_take(struct mailbox *m); /* all sent so far, oldest first; or NULL */
int mailbox_fd(struct mailbox *m);              /* readable while there is something */

#endif
