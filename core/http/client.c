#include "http/client.h"

#include "base/loop.h"
#include "base/mem.h"
#include "base/units.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_HEADERS      (64 << 10)
#define DEFAULT_BYTES    (1 << 20)
#define DEFAULT_TIMEOUT  30000
#define KEPT             64L /* connections, for the next request */
#define MOST_SPARE       64
#define MOST_SPARE_BYTES (64 * 1024) /* of one */

enum stage { LOOKING_UP, CONNECTING, SHAKING_HANDS, SENT };

/* What stays from one call to the next, because it is dear to make. */
struct tools {
	CURL *easy;          /* its options but for the request's own are set */
	bool plain;          /* it last sent a body, as nearly all do */
	struct event *timer; /* the total timeout; also the way out of a call given up */
	struct buf lines;    /* the address and the headers, each ended by a NUL */
	struct curl_slist *list;
	size_t cap; /* of the list */
	struct buf got, head;
};

struct call {
	struct call *next, **at; /* in client.calls; next: in client.spare */
	struct client *client;
	uint64_t number;
	struct tools tools;
	bool in_curl;
	char *body;
	size_t max_bytes;
	uint32_t timeout_ms;
	enum stage stage;
	bool too_large;
	bool head_whole; /* the headers of the answer ended */
	char peer[300];  /* "host:port", for people */
	char why[CURL_ERROR_SIZE], error[CURL_ERROR_SIZE + 400];
	http_done_fn *done;
	void *arg;
};

struct client {
	struct http_client face; /* first: what callers hold */
	struct event_base *loop;
	CURLM *multi;
	struct event *timer; /* curl's */
	struct call *calls;
	struct call *spare;
	size_t nspare;
	uint64_t last_number;
	char *proxy, *ca, *agent;
	bool closing;
};

static struct timeval span(long ms)
{
	return (struct timeval){ms / 1000, ms % 1000 * 1000};
}

static void leave_curl(struct call *call)
{
	if (call->in_curl)
		curl_multi_remove_handle(call->client->multi, call->tools.easy);
	call->in_curl = false;
}

static void call_free(struct call *call)
{
	struct tools *t = &call->tools;

	if (t->easy)
		curl_easy_cleanup(t->easy);
	event_free(t->timer);
	buf_free(&t->lines);
	free(t->list);
	buf_free(&t->got);
	buf_free(&t->head);
	free(call);
}

static void call_over(struct call *call)
{
	struct client *c = call->client;
	struct tools *t = &call->tools;

	leave_curl(call);
	event_del(t->timer);
	free(call->body);
	call->body = NULL;
	if (c->nspare == MOST_SPARE || !t->easy || t->got.cap + t->lines.cap > MOST_SPARE_BYTES) {
		call_free(call);
		return;
	}
	buf_cut(&t->lines, 0);
	buf_cut(&t->got, 0);
	buf_cut(&t->head, 0);
	call->next = c->spare;
	c->spare = call;
	c->nspare++;
}

/* Off the list before `done` runs: cancelling a call from inside its own answer is then
 * an unknown number. */
static void finish(struct call *call, int status)
{
	struct http_answer answer = {.status = status, .error = call->error};

	answer.sent = status == 0 && call->stage == SENT;
	answer.body = status ? buf_text(&call->tools.got) : "";
	answer.body_len = status ? call->tools.got.len : 0;
	answer.headers = status ? buf_text(&call->tools.head) : "";
	leave_curl(call);
	*call->at = call->next;
	if (call->next)
		call->next->at = call->at;
	call->done(&answer, call->arg);
	call_over(call);
}

/* Only where something has to be said of it. */
static void name_peer(struct call *call)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL;

	if (curl_url_set(u, CURLUPART_URL, buf_text(&call->tools.lines),
			 CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
		snprintf(call->peer, sizeof call->peer, "%.255s%s%s", host, port ? ":" : "",
			 port ? port : "");
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
}

static void explain_timeout(struct call *call)
{
	static const char *const missing[] = {
		[LOOKING_UP] = "no address found for",
		[CONNECTING] = "no connection to",
		[SHAKING_HANDS] = "no TLS with",
		[SENT] = "no complete answer from",
	};
	char time[32];

	name_peer(call);
	snprintf(call->error, sizeof call->error, "%s %s within %s", missing[call->stage],
		 call->peer, units_duration_text(call->timeout_ms, time, sizeof time));
}

/* With a proxy it is the proxy that could not be reached; curl's text knows which. */
static void explain_connect(struct call *call)
{
	char host[256];
	long number = 0;
	int port;

	if (sscanf(call->why, "Failed to connect to %255s port %d", host, &port) == 2)
		snprintf(call->peer, sizeof call->peer, "%s:%d", host, port);
	curl_easy_getinfo(call->tools.easy, CURLINFO_OS_ERRNO, &number);
	if (number == ECONNREFUSED)
		snprintf(call->error, sizeof call->error, "connection refused by %s", call->peer);
	else
		snprintf(call->error, sizeof call->error, "no connection to %s: %s", call->peer,
			 number ? strerror((int)number) : call->why);
}

static void explain(struct call *call, CURLcode code)
{
	static const struct {
		CURLcode code;
		const char *before, *after;
	} forms[] = {
		{CURLE_COULDNT_RESOLVE_HOST, "no address found for ", ""},
		{CURLE_COULDNT_RESOLVE_PROXY, "no address found for the proxy to ", ""},
		{CURLE_UNSUPPORTED_PROTOCOL, "not an http or https address: ", ""},
		{CURLE_URL_MALFORMAT, "the address cannot be used", ""},
		{CURLE_GOT_NOTHING, "", " closed the connection without an answer"},
		{CURLE_PARTIAL_FILE, "the answer of ", " was cut off"},
		{CURLE_SEND_ERROR, "the connection to ", " broke"},
		{CURLE_RECV_ERROR, "the connection to ", " broke"},
		{CURLE_SSL_CONNECT_ERROR, "no TLS with ", ""},
		{CURLE_PEER_FAILED_VERIFICATION, "no TLS with ", ""},
		{CURLE_SSL_CACERT_BADFILE, "no TLS with ",
		 ": the file of certificates is unusable"},
	};
	const char *why = call->why[0] ? call->why : curl_easy_strerror(code);
	const char *before = "", *after = "";

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (forms[i].code == code) {
			before = forms[i].before;
			after = forms[i].after;
		}
	}
	snprintf(call->error, sizeof call->error, "%s%s%s (%s)", before, call->peer, after, why);
}

static void fail(struct call *call, CURLcode code)
{
	name_peer(call);
	if (call->too_large)
		snprintf(call->error, sizeof call->error,
			 "the answer of %s is larger than %zu bytes", call->peer, call->max_bytes);
	else if (code == CURLE_OUT_OF_MEMORY) /* what curl says of one over 100 kB */
		snprintf(call->error, sizeof call->error,
			 "a header in the answer of %s is larger than there is room for",
			 call->peer);
	else if (code == CURLE_COULDNT_CONNECT)
		explain_connect(call);
	else
		explain(call, code);
	finish(call, 0);
}

static void collect(struct client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		CURLcode code = m->data.result;
		struct call *call = NULL;
		long status = 0;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		if (code == CURLE_OK && status >= 200 && call->head_whole)
			finish(call, (int)status);
		else
			fail(call, code == CURLE_OK ? CURLE_PARTIAL_FILE : code);
	}
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	int flags =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(c->multi, fd, flags, &running);
	collect(c);
}

static void on_curl_timer(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(c);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct client *c = arg;
	struct timeval tv = span(ms);

	(void)multi;
	if (ms < 0)
		event_del(c->timer);
	else
		event_add(c->timer, &tv);
	return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct client *c = arg;
	struct event *ev = watch;
	short flags = EV_PERSIST;
	struct call *call = NULL;

	/* While it connects, curl waits to write; for a peer that is there, to read. */
	if (what & CURL_POLL_IN && !curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call) && call &&
	    call->stage == CONNECTING)
		call->stage = SHAKING_HANDS;
	if (ev)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE) {
		flags |= what & CURL_POLL_IN ? EV_READ : 0;
		flags |= what & CURL_POLL_OUT ? EV_WRITE : 0;
		ev = event_new(c->loop, fd, flags, on_ready, c);
		if (event_add(ev, NULL) != 0)
			loop_refused();
	}
	curl_multi_assign(c->multi, fd, ev);
	return 0;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
	struct call *call = arg;

	if (call->tools.got.len + size * n > call->max_bytes) {
		call->too_large = true;
		return 0;
	}
	buf_add(&call->tools.got, data, size * n);
	return size * n;
}

/* A status line begins anew: what came before was a 100 or the like.  The line that ends the
 * headers is looked for, because curl takes headers that break off for an answer. */
static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
	struct call *call = arg;
	size_t len = size * n;

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		buf_cut(&call->tools.head, 0);
		call->head_whole = false;
		return len;
	}
	call->head_whole |= len <= 2 && data[len - 1] == '\n';
	if (call->tools.head.len + len > MAX_HEADERS) {
		call->too_large = true;
		call->max_bytes = MAX_HEADERS;
		return 0;
	}
	if (memchr(data, ':', len))
		buf_add(&call->tools.head, data, len);
	return len;
}

/* Runs with a new socket, for an address that was found; again if a connection that was kept
 * turns out to be dead, which may have taken the request with it. */
static int about_to_connect(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	struct call *call = arg;

	(void)fd;
	(void)purpose;
	if (call->stage != SENT)
		call->stage = CONNECTING;
	return CURL_SOCKOPT_OK;
}

/* Runs with the connection up and nothing of the request written. */
static int about_to_send(void *arg, char *peer, char *own, int peer_port, int own_port)
{
	struct call *call = arg;

	(void)peer;
	(void)own;
	(void)peer_port;
	(void)own_port;
	call->stage = SENT;
	return CURL_PREREQFUNC_OK;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct call *call = arg;

	(void)fd;
	(void)what;
	if (!call->error[0])
		explain_timeout(call);
	finish(call, 0);
}

static void give_up(struct call *call, const char *why)
{
	static const struct timeval now;

	leave_curl(call);
	snprintf(call->error, sizeof call->error, "%s", why);
	event_add(call->tools.timer, &now);
}

/* curl reads "Name:" as "leave this header out"; an empty one is "Name;". */
static void add_header(struct buf *lines, const char *header)
{
	size_t name = strcspn(header, ":");
	const char *value = header + name + (header[name] == ':');

	if (value[strspn(value, " \t")]) {
		buf_text_add(lines, header);
	} else {
		buf_add(lines, header, name);
		buf_char(lines, ';');
	}
	buf_char(lines, '\0');
}

/* Behind the address.  Expect: would cost a second wherever a server does not answer it.
 * Content-Type: curl would say of any body that it is a form. */
static size_t add_headers(struct buf *lines, const char *const *headers)
{
	bool typed = false;
	size_t n = 1;

	for (; headers && *headers; headers++, n++) {
		typed |= strncasecmp(*headers, "content-type:", 13) == 0;
		add_header(lines, *headers);
	}
	buf_add(lines, "Expect:", sizeof "Expect:");
	if (!typed)
		buf_add(lines, "Content-Type:", sizeof "Content-Type:");
	return n + !typed;
}

/* curl reads the list where it is, so that it need not be made of twenty pieces of memory. */
static void set_headers(struct call *call, const struct http_request *rq)
{
	struct tools *t = &call->tools;
	size_t n = add_headers(&t->lines, rq->headers);
	char *at = t->lines.data + strlen(t->lines.data) + 1;

	if (n > t->cap) {
		t->list = mem_grow(t->list, n, sizeof *t->list);
		t->cap = n;
	}
	for (size_t i = 0; i < n; i++) {
		t->list[i] = (struct curl_slist){at, i + 1 < n ? &t->list[i + 1] : NULL};
		at += strlen(at) + 1;
	}
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->list);
}

static void set_body(struct call *call, const struct http_request *rq, const char *method)
{
	CURL *e = call->tools.easy;

	if (rq->body_len > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
		call->body = rq->body_stays ? NULL : mem_slice(rq->body, rq->body_len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS,
				 call->body     ? call->body
				 : rq->body_len ? rq->body
						: "");
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
}

/* What is the same in all requests of this call and those that use its tools after it.
 * QUICK_EXIT: giving up must not wait for a name server that does not answer. */
static void set_up(struct call *call)
{
	struct client *c = call->client;
	CURL *e = call->tools.easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, call);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->why);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, about_to_connect);
	curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, call);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, about_to_send);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, call);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
	if (c->agent)
		curl_easy_setopt(e, CURLOPT_USERAGENT, c->agent);
	if (c->ca)
		curl_easy_setopt(e, CURLOPT_CAINFO, c->ca);
	if (c->proxy)
		curl_easy_setopt(e, CURLOPT_PROXY, c->proxy);
}

/* A handle that did something else last is set up anew: options cannot all be taken back. */
static bool prepare(struct call *call, const struct http_request *rq, const char *method)
{
	struct tools *t = &call->tools;
	bool plain = rq->body_len > 0 && !rq->direct && strcmp(method, "HEAD") != 0;
	bool anew = !t->easy || !t->plain || !plain;

	if (!t->easy)
		t->easy = curl_easy_init();
	else if (anew)
		curl_easy_reset(t->easy);
	if (!t->easy)
		return false;
	if (anew)
		set_up(call);
	if (rq->direct)
		curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(t->easy, CURLOPT_URL, rq->url);
	t->plain = plain;
	return true;
}

/* A line break in a value would be a header, or a request, of its own. */
static const char *flaw(const struct http_request *rq)
{
	if (rq->method && (!*rq->method || rq->method[strcspn(rq->method, " \t\r\n")]))
		return "the method is not one word";
	for (const char *const *h = rq->headers; h && *h; h++) {
		if ((*h)[strcspn(*h, "\r\n")])
			return "a header to be sent has a line break in it";
		if (**h == ':' || !strchr(*h, ':'))
			return "a header to be sent has no name";
	}
	return NULL;
}

static struct call *call_new(struct client *c)
{
	struct call *call = c->spare;
	struct tools tools;

	if (!call) {
		call = mem_new(struct call);
		call->tools.timer = evtimer_new(c->loop, on_timer, call);
		return call;
	}
	c->spare = call->next;
	c->nspare--;
	tools = call->tools;
	*call = (struct call){.tools = tools};
	return call;
}

static struct call *call_begin(struct client *c, const struct http_request *rq, http_done_fn *done,
			       void *arg)
{
	struct call *call = call_new(c);

	call->client = c;
	call->number = ++c->last_number;
	call->max_bytes = rq->max_bytes ? rq->max_bytes : DEFAULT_BYTES;
	call->timeout_ms = rq->timeout_ms ? rq->timeout_ms : DEFAULT_TIMEOUT;
	call->done = done;
	call->arg = arg;
	buf_add(&call->tools.lines, rq->url, strlen(rq->url) + 1);
	call->at = &c->calls;
	call->next = c->calls;
	if (call->next)
		call->next->at = &call->next;
	c->calls = call;
	return call;
}

/* Our own timer, because curl's total timeout does not run while a call waits for one of
 * the connections. */
static uint64_t client_send(struct http_client *face, const struct http_request *rq,
			    http_done_fn *done, void *arg)
{
	struct client *c = (struct client *)face;
	struct call *call = call_begin(c, rq, done, arg);
	const char *method = rq->method ? rq->method : rq->body_len ? "POST" : "GET";
	const char *bad = flaw(rq);
	struct timeval tv = span((long)call->timeout_ms);

	if (bad || c->closing) {
		give_up(call, bad ? bad : "cancelled");
		return call->number;
	}
	if (!prepare(call, rq, method)) {
		give_up(call, "curl cannot start a request");
		return call->number;
	}
	set_body(call, rq, method);
	set_headers(call, rq);
	event_add(call->tools.timer, &tv);
	curl_multi_add_handle(c->multi, call->tools.easy);
	call->in_curl = true;
	return call->number;
}

static void client_cancel(struct http_client *face, uint64_t number)
{
	struct client *c = (struct client *)face;

	for (struct call *call = c->calls; call; call = call->next) {
		if (call->number == number) {
			give_up(call, "cancelled");
			return;
		}
	}
}

static void client_free(struct http_client *face)
{
	struct client *c = (struct client *)face;

	if (!c)
		return;
	c->closing = true;
	while (c->calls) {
		snprintf(c->calls->error, sizeof c->calls->error, "cancelled");
		finish(c->calls, 0);
	}
	while (c->spare) {
		struct call *call = c->spare;

		c->spare = call->next;
		call_free(call);
	}
	if (c->multi)
		curl_multi_cleanup(c->multi);
	if (c->timer)
		event_free(c->timer);
	free(c->proxy);
	free(c->ca);
	free(c->agent);
	free(c);
	curl_global_cleanup();
}

struct http_client *http_client_new(struct event_base *loop,
				    const struct http_client_options *options, struct err *err)
{
	struct client *c = mem_new(struct client);

	signal(SIGPIPE, SIG_IGN); /* TLS writes with write() */
	c->face = (struct http_client){client_send, client_cancel, client_free};
	c->loop = loop;
	c->proxy = mem_text(options->proxy);
	c->ca = mem_text(options->ca);
	c->agent = mem_text(options->agent);
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_malloc, free, mem_realloc, mem_text,
				 mem_calloc) == CURLE_OK)
		c->multi = curl_multi_init();
	if (!c->multi) {
		err_set(err, "libcurl %s cannot be set up", curl_version());
		client_free(&c->face);
		return NULL;
	}
	c->timer = evtimer_new(loop, on_curl_timer, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, options->max_connections);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, KEPT);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return &c->face;
}
