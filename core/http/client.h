/*
 * client - outgoing HTTP, on the loop.
 *
 * libcurl's multi interface driven by libevent.  Connections are kept; HTTP/1.1 unless
 * asked otherwise; every request has a total timeout and a cap on its answer; redirects
 * are never followed (an AWS redirect is signed anew by aws/, others are answers).
 * Loop thread only.
 */
#ifndef POINTSMAN_HTTP_CLIENT_H
#define POINTSMAN_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base; /* libevent's */
struct world;

struct http_request {               /* all copied by http_client_send(), but for `body_stays` */
	const char *method;         /* NULL: POST with a body, else GET */
	const char *url;            /* absolute; sent exactly as given (path as is) */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body;
	size_t body_len;
	bool body_stays;     /* it is there until `done` was called, or cancel() */
	uint32_t timeout_ms; /* total; 0: 30 s */
	size_t max_bytes;    /* a larger answer is an error; 0: 1 MB */
	bool direct;         /* never through a proxy: the machine's own metadata service */
};

struct http_answer {       /* good until the callback returns */
	int status;        /* 0: there was none, `error` says why */
	const char *error; /* "" with a status: "connection refused by 127.0.0.1:80" */
	bool sent;         /* status 0 only: the request, or part of it, may have arrived */
	const char *body;  /* a NUL follows */
	size_t body_len;
	const char *headers; /* "Name: value\r\n".., of the final answer */
};

/* The value of header `name` (any case) in `answer`, copied into `out`; false if absent. */
bool http_answer_header(const struct http_answer *answer, const char *name, char *out, size_t size);

typedef void http_done_fn(const struct http_answer *answer, void *arg);

struct http_client_options {
	const char *proxy;    /* NULL: http_proxy and friends of the environment */
	const char *ca;       /* a file of certificates; NULL: the system's */
	const char *agent;    /* User-Agent */
	long max_connections; /* at once; 0: no limit.  One would let a server that hangs keep
				 all others waiting; callers bound what they ask. */
};

struct http_client {
	/* Ask.  `done` runs exactly once, never before this returns.  The number names the
	 * request until then. */
	uint64_t (*send)(struct http_client *c, const struct http_request *rq, http_done_fn *done,
			 void *arg);
	/* Give up: `done` gets status 0, "cancelled", from the loop.  Unknown numbers are
	 * ignored. */
	void (*cancel)(struct http_client *c, uint64_t number);
	/* Outstanding requests are answered "cancelled" from inside this call, and so is what
	 * they send in answer to that.  Not from inside a `done`. */
	void (*free)(struct http_client *c);
};

/* The real client.  NULL with *err filled if curl cannot be set up. */
struct http_client *http_client_new(struct event_base *loop,
				    const struct http_client_options *options, struct err *err);

/* Percent-encode all but the unreserved characters of RFC 3986; `keep` lists more that
 * stay ("/"). */
void http_encode(struct buf *out, const char *text, size_t len, const char *keep);
/* An HTTP date as milliseconds since 1970 UTC; -1 if it is none. */
int64_t http_date(const char *value);
/* The seconds or the date of a Retry-After header, as milliseconds from `now_wall`;
 * -1 if it is neither. */
int64_t http_retry_after(const char *value, int64_t now_wall);

#endif
