#include "aws/aws.h"

#include "aws/call.h"
#include "aws/crc32.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/errand.h"
#include "aws/retry.h"
#include "aws/settings.h"
#include "aws/sigv4.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/units.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_MS     30000
#define SKEW_MS        240000 /* AWS accepts 5 minutes; nearer than this the clock is not it */
#define MAX_BUCKETS    256
#define GUESS_EVERY_MS 60000

enum state {
	WAITING, /* for credentials */
	ASKING,  /* the service */
	PAUSING, /* before another attempt */
	ENDING,  /* `error` is to be told from the loop */
};

struct call {
	struct call *next, **at; /* in aws.calls */
	struct aws *aws;
	uint64_t number;
	char *service, *region, *endpoint, *method, *path;
	char **query, **headers;
	char *body;
	size_t body_len, max_bytes;
	struct endpoint place;
	bool uses_chain;  /* credentials of the chain, else `keys` */
	struct keys keys; /* given, or those of the last attempt; id NULL: unsigned */
	enum state state;
	struct errand *errand;
	struct event *timer;
	uint32_t timeout_ms;
	int64_t deadline; /* boot */
	int attempt;
	bool was_renewed, was_moved, was_corrected;
	bool sent; /* an attempt that got no answer may have arrived */
	char error[sizeof(struct err)];
	http_done_fn *done;
	void *arg;
};

struct aws {
	struct world *world;
	struct event_base *loop;
	struct settings *settings;
	struct credentials *credentials;
	struct retry_bucket bucket;
	int64_t skew;           /* their clock minus ours */
	int64_t guess_again_at; /* boot time */
	struct map regions;     /* of buckets that are not where we were told */
	struct call *calls;
	uint64_t last_number;
	bool closing;
};

static char **copy_list(const char *const *list)
{
	char **copy = NULL;

	for (size_t n = 0; list && list[n]; n++) {
		copy = mem_grow(copy, n + 2, sizeof *copy);
		copy[n] = mem_text(list[n]);
		copy[n + 1] = NULL;
	}
	return copy;
}

static void list_free(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

static int64_t time_left(const struct call *call)
{
	return call->deadline - call->aws->world->boot(call->aws->world);
}

static void set_timer(struct call *call, int64_t ms)
{
	struct timeval tv = {0, 0};

	if (ms > 0)
		tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
	event_add(call->timer, &tv);
}

static void end_soon(struct call *call, const char *why)
{
	if (call->state == WAITING)
		credentials_leave(call->aws->credentials, call);
	errand_drop(call->errand);
	call->errand = NULL;
	snprintf(call->error, sizeof call->error, "%s", why);
	call->state = ENDING;
	set_timer(call, 0);
}

static void unlist(struct call *call)
{
	*call->at = call->next;
	if (call->next)
		call->next->at = call->at;
	if (call->state == WAITING)
		credentials_leave(call->aws->credentials, call);
	errand_drop(call->errand);
	call->errand = NULL;
}

static void call_free(struct call *call)
{
	event_free(call->timer);
	endpoint_free(&call->place);
	keys_free(&call->keys);
	list_free(call->query);
	list_free(call->headers);
	free(call->service);
	free(call->region);
	free(call->endpoint);
	free(call->method);
	free(call->path);
	free(call->body);
	free(call);
}

/* Off the list before `done` runs: the number means nothing any more. */
static void finish(struct call *call, const struct http_answer *answer)
{
	struct http_answer told = *answer;

	told.sent = told.status == 0 && (told.sent || call->sent);
	unlist(call);
	call->done(&told, call->arg);
	call_free(call);
}

static void finish_with(struct call *call, const char *error)
{
	finish(call, &(struct http_answer){.error = error, .body = "", .headers = ""});
}

static void ask(struct call *call);
static void get_keys(struct call *call);

static bool is_s3(const struct call *call)
{
	return strcmp(call->service, "s3") == 0;
}

static const char *region_of(const struct call *call)
{
	struct settings *s = call->aws->settings;
	const char *region = call->region && *call->region ? call->region : settings_region(s);

	return !region && strcmp(call->service, "sts") == 0 ? "us-east-1" : region;
}

/* Where to, and in which region; `region` overrules what is configured.  False leaves the
 * place as it was. */
static bool place(struct call *call, const char *region, struct err *err)
{
	struct settings *s = call->aws->settings;
	char variable[64];
	struct endpoint_question q = {.service = call->service, .path = call->path};
	struct endpoint found;

	endpoint_variable(call->service, variable, sizeof variable);
	q.region = region ? region : region_of(call);
	q.override = call->endpoint ? call->endpoint : settings_endpoint(s, variable);
	q.dual_stack = settings_flag(s, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
	q.fips = settings_flag(s, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
	q.s3_style = settings_get(s, NULL, "s3.addressing_style");
	if (!endpoint_find(&q, &found, err)) {
		endpoint_free(&found);
		return false;
	}
	endpoint_free(&call->place);
	call->place = found;
	return true;
}

/* What we sign with is ours to set. */
static bool is_ours(const char *header)
{
	static const char *const names[] = {"authorization:", "host:", "x-amz-date:",
					    "x-amz-security-token:", "x-amz-content-sha256:"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strncasecmp(header, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static void sign(struct call *call, struct sigv4_signed *out)
{
	struct world *w = call->aws->world;
	struct sigv4_request rq = {
		.method = call->method,
		.host = call->place.host,
		.path = call->place.path,
		.query = (const char *const *)call->query,
		.headers = (const char *const *)call->headers,
		.body = call->body,
		.body_len = call->body_len,
		.service = call->place.service,
		.region = call->place.region,
		.time = w->wall(w) + call->aws->skew,
		.path_once = is_s3(call),
		.send_body_hash = is_s3(call),
	};
	struct sigv4_credentials cr = {call->keys.id, call->keys.secret, call->keys.token};

	if (!cr.key_id)
		cr = (struct sigv4_credentials){"", "", NULL};
	sigv4_sign(&rq, &cr, out);
	if (!call->keys.id)
		buf_cut(&out->headers, 0);
}

static void on_answer(const struct http_answer *answer, void *arg);

static void send_signed(struct call *call, struct sigv4_signed *s)
{
	char *url = mem_format("%s%s", call->place.base, s->target.data);
	const char **headers = NULL;
	size_t n = 0;

	for (char **h = call->headers; h && *h; h++) {
		headers = mem_grow(headers, n + 1, sizeof *headers);
		headers[n++] = *h;
	}
	for (char *line = s->headers.len ? s->headers.data : NULL; line && *line;) {
		char *end = strchr(line, '\n');

		*end = '\0';
		headers = mem_grow(headers, n + 1, sizeof *headers);
		headers[n++] = line;
		line = end + 1;
	}
	headers = mem_grow(headers, n + 1, sizeof *headers);
	headers[n] = NULL;
	call->errand = errand_send(call->aws->world->network,
				   &(struct http_request){.method = call->method,
							  .url = url,
							  .headers = headers,
							  .body = call->body,
							  .body_len = call->body_len,
							  .timeout_ms = (uint32_t)time_left(call),
							  .max_bytes = call->max_bytes},
				   on_answer, call);
	free(headers);
	free(url);
}

static void out_of_time(struct call *call)
{
	char time[32], error[128];

	snprintf(error, sizeof error, "no credentials for AWS within %s",
		 units_duration_text(call->timeout_ms, time, sizeof time));
	end_soon(call, error);
}

static void ask(struct call *call)
{
	struct sigv4_signed s;

	if (time_left(call) <= 0) {
		out_of_time(call);
		return;
	}
	call->state = ASKING;
	sign(call, &s);
	send_signed(call, &s);
	sigv4_free(&s);
}

static void on_keys(const struct keys *keys, const char *why, void *arg)
{
	struct call *call = arg;

	call->state = ASKING;
	event_del(call->timer);
	if (!keys) {
		end_soon(call, why);
		return;
	}
	keys_free(&call->keys);
	keys_copy(&call->keys, keys);
	ask(call);
}

static void get_keys(struct call *call)
{
	call->state = WAITING;
	set_timer(call, time_left(call));
	credentials_ask(call->aws->credentials, on_keys, call);
}

/* A body that was damaged on its way is no answer. */
static bool is_damaged(const struct http_answer *answer)
{
	char text[32];
	int64_t expected;

	return answer->status != 0 &&
	       http_answer_header(answer, "x-amz-crc32", text, sizeof text) &&
	       units_integer(text, &expected) &&
	       expected != (int64_t)crc32_of(answer->body, answer->body_len);
}

static void remember_region(struct aws *a, const char *bucket, const char *region)
{
	if (a->regions.count >= MAX_BUCKETS)
		map_free(&a->regions, free);
	free(map_put(&a->regions, bucket, mem_text(region)));
}

/* S3 names the bucket's region when asked in another: sign anew for it, once. */
static bool moves(struct call *call, const struct http_answer *answer, const struct aws_error *e)
{
	char region[32];
	int s = answer->status;

	if (!is_s3(call) || call->was_moved || !call->place.bucket || !*call->place.bucket ||
	    (s != 301 && s != 307 && s != 308 && s != 400 && s != 403))
		return false;
	if (!http_answer_header(answer, "x-amz-bucket-region", region, sizeof region))
		snprintf(region, sizeof region, "%s", e->region);
	if (!*region || strcmp(region, call->place.region) == 0)
		return false;
	call->was_moved = true;
	if (!place(call, region, NULL))
		return false;
	remember_region(call->aws, call->place.bucket, region);
	return true;
}

/* The answer to a HEAD has no body, so a refusal does not say what it is about. */
static bool is_mute(const struct http_answer *answer, const struct aws_error *e)
{
	return (answer->status == 400 || answer->status == 403) && !*e->name && !answer->body_len;
}

static bool corrects_clock(struct call *call, const struct http_answer *answer,
			   const struct aws_error *e)
{
	struct aws *a = call->aws;
	char date[64], text[32];
	int64_t at, skew;

	if (call->was_corrected || !(aws_error_is_clock(e->name) || is_mute(answer, e)) ||
	    !http_answer_header(answer, "date", date, sizeof date) || (at = http_date(date)) < 0)
		return false;
	skew = at - a->world->wall(a->world);
	if (llabs(skew - a->skew) < SKEW_MS)
		return false;
	log_warn("the clock of this machine is %s %s that of AWS; requests are dated by theirs",
		 units_duration_text(llabs(skew) / 1000 * 1000, text, sizeof text),
		 skew < 0 ? "ahead of" : "behind");
	a->skew = skew;
	call->was_corrected = true;
	return true;
}

/* Of a refusal that does not say why, expiry is one guess: made once a minute at most. */
static bool may_guess(struct aws *a)
{
	int64_t now = a->world->boot(a->world);

	if (now < a->guess_again_at)
		return false;
	a->guess_again_at = now + GUESS_EVERY_MS;
	return true;
}

static bool renews(struct call *call, const struct http_answer *answer, const struct aws_error *e)
{
	if (!call->uses_chain || call->was_renewed)
		return false;
	if (!aws_error_is_expiry(e->name) && !(is_mute(answer, e) && may_guess(call->aws)))
		return false;
	call->was_renewed = true;
	credentials_expired(call->aws->credentials, call->keys.id);
	return true;
}

static bool pauses(struct call *call, const struct http_answer *answer, const struct aws_error *e)
{
	struct aws *a = call->aws;
	int64_t delay = retry_delay(a->world, call->attempt);
	int status = answer->status / 100 == 2 ? 500 : answer->status; /* an error inside */

	if (call->attempt >= RETRY_ATTEMPTS || !retry_is_worth(status, e->name) ||
	    strcmp(answer->error, "cancelled") == 0 || delay >= time_left(call) ||
	    !retry_take(&a->bucket))
		return false;
	call->attempt++;
	call->state = PAUSING;
	set_timer(call, delay);
	return true;
}

static void judge(struct call *call, const struct http_answer *answer)
{
	struct aws_error e;
	enum aws_verdict verdict = aws_read(answer, &e);

	if (verdict == AWS_OK)
		retry_give_back(&call->aws->bucket, call->attempt > 1);
	if (verdict != AWS_OK) {
		if (moves(call, answer, &e) || corrects_clock(call, answer, &e)) {
			ask(call);
			return;
		}
		if (renews(call, answer, &e)) {
			get_keys(call);
			return;
		}
		if (pauses(call, answer, &e)) {
			call->sent |= answer->status == 0 && answer->sent;
			return;
		}
	}
	finish(call, answer);
}

static void on_answer(const struct http_answer *answer, void *arg)
{
	struct call *call = arg;
	char error[256];

	call->errand = NULL;
	if (is_damaged(answer)) {
		snprintf(error, sizeof error, "the answer of %s arrived damaged (x-amz-crc32)",
			 call->place.host);
		judge(call, &(struct http_answer){
				    .error = error, .sent = true, .body = "", .headers = ""});
	} else {
		judge(call, answer);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct call *call = arg;

	(void)fd;
	(void)what;
	if (call->state == ENDING)
		finish_with(call, call->error);
	else if (call->state == WAITING)
		out_of_time(call);
	else
		ask(call);
}

static struct call *call_new(struct aws *a, const struct aws_request *rq)
{
	struct call *call = mem_new(struct call);
	const char *method = rq->method ? rq->method : rq->body_len ? "POST" : "GET";

	call->aws = a;
	call->number = ++a->last_number;
	call->service = mem_text(rq->service);
	call->region = mem_text(rq->region);
	call->endpoint = rq->endpoint && *rq->endpoint ? mem_text(rq->endpoint) : NULL;
	call->method = mem_text(method);
	call->path = mem_text(rq->path ? rq->path : "/");
	call->query = copy_list(rq->query);
	call->headers = copy_list(rq->headers);
	call->body = rq->body ? mem_slice(rq->body, rq->body_len) : NULL;
	call->body_len = rq->body_len;
	call->max_bytes = rq->max_bytes;
	call->timeout_ms = rq->timeout_ms ? rq->timeout_ms : DEFAULT_MS;
	call->deadline = a->world->boot(a->world) + call->timeout_ms;
	call->attempt = 1;
	call->state = ENDING;
	call->timer = evtimer_new(a->loop, on_timer, call);
	call->at = &a->calls;
	call->next = a->calls;
	if (call->next)
		call->next->at = &call->next;
	a->calls = call;
	return call;
}

static void drop_own_headers(struct call *call)
{
	size_t kept = 0;

	for (size_t i = 0; call->headers && call->headers[i]; i++) {
		if (is_ours(call->headers[i]))
			free(call->headers[i]);
		else
			call->headers[kept++] = call->headers[i];
	}
	if (call->headers)
		call->headers[kept] = NULL;
}

/* False: the call ends soon with the reason. */
static bool begin(struct call *call)
{
	struct aws *a = call->aws;
	const char *region;
	struct err err;

	drop_own_headers(call);
	if (a->closing) {
		end_soon(call, "cancelled");
		return false;
	}
	if (!place(call, NULL, &err)) {
		err_prefix(&err, "%s of AWS cannot be asked", call->service);
		end_soon(call, err.text);
		return false;
	}
	region = call->place.bucket ? map_get(&a->regions, call->place.bucket) : NULL;
	if (region)
		place(call, region, NULL);
	return true;
}

uint64_t aws_send(struct aws *a, const struct aws_request *rq, http_done_fn *done, void *arg)
{
	struct call *call = call_new(a, rq);

	call->done = done;
	call->arg = arg;
	call->uses_chain = true;
	if (begin(call))
		get_keys(call);
	return call->number;
}

uint64_t aws_send_as(struct aws *a, const struct aws_request *rq, const struct keys *keys,
		     http_done_fn *done, void *arg)
{
	struct call *call = call_new(a, rq);

	call->done = done;
	call->arg = arg;
	if (keys)
		keys_copy(&call->keys, keys);
	if (begin(call))
		ask(call);
	return call->number;
}

static struct call *find(struct aws *a, uint64_t number)
{
	struct call *call = a->calls;

	while (call && call->number != number)
		call = call->next;
	return call;
}

void aws_cancel(struct aws *a, uint64_t number)
{
	struct call *call = find(a, number);

	if (!call)
		return;
	call->sent |= call->state == ASKING && call->errand;
	end_soon(call, "cancelled");
}

void aws_drop(struct aws *a, uint64_t number)
{
	struct call *call = find(a, number);

	if (!call)
		return;
	unlist(call);
	call_free(call);
}

struct aws *aws_new(struct world *world, struct event_base *loop)
{
	struct aws *a = mem_new(struct aws);

	a->world = world;
	a->loop = loop;
	a->settings = settings_new((const char *const *)environ);
	a->credentials = credentials_new(a, world, a->settings);
	retry_fill(&a->bucket);
	return a;
}

void aws_free(struct aws *a)
{
	if (!a)
		return;
	a->closing = true;
	while (a->calls)
		finish_with(a->calls, "cancelled");
	credentials_free(a->credentials);
	settings_free(a->settings);
	map_free(&a->regions, free);
	free(a);
}

enum aws_verdict aws_read(const struct http_answer *answer, struct aws_error *error)
{
	char type[256], query[256];
	struct aws_reply reply = {
		.status = answer->status, .body = answer->body, .body_len = answer->body_len};

	if (http_answer_header(answer, "x-amzn-errortype", type, sizeof type))
		reply.error_type = type;
	if (http_answer_header(answer, "x-amzn-query-error", query, sizeof query))
		reply.query_error = query;
	return aws_error_read(&reply, error);
}
