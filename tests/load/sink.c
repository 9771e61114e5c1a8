/*
 * sink - a web server that swallows events, counts them, and fails when it is told to.
 *
 *	sink [--port N] [--status S] [--delay MS] [--record FILE]
 *
 * Listens on 127.0.0.1 (port 0, the default: a free one), and says where in its first line:
 * {"port":N}.  Every POST to any path is answered `status` (200) after `delay` (0), and what
 * its body holds is counted as events: one JSON object, an array of them, or lines of them.
 * Status 0 is no answer: the connection is closed.
 *
 *	GET  /control/stats          the figures below
 *	POST /control?KEY=N&KEY=N    status, delay: from now on; reset=1: all figures begin anew
 *
 *	requests, events   answered with 2xx
 *	refused            requests answered otherwise
 *	first_us, last_us  when the first and the last of these events came, since 1970
 *	seconds, rate      from one to the other; events a second
 *	p50_ms ..          from data.sent of an event (microseconds since 1970) to its arrival
 *	cpu_seconds        its own, since the start
 *
 * They are printed at the end (SIGTERM) too.  The record has a line for each event, written
 * before it is answered, its fields separated by tabs: when it came (microseconds since 1970),
 * the status answered, its key, its id; "-" is what is not there.  The key is its member
 * "idempotencykey", or else the Idempotency-Key of the request.
 */
#include "items.h"
#include "latency.h"
#include "message.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct peer {
	int fd;
	struct buf in, out;
	bool waits; /* for the delay to pass: nothing is read meanwhile */
	bool continued;
	bool closing;
	int64_t answer_us;
	int status;
	struct peer *next, **link; /* of those that wait */
};

struct sink {
	int epoll, listener, record;
	int status;
	int64_t delay_us;
	struct peer *first, **last; /* waiting, in the order they came */
	struct buf lines;

	uint64_t requests, events, refused;
	int64_t first_us, last_us;
	struct latency latency;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_stats(const struct sink *s, struct buf *out)
{
	double seconds = (double)(s->last_us - s->first_us) / 1e6;

	buf_printf(out,
		   "{\"requests\":%llu,\"events\":%llu,\"refused\":%llu,\"first_us\":%lld,"
		   "\"last_us\":%lld,\"seconds\":%.3f,"
		   "\"rate\":%.1f,",
		   (unsigned long long)s->requests, (unsigned long long)s->events,
		   (unsigned long long)s->refused, (long long)s->first_us, (long long)s->last_us,
		   seconds, seconds > 0 ? (double)s->events / seconds : 0);
	latency_print(&s->latency, out);
	buf_printf(out, ",\"cpu_seconds\":%.3f}\n", cpu_seconds());
}

static void reset(struct sink *s)
{
	s->requests = s->events = s->refused = 0;
	s->first_us = s->last_us = 0;
	s->latency = (struct latency){0};
}

static void watch(struct sink *s, int how, struct peer *p, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = p};

	epoll_ctl(s->epoll, how, p->fd, &e);
}

static void unlink_peer(struct sink *s, struct peer *p)
{
	if (!p->waits)
		return;
	p->waits = false;
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	else
		s->last = p->link;
}

static void drop(struct sink *s, struct peer *p)
{
	unlink_peer(s, p);
	close(p->fd);
	buf_free(&p->in);
	buf_free(&p->out);
	free(p);
}

static bool write_out(struct sink *s, struct peer *p)
{
	ssize_t n = p->out.len ? send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL) : 0;

	if (n < 0 && errno != EAGAIN)
		return false;
	if (n > 0) {
		memmove(p->out.data, p->out.data + n, p->out.len - (size_t)n);
		buf_cut(&p->out, p->out.len - (size_t)n);
	}
	if (p->out.len || n < 0)
		watch(s, EPOLL_CTL_MOD, p, EPOLLOUT);
	return p->out.len || !p->closing;
}

static void add_answer(struct buf *out, int status, const char *type, const char *body, size_t len)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
		   status / 100 == 2 ? "OK" : "No", type, len);
	buf_add(out, body, len);
}

struct arrival {
	struct sink *sink;
	const char *key;
	int key_len;
	int64_t now;
};

static void take_item(void *arg, const struct item *item)
{
	struct arrival *a = arg;
	struct sink *s = a->sink;
	const char *key = item->key ? item->key : a->key;
	int key_len = item->key ? (int)item->key_len : a->key_len;

	if (s->record >= 0)
		buf_printf(&s->lines, "%lld\t%d\t%.*s\t%.*s\n", (long long)a->now, s->status,
			   key_len, key, item->id ? (int)item->id_len : 1,
			   item->id ? item->id : "-");
	if (s->status / 100 != 2)
		return;
	s->events++;
	if (item->sent_us > 0)
		latency_add(&s->latency, a->now - item->sent_us);
}

static void write_record(struct sink *s)
{
	if (s->lines.len &&
	    write(s->record, s->lines.data, s->lines.len) != (ssize_t)s->lines.len) {
		perror("sink: the record");
		exit(74);
	}
	buf_cut(&s->lines, 0);
}

static void take_events(struct sink *s, const struct message *m)
{
	struct arrival a = {.sink = s, .now = now_us()};
	size_t len = 0, id_len;
	const char *key = message_header(m, "Idempotency-Key", &len), *id;

	a.key = key ? key : "-";
	a.key_len = key ? (int)len : 1;
	if ((id = message_header(m, "ce-id", &id_len)))
		take_item(&a, &(struct item){.id = id, .id_len = id_len});
	else
		items_each(m->body, m->body_len, take_item, &a);
	if (s->status / 100 != 2) {
		s->refused++;
		return;
	}
	s->requests++;
	s->first_us = s->first_us ? s->first_us : a.now;
	s->last_us = a.now;
}

static int64_t parameter(const struct message *m, const char *name, int64_t otherwise)
{
	const char *end = memchr(m->head, '\r', m->head_len), *at = m->head;
	size_t n = strlen(name);

	while ((at = memmem(at, (size_t)(end - at), name, n))) {
		if ((at[-1] == '?' || at[-1] == '&') && at[n] == '=')
			return strtoll(at + n + 1, NULL, 10);
		at++;
	}
	return otherwise;
}

static void take_control(struct sink *s, struct peer *p, const struct message *m)
{
	struct buf text = {0};

	if (parameter(m, "reset", 0))
		reset(s);
	s->status = (int)parameter(m, "status", s->status);
	s->delay_us = parameter(m, "delay", s->delay_us / 1000) * 1000;
	print_stats(s, &text);
	add_answer(&p->out, 200, "application/json", text.data, text.len);
	buf_free(&text);
}

static bool is_control(const struct message *m)
{
	const char *path = memchr(m->head, ' ', m->head_len);

	return path && strncmp(path, " /control", 9) == 0 && strchr("?/ ", path[9]);
}

/* False: the connection is to be closed. */
static bool answer(struct sink *s, struct peer *p)
{
	if (p->status == 0)
		return false;
	add_answer(&p->out, p->status, "application/json", "{}", 2);
	return write_out(s, p);
}

static void wait_with(struct sink *s, struct peer *p)
{
	p->waits = true;
	p->answer_us = now_us() + s->delay_us;
	p->next = NULL;
	p->link = s->last;
	*s->last = p;
	s->last = &p->next;
}

static bool take_message(struct sink *s, struct peer *p, const struct message *m)
{
	p->closing = message_header_is(m, "Connection", "close");
	if (is_control(m)) {
		take_control(s, p, m);
		return write_out(s, p);
	}
	take_events(s, m);
	if (s->record >= 0)
		write_record(s);
	p->status = s->status;
	if (!s->delay_us)
		return answer(s, p);
	wait_with(s, p);
	return true;
}

static bool take_input(struct sink *s, struct peer *p)
{
	struct message m;

	while (!p->waits && p->in.len) {
		enum message_state state = message_read(p->in.data, p->in.len, &m);
		size_t used = m.head_len + m.body_len;

		if (state == MESSAGE_BAD)
			return false;
		if (state == MESSAGE_PART) {
			if (!m.head_len || p->continued ||
			    !message_header_is(&m, "Expect", "100-continue"))
				return true;
			p->continued = true;
			buf_text_add(&p->out, "HTTP/1.1 100 Continue\r\n\r\n");
			return write_out(s, p);
		}
		p->continued = false;
		if (!take_message(s, p, &m))
			return false;
		memmove(p->in.data, p->in.data + used, p->in.len - used);
		buf_cut(&p->in, p->in.len - used);
	}
	return true;
}

static bool read_in(struct peer *p)
{
	char bytes[65536];
	ssize_t n = recv(p->fd, bytes, sizeof bytes, 0);

	if (n > 0)
		buf_add(&p->in, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void handle(struct sink *s, struct peer *p, uint32_t events)
{
	bool good = true;

	if (events & EPOLLOUT) {
		good = write_out(s, p);
		if (good && !p->out.len)
			watch(s, EPOLL_CTL_MOD, p, EPOLLIN);
	}
	if (good && events & ~(uint32_t)EPOLLOUT)
		good = read_in(p);
	if (!good || !take_input(s, p))
		drop(s, p);
}

static void accept_all(struct sink *s)
{
	int fd, one = 1;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct peer *p = mem_new(struct peer);

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		p->fd = fd;
		watch(s, EPOLL_CTL_ADD, p, EPOLLIN);
	}
}

static void answer_due(struct sink *s)
{
	int64_t now = now_us();

	while (s->first && s->first->answer_us <= now) {
		struct peer *p = s->first;

		unlink_peer(s, p);
		if (!answer(s, p) || !take_input(s, p))
			drop(s, p);
	}
}

static int milliseconds_to_wait(const struct sink *s)
{
	int64_t us = s->first ? s->first->answer_us - now_us() : -1;

	return !s->first ? -1 : us <= 0 ? 0 : (int)((us + 999) / 1000);
}

static void run(struct sink *s)
{
	struct epoll_event events[64];

	while (!interrupted) {
		int n = epoll_wait(s->epoll, events, 64, milliseconds_to_wait(s));

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				handle(s, events[i].data.ptr, events[i].events);
			else
				accept_all(s);
		}
		answer_due(s);
	}
}

static void fail(const char *why)
{
	fprintf(stderr, "sink: %s\nsink [--port N] [--status S] [--delay MS] [--record FILE]\n",
		why);
	exit(64);
}

static void open_listener(struct sink *s, int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct epoll_event e = {.events = EPOLLIN};
	socklen_t len = sizeof at;
	int one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(s->listener, 4096) != 0)
		fail(strerror(errno));
	getsockname(s->listener, (struct sockaddr *)&at, &len);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e);
	printf("{\"port\":%d}\n", ntohs(at.sin_port));
	fflush(stdout);
}

static int take_options(struct sink *s, int argc, char **argv)
{
	static const struct option known[] = {
		{"port", 1, NULL, 'p'},
		{"status", 1, NULL, 's'},
		{"delay", 1, NULL, 'd'},
		{"record", 1, NULL, 'r'},
		{0},
	};
	int option, port = 0;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'p': port = atoi(optarg); break;
		case 's': s->status = atoi(optarg); break;
		case 'd': s->delay_us = atoi(optarg) * 1000; break;
		case 'r':
			s->record = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
			if (s->record < 0)
				fail("the record cannot be opened");
			break;
		default: fail("no such option");
		}
	}
	if (optind != argc)
		fail("no such option");
	return port;
}

int main(int argc, char **argv)
{
	static struct sink s = {.status = 200, .record = -1};
	struct sigaction stop = {.sa_handler = on_signal};
	struct buf text = {0};

	s.last = &s.first;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	open_listener(&s, take_options(&s, argc, argv));
	run(&s);
	print_stats(&s, &text);
	fputs(text.data, stdout);
	buf_free(&text);
	buf_free(&s.lines);
	return 0;
}
