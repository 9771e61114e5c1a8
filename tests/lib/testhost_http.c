/* Requests out, requests in, and who may sign. */
#include "testhost_inside.h"

#include "base/hash.h"
#include "base/mem.h"
#include "http/client.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

struct reading { /* an answer or a request, as the plugin reads it */
	struct pm_message message;
	struct testhost *t;
	const char *const *headers;  /* or NULL */
	const struct asking *asking; /* of an answer */
};

static const struct reading *reading_of(const struct pm_message *m)
{
	return (const struct reading *)(const void *)m;
}

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

static const char *message_header(const struct pm_message *m, const char *name)
{
	const struct reading *r = reading_of(m);
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
	free(a->ok);
	free(a->again);
	free(a);
}

static void ask(struct testhost *t, const struct pm_http *given, pm_done_fn *done, uint64_t arg)
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
	a->duty = rq.delivery;
	a->ok = mem_text(rq.ok);
	a->again = mem_text(rq.again);
	a->done = done;
	a->arg = arg;
	while (*at)
		at = &(*at)->next;
	*at = a;
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

	if (!testhost_open_duty(t, seen, "finish_by_http"))
		return;
	memcpy(&rq, given, given->size < sizeof rq ? given->size : sizeof rq);
	rq.size = sizeof rq;
	rq.delivery = seen;
	ask(t, &rq, NULL, 0);
}

static bool in_words(const char *word, const char *words)
{
	size_t len = strlen(word);

	for (const char *w = words ? words : ""; *w;) {
		size_t n = strcspn(w, " ");

		if (n == len && n > 0 && strncmp(w, word, n) == 0)
			return true;
		w += n + strspn(w + n, " ");
	}
	return false;
}

/* Between <Code> and </Code>, or after the last # of `__type` or `code`. */
static void aws_name(const struct reading *r, char out[128])
{
	const char *body = r->message.body, *xml = strstr(body, "<Code>"), *name, *hash;

	*out = '\0';
	if (xml) {
		snprintf(out, 128, "%.*s", (int)strcspn(xml + 6, "<"), xml + 6);
		return;
	}
	name = find_header(r->headers, "x-amzn-ErrorType");
	if (!name)
		name = r->t->host.find(&r->t->host, body, r->message.body_len, "__type | or(\"\")");
	if (!name)
		return;
	hash = strchr(name, '#');
	name = hash ? hash + 1 : name;
	snprintf(out, 128, "%.*s", (int)strcspn(name, ":"), name);
}

static void error_name(const struct reading *r, char out[128])
{
	const char *name;

	if (*r->asking->shown.aws) {
		aws_name(r, out);
		return;
	}
	name = r->t->host.find(&r->t->host, r->message.body, r->message.body_len, "error");
	snprintf(out, 128, "%s", name ? name : (const char *)r->message.body);
}

static bool passing(const struct reading *r)
{
	static const char aws[] =
		"ThrottlingException Throttling TooManyRequestsException SlowDown "
		"RequestLimitExceeded ProvisionedThroughputExceededException "
		"RequestTimeout LimitExceededException InternalFailure";
	int status = r->message.status;
	char name[128];

	error_name(r, name);
	return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500 ||
	       in_words(name, r->asking->again) || (*r->asking->shown.aws && in_words(name, aws));
}

static bool good(const struct reading *r)
{
	const struct pm_message *m = &r->message;
	const char *ok;

	if (m->status < 200 || m->status >= 300)
		return false;
	if (!r->asking->ok)
		return true;
	ok = r->t->host.find(&r->t->host, m->body, m->body_len, r->asking->ok);
	return ok && strcmp(ok, "true") == 0;
}

static void finish_by(struct testhost *t, struct duty *d, const struct reading *r)
{
	const char *after = find_header(r->headers, "Retry-After");
	const struct pm_message *m = &r->message;
	struct err why = {{0}};

	if (good(r)) {
		testhost_end_duty(d, TESTHOST_OK, "", -1);
		return;
	}
	if (m->status == 0)
		err_set(&why, "no answer: %s", m->error);
	else
		err_set(&why, "%d: %s", m->status, (const char *)m->body);
	testhost_end_duty(d, passing(r) ? TESTHOST_RETRY : TESTHOST_REJECT, why.text,
			  after ? http_retry_after(after, t->now) : -1);
}

static void host_finish_as(struct pm_host *h, pm_delivery seen, const struct pm_message *m)
{
	struct testhost *t = testhost_of(h);
	struct duty *d = testhost_open_duty(t, seen, "finish_as");

	if (!reading_of(m)->asking)
		fail_msg("finish_as() with a message that is no answer");
	if (d)
		finish_by(t, d, reading_of(m));
}

static void answer(struct testhost *t, int status, const char *error, const char *const *headers,
		   const char *body)
{
	struct asking *a = t->asking;
	size_t len = strlen(body);
	struct reading r = {
		.message = {.size = sizeof r.message,
			    .status = status,
			    .method = "",
			    .path = "",
			    .error = error,
			    .body = scratch_text(&t->scratch, body, len),
			    .body_len = len,
			    .header = message_header},
		.t = t,
		.headers = headers,
		.asking = a,
	};

	if (!a)
		fail_msg("nothing was asked");
	t->asking = a->next;
	if (a->done)
		a->done(&t->host, &r.message, a->arg);
	else if (testhost_duty(t, a->duty))
		finish_by(t, testhost_duty(t, a->duty), &r);
	testhost_leave(t);
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
	struct reading r = {
		.message = {.size = sizeof r.message,
			    .method = "POST",
			    .error = "",
			    .path = scratch_text(&t->scratch, path, strlen(path)),
			    .body = scratch_text(&t->scratch, body, len),
			    .body_len = len,
			    .header = message_header},
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

/* Standard Webhooks writes secrets as whsec_ and base64. */
static size_t secret_bytes(const char *text, unsigned char *out)
{
	size_t len = strlen(text), pad = 0;
	int n;

	if (strncmp(text, "whsec_", 6) != 0 || (len - 6) % 4 != 0) {
		memcpy(out, text, len);
		return len;
	}
	while (pad < 2 && text[len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock(out, (const unsigned char *)text + 6, (int)len - 6);
	if (n < 0)
		fail_msg("secret %s is not base64", text);
	return (size_t)n - pad;
}

static void sign(const char *secret, const char *how, const void *data, size_t len, char out[65])
{
	unsigned char *key = mem_zero(strlen(secret) + 1), mac[32];
	size_t key_len = secret_bytes(secret, key);

	if (strcmp(how, "sha256-hex") == 0) {
		hash_hmac_sha256(key, key_len, data, len, mac);
		hash_hex(mac, 32, out);
	} else if (strcmp(how, "sha256-base64") == 0) {
		hash_hmac_sha256(key, key_len, data, len, mac);
		EVP_EncodeBlock((unsigned char *)out, mac, 32);
	} else if (strcmp(how, "sha1-hex") == 0) {
		hash_hmac_sha1(key, key_len, data, len, mac);
		hash_hex(mac, 20, out);
	} else {
		fail_msg("hmac: there is no \"%s\"", how);
	}
	free(key);
}

static const char *host_hmac(struct pm_host *h, const char *key, const char *how, const void *data,
			     size_t len)
{
	struct testhost *t = testhost_of(h);
	const char *dot = strrchr(key, '.');
	char *name = dot ? mem_slice(key, (size_t)(dot - key)) : mem_text(key);
	const char *secret = testhost_secret(t, name, dot ? (uint32_t)atoi(dot + 1) : 0);
	char mac[65];

	free(name);
	if (!secret)
		return NULL;
	sign(secret, how, data, len, mac);
	return scratch_text(&t->scratch, mac, strlen(mac));
}

static bool host_hmac_ok(struct pm_host *h, const char *key, const char *how, const void *data,
			 size_t len, const char *mac)
{
	struct testhost *t = testhost_of(h);
	const char *secret;
	bool known = false;
	char expected[65];

	for (uint32_t n = 0; (secret = testhost_secret(t, key, n)); n++) {
		sign(secret, how, data, len, expected);
		known |= strcmp(mac, expected) == 0;
	}
	return known;
}

void testhost_http_fill(struct testhost *t)
{
	t->host.http = host_http;
	t->host.finish_by_http = host_finish_by_http;
	t->host.finish_as = host_finish_as;
	t->host.listen = host_listen;
	t->host.reply = host_reply;
	t->host.hmac = host_hmac;
	t->host.hmac_ok = host_hmac_ok;
}
