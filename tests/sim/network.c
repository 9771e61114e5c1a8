#include "network.h"

#include "base/map.h"
#include "base/mem.h"
#include "faults.h"
#include "feeds.h"
#include "http/client.h"
#include "ledger.h"
#include "life.h"
#include "sim.h"
#include "weather.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_TARGET (-1)

struct request {
	struct request *next;
	uint64_t number;
	http_done_fn *done;
	void *arg;
	int target;   /* NO_TARGET: an acknowledgement */
	size_t entry; /* the ledger's */
	char *path;
	enum fate fate;
	bool orphan; /* the router that asked is dead */
	int64_t timeout_ms;
	unsigned after_s; /* Retry-After */
};

static struct request *requests;
static uint64_t numbers;

static struct request **find(uint64_t number)
{
	struct request **at = &requests;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

static void forget(struct request **at)
{
	struct request *r = *at;

	*at = r->next;
	free(r->path);
	free(r);
}

static enum said what(const struct http_answer *a)
{
	if (a->status >= 200 && a->status < 300)
		return SAID_OK;
	if (a->status == 429 || a->status >= 500)
		return SAID_AGAIN;
	return a->status ? SAID_REJECT : SAID_NOTHING;
}

static void answer(uint64_t number, const struct http_answer *a, int64_t after_ms)
{
	struct request **at = find(number), *r = *at;
	http_done_fn *done = r->done;
	void *arg = r->arg;
	size_t entry = r->entry;
	bool told = r->target != NO_TARGET;

	forget(at);
	if (told)
		ledger_end(entry, what(a), after_ms);
	done(a, arg);
}

static void answer_status(struct request *r, int status)
{
	char headers[64] = "";
	struct http_answer a = {.status = status, .error = "", .body = "{}", .body_len = 2};

	if (r->after_s)
		snprintf(headers, sizeof headers, "Retry-After: %u\r\n", r->after_s);
	a.headers = headers;
	answer(r->number, &a, r->after_s * SECOND);
}

static void answer_none(struct request *r, const char *error, bool sent)
{
	answer(r->number,
	       &(struct http_answer){.error = error, .sent = sent, .body = "", .headers = ""}, 0);
}

static void arrive(struct request *r)
{
	if (r->target != NO_TARGET)
		ledger_done(r->entry);
	else
		feeds_acknowledged(r->path);
}

static void on_timeout(uint64_t number)
{
	struct request *r = *find(number);

	if (!r)
		return;
	if (r->orphan)
		forget(find(number));
	else
		answer_none(r, "no answer within its time", true);
}

static void on_over(uint64_t number)
{
	struct request *r = *find(number);

	if (!r)
		return;
	if (r->fate == FATE_OK || r->fate == FATE_LOST)
		arrive(r);
	if (r->orphan) {
		forget(find(number));
		return;
	}
	switch (r->fate) {
	case FATE_OK: answer_status(r, 200); break;
	case FATE_LOST: answer_none(r, "connection reset", true); break;
	case FATE_REFUSED: answer_none(r, "connection refused", false); break;
	case FATE_LATER:
		r->after_s = (unsigned)chance_scale(&sim.chance, 1, 60);
		answer_status(r, chance_hits(&sim.chance, 500) ? 429 : 503);
		break;
	case FATE_REJECTS: answer_status(r, 400); break;
	default: answer_status(r, 500); break;
	}
}

static char *member(const char *body, const char *name)
{
	char *mark = mem_format("\"%s\":\"", name);
	const char *at = strstr(body, mark);
	char *value = NULL;

	if (at) {
		at += strlen(mark);
		value = mem_slice(at, strcspn(at, "\""));
	}
	free(mark);
	return value ? value : mem_text("");
}

static const char *header(const struct http_request *rq, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *h = rq->headers; h && *h; h++) {
		if (strncmp(*h, name, len) == 0 && strncmp(*h + len, ": ", 2) == 0)
			return *h + len + 2;
	}
	return "";
}

static void begin_delivery(struct request *r, const struct http_request *rq)
{
	char *body = mem_slice(rq->body, rq->body_len);
	char *source = member(body, "source"), *id = member(body, "id");
	char *name = plan_event(header(rq, "X-Rule"), source, id);

	r->entry = ledger_begin(r->target, header(rq, "Idempotency-Key"), name);
	r->fate = weather_fate(r->target, false);
	free(name);
	free(id);
	free(source);
	free(body);
}

static uint64_t send_request(struct http_client *c, const struct http_request *rq,
			     http_done_fn *done, void *arg)
{
	struct request *r = mem_new(struct request);
	const char *path = strrchr(rq->url, ':');
	int64_t latency = chance_scale(&sim.chance, 1, 500);

	(void)c;
	path = strchr(path, '/') + 1;
	*r = (struct request){
		.next = requests,
		.number = ++numbers,
		.done = done,
		.arg = arg,
		.target = plan_target(path),
		.path = mem_text(path),
		.timeout_ms = rq->timeout_ms ? rq->timeout_ms : 30 * SECOND,
	};
	requests = r;
	if (!life_engine())
		return r->number; /* a dying process reaches nobody */
	if (r->target != NO_TARGET) {
		begin_delivery(r, rq);
		latency = weather_latency(r->target);
	} else {
		feeds_left(path);
		r->fate = !weather_is_clear() && chance_hits(&sim.chance, 50) ? FATE_LOST : FATE_OK;
	}
	if (r->fate == FATE_HANGS || latency >= r->timeout_ms) {
		if (chance_hits(&sim.chance, 500))
			arrive(r);
		sim_at(r->timeout_ms, on_timeout, r->number);
	} else {
		sim_at(latency, on_over, r->number);
	}
	faults_something_left();
	return r->number;
}

static void on_cancelled(uint64_t number)
{
	struct request *r = *find(number);

	if (r && !r->orphan)
		answer_none(r, "cancelled", true);
}

static void cancel(struct http_client *c, uint64_t number)
{
	struct request *r = *find(number);

	(void)c;
	if (r && r->target != NO_TARGET)
		ledger_end(r->entry, SAID_NOTHING, 0);
	sim_at(0, on_cancelled, number);
}

static void free_client(struct http_client *c)
{
	struct request **at = &requests;

	(void)c;
	while (*at) {
		if ((*at)->orphan)
			at = &(*at)->next;
		else
			answer_none(*at, "cancelled", true);
	}
}

struct http_client *network_client(void)
{
	static struct http_client client = {send_request, cancel, free_client};

	return &client;
}

/* Two copies: the dying router's own, which it hears of when it frees the client, and what
 * the other side makes of it. */
void network_forget(void)
{
	struct request *copies = NULL;

	for (struct request *r = requests; r; r = r->next) {
		struct request *copy;

		if (r->orphan)
			continue;
		copy = mem_new(struct request);
		*copy = *r;
		copy->path = mem_text(r->path);
		copy->orphan = true;
		copy->next = copies;
		copies = copy;
		r->number = ++numbers;
	}
	while (copies) {
		struct request *r = copies;

		copies = r->next;
		r->next = requests;
		requests = r;
	}
}
