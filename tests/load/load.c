/*
 * load - send events over HTTP, and say which of them were accepted.
 *
 *	load [OPTION..] HOST:PORT[/PATH]
 *
 *	--connections N     kept open, one request at a time on each (16)
 *	--rate N            events a second, at even intervals; 0: as fast as it goes (0)
 *	--count N           so many events; 20k and 1M are understood (1000, without --seconds)
 *	--seconds S         for so long; with --count, what comes first
 *	--events N          in each request (1)
 *	--form F            structured, lines or batch (structured; with --events, lines); and
 *	                    for other systems relp or tcp: lines, accepted once they are written
 *	--size BYTES        of an event (1000)
 *	--prefix TEXT       ids are TEXT-0, TEXT-1, .. (load)
 *	--start N           the number of the first event (0)
 *	--routes N          data.route is "a", "b", .. in turn (2)
 *	--acknowledged FILE the ids answered with 2xx are appended, a line each, as they are
 *	--retry             what is refused with 429 or 5xx is sent again after 100 ms
 *	--reconnect S       a server that is gone is waited for, for so long (0); what had no
 *	                    answer is sent again, with the same ids
 *
 * cargo.h says what an event is.  At the end, also by SIGTERM, it prints one object:
 *
 *	sent            events, each once however often it was sent
 *	acknowledged    of them
 *	refused         answers other than 2xx, by status: requests
 *	unanswered      events that had no answer in the end
 *	lost            connections that broke while an answer was due
 *	gone            true: it gave up because the server is not there
 *	seconds, rate   from the first request to the last answer; acknowledged a second
 *	p50_ms ..       from when a request was to be sent to its 2xx
 *	cpu_seconds     its own
 *
 * Exit status 0, whatever became of the events; 64 usage, 69 never connected.
 */
#include "latency.h"
#include "sender.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RETRY_US     100000
#define RECONNECT_US 10000
#define REST_US      1000

struct again {
	struct request request;
	int64_t at_us;
};

struct load {
	struct target to;
	struct addrinfo *address;
	const struct wire *wire;
	struct cargo cargo;
	double rate, seconds, patience;
	uint64_t start, count;
	unsigned events;
	bool retry;
	int ids, epoll, timer;

	struct sender *senders;
	unsigned connections, busy, connected;
	struct again *again;
	size_t agains, room;
	struct buf accepted; /* ids to be written */

	int64_t began_us, ended_us, gone_us, tried_us;
	uint64_t made, acknowledged, lost, abandoned;
	uint64_t refused[600];
	bool ever, gone;
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

static void usage(const char *why)
{
	fprintf(stderr, "load: %s\nload [OPTION..] HOST:PORT[/PATH]; load.c says more\n", why);
	exit(64);
}

static double number(const char *text)
{
	char *end;
	double n = strtod(text, &end);

	if (*end == 'k' || *end == 'M')
		n *= *end++ == 'k' ? 1e3 : 1e6;
	if (*end || end == text || n < 0)
		usage("that is no number");
	return n;
}

static void take_target(struct load *l, char *text)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	char *colon = strchr(text, ':'), *slash = strchr(text, '/');

	if (!colon || (slash && colon > slash))
		usage("where to? HOST:PORT[/PATH]");
	*colon = '\0';
	if (slash)
		*slash = '\0';
	l->to = (struct target){text, colon + 1, slash ? slash + 1 : ""};
	if (getaddrinfo(l->to.host, l->to.port, &hints, &l->address) != 0)
		usage("no such host");
}

static void take_options(struct load *l, int argc, char **argv)
{
	static const struct option known[] = {
		{"connections", 1, NULL, 'c'},  {"rate", 1, NULL, 'r'},
		{"count", 1, NULL, 'n'},        {"seconds", 1, NULL, 's'},
		{"events", 1, NULL, 'e'},       {"form", 1, NULL, 'f'},
		{"size", 1, NULL, 'b'},         {"prefix", 1, NULL, 'p'},
		{"start", 1, NULL, 'o'},        {"routes", 1, NULL, 'a'},
		{"acknowledged", 1, NULL, 'i'}, {"retry", 0, NULL, 't'},
		{"reconnect", 1, NULL, 'w'},    {0},
	};
	const char *prefix = "load", *form = NULL;
	double size = 1000, routes = 2;
	int option;

	*l = (struct load){.connections = 16, .events = 1, .ids = -1};
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c': l->connections = (unsigned)number(optarg); break;
		case 'r': l->rate = number(optarg); break;
		case 'n': l->count = (uint64_t)number(optarg); break;
		case 's': l->seconds = number(optarg); break;
		case 'e': l->events = (unsigned)number(optarg); break;
		case 'f': form = optarg; break;
		case 'b': size = number(optarg); break;
		case 'p': prefix = optarg; break;
		case 'o': l->start = (uint64_t)number(optarg); break;
		case 'a': routes = number(optarg); break;
		case 't': l->retry = true; break;
		case 'w': l->patience = number(optarg); break;
		case 'i':
			l->ids = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
			if (l->ids < 0)
				usage("the file of ids cannot be opened");
			break;
		default: usage("no such option");
		}
	}
	if (optind != argc - 1)
		usage("where to? HOST:PORT[/PATH]");
	if (l->connections < 1 || l->events < 1 || routes < 1)
		usage("at least 1 of connections, events and routes");
	take_target(l, argv[optind]);
	l->wire = wire_named(form ? form : l->events > 1 ? "lines" : "structured");
	if (!l->wire || (l->wire == &wire_structured && l->events > 1))
		usage("--form is structured (of one event), lines, batch, relp or tcp");
	if (!l->count)
		l->count = l->seconds > 0 ? UINT64_MAX : 1000;
	cargo_init(&l->cargo, prefix, (unsigned)routes, (size_t)size);
}

static bool more_to_make(const struct load *l, int64_t now)
{
	return l->made < l->count &&
	       (l->seconds <= 0 || (double)(now - l->began_us) < l->seconds * 1e6);
}

static int64_t next_due(const struct load *l, int64_t now)
{
	return l->rate > 0 ? l->began_us + (int64_t)((double)l->made * 1e6 / l->rate) : now;
}

static bool next_request(struct load *l, int64_t now, struct request *rq)
{
	int64_t due = next_due(l, now);
	uint64_t left = l->count - l->made;

	if (l->agains && l->again[0].at_us <= now) {
		*rq = l->again[0].request;
		memmove(l->again, l->again + 1, --l->agains * sizeof *l->again);
		return true;
	}
	if (!more_to_make(l, now) || due > now)
		return false;
	rq->first = l->start + l->made;
	rq->count = left < l->events ? (unsigned)left : l->events;
	rq->due_us = due;
	l->made += rq->count;
	return true;
}

static void put_again(struct load *l, const struct request *rq, int64_t at)
{
	mem_room(l->again, l->agains, l->room);
	l->again[l->agains++] = (struct again){*rq, at};
}

static void dispatch(struct load *l, int64_t now)
{
	for (unsigned i = 0; i < l->connections; i++) {
		struct sender *s = &l->senders[i];

		if (s->state != SENDER_IDLE)
			continue;
		if (!next_request(l, now, &s->request))
			return;
		s->request.earlier = s->sent;
		s->sent += s->request.count;
		buf_cut(&s->out, 0);
		l->wire->compose(&l->to, &l->cargo, &s->request, &s->out);
		sender_send(s, l->wire, l->epoll);
		l->busy++;
	}
}

static void connect_all(struct load *l, int64_t now)
{
	if (now - l->tried_us < RECONNECT_US)
		return;
	l->tried_us = now;
	for (unsigned i = 0; i < l->connections; i++) {
		if (l->senders[i].state == SENDER_DOWN)
			sender_connect(&l->senders[i], l->address, l->epoll);
	}
	if (l->connected)
		l->gone_us = 0;
	else if (!l->gone_us)
		l->gone_us = now;
	else if ((double)(now - l->gone_us) > (l->ever ? l->patience : l->patience + 1) * 1e6)
		l->gone = true;
}

static void take_answer(struct load *l, const struct request *rq, int status, int64_t now)
{
	l->busy--;
	l->ended_us = now;
	if (status / 100 != 2) {
		l->refused[status < 600 ? status : 599]++;
		if (l->retry && (status == 429 || status >= 500))
			put_again(l, rq, now + RETRY_US);
		return;
	}
	l->acknowledged += rq->count;
	latency_add(&l->latency, now - rq->due_us);
	for (unsigned i = 0; l->ids >= 0 && i < rq->count; i++) {
		cargo_add_id(&l->cargo, rq->first + i, &l->accepted);
		buf_char(&l->accepted, '\n');
	}
}

static void take_loss(struct load *l, struct sender *s, int64_t now)
{
	if (!s->was_busy)
		return;
	s->was_busy = false;
	l->busy--;
	l->lost++;
	if (l->patience > 0)
		put_again(l, &s->request, now);
	else
		l->abandoned += s->request.count;
}

static void take_news(struct load *l, struct sender *s, uint32_t events)
{
	bool was_up = s->state == SENDER_IDLE || s->state == SENDER_BUSY;
	int status;

	switch (sender_handle(s, events, l->wire, l->epoll, &status)) {
	case NEWS_READY: l->ever = true; break;
	case NEWS_ANSWER: take_answer(l, &s->request, status, now_us()); break;
	case NEWS_LOST: take_loss(l, s, now_us()); break;
	case NEWS_NONE: break;
	}
	l->connected -= was_up;
	l->connected += s->state == SENDER_IDLE || s->state == SENDER_BUSY;
}

static void write_ids(struct load *l)
{
	size_t done = 0;

	while (done < l->accepted.len) {
		ssize_t n = write(l->ids, l->accepted.data + done, l->accepted.len - done);

		if (n < 0 && errno != EINTR) {
			perror("load: the file of ids");
			exit(74);
		}
		done += n > 0 ? (size_t)n : 0;
	}
	buf_cut(&l->accepted, 0);
}

/* The next moment there is something to do without an answer. */
static void set_timer(struct load *l, int64_t now)
{
	int64_t at = now + (l->connected < l->connections ? RECONNECT_US : 100 * REST_US);
	struct itimerspec t = {0};

	if (l->agains && l->again[0].at_us < at)
		at = l->again[0].at_us;
	if (l->rate > 0 && l->busy < l->connected && more_to_make(l, now) && next_due(l, now) < at)
		at = next_due(l, now);
	/* While all are busy, what is due waits for an answer. */
	if (at <= now)
		at = l->busy < l->connected ? now + 1 : now + REST_US;
	t.it_value.tv_sec = at / 1000000;
	t.it_value.tv_nsec = at % 1000000 * 1000;
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void await(struct load *l)
{
	struct epoll_event events[64];
	int n = epoll_wait(l->epoll, events, 64, 1000);
	uint64_t ticks;

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			take_news(l, events[i].data.ptr, events[i].events);
		else if (read(l->timer, &ticks, sizeof ticks) < 0)
			continue;
	}
}

static bool is_over(const struct load *l, int64_t now)
{
	return interrupted || l->gone ||
	       (!l->busy && !l->agains && l->ever && !more_to_make(l, now));
}

static void run(struct load *l)
{
	int64_t now = now_us();

	l->began_us = l->ended_us = now;
	while (!is_over(l, now)) {
		if (l->connected < l->connections)
			connect_all(l, now);
		/* The clock of the load starts with its connections. */
		if (!l->ever)
			l->began_us = l->ended_us = now;
		dispatch(l, now);
		set_timer(l, now);
		await(l);
		if (l->accepted.len)
			write_ids(l);
		now = now_us();
	}
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t unanswered(const struct load *l)
{
	uint64_t n = l->abandoned;

	for (unsigned i = 0; i < l->connections; i++)
		n += l->senders[i].state == SENDER_BUSY ? l->senders[i].request.count : 0;
	for (size_t i = 0; i < l->agains; i++)
		n += l->again[i].request.count;
	return n;
}

static void report(const struct load *l)
{
	double seconds = (double)(l->ended_us - l->began_us) / 1e6;
	struct buf out = {0};
	const char *comma = "";

	buf_printf(&out, "{\"sent\":%llu,\"acknowledged\":%llu,\"refused\":{",
		   (unsigned long long)l->made, (unsigned long long)l->acknowledged);
	for (unsigned i = 0; i < 600; i++) {
		if (!l->refused[i])
			continue;
		buf_printf(&out, "%s\"%u\":%llu", comma, i, (unsigned long long)l->refused[i]);
		comma = ",";
	}
	buf_printf(&out,
		   "},\"unanswered\":%llu,\"lost\":%llu,\"gone\":%s,\"seconds\":%.3f,"
		   "\"rate\":%.1f,",
		   (unsigned long long)unanswered(l), (unsigned long long)l->lost,
		   l->gone ? "true" : "false", seconds,
		   seconds > 0 ? (double)l->acknowledged / seconds : 0);
	latency_print(&l->latency, &out);
	buf_printf(&out, ",\"cpu_seconds\":%.3f}", cpu_seconds());
	puts(out.data);
	buf_free(&out);
}

static void set_up(struct load *l)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct sigaction stop = {.sa_handler = on_signal};

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	prctl(PR_SET_TIMERSLACK, 1);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &e);
	l->senders = mem_zero(l->connections * sizeof *l->senders);
	for (unsigned i = 0; i < l->connections; i++)
		l->senders[i].fd = -1;
}

static void tear_down(struct load *l)
{
	for (unsigned i = 0; i < l->connections; i++)
		sender_close(&l->senders[i]);
	free(l->senders);
	free(l->again);
	buf_free(&l->accepted);
	cargo_free(&l->cargo);
	freeaddrinfo(l->address);
	close(l->timer);
	close(l->epoll);
	if (l->ids >= 0)
		close(l->ids);
}

int main(int argc, char **argv)
{
	static struct load l;
	bool ever;

	take_options(&l, argc, argv);
	set_up(&l);
	run(&l);
	report(&l);
	ever = l.ever;
	tear_down(&l);
	return ever ? 0 : 69;
}
