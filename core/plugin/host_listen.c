/* Being asked, and knowing who asks. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "plugin/blocking.h"
#include "plugin/host.h"
#include "plugin/outgoing.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listening {
	struct listening *next;
	struct instance *instance;
	char *path;
	pm_inbound_fn *fn;
	uint64_t arg;
};

struct exchange {
	struct http_exchange *http;
	struct listening *listening;
	struct pm_message message;
	char *content_type;
	struct buf body; /* of the answer */
};

static const char *request_header(const struct pm_message *m, const char *name)
{
	/* The host wraps `message` in a struct exchange for this. */
	const struct exchange *x =
		(const struct exchange *)(const void *)((const char *)m -
							offsetof(struct exchange, message));

	return http_exchange_header(x->http, name);
}

static void count_refusal(struct instance *i, int status)
{
	char metric[32];

	snprintf(metric, sizeof metric, "refused_%d", status);
	i->host.count(&i->host, metric, 1);
}

static bool is_plain(const struct exchange *x)
{
	return !x->content_type || strcmp(x->content_type, "text/plain") == 0;
}

static void answer_request(struct instance *i, void *arg)
{
	struct exchange *x = arg;
	int status;

	i->answering = x;
	i->refusal.text[0] = '\0';
	blocking_release(i);
	status = x->listening->fn(&i->host, &x->message, x->listening->arg);
	blocking_take(i);
	i->answering = NULL;
	if (status < 200 || status > 599) {
		log_error("%s: the plugin answered a request with status %d; sent as 500",
			  i->host.instance, status);
		status = 500;
	}
	if (status >= 400) {
		count_refusal(i, status);
		if (*i->refusal.text && is_plain(x))
			buf_printf(&x->body, "%s\n", i->refusal.text);
	}
	outgoing_reply(i, x->http, status, x->content_type ? x->content_type : "text/plain",
		       &x->body);
	free(x->content_type);
	free(x);
}

static void drop_request(void *arg)
{
	struct exchange *x = arg;

	http_reply(x->http, 503, NULL, NULL, 0);
	free(x);
}

static void on_request(struct http_exchange *http, void *arg)
{
	struct listening *l = arg;
	struct exchange *x;

	if (l->instance->state != INSTANCE_READY) {
		http_reply(http, 503, NULL, NULL, 0);
		return;
	}
	x = mem_new(struct exchange);
	x->http = http;
	x->listening = l;
	x->message = (struct pm_message){
		.size = sizeof x->message,
		.method = http_exchange_method(http),
		.path = http_exchange_target(http),
		.error = "",
		.header = request_header,
	};
	x->message.body = http_exchange_body(http, &x->message.body_len);
	instance_run(l->instance, "a request", answer_request, drop_request, x);
}

static bool host_listen(struct pm_host *h, const char *path, pm_inbound_fn *fn, uint64_t arg)
{
	struct instance *i = instance_of(h);
	struct http_server *server = instance_options(i)->server;
	struct listening *l;

	if (!server) {
		h->log(h, PM_ERROR, "it receives requests: set `listen` in [pointsman]");
		return false;
	}
	l = mem_new(struct listening);
	l->instance = i;
	l->path = path ? mem_text(path) : mem_format("/%s", h->instance);
	l->fn = fn;
	l->arg = arg;
	if (!http_server_route(server, l->path, "POST", on_request, l)) {
		h->log(h, PM_ERROR, "path %s is taken by another section", l->path);
		free(l->path);
		free(l);
		return false;
	}
	l->next = i->listening;
	i->listening = l;
	return true;
}

void host_unlisten(struct instance *i)
{
	while (i->listening) {
		struct listening *l = i->listening;

		i->listening = l->next;
		http_server_unroute(instance_options(i)->server, l->path);
		free(l->path);
		free(l);
	}
}

static void host_reply(struct pm_host *h, const char *content_type, const void *body, size_t len)
{
	struct instance *i = instance_of(h);

	if (!i->answering) {
		log_error("%s: reply() outside a request: a bug in the plugin", h->instance);
		return;
	}
	free(i->answering->content_type);
	i->answering->content_type = mem_text(content_type);
	buf_cut(&i->answering->body, 0);
	buf_add(&i->answering->body, body, len);
}

struct secret_bytes {
	unsigned char *bytes;
	size_t len;
};

/* Standard Webhooks writes keys as whsec_ and base64. */
static struct secret_bytes secret_bytes(const char *text)
{
	static const char prefix[] = "whsec_";
	struct secret_bytes s = {(unsigned char *)mem_text(text), strlen(text)};
	size_t skip = sizeof prefix - 1, pad = 0;
	int n;

	if (strncmp(text, prefix, skip) != 0 || (s.len - skip) % 4 != 0)
		return s;
	while (pad < 2 && text[s.len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock(s.bytes, (const unsigned char *)text + skip, (int)(s.len - skip));
	if (n < 0) {
		memcpy(s.bytes, text, s.len);
		return s;
	}
	s.len = (size_t)n - pad;
	return s;
}

static bool compute(const char *secret, const char *how, const void *data, size_t len, char out[65])
{
	struct secret_bytes key = secret_bytes(secret);
	unsigned char mac[32];
	bool known = true;

	if (strcmp(how, "sha256-hex") == 0) {
		hash_hmac_sha256(key.bytes, key.len, data, len, mac);
		hash_hex(mac, 32, out);
	} else if (strcmp(how, "sha256-base64") == 0) {
		hash_hmac_sha256(key.bytes, key.len, data, len, mac);
		EVP_EncodeBlock((unsigned char *)out, mac, 32);
	} else if (strcmp(how, "sha1-hex") == 0) {
		hash_hmac_sha1(key.bytes, key.len, data, len, mac);
		hash_hex(mac, 20, out);
	} else {
		known = false;
	}
	explicit_bzero(key.bytes, key.len);
	free(key.bytes);
	return known;
}

/* The n-th secret of a key, whether it is a list or not. */
static const char *nth_secret(struct instance *i, const char *key, uint32_t n)
{
	const struct pm_key *declared = plugin_key(i->plugin, key);
	const char *text;

	if (!declared)
		return NULL;
	if (declared->flags & PM_LIST)
		return values_nth(i->values, key, n, NULL);
	text = n == 0 ? values_str(i->values, key, NULL) : NULL;
	return text && *text ? text : NULL;
}

static const char *host_hmac(struct pm_host *h, const char *key, const char *how, const void *data,
			     size_t len)
{
	struct instance *i = instance_of(h);
	const char *dot = strrchr(key, '.');
	char *name = dot ? mem_slice(key, (size_t)(dot - key)) : mem_text(key);
	const char *secret = nth_secret(i, name, dot ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0);
	char mac[65];

	free(name);
	if (!secret || !compute(secret, how, data, len, mac))
		return NULL;
	return scratch_text(&i->scratch, mac, strlen(mac));
}

static bool host_hmac_ok(struct pm_host *h, const char *key, const char *how, const void *data,
			 size_t len, const char *mac)
{
	struct instance *i = instance_of(h);
	const char *secret;
	bool good = false;
	char expected[65];

	/* Every secret is tried, so that the time tells nothing. */
	for (uint32_t n = 0; (secret = nth_secret(i, key, n)); n++) {
		if (compute(secret, how, data, len, expected) && strlen(mac) == strlen(expected) &&
		    CRYPTO_memcmp(mac, expected, strlen(expected)) == 0)
			good = true;
	}
	return good;
}

void host_fill_listen(struct pm_host *h)
{
	h->listen = host_listen;
	h->reply = host_reply;
	h->hmac = host_hmac;
	h->hmac_ok = host_hmac_ok;
}
