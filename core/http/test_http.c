#include "base/mem.h"
#include "http/client.h"
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

struct seen { /* what a handler saw, and the exchange if it is kept */
	int requests;
	char method[32], target[256], header[256], peer[64];
	struct buf body;
	struct http_exchange *kept;
	bool keeps;
	int refused;
	char refused_path[64];
	bool awaits_paths;
};

struct got { /* what `done` was told */
	int times, status;
	bool sent;
	char error[512], header[256];
	struct buf body, headers;
	struct fixture *f;
	uint64_t cancels; /* from inside done */
	bool asks;
};

struct fixture {
	struct event_base *loop;
	struct http_client *client;
	struct http_server *server;
	struct seen seen;
	char url[64];
};

static void on_refused(int status, const char *path, void *arg)
{
	struct seen *s = arg;

	s->refused = status;
	snprintf(s->refused_path, sizeof s->refused_path, "%s", path);
}

static bool awaits_paths(void *arg)
{
	const struct seen *s = arg;

	return s->awaits_paths;
}

static void on_request(struct http_exchange *x, void *arg)
{
	static const char *const headers[] = {"X-Reply: yes", "X-Bad: a\r\nX-Injected: b", NULL};
	struct seen *s = arg;
	const char *header = http_exchange_header(x, "x-test"), *body;
	size_t len;

	s->requests++;
	snprintf(s->method, sizeof s->method, "%s", http_exchange_method(x));
	snprintf(s->target, sizeof s->target, "%s", http_exchange_target(x));
	snprintf(s->header, sizeof s->header, "%s", header ? header : "(none)");
	snprintf(s->peer, sizeof s->peer, "%s", http_exchange_peer(x));
	body = http_exchange_body(x, &len);
	buf_cut(&s->body, 0);
	buf_add(&s->body, body, len);
	if (s->keeps)
		s->kept = x;
	else
		http_reply(x, 200, headers, "fine", 4);
}

static void serve(struct fixture *f, struct http_server_options o)
{
	struct err err;

	o.address = o.address ? o.address : "127.0.0.1:0";
	o.refused = on_refused;
	o.arg = &f->seen;
	http_server_free(f->server);
	f->server = http_server_new(f->loop, &o, &err);
	if (!f->server)
		fail_msg("%s", err.text);
	assert_true(http_server_route(f->server, "/in", "GET,POST,PUT,HEAD", on_request, &f->seen));
	snprintf(f->url, sizeof f->url, "http%s://127.0.0.1:%d/in", o.certificate ? "s" : "",
		 http_server_port(f->server));
}

static void connect_with(struct fixture *f, struct http_client_options o)
{
	struct err err;

	if (f->client)
		f->client->free(f->client);
	o.agent = "test";
	f->client = http_client_new(f->loop, &o, &err);
	assert_non_null(f->client);
}

static int set_up(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	f->loop = event_base_new();
	connect_with(f, (struct http_client_options){0});
	serve(f, (struct http_server_options){.max_body = 1000, .timeout_ms = 10000});
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->client)
		f->client->free(f->client);
	http_server_free(f->server);
	event_base_free(f->loop);
	buf_free(&f->seen.body);
	free(f);
	return 0;
}

static void on_done(const struct http_answer *a, void *arg)
{
	struct got *g = arg;

	g->times++;
	g->status = a->status;
	g->sent = a->sent;
	snprintf(g->error, sizeof g->error, "%s", a->error);
	if (!http_answer_header(a, "x-reply", g->header, sizeof g->header))
		snprintf(g->header, sizeof g->header, "(none)");
	buf_cut(&g->body, 0);
	buf_add(&g->body, a->body, a->body_len);
	buf_cut(&g->headers, 0);
	buf_text_add(&g->headers, a->headers);
	if (g->cancels)
		g->f->client->cancel(g->f->client, g->cancels);
	if (g->asks) {
		g->asks = false;
		g->f->client->send(g->f->client, &(struct http_request){.url = g->f->url}, on_done,
				   g);
	}
}

static void forget(struct got *g)
{
	buf_free(&g->body);
	buf_free(&g->headers);
	*g = (struct got){0};
}

/* Run the loop until `*times` reached n. */
static void wait_for(struct fixture *f, const int *times, int n)
{
	while (*times < n)
		event_base_loop(f->loop, EVLOOP_ONCE);
}

static void ask(struct fixture *f, const struct http_request *rq, struct got *g)
{
	forget(g);
	f->client->send(f->client, rq, on_done, g);
	assert_int_equal(g->times, 0);
	wait_for(f, &g->times, 1);
}

static int dial(struct fixture *f)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)http_server_port(f->server));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Everything until the other side closes, or `until` was heard. */
static const char *hear(struct fixture *f, int fd, const char *until)
{
	static char text[8192];
	size_t at = 0;
	ssize_t n;

	do {
		struct timeval tick = {0, 2000};

		event_base_loopexit(f->loop, &tick);
		event_base_loop(f->loop, 0);
		n = recv(fd, text + at, sizeof text - 1 - at, MSG_DONTWAIT);
		at += n > 0 ? (size_t)n : 0;
		text[at] = '\0';
	} while (n != 0 && !(until && strstr(text, until)));
	return text;
}

static const char *converse(struct fixture *f, const char *text)
{
	int fd = dial(f);
	const char *heard;

	say(fd, text);
	heard = hear(f, fd, NULL);
	close(fd);
	return heard;
}

struct blunt {
	struct evconnlistener *listener;
	struct buf answer, heard;
	struct bufferevent *open[8];
	int nopen;
	bool closes;
	char url[64];
};

static void blunt_written(struct bufferevent *bev, void *arg)
{
	struct blunt *b = arg;

	if (b->closes && b->heard.len)
		shutdown(bufferevent_getfd(bev), SHUT_RDWR);
}

static void blunt_read(struct bufferevent *bev, void *arg)
{
	struct blunt *b = arg;
	char text[4096];
	size_t n = bufferevent_read(bev, text, sizeof text);

	buf_add(&b->heard, text, n);
	if (!strstr(buf_text(&b->heard), "\r\n\r\n"))
		return;
	if (b->answer.len)
		bufferevent_write(bev, b->answer.data, b->answer.len);
	else if (b->closes)
		shutdown(bufferevent_getfd(bev), SHUT_RDWR);
}

static void blunt_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from,
			 int len, void *arg)
{
	struct blunt *b = arg;
	struct bufferevent *bev =
		bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);

	(void)from;
	(void)len;
	bufferevent_setcb(bev, blunt_read, blunt_written, NULL, b);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	b->open[b->nopen++] = bev;
}

static void blunt_start(struct fixture *f, struct blunt *b, const char *answer, bool closes)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;

	*b = (struct blunt){.closes = closes};
	buf_text_add(&b->answer, answer);
	b->listener = evconnlistener_new_bind(f->loop, blunt_accept, b, LEV_OPT_CLOSE_ON_FREE, -1,
					      (struct sockaddr *)&at, sizeof at);
	getsockname(evconnlistener_get_fd(b->listener), (struct sockaddr *)&at, &len);
	snprintf(b->url, sizeof b->url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
}

static void blunt_stop(struct blunt *b)
{
	for (int i = 0; i < b->nopen; i++)
		bufferevent_free(b->open[i]);
	evconnlistener_free(b->listener);
	buf_free(&b->answer);
	buf_free(&b->heard);
}

static void a_request_arrives_as_it_was_asked(void **state)
{
	static const char *const headers[] = {"X-Test: a  b", NULL};
	struct fixture *f = *state;
	struct got g = {0};
	char *url = mem_format("%s?a/../b=%%2f&c", f->url);

	ask(f,
	    &(struct http_request){.url = url, .headers = headers, .body = "a\0b", .body_len = 3},
	    &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(g.error, "");
	assert_string_equal(g.header, "yes");
	assert_null(strstr(buf_text(&g.headers), "X-Injected"));
	assert_string_equal(buf_text(&g.body), "fine");
	assert_string_equal(f->seen.method, "POST");
	assert_string_equal(f->seen.target, "/in?a/../b=%2f&c");
	assert_string_equal(f->seen.header, "a  b");
	assert_string_equal(f->seen.peer, "127.0.0.1");
	assert_int_equal(f->seen.body.len, 3);
	assert_memory_equal(f->seen.body.data, "a\0b", 3);
	free(url);
	forget(&g);
}

static void the_path_is_sent_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char *url = mem_format("%s/x/../y//z", f->url);

	assert_true(http_server_route(f->server, "/in/x/../y//z", "GET", on_request, &f->seen));
	ask(f, &(struct http_request){.url = url}, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(f->seen.target, "/in/x/../y//z");
	http_server_unroute(f->server, "/in/x/../y//z");
	ask(f, &(struct http_request){.url = url}, &g);
	assert_int_equal(g.status, 404);
	free(url);
	forget(&g);
}

static void methods_and_bodies_fit_each_other(void **state)
{
	static const struct {
		const char *method, *body, *line, *length;
	} cases[] = {
		{NULL, "", "GET / HTTP/1.1\r\n", NULL},
		{NULL, "x", "POST / HTTP/1.1\r\n", "Content-Length: 1\r\n"},
		{"POST", "", "POST / HTTP/1.1\r\n", "Content-Length: 0\r\n"},
		{"PUT", "", "PUT / HTTP/1.1\r\n", "Content-Length: 0\r\n"},
		{"PUT", "xy", "PUT / HTTP/1.1\r\n", "Content-Length: 2\r\n"},
		{"DELETE", "", "DELETE / HTTP/1.1\r\n", NULL},
		{"PATCH", "xyz", "PATCH / HTTP/1.1\r\n", "Content-Length: 3\r\n"},
	};
	struct fixture *f = *state;
	struct got g = {0};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct blunt b;

		blunt_start(f, &b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
		ask(f,
		    &(struct http_request){.url = b.url,
					   .method = cases[i].method,
					   .body = cases[i].body,
					   .body_len = strlen(cases[i].body)},
		    &g);
		assert_int_equal(g.status, 200);
		assert_ptr_equal(strstr(b.heard.data, cases[i].line), b.heard.data);
		if (cases[i].length)
			assert_non_null(strstr(b.heard.data, cases[i].length));
		else
			assert_null(strstr(b.heard.data, "Content-Length"));
		assert_null(strstr(b.heard.data, "Expect"));
		assert_null(strstr(b.heard.data, "Content-Type"));
		assert_non_null(strstr(b.heard.data, "User-Agent: test\r\n"));
		blunt_stop(&b);
	}
	forget(&g);
}

/* The tools of a request that is over are used by the next, whatever it is. */
static void nothing_of_a_request_is_in_the_next(void **state)
{
	static const char *const headers[] = {"X-One: 1", "Content-Type: text/x", NULL};
	static const struct {
		const char *method, *user, *body;
		const char *const *headers;
		bool direct;
	} kinds[] = {
		{"POST", "me:secret@", "abc", headers, false},
		{"GET", "", "", NULL, false},
		{"HEAD", "", "", headers, false},
		{"POST", "", "xy", NULL, false},
		{"PUT", "", "x", NULL, true},
		{"DELETE", "", "", NULL, false},
		{"POST", "", "", NULL, false},
	};
	const size_t n = sizeof kinds / sizeof *kinds;
	struct fixture *f = *state;
	struct got g = {0};

	for (size_t i = 0; i < n * n * 2; i++) {
		size_t k = i % 2 ? i / 2 % n : i / 2 / n;
		char url[100], line[40];
		struct blunt b;

		blunt_start(f, &b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
		snprintf(url, sizeof url, "http://%s%s", kinds[k].user, b.url + strlen("http://"));
		snprintf(line, sizeof line, "%s / HTTP/1.1\r\n", kinds[k].method);
		ask(f,
		    &(struct http_request){.url = url,
					   .method = kinds[k].method,
					   .headers = kinds[k].headers,
					   .body = kinds[k].body,
					   .body_len = strlen(kinds[k].body),
					   .body_stays = true,
					   .direct = kinds[k].direct},
		    &g);
		assert_int_equal(g.status, 200);
		assert_ptr_equal(strstr(b.heard.data, line), b.heard.data);
		assert_int_equal(!strstr(b.heard.data, "X-One"), !kinds[k].headers);
		assert_int_equal(!strstr(b.heard.data, "Content-Type"), !kinds[k].headers);
		assert_int_equal(!strstr(b.heard.data, "Authorization"), !*kinds[k].user);
		assert_string_equal(strstr(b.heard.data, "\r\n\r\n") + 4, kinds[k].body);
		blunt_stop(&b);
	}
	forget(&g);
}

static void a_large_body_is_sent_without_asking_first(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char *body = mem_zero(200000);

	serve(f, (struct http_server_options){.max_body = 200000});
	ask(f, &(struct http_request){.url = f->url, .body = body, .body_len = 200000}, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(f->seen.body.len, 200000);
	free(body);
	forget(&g);
}

static const char upload[] = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n";

/* A connection that has sent `len` bytes of a body of `of`. */
static int begin_upload(struct fixture *f, const char *path, int of, int len)
{
	char *head = mem_format(upload, path, of), *body = mem_zero((size_t)len + 1);
	int fd = dial(f);

	memset(body, 'x', (size_t)len);
	say(fd, head);
	say(fd, body);
	free(head);
	free(body);
	return fd;
}

static const char *end_upload(struct fixture *f, int fd, const char *rest)
{
	const char *heard;

	say(fd, rest);
	heard = hear(f, fd, "\r\n\r\n");
	close(fd);
	return heard;
}

/* Turns the loop until what was sent has arrived. */
static void let_arrive(struct fixture *f)
{
	for (int i = 0; i < 50; i++) {
		struct timeval tick = {0, 1000};

		event_base_loopexit(f->loop, &tick);
		event_base_loop(f->loop, 0);
	}
}

static void all_bodies_together_have_a_bound(void **state)
{
	struct fixture *f = *state;
	int first, second, silent;

	serve(f, (struct http_server_options){.max_body = 5000, .max_bodies = 1000});
	silent = begin_upload(f, "/in", 900, 0);
	first = begin_upload(f, "/in", 900, 899);
	let_arrive(f);
	second = begin_upload(f, "/in", 200, 0);
	assert_non_null(strstr(end_upload(f, second, ""), "HTTP/1.1 503 "));
	assert_int_equal(f->seen.refused, 503);
	second = begin_upload(f, "/in", 100, 99);
	let_arrive(f);
	/* What says how much it will send has nothing yet; what grows is refused where the room
	 * ends. */
	assert_non_null(strstr(end_upload(f, silent, "0123456789"), "Retry-After: "));
	assert_non_null(strstr(end_upload(f, first, "x"), "HTTP/1.1 200 "));
	assert_non_null(strstr(end_upload(f, second, "x"), "HTTP/1.1 200 "));
	first = begin_upload(f, "/in", 4000, 3999);
	assert_non_null(strstr(end_upload(f, first, "x"), "HTTP/1.1 200 "));
	first = begin_upload(f, "/in", 1000, 999);
	assert_non_null(strstr(end_upload(f, first, "x"), "HTTP/1.1 200 "));
}

static void a_chunked_body_takes_room_as_it_grows(void **state)
{
	struct fixture *f = *state;
	int first, second;

	serve(f, (struct http_server_options){.max_body = 5000, .max_bodies = 1000});
	first = begin_upload(f, "/in", 900, 899);
	let_arrive(f);
	second = dial(f);
	say(second, "POST /in HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	let_arrive(f);
	say(second, "10\r\n0123456789abcdef\r\n");
	let_arrive(f);
	assert_non_null(strstr(end_upload(f, second,
					  "80\r\n0123456789abcdef0123456789abcdef"
					  "0123456789abcdef0123456789abcdef"
					  "0123456789abcdef0123456789abcdef"),
			       "HTTP/1.1 503 "));
	assert_non_null(strstr(end_upload(f, first, "x"), "HTTP/1.1 200 "));
}

static void one_path_over_its_share_of_bodies_leaves_room_for_others(void **state)
{
	struct fixture *f = *state;
	int first, second;

	serve(f, (struct http_server_options){.max_body = 5000, .max_bodies = 1000});
	assert_true(http_server_route(f->server, "/else", "POST", on_request, &f->seen));
	f->seen.keeps = true;
	first = begin_upload(f, "/in", 400, 400);
	wait_for(f, &f->seen.requests, 1); /* it is in memory until it is answered */
	f->seen.keeps = false;
	second = begin_upload(f, "/in", 200, 0);
	assert_non_null(strstr(end_upload(f, second, ""), "HTTP/1.1 429 "));
	second = begin_upload(f, "/else", 600, 599);
	assert_non_null(strstr(end_upload(f, second, "x"), "HTTP/1.1 200 "));
	http_server_unroute(f->server, "/in");
	http_reply(f->seen.kept, 200, NULL, NULL, 0);
	assert_non_null(strstr(end_upload(f, first, ""), "HTTP/1.1 200 "));
	second = begin_upload(f, "/else", 1000, 999);
	assert_non_null(strstr(end_upload(f, second, "x"), "HTTP/1.1 200 "));
}

static void an_empty_header_is_sent_and_not_left_out(void **state)
{
	static const char *const headers[] = {"X-Test: ", "Content-Type: text/x", NULL};
	struct fixture *f = *state;
	struct got g = {0};

	ask(f, &(struct http_request){.url = f->url, .headers = headers}, &g);
	assert_string_equal(f->seen.header, "");
	forget(&g);
}

static void a_head_request_gets_the_length_without_the_body(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};

	ask(f, &(struct http_request){.url = f->url, .method = "HEAD"}, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(g.body.len, 0);
	assert_non_null(strstr(buf_text(&g.headers), "Content-Length: 4\r\n"));
	forget(&g);
}

static void a_redirect_is_an_answer(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	struct blunt b;

	blunt_start(f, &b,
		    "HTTP/1.1 100 Continue\r\nX-Reply: no\r\n\r\n"
		    "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\n"
		    "X-Reply:  final \r\nContent-Length: 0\r\n\r\n",
		    false);
	ask(f, &(struct http_request){.url = b.url}, &g);
	assert_int_equal(g.status, 307);
	assert_string_equal(g.header, "final ");
	assert_null(strstr(buf_text(&g.headers), "X-Reply: no"));
	blunt_stop(&b);
	forget(&g);
}

static void a_connection_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	struct blunt b;

	blunt_start(f, &b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
	for (int i = 0; i < 5; i++) {
		ask(f, &(struct http_request){.url = b.url}, &g);
		assert_int_equal(g.status, 200);
	}
	assert_int_equal(b.nopen, 1);
	blunt_stop(&b);
	forget(&g);
}

/* A port nobody listens on: bound, so that nobody else gets it, but not listening. */
static int dead_port(char url[64])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	snprintf(url, 64, "http://127.0.0.1:%d/secret-path", ntohs(at.sin_port));
	return fd;
}

static void a_refused_connection_names_who_and_nothing_was_sent(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char url[64], expected[128];
	int fd = dead_port(url);

	ask(f, &(struct http_request){.url = url, .body = "x", .body_len = 1}, &g);
	snprintf(expected, sizeof expected, "connection refused by %.*s",
		 (int)strcspn(url + 7, "/"), url + 7);
	assert_int_equal(g.status, 0);
	assert_string_equal(g.error, expected);
	assert_false(g.sent);
	close(fd);
	forget(&g);
}

static void an_unreachable_proxy_is_named_instead_of_the_host(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char proxy[64], expected[128];
	int fd = dead_port(proxy);

	connect_with(f, (struct http_client_options){.proxy = proxy});
	ask(f, &(struct http_request){.url = "http://example.invalid/"}, &g);
	snprintf(expected, sizeof expected, "connection refused by %.*s",
		 (int)strcspn(proxy + 7, "/"), proxy + 7);
	assert_string_equal(g.error, expected);
	assert_false(g.sent);
	ask(f, &(struct http_request){.url = f->url, .direct = true}, &g);
	assert_int_equal(g.status, 200);
	close(fd);
	forget(&g);
}

#define TEXT_32 "01234567890123456789012345678901"

static void broken_answers_are_no_answers_but_were_sent(void **state)
{
	static const struct {
		const char *answer, *error;
	} cases[] = {
		{"", "closed the connection without an answer"},
		{"HTTP/1.1 200 OK\r\n", "was cut off"},
		{"HTTP/1.1 200 OK\r\nContent-Le", "was cut off"},
		{"HTTP/1.1 100 Continue\r\n\r\n", "without an answer"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "was cut off"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "127.0.0.1"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "127.0.0.1"},
		{"SSH-2.0-nothing\r\n\r\n", "127.0.0.1"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" TEXT_32 TEXT_32 TEXT_32 "12345",
		 "larger than 100 bytes"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "20\r\n01234567890123456789012345678901\r\n"
		 "20\r\n01234567890123456789012345678901\r\n"
		 "20\r\n01234567890123456789012345678901\r\n"
		 "20\r\n01234567890123456789012345678901\r\n0\r\n\r\n",
		 "larger than 100 bytes"},
	};
	struct fixture *f = *state;
	struct got g = {0};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct blunt b;

		blunt_start(f, &b, cases[i].answer, true);
		ask(f, &(struct http_request){.url = b.url, .max_bytes = 100}, &g);
		assert_int_equal(g.status, 0);
		if (!strstr(g.error, cases[i].error))
			fail_msg("case %zu: %s", i, g.error);
		assert_true(g.sent);
		assert_int_equal(g.body.len, 0);
		blunt_stop(&b);
	}
	forget(&g);
}

static void endless_headers_end_the_call(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	struct blunt b;

	blunt_start(f, &b, "HTTP/1.1 200 OK\r\n", false);
	for (int i = 0; i < 10000; i++)
		buf_text_add(&b.answer, "X-Filler: 0123456789\r\n");
	ask(f, &(struct http_request){.url = b.url}, &g);
	assert_int_equal(g.status, 0);
	assert_non_null(strstr(g.error, "larger than 65536 bytes"));
	blunt_stop(&b);
	forget(&g);
}

static void silence_ends_at_the_timeout(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	struct blunt b;

	blunt_start(f, &b, "", false);
	ask(f, &(struct http_request){.url = b.url, .timeout_ms = 50}, &g);
	assert_int_equal(g.status, 0);
	assert_true(g.sent);
	assert_non_null(strstr(g.error, "no complete answer from 127.0.0.1:"));
	assert_non_null(strstr(g.error, " within 50ms"));
	blunt_stop(&b);
	forget(&g);
}

static void waiting_for_a_connection_counts_against_the_timeout(void **state)
{
	struct fixture *f = *state;
	struct got first = {0}, second = {0};
	struct blunt b;

	connect_with(f, (struct http_client_options){.max_connections = 1});
	blunt_start(f, &b, "", false);
	f->client->send(f->client, &(struct http_request){.url = b.url, .timeout_ms = 400}, on_done,
			&first);
	f->client->send(f->client, &(struct http_request){.url = b.url, .timeout_ms = 50}, on_done,
			&second);
	wait_for(f, &second.times, 1);
	assert_int_equal(first.times, 0);
	assert_int_equal(second.status, 0);
	assert_false(second.sent);
	wait_for(f, &first.times, 1);
	blunt_stop(&b);
	forget(&first);
	forget(&second);
}

static void a_cancelled_call_ends_once_and_from_the_loop(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	uint64_t n;

	f->seen.keeps = true;
	n = f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &g);
	wait_for(f, &f->seen.requests, 1);
	f->client->cancel(f->client, n);
	f->client->cancel(f->client, n);
	f->client->cancel(f->client, 4711);
	assert_int_equal(g.times, 0);
	wait_for(f, &g.times, 1);
	assert_int_equal(g.status, 0);
	assert_string_equal(g.error, "cancelled");
	assert_true(g.sent);
	f->client->cancel(f->client, n);
	http_reply(f->seen.kept, 200, NULL, "late", 4);
	event_base_loop(f->loop, EVLOOP_NONBLOCK);
	assert_int_equal(g.times, 1);
	forget(&g);
}

static void a_callback_may_cancel_itself_and_others_and_ask_again(void **state)
{
	struct fixture *f = *state;
	struct got g = {.f = f, .asks = true}, victim = {0};

	g.cancels = f->client->send(f->client, &(struct http_request){.url = "http://127.0.0.1:1/"},
				    on_done, &victim);
	f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &g);
	wait_for(f, &g.times, 2);
	wait_for(f, &victim.times, 1);
	assert_int_equal(g.status, 200);
	assert_int_equal(victim.status, 0);
	g.cancels = 0;
	g.times = 0;
	g.cancels = f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &g);
	wait_for(f, &g.times, 1);
	assert_int_equal(g.status, 200);
	forget(&g);
	forget(&victim);
}

static void ending_the_client_answers_everything(void **state)
{
	struct fixture *f = *state;
	struct got a = {.f = f, .asks = true}, b = {0};

	f->seen.keeps = true;
	f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &a);
	f->client->send(f->client, &(struct http_request){.url = "http://[bad"}, on_done, &b);
	wait_for(f, &f->seen.requests, 1);
	f->client->free(f->client);
	f->client = NULL;
	assert_int_equal(a.times, 2);
	assert_string_equal(a.error, "cancelled");
	assert_int_equal(b.times, 1);
	forget(&a);
	forget(&b);
}

static void what_cannot_be_sent_is_said(void **state)
{
	static const char *const broken[] = {"X: a\r\nY: b", NULL};
	static const char *const nameless[] = {": a", NULL};
	static const struct {
		struct http_request rq;
		const char *error;
	} cases[] = {
		{{.url = "ftp://127.0.0.1/x"}, "not an http or https address: 127.0.0.1:21"},
		{{.url = "http://a b/"}, "the address cannot be used"},
		{{.url = "http://127.0.0.1/a\r\nb"}, "the address cannot be used"},
		{{.url = ""}, "the address cannot be used"},
		{{.url = "http://x/", .headers = broken}, "a header to be sent has a line break"},
		{{.url = "http://x/", .headers = nameless}, "a header to be sent has no name"},
		{{.url = "http://x/", .method = "GET /y"}, "the method is not one word"},
	};
	struct fixture *f = *state;
	struct got g = {0};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ask(f, &cases[i].rq, &g);
		if (g.status != 0 || g.sent || !strstr(g.error, cases[i].error))
			fail_msg("case %zu: %s", i, g.error);
	}
	forget(&g);
}

static void unknown_paths_and_methods_are_refused_and_told(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char *url = mem_format("%sside", f->url);

	ask(f, &(struct http_request){.url = url}, &g);
	assert_int_equal(g.status, 404);
	assert_int_equal(f->seen.refused, 404);
	assert_string_equal(f->seen.refused_path, "/inside");
	ask(f, &(struct http_request){.url = f->url, .method = "GE"}, &g);
	assert_int_equal(g.status, 405);
	assert_int_equal(f->seen.refused, 405);
	assert_non_null(strstr(buf_text(&g.headers), "Allow: GET,POST,PUT,HEAD\r\n"));
	assert_int_equal(f->seen.requests, 0);
	assert_false(http_server_route(f->server, "/in", "GET", on_request, &f->seen));
	free(url);
	forget(&g);
}

static void a_path_that_may_yet_come_is_to_be_tried_again(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char *url;

	serve(f, (struct http_server_options){.awaits_paths = awaits_paths});
	f->seen.awaits_paths = true;
	url = mem_format("%sside", f->url);
	ask(f, &(struct http_request){.url = url}, &g);
	assert_int_equal(g.status, 503);
	assert_int_equal(f->seen.refused, 503);
	assert_non_null(strstr(buf_text(&g.headers), "Retry-After: 1\r\n"));
	ask(f, &(struct http_request){.url = f->url}, &g);
	assert_int_equal(g.status, 200);
	f->seen.awaits_paths = false;
	ask(f, &(struct http_request){.url = url}, &g);
	assert_int_equal(g.status, 404);
	free(url);
	forget(&g);
}

static void what_is_too_large_or_wrong_gets_its_status(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *path;
	} cases[] = {
		{"POST /in?x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413, "/in"},
		{"POST /in HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413,
		 "/in"},
		{"nonsense\r\n\r\n", 400, ""},
		{"GET /in HTTP/1.1\r\n\r\n", 400, "/in"},
		{"GET /in HTTP/3.0\r\n\r\n", 505, ""},
	};
	struct fixture *f = *state;
	char expected[32];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *heard = converse(f, cases[i].text);

		snprintf(expected, sizeof expected, "HTTP/1.1 %d ", cases[i].status);
		assert_ptr_equal(strstr(heard, expected), heard);
		assert_non_null(strstr(heard, "Connection: close\r\n"));
		assert_int_equal(f->seen.refused, cases[i].status);
		assert_string_equal(f->seen.refused_path, cases[i].path);
	}
	assert_int_equal(f->seen.requests, 0);
}

static void a_sender_of_too_much_still_reads_why(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char *body = mem_zero(3 << 20);

	ask(f, &(struct http_request){.url = f->url, .body = body, .body_len = 3 << 20}, &g);
	assert_int_equal(g.status, 413);
	free(body);
	forget(&g);
}

static void headers_over_32_kilobytes_are_refused(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};
	char *filler = mem_zero(33000);
	const char *headers[2] = {filler, NULL};

	memset(filler, 'x', 32999);
	filler[1] = ':';
	ask(f, &(struct http_request){.url = f->url, .headers = headers}, &g);
	assert_int_equal(g.status, 431);
	assert_int_equal(f->seen.refused, 431);
	filler[31000] = '\0';
	ask(f, &(struct http_request){.url = f->url, .headers = headers}, &g);
	assert_int_equal(g.status, 200);
	free(filler);
	forget(&g);
}

static void a_slow_sender_gets_408_even_if_it_keeps_sending(void **state)
{
	struct fixture *f = *state;
	const char *heard;
	int fd;

	serve(f, (struct http_server_options){.timeout_ms = 60});
	fd = dial(f);
	say(fd, "POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
	while (f->seen.refused == 0) {
		struct timeval tick = {0, 5000};

		send(fd, "x", 1, MSG_NOSIGNAL);
		event_base_loopexit(f->loop, &tick);
		event_base_loop(f->loop, 0);
	}
	heard = hear(f, fd, NULL);
	assert_ptr_equal(strstr(heard, "HTTP/1.1 408 "), heard);
	assert_int_equal(f->seen.refused, 408);
	assert_string_equal(f->seen.refused_path, "/in");
	assert_int_equal(f->seen.requests, 0);
	close(fd);
}

static void a_silent_connection_is_closed_without_a_word(void **state)
{
	struct fixture *f = *state;

	serve(f, (struct http_server_options){.timeout_ms = 30});
	assert_string_equal(converse(f, ""), "");
	assert_string_equal(converse(f, "\r\n"), "");
	assert_int_equal(f->seen.refused, 0);
}

static void senders_that_never_end_keep_nobody_out(void **state)
{
	struct fixture *f = *state;
	int slow[20], one;
	char byte;

	serve(f, (struct http_server_options){.max_connections = 4});
	one = dial(f);
	say(one, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(f, one, "fine");
	for (int i = 0; i < 20; i++) {
		slow[i] = dial(f);
		say(slow[i], "GET /in HTTP/1.1\r\nHost: a\r\n");
		event_base_loop(f->loop, EVLOOP_NONBLOCK);
	}
	assert_string_equal(hear(f, one, NULL), ""); /* had nothing in hand: closed first */
	assert_non_null(strstr(converse(f, "GET /in HTTP/1.1\r\nHost: a\r\n"
					   "Connection: close\r\n\r\n"),
			       "200 OK"));
	assert_int_equal(recv(slow[19], &byte, 1, MSG_DONTWAIT),
			 -1); /* the newest are still there */
	for (int i = 0; i < 20; i++)
		close(slow[i]);
	close(one);
}

static void connections_beyond_those_with_a_request_in_hand_are_closed(void **state)
{
	struct fixture *f = *state;
	int one;

	serve(f, (struct http_server_options){.max_connections = 1});
	f->seen.keeps = true;
	one = dial(f);
	say(one, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_for(f, &f->seen.requests, 1);
	assert_string_equal(converse(f, ""), "");
	http_reply(f->seen.kept, 200, NULL, "fine", 4);
	assert_non_null(strstr(hear(f, one, "fine"), "200 OK"));
	close(one);
}

static void requests_sent_at_once_are_answered_in_turn(void **state)
{
	struct fixture *f = *state;
	const char *heard =
		converse(f, "POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
			    "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
			    "GET /in HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

	assert_ptr_equal(strstr(heard, "HTTP/1.1 200 OK"), heard);
	heard = strstr(heard, "fineHTTP/1.1 404 ");
	assert_non_null(heard);
	assert_non_null(strstr(heard, "HTTP/1.1 200 OK"));
	assert_int_equal(f->seen.requests, 2);
}

static void a_sender_that_asks_first_may_send(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	say(fd, "POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
		"Expect: 100-continue\r\nConnection: close\r\n\r\n");
	assert_string_equal(hear(f, fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "ab");
	assert_non_null(strstr(hear(f, fd, NULL), "200 OK"));
	assert_string_equal(buf_text(&f->seen.body), "ab");
	close(fd);
}

static void an_answer_may_come_late(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};

	f->seen.keeps = true;
	f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &g);
	wait_for(f, &f->seen.requests, 1);
	for (int i = 0; i < 10; i++)
		event_base_loop(f->loop, EVLOOP_NONBLOCK);
	assert_int_equal(g.times, 0);
	assert_string_equal(http_exchange_method(f->seen.kept), "GET");
	http_reply(f->seen.kept, 202, NULL, NULL, 0);
	wait_for(f, &g.times, 1);
	assert_int_equal(g.status, 202);
	forget(&g);
}

static void a_sender_that_closed_its_half_still_gets_its_answer(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->seen.keeps = true;
	say(fd, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n");
	shutdown(fd, SHUT_WR);
	wait_for(f, &f->seen.requests, 1);
	event_base_loop(f->loop, EVLOOP_NONBLOCK);
	http_reply(f->seen.kept, 200, NULL, "late", 4);
	assert_non_null(strstr(hear(f, fd, NULL), "\r\n\r\nlate"));
	close(fd);
}

static void a_sender_that_hung_up_is_fine(void **state)
{
	struct linger hard = {1, 0};
	struct fixture *f = *state;
	char *big = mem_zero(1 << 20);
	struct got g = {0};

	f->seen.keeps = true;
	for (int i = 0; i < 2; i++) {
		int fd = dial(f);

		say(fd, "GET /in HTTP/1.1\r\nHost: a\r\n\r\n");
		wait_for(f, &f->seen.requests, i + 1);
		if (i == 1)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(fd);
		http_reply(f->seen.kept, 200, NULL, big, 1 << 20);
		for (int n = 0; n < 20; n++)
			event_base_loop(f->loop, EVLOOP_NONBLOCK);
	}
	f->seen.keeps = false;
	ask(f, &(struct http_request){.url = f->url}, &g);
	assert_int_equal(g.status, 200);
	free(big);
	forget(&g);
}

static void a_server_that_ends_answers_503(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};

	f->seen.keeps = true;
	f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &g);
	wait_for(f, &f->seen.requests, 1);
	http_server_free(f->server);
	f->server = NULL;
	wait_for(f, &g.times, 1);
	assert_int_equal(g.status, 503);
	forget(&g);
}

static void an_answer_given_just_before_the_end_still_leaves(void **state)
{
	struct fixture *f = *state;
	struct got g = {0};

	f->seen.keeps = true;
	f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &g);
	wait_for(f, &f->seen.requests, 1);
	http_reply(f->seen.kept, 202, NULL, "last", 4);
	http_server_free(f->server);
	f->server = NULL;
	wait_for(f, &g.times, 1);
	assert_int_equal(g.status, 202);
	assert_string_equal(buf_text(&g.body), "last");
	forget(&g);
}

/* A certificate for 127.0.0.1, signed by itself. */
static void write_certificate(const char *certificate, const char *key_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	FILE *file;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509_add_ext(x, san, -1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	file = fopen(certificate, "w");
	PEM_write_X509(file, x);
	fclose(file);
	file = fopen(key_file, "w");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_EXTENSION_free(san);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void tls_is_spoken_where_a_certificate_is_named(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/test_http.XXXXXX", certificate[64], key[64];
	struct got g = {0};

	assert_non_null(mkdtemp(dir));
	snprintf(certificate, sizeof certificate, "%s/cert.pem", dir);
	snprintf(key, sizeof key, "%s/key.pem", dir);
	write_certificate(certificate, key);
	serve(f, (struct http_server_options){.certificate = certificate, .certificate_key = key});
	ask(f, &(struct http_request){.url = f->url, .body = "x", .body_len = 1}, &g);
	assert_int_equal(g.status, 0);
	assert_non_null(strstr(g.error, "no TLS with 127.0.0.1:"));
	assert_false(g.sent);
	connect_with(f, (struct http_client_options){.ca = certificate});
	for (int i = 0; i < 3; i++) {
		ask(f, &(struct http_request){.url = f->url, .body = "x", .body_len = 1}, &g);
		assert_string_equal(g.error, "");
		assert_int_equal(g.status, 200);
		assert_string_equal(buf_text(&f->seen.body), "x");
	}
	f->seen.keeps = true;
	forget(&g);
	f->client->send(f->client, &(struct http_request){.url = f->url}, on_done, &g);
	wait_for(f, &f->seen.requests, 4);
	http_server_free(f->server);
	f->server = NULL;
	wait_for(f, &g.times, 1);
	assert_int_equal(g.status, 503);
	unlink(certificate);
	unlink(key);
	rmdir(dir);
	forget(&g);
}

static void what_cannot_be_served_is_said(void **state)
{
	struct fixture *f = *state;
	char taken[32];
	const struct {
		struct http_server_options o;
		const char *error;
	} cases[] = {
		{{.address = "nowhere"}, "not an address to listen on"},
		{{.address = "127.0.0.1:"}, "not an address to listen on"},
		{{.address = "127.0.0.1:none"}, "cannot listen on 127.0.0.1:none: "},
		{{.address = taken}, "Address already in use"},
		{{.address = "127.0.0.1:0", .certificate = "x"}, "both a certificate and its key"},
		{{.address = "127.0.0.1:0", .certificate = "/nonexistent", .certificate_key = "/k"},
		 "/nonexistent cannot be used for TLS"},
	};

	snprintf(taken, sizeof taken, "127.0.0.1:%d", http_server_port(f->server));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = {{0}};

		assert_null(http_server_new(f->loop, &cases[i].o, &err));
		if (!strstr(err.text, cases[i].error))
			fail_msg("case %zu: %s", i, err.text);
	}
	http_server_free(NULL);
}

static void ipv6_addresses_stand_in_brackets(void **state)
{
	struct fixture *f = *state;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool has_ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

	close(fd);
	if (!has_ipv6)
		skip();
	serve(f, (struct http_server_options){.address = "[::1]:0"});
	assert_true(http_server_port(f->server) > 0);
}

static void headers_of_an_answer_are_found_in_any_case(void **state)
{
	struct http_answer a = {.headers =
					"Date: x\r\nX-Longer-Name: 1\r\nX-Long:\t 2\r\nEmpty:\r\n"};
	char out[8];

	(void)state;
	assert_true(http_answer_header(&a, "x-long", out, sizeof out));
	assert_string_equal(out, "2");
	assert_true(http_answer_header(&a, "EMPTY", out, sizeof out));
	assert_string_equal(out, "");
	assert_false(http_answer_header(&a, "X", out, sizeof out));
	assert_true(http_answer_header(&a, "date", out, 1));
	assert_string_equal(out, "");
	a.headers = "";
	assert_false(http_answer_header(&a, "date", out, sizeof out));
}

static void everything_but_unreserved_characters_is_encoded(void **state)
{
	struct buf b = {0};

	(void)state;
	http_encode(&b, "aZ09-._~ /+%\xc3\xbc\0!", 16, "");
	assert_string_equal(buf_text(&b), "aZ09-._~%20%2F%2B%25%C3%BC%00%21");
	buf_cut(&b, 0);
	http_encode(&b, "a/b c", 5, "/");
	assert_string_equal(buf_text(&b), "a/b%20c");
	buf_free(&b);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	const int64_t now = 1700000000000; /* Tue, 14 Nov 2023 22:13:20 GMT */

	(void)state;
	assert_int_equal(http_retry_after("120", now), 120000);
	assert_int_equal(http_retry_after(" 0", now), 0);
	assert_true(http_retry_after("99999999999999999999", now) > 0);
	assert_int_equal(http_retry_after("Tue, 14 Nov 2023 22:14:20 GMT", now), 60000);
	assert_int_equal(http_retry_after("Tue, 14 Nov 2023 22:13:00 GMT", now), 0);
	assert_int_equal(http_retry_after("soon", now), -1);
	assert_int_equal(http_retry_after("Wed 20 Oct 20262 02628", now), -1);
	assert_int_equal(http_retry_after("-5", now), -1);
	assert_int_equal(http_retry_after("1.5", now), -1);
	assert_int_equal(http_retry_after("", now), -1);
}

#define with(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_an_answer_are_found_in_any_case),
		cmocka_unit_test(everything_but_unreserved_characters_is_encoded),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		with(a_request_arrives_as_it_was_asked),
		with(the_path_is_sent_as_it_is),
		with(methods_and_bodies_fit_each_other),
		with(nothing_of_a_request_is_in_the_next),
		with(all_bodies_together_have_a_bound),
		with(a_chunked_body_takes_room_as_it_grows),
		with(one_path_over_its_share_of_bodies_leaves_room_for_others),
		with(a_large_body_is_sent_without_asking_first),
		with(an_empty_header_is_sent_and_not_left_out),
		with(a_head_request_gets_the_length_without_the_body),
		with(a_redirect_is_an_answer),
		with(a_connection_is_used_again),
		with(a_refused_connection_names_who_and_nothing_was_sent),
		with(an_unreachable_proxy_is_named_instead_of_the_host),
		with(broken_answers_are_no_answers_but_were_sent),
		with(endless_headers_end_the_call),
		with(silence_ends_at_the_timeout),
		with(waiting_for_a_connection_counts_against_the_timeout),
		with(a_cancelled_call_ends_once_and_from_the_loop),
		with(a_callback_may_cancel_itself_and_others_and_ask_again),
		with(ending_the_client_answers_everything),
		with(what_cannot_be_sent_is_said),
		with(unknown_paths_and_methods_are_refused_and_told),
		with(a_path_that_may_yet_come_is_to_be_tried_again),
		with(what_is_too_large_or_wrong_gets_its_status),
		with(a_sender_of_too_much_still_reads_why),
		with(headers_over_32_kilobytes_are_refused),
		with(a_slow_sender_gets_408_even_if_it_keeps_sending),
		with(a_silent_connection_is_closed_without_a_word),
		with(senders_that_never_end_keep_nobody_out),
		with(connections_beyond_those_with_a_request_in_hand_are_closed),
		with(requests_sent_at_once_are_answered_in_turn),
		with(a_sender_that_asks_first_may_send),
		with(an_answer_may_come_late),
		with(a_sender_that_closed_its_half_still_gets_its_answer),
		with(a_sender_that_hung_up_is_fine),
		with(a_server_that_ends_answers_503),
		with(an_answer_given_just_before_the_end_still_leaves),
		with(tls_is_spoken_where_a_certificate_is_named),
		with(what_cannot_be_served_is_said),
		with(ipv6_addresses_stand_in_brackets),
	};

	clearenv(); /* a proxy of the machine has no part in this */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
