/*
 * sender - a connection that sends one request at a time and waits for its answer.
 *
 * Zero-initialised with fd -1 is down.  The owner keeps the descriptor in `epoll` out of its
 * hands, and gives sender_handle() what epoll says about it.
 */
#ifndef POINTSMAN_LOAD_SENDER_H
#define POINTSMAN_LOAD_SENDER_H

#include "wire.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

enum sender_state { SENDER_DOWN, SENDER_CONNECTING, SENDER_GREETING, SENDER_IDLE, SENDER_BUSY };

enum sender_news {
	NEWS_NONE,
	NEWS_READY,  /* it is idle for the first time */
	NEWS_ANSWER, /* of `request`, with *status; it is idle, or down if the server closes */
	NEWS_LOST,   /* it is down; if it was_busy, `request` has no answer */
};

struct sender {
	int fd;
	enum sender_state state;
	bool was_busy;
	struct buf out;
	size_t written;
	struct buf in;
	struct request request;
	unsigned sent; /* events, over this connection */
	int64_t began_us;
};

bool sender_connect(struct sender *s, const struct addrinfo *to, int epoll);
/* `out` is filled, `state` is SENDER_IDLE.  What goes wrong here is told by sender_handle(). */
void sender_send(struct sender *s, const struct wire *w, int epoll);
enum sender_news sender_handle(struct sender *s, uint32_t events, const struct wire *w, int epoll,
			       int *status);
void sender_close(struct sender *s); /* and frees */

#endif
