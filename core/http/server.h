/*
 * server - incoming HTTP, on the loop.
 *
 * Limits: headers 32 kB (then 431), body as asked (then 413), all bodies together (then 503; or
 * 429, if those of this path have more than its share of it), connections, and a time in
 * which a request must have arrived whole (then 408; a connection on which none began is
 * just closed).  Paths nobody registered get 404 (503 while some are still to come), methods
 * nobody registered for a path 405.  TLS where a certificate is named.  An answer may be given
 * later than the request: a handler that wants to wait keeps the exchange.
 *
 * libevent's listener and bufferevents with a reader of our own (reader.h).  evhttp 2.1
 * cannot be used: its timeout starts anew with every byte and ends in a closed connection
 * without an answer, it tells nobody of the requests it refuses itself, and it accepts
 * connections without limit.
 * Loop thread only.
 */
#ifndef POINTSMAN_HTTP_SERVER_H
#define POINTSMAN_HTTP_SERVER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct http_server;
struct http_exchange; /* one request that still has to be answered */

struct http_server_options {
	const char *address; /* "127.0.0.1:8080", "[::1]:0"; port 0: any free one */
	size_t max_body;     /* bytes; 0: 1 MB */
	size_t max_bodies;   /* bytes of all bodies in memory, until they are answered; one by
				itself may have more; 0: 16 MB */
	uint32_t timeout_ms; /* for a request to arrive whole, and for one answer to leave;
				0: 30 s */
	int max_connections; /* beyond it the oldest without a whole request makes room for a new
				one; if all have one, the new one is closed; 0: 256 */
	const char *certificate, *certificate_key; /* PEM files, or NULL both */
	/* Told of every refusal that never reaches a handler: 404 405 408 413 429 503 and bad
	 * requests (400 431 501 505), with the path without query as far as it is known; may be
	 * NULL. */
	void (*refused)(int status, const char *path, void *arg);
	/* Are paths still to come?  Then one that nobody registered gets 503: 404 would tell its
	 * sender to give up.  NULL: none are. */
	bool (*awaits_paths)(void *arg);
	void *arg;
};

struct http_server *http_server_new(struct event_base *loop,
				    const struct http_server_options *options, struct err *err);
/* Open exchanges are answered 503 and are gone.  Not from inside a handler. */
void http_server_free(struct http_server *s);
int http_server_port(const struct http_server *s);
/* A connection that somebody else has accepted; the socket is the server's, and must not
 * block. */
void http_server_take(struct http_server *s, int fd, const char *peer);

typedef void http_handler_fn(struct http_exchange *x, void *arg);

/* `path` exactly, without query; `methods` is "POST", or "GET,HEAD".  False: it is taken. */
bool http_server_route(struct http_server *s, const char *path, const char *methods,
		       http_handler_fn *fn, void *arg);
void http_server_unroute(struct http_server *s, const char *path);

/* Good until http_reply(). */
const char *http_exchange_method(const struct http_exchange *x);
const char *http_exchange_target(const struct http_exchange *x); /* path and query */
const char *http_exchange_header(const struct http_exchange *x, const char *name); /* or NULL */
const char *http_exchange_body(const struct http_exchange *x, size_t *len);        /* NUL follows */
const char *http_exchange_peer(const struct http_exchange *x);                     /* "127.0.0.1" */

/* Answer, once; x is gone afterwards.  `headers` as in http_request, or NULL; 429 and 503 get
 * a Retry-After.  A sender
 * that has hung up meanwhile is fine. */
void http_reply(struct http_exchange *x, int status, const char *const *headers, const void *body,
		size_t len);

#endif
