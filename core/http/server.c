#include "http/server.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/pool.h"
#include "http/reader.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MAX_HEAD   (32 << 10)
#define READ_AHEAD (64 << 10) /* read ahead of what is being handled */
#define LINGER_MS  2000
#define PEER_SIZE  64 /* an address in digits, with its scope */

enum phase {
	READING,   /* a request arrives, or none has begun */
	ANSWERING, /* it is with a handler */
	WRITING,   /* the answer leaves */
	LINGERING, /* answered before all was read; see linger() */
};

struct connection {
	struct connection *next, **at; /* in server.connections */
	struct http_server *server;
	struct bufferevent *bev;
	struct event *timer;
	enum phase phase;
	bool closes, was_refused; /* after the answer */
	bool ended;               /* the sender sends no more, but may still read */
	bool sent;                /* WRITING: the answer has left */
	bool running;             /* run() is under way */
	uint64_t since;           /* number of the moment at which what it waits for began */
	struct http_reader reader;
	struct claim claim;             /* for the body in `reader` */
	struct http_exchange *exchange; /* ANSWERING */
	char peer[PEER_SIZE];
};

struct http_exchange {
	struct http_exchange *next, **at; /* in server.exchanges */
	struct connection *connection;    /* NULL: the sender has hung up */
	struct http_reader request;
	struct claim claim;
	char peer[PEER_SIZE];
};

struct route {
	char *methods;
	struct share share; /* of the pool of bodies */
	http_handler_fn *fn;
	void *arg;
};

struct http_server {
	struct event_base *loop;
	struct http_server_options options; /* its texts are not kept */
	struct evconnlistener *listener;
	struct event *rest; /* accepts again after the descriptors had run out */
	SSL_CTX *tls;
	struct map routes;
	struct pool bodies;
	struct connection *connections;
	struct http_exchange *exchanges;
	int nconnections;
	uint64_t moments;
};

static void set_timer(struct connection *c, uint32_t ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(c->timer, &tv);
}

/* It is the other side's turn. */
static void wait_for_sender(struct connection *c, uint32_t ms)
{
	c->since = ++c->server->moments;
	set_timer(c, ms);
}

static void connection_free(struct connection *c)
{
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);

	if (ssl) /* a word of farewell, else the other side suspects a cut */
		SSL_shutdown(ssl);
	if (c->exchange)
		c->exchange->connection = NULL;
	if (c->next)
		c->next->at = c->at;
	*c->at = c->next;
	c->server->nconnections--;
	bufferevent_free(c->bev);
	event_free(c->timer);
	http_reader_clear(&c->reader);
	claim_drop(&c->claim);
	free(c);
}

static void exchange_free(struct http_exchange *x)
{
	if (x->next)
		x->next->at = x->at;
	*x->at = x->next;
	http_reader_clear(&x->request);
	claim_drop(&x->claim);
	free(x);
}

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "";
}

/* When room that was lacking may be there again. */
#define RETRY_AFTER "Retry-After: 5\r\n"

static bool says_when(const char *const *headers)
{
	for (; headers && *headers; headers++) {
		if (strncasecmp(*headers, "Retry-After:", 12) == 0)
			return true;
	}
	return false;
}

/* A header with a line break in it would be two; it is left out. */
static void compose(struct buf *out, int status, const char *const *headers, bool closes,
		    const void *body, size_t len, bool is_head)
{
	bool bodiless = status < 200 || status == 204 || status == 304;
	bool retry_after = (status == 429 || status == 503) && !says_when(headers);

	buf_printf(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
	for (; headers && *headers; headers++) {
		if ((*headers)[strcspn(*headers, "\r\n")])
			continue;
		buf_text_add(out, *headers);
		buf_text_add(out, "\r\n");
	}
	if (retry_after)
		buf_text_add(out, RETRY_AFTER);
	if (!bodiless)
		buf_printf(out, "Content-Length: %zu\r\n", len);
	buf_text_add(out, closes ? "Connection: close\r\n\r\n" : "\r\n");
	if (!bodiless && !is_head)
		buf_add(out, body, len);
}

static void run(struct connection *c);

/* What the socket takes at once need not wait for the loop to find out that it would. */
static size_t send_now(struct connection *c, const struct buf *out)
{
	ssize_t n;

	if (c->server->tls || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		return 0;
	n = send(bufferevent_getfd(c->bev), out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n > 0 ? (size_t)n : 0;
}

static void answer(struct connection *c, int status, const char *const *headers, const void *body,
		   size_t len, bool is_head)
{
	struct buf out = {0};
	size_t n;

	compose(&out, status, headers, c->closes, body, len, is_head);
	c->phase = WRITING;
	n = send_now(c, &out);
	c->sent = n == out.len;
	if (!c->sent) {
		set_timer(c, c->server->options.timeout_ms);
		bufferevent_write(c->bev, out.data + n, out.len - n);
		/* Writing begins inside libevent, which does not say if nobody watches. */
		bufferevent_enable(c->bev, EV_WRITE);
	}
	buf_free(&out);
	if (c->sent && !c->running)
		run(c);
}

static void refuse(struct connection *c, int status, const char *path, const char *header,
		   bool is_head)
{
	struct http_server *s = c->server;
	const char *headers[3] = {"Content-Type: text/plain", header, NULL};
	char text[80];
	int n = snprintf(text, sizeof text, "%d %s\n", status, reason(status));

	if (s->options.refused)
		s->options.refused(status, path ? path : "", s->options.arg);
	answer(c, status, headers, text, (size_t)n, is_head);
}

static void refuse_unread(struct connection *c, int status)
{
	c->closes = c->was_refused = true;
	refuse(c, status, c->reader.path, NULL, false);
	http_reader_clear(&c->reader);
	claim_drop(&c->claim);
}

static bool allows(const struct route *route, const char *method)
{
	size_t len = strlen(method);

	for (const char *p = route->methods; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, method, n) == 0)
			return true;
		p += n;
	}
	return false;
}

static struct http_exchange *exchange_new(struct connection *c)
{
	struct http_exchange *x = mem_new(struct http_exchange);

	x->connection = c;
	x->request = c->reader;
	x->claim = c->claim;
	c->claim = (struct claim){0};
	c->reader =
		(struct http_reader){.max_head = MAX_HEAD, .max_body = c->server->options.max_body};
	snprintf(x->peer, sizeof x->peer, "%s", c->peer);
	x->at = &c->server->exchanges;
	x->next = *x->at;
	if (x->next)
		x->next->at = &x->next;
	*x->at = x;
	return x;
}

static bool awaits_paths(const struct http_server *s)
{
	return s->options.awaits_paths && s->options.awaits_paths(s->options.arg);
}

static void dispatch(struct connection *c)
{
	struct http_reader *r = &c->reader;
	struct route *route = map_get(&c->server->routes, r->path);
	bool is_head = strcmp(r->method, "HEAD") == 0;

	c->closes = !r->keep_alive;
	if (!route && awaits_paths(c->server)) {
		refuse(c, 503, r->path, "Retry-After: 1", is_head);
	} else if (!route) {
		refuse(c, 404, r->path, NULL, is_head);
	} else if (!allows(route, r->method)) {
		char *allow = mem_format("Allow: %s", route->methods);

		refuse(c, 405, r->path, allow, is_head);
		free(allow);
	} else {
		event_del(c->timer);
		c->phase = ANSWERING;
		c->exchange = exchange_new(c);
		route->fn(c->exchange, route->arg);
	}
}

/* A body for which there is no room now is not let in.  It takes what has arrived of it, not
 * what it says it will have, or one that says much and sends nothing would keep others out. */
static void expect_body(struct connection *c)
{
	const struct http_reader *r = &c->reader;
	struct route *route = map_get(&c->server->routes, r->path);
	int refused;

	c->claim = (struct claim){&c->server->bodies, route ? &route->share : NULL, 0};
	refused = r->has_length ? claim_refused(&c->claim, (size_t)r->left) : 0;
	if (refused)
		refuse_unread(c, refused);
	else if (r->wants_continue)
		bufferevent_write(c->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static bool has_room(struct connection *c)
{
	int refused = c->claim.pool ? claim_take(&c->claim, c->reader.body.len) : 0;

	if (refused)
		refuse_unread(c, refused);
	return !refused;
}

static void read_some(struct connection *c, struct evbuffer *in)
{
	size_t len = evbuffer_get_contiguous_space(in), used;
	const char *data = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);
	bool began = http_reader_began(&c->reader);
	enum http_reading reading = http_reader_feed(&c->reader, data, len, &used);

	evbuffer_drain(in, used);
	if (!began && http_reader_began(&c->reader))
		wait_for_sender(c, c->server->options.timeout_ms);
	if (reading == HTTP_BODY)
		expect_body(c);
	else if (reading == HTTP_REFUSED)
		refuse_unread(c, c->reader.refusal);
	else if (has_room(c) && reading == HTTP_WHOLE)
		dispatch(c);
}

/* Closing while the sender still sends would reset the connection, and the reset may
 * overtake the answer: say that we are done, and let the sender finish or hang up. */
static void linger(struct connection *c)
{
	c->phase = LINGERING;
	if (c->server->tls)
		SSL_shutdown(bufferevent_openssl_get_ssl(c->bev));
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	evbuffer_drain(bufferevent_get_input(c->bev), SIZE_MAX);
	wait_for_sender(c, LINGER_MS);
	bufferevent_enable(c->bev, EV_READ);
}

static void next_request(struct connection *c)
{
	http_reader_clear(&c->reader);
	claim_drop(&c->claim);
	c->phase = READING;
	wait_for_sender(c, c->server->options.timeout_ms);
}

/* One request at a time: what follows it waits in the buffer until it is answered. */
static void run(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	bool over = false;

	c->running = true;
	while (!over) {
		if (c->phase == WRITING && c->sent && c->was_refused)
			linger(c);
		else if (c->phase == WRITING && c->sent && !c->closes)
			next_request(c);
		else if (c->phase == READING && evbuffer_get_length(in) > 0)
			read_some(c, in);
		else
			over = true;
	}
	c->running = false;
	if ((c->phase == WRITING && c->sent) || (c->phase == READING && c->ended))
		connection_free(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct connection *c = arg;

	if (c->phase == LINGERING)
		evbuffer_drain(bufferevent_get_input(bev), SIZE_MAX);
	else
		run(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct connection *c = arg;

	if (c->phase != WRITING || evbuffer_get_length(bufferevent_get_output(bev)) > 0)
		return;
	c->sent = true;
	run(c);
}

/* Who has sent all there is to send may still wait for the answer. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct connection *c = arg;

	(void)bev;
	if (what & BEV_EVENT_ERROR || (what & BEV_EVENT_EOF && c->phase == LINGERING)) {
		connection_free(c);
	} else if (what & BEV_EVENT_EOF) {
		c->ended = true;
		run(c);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	if (c->phase == READING && http_reader_began(&c->reader))
		refuse_unread(c, 408);
	else
		connection_free(c);
}

static struct bufferevent *wrap(struct http_server *s, evutil_socket_t fd)
{
	struct bufferevent *bev;
	SSL *ssl;

	if (!s->tls)
		return bufferevent_socket_new(s->loop, fd, BEV_OPT_CLOSE_ON_FREE);
	ssl = SSL_new(s->tls);
	bev = bufferevent_openssl_socket_new(s->loop, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
					     BEV_OPT_CLOSE_ON_FREE);
	if (bev)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

/* What would be lost by closing it: nothing, a connection without a request, a request that is
 * still arriving.  One that has arrived is not to be closed. */
static int loss(const struct connection *c)
{
	if (c->phase == LINGERING)
		return 0;
	if (c->phase == READING)
		return http_reader_began(&c->reader) ? 2 : 1;
	return 3;
}

/* Senders that never end must not keep others out: who has waited longest makes room. */
static void make_room(struct http_server *s)
{
	struct connection *least = NULL;

	for (struct connection *c = s->connections; c; c = c->next) {
		if (!least || loss(c) < loss(least) ||
		    (loss(c) == loss(least) && c->since < least->since))
			least = c;
	}
	if (least && loss(least) < 3) {
		log_warn("port %d: all %d connections are taken; for a new one the oldest without "
			 "a whole request is closed",
			 http_server_port(s), s->options.max_connections);
		connection_free(least);
	}
}

void http_server_take(struct http_server *s, int fd, const char *peer)
{
	struct bufferevent *bev = NULL;
	struct connection *c;

	if (s->nconnections >= s->options.max_connections)
		make_room(s);
	if (s->nconnections < s->options.max_connections)
		bev = wrap(s, fd);
	if (!bev) {
		evutil_closesocket(fd);
		return;
	}
	c = mem_new(struct connection);
	c->server = s;
	c->bev = bev;
	c->reader = (struct http_reader){.max_head = MAX_HEAD, .max_body = s->options.max_body};
	c->timer = evtimer_new(s->loop, on_timer, c);
	snprintf(c->peer, sizeof c->peer, "%s", peer);
	c->at = &s->connections;
	c->next = s->connections;
	if (c->next)
		c->next->at = &c->next;
	s->connections = c;
	s->nconnections++;
	wait_for_sender(c, s->options.timeout_ms);
	bufferevent_setcb(bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(bev, EV_READ, 0, READ_AHEAD);
	if (bufferevent_enable(bev, EV_READ | EV_WRITE) != 0)
		connection_free(c);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		      int len, void *arg)
{
	char peer[NI_MAXHOST] = "";

	(void)listener;
	getnameinfo(from, (socklen_t)len, peer, sizeof peer, NULL, 0, NI_NUMERICHOST);
	http_server_take(arg, fd, peer);
}

/* Descriptors have run out: without a rest the loop would do nothing but fail to accept. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http_server *s = arg;
	struct timeval second = {1, 0};

	log_warn("port %d: a connection cannot be accepted: %s; next try in 1s",
		 http_server_port(s), strerror(errno));
	evconnlistener_disable(listener);
	event_add(s->rest, &second);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	(void)fd;
	(void)what;
	if (evconnlistener_enable(s->listener) != 0)
		loop_refused();
}

static bool tls_set_up(struct http_server *s, const char *certificate, const char *key,
		       struct err *err)
{
	const char *file = certificate, *why;
	bool ok;

	s->tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION);
	ok = SSL_CTX_use_certificate_chain_file(s->tls, certificate) == 1;
	if (ok) {
		file = key;
		ok = SSL_CTX_use_PrivateKey_file(s->tls, key, SSL_FILETYPE_PEM) == 1;
	}
	if (!ok) {
		why = access(file, R_OK) ? strerror(errno)
					 : ERR_reason_error_string(ERR_peek_error());
		err_set(err, "%s cannot be used for TLS: %s", file, why ? why : "it is not PEM");
	}
	ERR_clear_error();
	return ok;
}

static struct addrinfo *resolve(const char *address, struct err *err)
{
	const char *colon = strrchr(address, ':');
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
	bool bracketed = *address == '[' && colon > address && colon[-1] == ']';
	char *host;
	int rc;

	if (!colon || !colon[1]) {
		err_set(err,
			"'%s' is not an address to listen on; write 127.0.0.1:8080 or [::1]:8080",
			address);
		return NULL;
	}
	host = mem_slice(address + bracketed, (size_t)(colon - address) - 2 * (size_t)bracketed);
	rc = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found);
	free(host);
	if (rc != 0)
		err_set(err, "cannot listen on %s: %s", address, gai_strerror(rc));
	return rc == 0 ? found : NULL;
}

static bool bind_to(struct http_server *s, const char *address, struct err *err)
{
	const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
	struct addrinfo *found = resolve(address, err);
	bool listens;

	if (!found)
		return false;
	s->listener = evconnlistener_new_bind(s->loop, on_accept, s, flags, -1, found->ai_addr,
					      (int)found->ai_addrlen);
	/* The first time it is enabled inside libevent, which does not say if that fails. */
	listens = s->listener && evconnlistener_enable(s->listener) == 0;
	if (listens)
		evconnlistener_set_error_cb(s->listener, on_accept_error);
	else
		err_set(err, "cannot listen on %s: %s", address, strerror(errno));
	freeaddrinfo(found);
	return listens;
}

struct http_server *http_server_new(struct event_base *loop,
				    const struct http_server_options *options, struct err *err)
{
	struct http_server *s = mem_new(struct http_server);
	const char *certificate = options->certificate, *key = options->certificate_key;
	bool ok = true;

	signal(SIGPIPE, SIG_IGN); /* a sender that hung up is no reason to die */
	s->loop = loop;
	s->options = *options;
	if (!s->options.max_body)
		s->options.max_body = 1 << 20;
	s->bodies.most = s->options.max_bodies ? s->options.max_bodies : 16 << 20;
	if (!s->options.timeout_ms)
		s->options.timeout_ms = 30000;
	if (!s->options.max_connections)
		s->options.max_connections = 256;
	s->rest = evtimer_new(loop, on_rested, s);
	if (!certificate != !key) {
		err_set(err, "TLS on %s needs both a certificate and its key", options->address);
		ok = false;
	} else if (certificate) {
		ok = tls_set_up(s, certificate, key, err);
	}
	if (!ok || !bind_to(s, options->address, err)) {
		http_server_free(s);
		return NULL;
	}
	return s;
}

/* Nobody will run the loop for us any more: what the socket takes at once must do. */
static void write_now(struct connection *c, const void *data, size_t len)
{
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);

	if (len > 0 && ssl)
		SSL_write(ssl, data, (int)len);
	else if (len > 0)
		send(bufferevent_getfd(c->bev), data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void flush_now(struct connection *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	write_now(c, evbuffer_pullup(out, -1), evbuffer_get_length(out));
}

static void answer_now(struct connection *c)
{
	static const char text[] = "stopping\n";
	struct buf out = {0};

	compose(&out, 503, NULL, true, text, sizeof text - 1,
		strcmp(c->exchange->request.method, "HEAD") == 0);
	write_now(c, out.data, out.len);
	buf_free(&out);
}

static void route_free(void *arg)
{
	struct route *route = arg;

	free(route->methods);
	free(route);
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	while (s->connections) {
		flush_now(s->connections);
		if (s->connections->phase == ANSWERING)
			answer_now(s->connections);
		connection_free(s->connections);
	}
	while (s->exchanges)
		exchange_free(s->exchanges);
	if (s->listener)
		evconnlistener_free(s->listener);
	event_free(s->rest);
	SSL_CTX_free(s->tls);
	map_free(&s->routes, route_free);
	free(s);
}

int http_server_port(const struct http_server *s)
{
	struct sockaddr_storage at = {0};
	socklen_t len = sizeof at;
	char port[16] = "0";

	getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&at, &len);
	getnameinfo((struct sockaddr *)&at, len, NULL, 0, port, sizeof port, NI_NUMERICSERV);
	return atoi(port);
}

bool http_server_route(struct http_server *s, const char *path, const char *methods,
		       http_handler_fn *fn, void *arg)
{
	struct route *route;

	if (map_get(&s->routes, path))
		return false;
	route = mem_new(struct route);
	*route = (struct route){mem_text(methods), {0}, fn, arg};
	map_put(&s->routes, path, route);
	s->bodies.shares++;
	return true;
}

static void forget_share(struct claim *c, const struct share *share)
{
	if (c->share == share)
		c->share = NULL;
}

void http_server_unroute(struct http_server *s, const char *path)
{
	struct route *route = map_remove(&s->routes, path);

	if (!route)
		return;
	s->bodies.shares--;
	for (struct connection *c = s->connections; c; c = c->next)
		forget_share(&c->claim, &route->share);
	for (struct http_exchange *x = s->exchanges; x; x = x->next)
		forget_share(&x->claim, &route->share);
	route_free(route);
}

const char *http_exchange_method(const struct http_exchange *x)
{
	return x->request.method;
}

const char *http_exchange_target(const struct http_exchange *x)
{
	return x->request.target;
}

const char *http_exchange_header(const struct http_exchange *x, const char *name)
{
	return http_reader_field(&x->request, name);
}

const char *http_exchange_body(const struct http_exchange *x, size_t *len)
{
	if (len)
		*len = x->request.body.len;
	return buf_text(&x->request.body);
}

const char *http_exchange_peer(const struct http_exchange *x)
{
	return x->peer;
}

void http_reply(struct http_exchange *x, int status, const char *const *headers, const void *body,
		size_t len)
{
	struct connection *c = x->connection;

	if (c) {
		c->exchange = NULL;
		answer(c, status, headers, body, len, strcmp(x->request.method, "HEAD") == 0);
	}
	exchange_free(x);
}
