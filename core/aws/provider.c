#include "aws/provider.h"

#include "aws/call.h"
#include "aws/errand.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INSTANCE_MS  1000
#define CONTAINER_MS 2000
#define STS_MS       15000
#define MAX_TOKEN    ((64 << 10) - 1) /* bytes of a file with a token */
#define ROLES_PATH   "/latest/meta-data/iam/security-credentials/"

struct provider {
	struct aws *aws;
	struct http_client *network;
	struct chain chain;
	size_t nassumed;
	struct keys keys;
	struct errand *errand;
	uint64_t call;       /* of STS; 0: none */
	char *session_token; /* of the instance metadata service */
	struct err err;
	provider_done_fn *done;
	void *arg;
};

static void provider_free(struct provider *p)
{
	chain_free(&p->chain);
	keys_free(&p->keys);
	free(p->session_token);
	free(p);
}

void provider_drop(struct provider *p)
{
	if (!p)
		return;
	errand_drop(p->errand);
	if (p->call)
		aws_drop(p->aws, p->call);
	provider_free(p);
}

static void finish(struct provider *p, bool ok)
{
	p->done(ok ? &p->keys : NULL, p->err.text, p->arg);
	provider_free(p);
}

static void read_answer_of(struct provider *p, const struct http_answer *a, struct err *err)
{
	if (a->status == 0)
		err_set(err, "%s", a->error);
	else
		err_set(err, "status %d: %.*s", a->status, (int)strcspn(a->body, "\r\n"), a->body);
	err_prefix(err, "%s", p->chain.where);
}

/* Most machines that get this far are simply not on EC2. */
static void fail_instance(struct provider *p, const struct http_answer *a)
{
	read_answer_of(p, a, &p->err);
	err_prefix(&p->err,
		   "no credentials for AWS: none in the environment, the shared files, web "
		   "identity or container variables, and none from");
	finish(p, false);
}

static void assume_next(struct provider *p);

static void take_json(struct provider *p, const struct http_answer *a)
{
	if (keys_from_json(a->body, a->body_len, &p->keys, &p->err)) {
		assume_next(p);
		return;
	}
	err_prefix(&p->err, "no credentials for AWS: %s", p->chain.where);
	finish(p, false);
}

static void ask_instance(struct provider *p, const char *path, http_done_fn *done)
{
	char *url = mem_format("%s%s", p->chain.url, path);
	char *header = mem_format("x-aws-ec2-metadata-token: %s", p->session_token);
	const char *const headers[] = {header, NULL};

	p->errand = errand_send(
		p->network,
		&(struct http_request){
			.url = url, .headers = headers, .timeout_ms = INSTANCE_MS, .direct = true},
		done, p);
	free(header);
	free(url);
}

static void on_instance_keys(const struct http_answer *a, void *arg)
{
	struct provider *p = arg;

	p->errand = NULL;
	if (a->status == 200)
		take_json(p, a);
	else
		fail_instance(p, a);
}

static void on_instance_role(const struct http_answer *a, void *arg)
{
	struct provider *p = arg;
	size_t n = strcspn(a->body, "\r\n");
	struct buf path = {0};

	p->errand = NULL;
	if (a->status != 200 || n == 0) {
		fail_instance(p, a);
		return;
	}
	buf_text_add(&path, ROLES_PATH);
	http_encode(&path, a->body, n, "");
	ask_instance(p, buf_text(&path), on_instance_keys);
	buf_free(&path);
}

static void on_instance_token(const struct http_answer *a, void *arg)
{
	struct provider *p = arg;

	p->errand = NULL;
	if (a->status != 200) {
		fail_instance(p, a);
		return;
	}
	p->session_token = mem_slice(a->body, strcspn(a->body, "\r\n"));
	ask_instance(p, ROLES_PATH, on_instance_role);
}

static void start_instance(struct provider *p)
{
	static const char *const headers[] = {"x-aws-ec2-metadata-token-ttl-seconds: 21600", NULL};
	char *url = mem_format("%s/latest/api/token", p->chain.url);

	p->errand = errand_send(p->network,
				&(struct http_request){.method = "PUT",
						       .url = url,
						       .headers = headers,
						       .timeout_ms = INSTANCE_MS,
						       .direct = true},
				on_instance_token, p);
	free(url);
}

/* The whole file without the line break at its end, or NULL with *err filled. */
static char *read_token(const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	struct buf text = {0};
	bool read;

	if (!file) {
		err_set(err, "%s cannot be read: %s", path, strerror(errno));
		return NULL;
	}
	read = buf_read(&text, file, MAX_TOKEN);
	if (!read)
		err_set(err, "%s cannot be read: %s", path, strerror(errno));
	fclose(file);
	while (text.len > 0 && strchr("\r\n \t", text.data[text.len - 1]))
		buf_cut(&text, text.len - 1);
	if (read && text.len == 0)
		err_set(err, "%s is empty", path);
	return read && text.len ? buf_take(&text) : (buf_free(&text), NULL);
}

static void on_container(const struct http_answer *a, void *arg)
{
	struct provider *p = arg;

	p->errand = NULL;
	if (a->status == 200) {
		take_json(p, a);
		return;
	}
	read_answer_of(p, a, &p->err);
	err_prefix(&p->err, "no credentials for AWS");
	finish(p, false);
}

static bool start_container(struct provider *p)
{
	char *token = mem_text(p->chain.authorization), *header = NULL;
	const char *headers[] = {NULL, NULL};

	if (p->chain.token_file) {
		token = read_token(p->chain.token_file, &p->err);
		if (!token)
			return false;
	}
	if (token)
		headers[0] = header = mem_format("Authorization: %s", token);
	p->errand = errand_send(
		p->network,
		&(struct http_request){.url = p->chain.url,
				       .headers = headers,
				       .timeout_ms = CONTAINER_MS,
				       .direct = strncasecmp(p->chain.url, "http:", 5) == 0},
		on_container, p);
	free(header);
	free(token);
	return true;
}

static void add_field(struct buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(form, "&%s=", name);
	http_encode(form, value, strlen(value), "");
}

static void ask_sts(struct provider *p, const char *action, const struct chain_role *role,
		    const char *identity, const struct keys *keys, http_done_fn *done)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded; charset=utf-8", NULL};
	char seconds[32];
	struct buf form = {0};

	snprintf(seconds, sizeof seconds, "%lld", (long long)role->seconds);
	buf_printf(&form, "Action=%s&Version=2011-06-15", action);
	add_field(&form, "RoleArn", role->arn);
	add_field(&form, "RoleSessionName", role->session);
	add_field(&form, "ExternalId", role->external_id);
	add_field(&form, "DurationSeconds", role->seconds ? seconds : NULL);
	add_field(&form, "WebIdentityToken", identity);
	p->call = aws_send_as(p->aws,
			      &(struct aws_request){.service = "sts",
						    .path = "/",
						    .headers = headers,
						    .body = form.data,
						    .body_len = form.len,
						    .timeout_ms = STS_MS},
			      keys, done, p);
	buf_free(&form);
}

static bool take_sts(struct provider *p, const struct http_answer *a, const char *arn)
{
	struct keys keys;
	struct aws_error e;

	p->call = 0;
	aws_read(a, &e);
	if (a->status == 200 && keys_from_xml(a->body, a->body_len, &keys, &p->err)) {
		keys_free(&p->keys);
		p->keys = keys;
		return true;
	}
	if (a->status == 0)
		err_set(&p->err, "%s", a->error);
	else if (a->status != 200)
		err_set(&p->err, "%s: %s", e.name[0] ? e.name : "an error without a name",
			e.message);
	err_prefix(&p->err, "no credentials for AWS: STS did not give the role %s (%s)", arn,
		   p->chain.where);
	return false;
}

static void on_web(const struct http_answer *a, void *arg)
{
	struct provider *p = arg;

	if (take_sts(p, a, p->chain.web.arn))
		assume_next(p);
	else
		finish(p, false);
}

static bool start_web(struct provider *p)
{
	char *identity = read_token(p->chain.token_file, &p->err);

	if (!identity)
		return false;
	ask_sts(p, "AssumeRoleWithWebIdentity", &p->chain.web, identity, NULL, on_web);
	explicit_bzero(identity, strlen(identity));
	free(identity);
	return true;
}

static void on_assumed(const struct http_answer *a, void *arg)
{
	struct provider *p = arg;

	if (take_sts(p, a, p->chain.roles[p->nassumed].arn)) {
		p->nassumed++;
		assume_next(p);
	} else {
		finish(p, false);
	}
}

static void assume_next(struct provider *p)
{
	if (p->nassumed == p->chain.nroles)
		finish(p, true);
	else
		ask_sts(p, "AssumeRole", &p->chain.roles[p->nassumed], NULL, &p->keys, on_assumed);
}

static bool start(struct provider *p)
{
	switch (p->chain.source) {
	case CHAIN_WEB: return start_web(p);
	case CHAIN_CONTAINER: return start_container(p);
	case CHAIN_INSTANCE: start_instance(p); return true;
	default: break;
	}
	p->keys = (struct keys){mem_text(p->chain.key_id), mem_text(p->chain.secret),
				mem_text(p->chain.token), 0};
	assume_next(p);
	return true;
}

struct provider *provider_start(struct aws *a, struct http_client *network, struct chain *chain,
				provider_done_fn *done, void *arg, struct err *err)
{
	struct provider *p = mem_new(struct provider);

	*p = (struct provider){
		.aws = a, .network = network, .chain = *chain, .done = done, .arg = arg};
	*chain = (struct chain){0};
	if (start(p))
		return p;
	err_set(err, "no credentials for AWS: %s: %s", p->chain.where, p->err.text);
	provider_free(p);
	return NULL;
}
