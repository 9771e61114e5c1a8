#include "http/client.h"

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

#define MAX_HEADERS (64 << 10)

struct call {
	struct call *next, **at; /* in client.calls */
	struct client *client;
	uint64_t number;
	CURL *easy;
	struct curl_slist *headers;
	struct event *timer; /* the total timeout; a cancelled or refused call's way out */
	char *body;
	struct buf got, head;
	size_t max_bytes;
	uint32_t timeout_ms;
	bool sent, too_large, is_over;
	char peer[300]; /* "host:port", for people */
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
	uint64_t last_number;
	char *proxy, *ca, *agent;
};

static struct timeval span(long ms)
{
	return (struct timeval){ms / 1000, ms % 1000 * 1000};
}

static void call_free(struct call *call)
{
	if (call->next)
		call->next->at = call->at;
	*call->at = call->next;
	if (call->easy) {
		curl_multi_remove_handle(call->client->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	curl_slist_free_all(call->headers);
	if (call->timer)
		event_free(call->timer);
	free(call->body);
	buf_free(&call->got);
	buf_free(&call->head);
	free(call);
}

/* The easy handle goes before `done` runs, so that what the callback asks next finds the
 * connection free. */
static void finish(struct call *call, long status)
{
	struct http_answer answer = {
		.status = (int)status,
		.error = call->error,
		.sent = status == 0 && call->sent,
		.body = buf_text(&call->got),
		.body_len = call->got.len,
		.headers = buf_text(&call->head),
	};

	if (status == 0) {
		answer.body = answer.headers = "";
		answer.body_len = 0;
	}
	call->is_over = true;
	if (call->easy) {
		curl_multi_remove_handle(call->client->multi, call->easy);
		curl_easy_cleanup(call->easy);
		call->easy = NULL;
	}
	call->done(&answer, call->arg);
	call_free(call);
}

static void explain_connect(struct call *call)
{
	char host[256];
	long number = 0;
	int port;

	/* With a proxy it is the proxy that could not be reached; curl knows which. */
	if (sscanf(call->why, "Failed to connect to %255s port %d", host, &port) == 2)
		snprintf(call->peer, sizeof call->peer, "%s:%d", host, port);
	curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &number);
	if (number == ECONNREFUSED)
		snprintf(call->error, sizeof call->error, "connection refused by %s", call->peer);
	else
		snprintf(call->error, sizeof call->error, "no connection to %s: %s", call->peer,
		         number ? strerror((int)number) : call->why);
}

static void explain_timeout(struct call *call)
{
	char time[32];

	snprintf(call->error, sizeof call->error, "no %s %s within %s",
	         call->sent ? "complete answer from" : "connection to", call->peer,
	         units_duration_text(call->timeout_ms, time, sizeof time));
}

static void explain(struct call *call, CURLcode code)
{
	const char *why = call->why[0] ? call->why : curl_easy_strerror(code);
	const char *form = "%s: %s";

	switch (code) {
	case CURLE_COULDNT_CONNECT: explain_connect(call); return;
	case CURLE_OPERATION_TIMEDOUT: explain_timeout(call); return;
	case CURLE_COULDNT_RESOLVE_HOST: form = "no address found for %s (%s)"; break;
	case CURLE_COULDNT_RESOLVE_PROXY: form = "no way to %s (%s)"; break;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT: form = "%s: not an http or https address"; break;
	case CURLE_GOT_NOTHING: form = "%s closed the connection without an answer"; break;
	case CURLE_PARTIAL_FILE: form = "the answer of %s was cut off (%s)"; break;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR: form = "the connection to %s broke (%s)"; break;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE: form = "no TLS with %s (%s)"; break;
	default: break;
	}
	if (call->too_large)
		snprintf(call->error, sizeof call->error, "the answer of %s is larger than %zu bytes",
		         call->peer, call->max_bytes);
	else
		snprintf(call->error, sizeof call->error, form, call->peer, why);
}
