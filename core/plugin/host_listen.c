/* Being asked, and knowing who asks. */
#include "base/log.h"
#include "base/mem.h"
#include "plugin/blocking.h"
#include "plugin/host.h"
#include "plugin/mac.h"
#include "plugin/outgoing.h"

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
	host_count_up(i, metric, 1);
}

static bool is_plain(const struct exchange *x)
{
	return !x->content_type || strcmp(x->content_type, "text/plain") == 0;
}

static void answer_request(struct instance *i, void *arg)
{
	struct exchange *x = arg;
	pm_inbound_fn *fn = x->listening->fn;
	uint64_t number = x->listening->arg;
	int status;

	i->answering = x;
	i->refusal.text[0] = '\0';
	i->room = ROOM_FREE;
	i->admitted = false;
	/* Then the instance may be told to end, and what listened is gone. */
	blocking_release(i);
	status = fn(&i->host, &x->message, number);
	blocking_take(i);
	i->answering = NULL;
	if (status < 200 || status > 599) {
		log_error("%s: the plugin answered a request with status %d; sent as 500",
			  i->host.instance, status);
		status = 500;
	}
	if (status == 503 && i->room == ROOM_SHARE)
		status = 429;
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
	struct err why;

	if (!server) {
		host_trouble(i, "it receives requests: set `listen` in [pointsman]");
		return false;
	}
	l = mem_new(struct listening);
	l->instance = i;
	l->path = path ? mem_text(path) : mem_format("/%s", h->instance);
	l->fn = fn;
	l->arg = arg;
	if (!http_server_route(server, l->path, "POST", on_request, l)) {
		err_set(&why, "path %s is taken by another section", l->path);
		host_trouble(i, why.text);
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

static const char *host_hmac(struct pm_host *h, const char *key, const char *how, const void *data,
			     size_t len)
{
	struct instance *i = instance_of(h);
	char mac[MAC_SIZE];

	if (!mac_make(i->plugin, i->values, key, how, data, len, mac))
		return NULL;
	return scratch_text(&i->scratch, mac, strlen(mac));
}

static bool host_hmac_ok(struct pm_host *h, const char *key, const char *how, const void *data,
			 size_t len, const char *mac)
{
	struct instance *i = instance_of(h);

	return mac_ok(i->plugin, i->values, key, how, data, len, mac);
}

void host_fill_listen(struct pm_host *h)
{
	h->listen = host_listen;
	h->reply = host_reply;
	h->hmac = host_hmac;
	h->hmac_ok = host_hmac_ok;
}
