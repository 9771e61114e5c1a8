#include "sender.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void watch(struct sender *s, int epoll, int how, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	epoll_ctl(epoll, how, s->fd, &e);
}

static void go_down(struct sender *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->was_busy = s->state == SENDER_BUSY;
	s->state = SENDER_DOWN;
	buf_cut(&s->in, 0);
}

bool sender_connect(struct sender *s, const struct addrinfo *to, int epoll)
{
	int one = 1;

	s->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return false;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(s->fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS) {
		go_down(s);
		return false;
	}
	s->state = SENDER_CONNECTING;
	s->sent = 0;
	watch(s, epoll, EPOLL_CTL_ADD, EPOLLOUT);
	return true;
}

static bool write_some(struct sender *s)
{
	ssize_t n = send(s->fd, s->out.data + s->written, s->out.len - s->written, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN;
	s->written += (size_t)n;
	return true;
}

void sender_send(struct sender *s, const struct wire *w, int epoll)
{
	s->state = SENDER_BUSY;
	s->written = 0;
	/* A connection that broke is told by epoll, as that it can be read. */
	if (write_some(s) && (s->written < s->out.len || !w->answer))
		watch(s, epoll, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static enum sender_news lost(struct sender *s)
{
	go_down(s);
	return NEWS_LOST;
}

static enum sender_news connected(struct sender *s, const struct wire *w, int epoll)
{
	socklen_t len = sizeof(int);
	int error = 0;

	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		return lost(s);
	watch(s, epoll, EPOLL_CTL_MOD, EPOLLIN);
	if (!w->hello) {
		s->state = SENDER_IDLE;
		return NEWS_READY;
	}
	buf_cut(&s->out, 0);
	buf_text_add(&s->out, w->hello);
	sender_send(s, w, epoll);
	s->state = SENDER_GREETING;
	s->request.count = 0;
	return NEWS_NONE;
}

static bool read_some(struct sender *s)
{
	char bytes[16384];
	ssize_t n = recv(s->fd, bytes, sizeof bytes, 0);

	if (n > 0)
		buf_add(&s->in, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static enum sender_news answered(struct sender *s, bool keep)
{
	enum sender_news news = s->state == SENDER_GREETING ? NEWS_READY : NEWS_ANSWER;

	s->state = SENDER_IDLE;
	buf_cut(&s->in, 0);
	/* What was answered before it was read to its end goes on as rubbish. */
	if (!keep || s->written < s->out.len)
		go_down(s);
	return news;
}

static enum sender_news take_answer(struct sender *s, const struct wire *w, int *status)
{
	bool keep = true;

	if (!read_some(s))
		return lost(s);
	if (!s->in.len)
		return NEWS_NONE;
	*status = w->answer ? w->answer(&s->request, s->in.data, s->in.len, &keep) : -1;
	if (*status < 0 || (*status > 0 && s->state == SENDER_IDLE))
		return lost(s);
	if (*status >= 200)
		return answered(s, keep);
	if (*status > 0)
		buf_cut(&s->in, 0); /* 100: the answer is to come */
	return NEWS_NONE;
}

enum sender_news sender_handle(struct sender *s, uint32_t events, const struct wire *w, int epoll,
			       int *status)
{
	if (s->state == SENDER_CONNECTING)
		return connected(s, w, epoll);
	if (events & EPOLLOUT) {
		if (!write_some(s))
			return lost(s);
		if (s->written == s->out.len) {
			watch(s, epoll, EPOLL_CTL_MOD, EPOLLIN);
			*status = 200;
			if (!w->answer)
				return answered(s, true);
		}
	}
	return events & ~(uint32_t)EPOLLOUT ? take_answer(s, w, status) : NEWS_NONE;
}

void sender_close(struct sender *s)
{
	go_down(s);
	buf_free(&s->in);
	buf_free(&s->out);
}
