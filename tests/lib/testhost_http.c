/* Requests out, requests in, and who may sign. */
#include "testhost_inside.h"

#include "base/mem.h"
#include "http/client.h"
#include "plugin/mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

struct request { /* arriving */
	struct pm_message message;
	struct testhost *t;
	const char *const *headers; /* or NULL */
};

/* Where the value of "Name: value" begins, if that is its name. */
static const char *header_value(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	return line + n + 1 + strspn(line + n + 1, " ");
}

static const char *find_header(const char *const *headers, const char *name)
{
	for (; headers && *headers; headers++) {
		const char *value = header_value(*headers, name);

		if (value)
			return value;
	}
	return NULL;
}

static const char *request_header(const struct pm_message *m, const char *name)
{
	const struct request *r = (const struct request *)(const void *)m;
	const char *value = find_header(r->headers, name);

	return value ? scratch_text(&r->t->scratch, value, strlen(value)) : NULL;
}

static const char *const *copy_list(const char *const *list)
{
	size_t n = 0;
	char **copy;

	while (list && list[n])
		n++;
	copy = mem_zero((n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = mem_text(list[i]);
	return (const char *const *)copy;
}

static void free_list(const char *const *list)
{
	for (size_t i = 0; list[i]; i++)
		free((char *)(uintptr_t)list[i]);
	free((void *)(uintptr_t)list);
}

static void free_asking(struct asking *a)
{
	free((char *)(uintptr_t)a->shown.method);
	free((char *)(uintptr_t)a->shown.url);
	free((char *)(uintptr_t)a->shown.body);
	free((char *)(uintptr_t)a->shown.aws);
	free_list(a->shown.headers);
	free_list(a->shown.query);
	free((pm_delivery *)(uintptr_t)a->shown.many);
	free(a->many);
	free((char *)(uintptr_t)a->asked.peer);
	free((char *)(uintptr_t)a->asked.ok);
	free((char *)(uintptr_t)a->asked.again);
	free(a);
}

static char *peer_of(const struct pm_http *rq)
{
	const char *host = strstr(rq->url, "://");

	if (rq->aws || !host)
		return mem_text(rq->aws ? rq->aws : rq->url);
	return mem_slice(host + 3, strcspn(host + 3, "/?:"));
}

static struct asking *ask(struct testhost *t, const struct pm_http *given, pm_done_fn *done,
			  uint64_t arg)
{
	struct asking **at = &t->asking, *a = mem_new(struct asking);
	struct pm_http rq = {0};

	memcpy(&rq, given, given->size < sizeof rq ? given->size : sizeof rq);
	if (!rq.url)
		fail_msg("http(): no url");
	if (rq.aws && *rq.url != '/')
		fail_msg("http(): with `aws` the url is a path, not %s", rq.url);
	if (rq.body && !rq.body_len)
		rq.body_len = strlen(rq.body);
	a->shown = (struct testhost_request){
		.method = mem_text(rq.method ? rq.method
				   : rq.body ? "POST"
					     : "GET"),
		.url = mem_text(rq.url),
		.body = mem_slice(rq.body ? rq.body : "", rq.body_len),
		.body_len = rq.body_len,
		.aws = mem_text(rq.aws ? rq.aws : ""),
		.headers = copy_list(rq.headers),
		.query = copy_list(rq.query),
		.delivery = testhost_shown(rq.delivery),
	};
	a->handed = rq.delivery;
	a->asked = (struct asked){peer_of(&rq), mem_text(rq.ok), mem_text(rq.again), rq.aws != NULL,
				  values_has_secrets(t->values)};
	a->done = done;
	a->arg = arg;
	while (*at)
		at = &(*at)->next;
	*at = a;
	return a;
}

static void host_http(struct pm_host *h, const struct pm_http *rq, pm_done_fn *done, uint64_t arg)
{
	if (!done)
		fail_msg("http(): no function to answer to");
	ask(testhost_of(h), rq, done, arg);
}

static void host_finish_by_http(struct pm_host *h, pm_delivery seen, const struct pm_http *given)
{
	struct testhost *t = testhost_of(h);
	struct pm_http rq = {0};

	if (!testhost_open(t, seen, "finish_by_http"))
		return;
	memcpy(&rq, given, given->size < sizeof rq ? given->size : sizeof rq);
	rq.size = sizeof rq;
	rq.delivery = seen;
	ask(t, &rq, NULL, 0);
}

/* Those that are still open. */
static void host_finish_many_by_http(struct pm_host *h, const pm_delivery *d, uint32_t n,
				     const struct pm_http *given)
{
	struct testhost *t = testhost_of(h);
	pm_delivery *many = mem_zero(n * sizeof *many), *shown = mem_zero(n * sizeof *shown);
	struct pm_http rq = {0};
	struct asking *a;
	uint32_t open = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (testhost_open(t, d[i], "finish_many_by_http")) {
			shown[open] = testhost_shown(d[i]);
			many[open++] = d[i];
		}
	}
	memcpy(&rq, given, given->size < sizeof rq ? given->size : sizeof rq);
	rq.size = sizeof rq;
	rq.delivery = 0;
	if (!open) {
		free(many);
		free(shown);
		return;
	}
	a = ask(t, &rq, NULL, 0);
	a->many = many;
	a->shown.many = shown;
	a->shown.nmany = open;
}

static void finish_by(struct handed *d, const struct answer_message *m, bool alone, int64_t now)
{
	struct ending e = answer_read(m->answer, m->asked, now);
	enum testhost_end end = e.result == LANE_OK       ? TESTHOST_OK
				: e.result != LANE_REJECT ? TESTHOST_RETRY
				: alone                   ? TESTHOST_REJECT
							  : TESTHOST_SPLIT;

	testhost_ended(d, end, e.why.text, e.after_ms);
}

/* The answer in hand: finish_as() takes that, and nothing else. */
static const struct answer_message *in_hand;

static void host_finish_as(struct pm_host *h, pm_delivery seen, const struct pm_message *m)
{
	struct testhost *t = testhost_of(h);
	struct handed *d = testhost_open(t, seen, "finish_as");

	if (!in_hand || m != &in_hand->public)
		fail_msg("finish_as() with a message that is not the answer just given");
	if (d)
		finish_by(d, in_hand, true, t->now);
}

static void give(struct testhost *t, struct asking *a, const struct answer_message *m)
{
	if (a->done) {
		in_hand = m;
		a->done(&t->host, &m->public, a->arg);
		in_hand = NULL;
	} else if (testhost_handed(t, a->handed)) {
		finish_by(testhost_handed(t, a->handed), m, true, t->now);
	}
	for (uint32_t i = 0; i < a->shown.nmany; i++) {
		if (testhost_handed(t, a->many[i]))
			finish_by(testhost_handed(t, a->many[i]), m, a->shown.nmany == 1, t->now);
	}
}

static void answer(struct testhost *t, int status, const char *error, const char *const *headers,
		   const char *body)
{
	struct asking *a = t->asking;
	struct buf lines = {0};
	struct answer_message m;
	struct http_answer answer = {.status = status,
				     .error = error,
				     .sent = status == 0,
				     .body = scratch_text(&t->scratch, body, strlen(body)),
				     .body_len = strlen(body)};

	if (!a)
		fail_msg("nothing was asked");
	for (; headers && *headers; headers++)
		buf_printf(&lines, "%s\r\n", *headers);
	answer.headers = buf_text(&lines);
	answer_message(&m, &answer, &a->asked, &t->scratch);
	t->asking = a->next;
	give(t, a, &m);
	testhost_leave(t);
	buf_free(&lines);
	free_asking(a);
}

void testhost_answer(struct testhost *t, int status, const char *const *headers, const char *body)
{
	answer(t, status, "", headers, body ? body : "");
}

void testhost_no_answer(struct testhost *t, const char *error)
{
	answer(t, 0, error, NULL, "");
}

void testhost_http_cancel(struct testhost *t)
{
	for (int n = 0; t->asking; n++) {
		if (n > 1000)
			fail_msg("a cancelled request is asked again without end");
		testhost_no_answer(t, "cancelled");
	}
}

int testhost_requests(struct testhost *t)
{
	int n = 0;

	for (struct asking *a = t->asking; a; a = a->next)
		n++;
	return n;
}

const struct testhost_request *testhost_request(struct testhost *t)
{
	if (!t->asking)
		fail_msg("nothing was asked");
	return &t->asking->shown;
}

const char *testhost_request_header(struct testhost *t, const char *name)
{
	return find_header(testhost_request(t)->headers, name);
}

const char *testhost_request_query(struct testhost *t, const char *name)
{
	for (const char *const *q = testhost_request(t)->query; *q; q += 2) {
		if (strcmp(q[0], name) == 0)
			return q[1];
	}
	return NULL;
}

static bool host_listen(struct pm_host *h, const char *path, pm_inbound_fn *fn, uint64_t arg)
{
	struct testhost *t = testhost_of(h);
	struct listener *l = mem_new(struct listener);

	l->path = path ? mem_text(path) : mem_format("/%s", h->instance);
	l->fn = fn;
	l->arg = arg;
	l->next = t->listeners;
	t->listeners = l;
	return true;
}

void testhost_unlisten(struct testhost *t)
{
	while (t->listeners) {
		struct listener *l = t->listeners;

		t->listeners = l->next;
		free(l->path);
		free(l);
	}
}

static void host_reply(struct pm_host *h, const char *content_type, const void *body, size_t len)
{
	struct testhost *t = testhost_of(h);

	if (!t->inbound)
		fail_msg("reply() outside a request");
	if (!content_type || !*content_type)
		fail_msg("reply() without a content type");
	buf_cut(&t->reply, 0);
	buf_add(&t->reply, body, len);
	t->replied = strcmp(content_type, "text/plain") != 0;
}

static struct listener *listener_at(struct testhost *t, const char *path)
{
	size_t n = strcspn(path, "?");

	for (struct listener *l = t->listeners; l; l = l->next) {
		if (strlen(l->path) == n && strncmp(l->path, path, n) == 0)
			return l;
	}
	fail_msg("the plugin does not listen at %s", path);
	return NULL;
}

int testhost_post(struct testhost *t, const char *path, const char *const *headers,
		  const void *body, size_t len, const char **reply)
{
	struct listener *l = listener_at(t, path);
	struct request r = {
		.message = {.size = sizeof r.message,
			    .method = "POST",
			    .error = "",
			    .path = scratch_text(&t->scratch, path, strlen(path)),
			    .body = scratch_text(&t->scratch, body, len),
			    .body_len = len,
			    .header = request_header},
		.t = t,
		.headers = headers,
	};
	int status;

	buf_cut(&t->reply, 0);
	t->replied = false;
	t->refusal.text[0] = '\0';
	t->inbound = true;
	status = l->fn(&t->host, &r.message, l->arg);
	t->inbound = false;
	testhost_leave(t);
	if (status < 200 || status > 599)
		fail_msg("a request was answered with status %d", status);
	/* As the real host: why emit() refused stands behind what the plugin says. */
	if (status >= 400 && !t->replied)
		buf_text_add(&t->reply, t->refusal.text);
	if (reply)
		*reply = buf_text(&t->reply);
	return status;
}

/* A key that is none, or no secret, is the plugin's mistake. */
static void check_secret(struct testhost *t, const char *key)
{
	char *name = mem_slice(key, strcspn(key, "."));
	const struct pm_key *declared = plugin_key(t->plugin, name);

	if (!declared || !(declared->flags & PM_SECRET))
		fail_msg("hmac: the plugin has no secret %s", name);
	free(name);
}

static const char *host_hmac(struct pm_host *h, const char *key, const char *how, const void *data,
			     size_t len)
{
	struct testhost *t = testhost_of(h);
	char mac[MAC_SIZE];

	check_secret(t, key);
	if (!mac_make(t->plugin, t->values, key, how, data, len, mac))
		return NULL;
	return scratch_text(&t->scratch, mac, strlen(mac));
}

static bool host_hmac_ok(struct pm_host *h, const char *key, const char *how, const void *data,
			 size_t len, const char *mac)
{
	struct testhost *t = testhost_of(h);

	check_secret(t, key);
	return mac_ok(t->plugin, t->values, key, how, data, len, mac);
}

void testhost_http_fill(struct testhost *t)
{
	t->host.http = host_http;
	t->host.finish_by_http = host_finish_by_http;
	t->host.finish_as = host_finish_as;
	t->host.finish_many_by_http = host_finish_many_by_http;
	t->host.listen = host_listen;
	t->host.reply = host_reply;
	t->host.hmac = host_hmac;
	t->host.hmac_ok = host_hmac_ok;
}
