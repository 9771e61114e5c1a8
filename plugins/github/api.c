#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "github.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REDIRECTS      3
#define ANSWER_MOST_KB 16384
#define SECONDARY_MS   (60 * INT64_C(1000))

struct api { /* and the question under way */
	char *url, *etag;
	unsigned redirects;
	api_answer_fn *fn;
	unsigned limited; /* how often in a row without being told for how long */
	int64_t free_at;
};

struct api *api_new(void)
{
	return mem_new(struct api);
}

void api_free(struct api *a)
{
	if (!a)
		return;
	free(a->url);
	free(a->etag);
	free(a);
}

int64_t api_free_at(struct pm_host *h)
{
	return github_of(h)->api->free_at;
}

static void answered(struct pm_host *h, const struct pm_message *m, uint64_t arg);

static void ask(struct pm_host *h)
{
	const struct api *a = github_of(h)->api;
	const char *token = h->str(h, "token");
	char *authorization = mem_format("Authorization: Bearer %s", token);
	char *condition = mem_format("If-None-Match: %s", a->etag ? a->etag : "");
	const char *headers[6] = {"Accept: application/vnd.github+json",
				  "X-GitHub-Api-Version: 2022-11-28", "User-Agent: pointsman"};
	size_t n = 3;

	if (*token)
		headers[n++] = authorization;
	if (a->etag)
		headers[n++] = condition;
	h->http(h, &PM_HTTP(.url = a->url, .headers = headers, .max_kb = ANSWER_MOST_KB), answered,
		0);
	free(condition);
	free(authorization);
}

static void set_question(struct api *a, char *url, const char *etag, api_answer_fn *fn)
{
	free(a->url);
	free(a->etag);
	a->url = url;
	a->etag = mem_text(etag);
	a->redirects = 0;
	a->fn = fn;
}

/* A ref may have any characters but a few; slashes stay. */
static void add_encoded(struct buf *url, const char *path)
{
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("-._~/", *path))
			buf_char(url, *path);
		else
			buf_printf(url, "%%%02X", (unsigned char)*path);
	}
}

void api_ask(struct pm_host *h, const char *path, const char *etag, api_answer_fn *fn)
{
	struct buf url = {0};

	buf_printf(&url, "%s/repos/%s/", h->str(h, "api"), h->str(h, "repository"));
	add_encoded(&url, path);
	buf_text_add(&url, "?per_page=100");
	set_question(github_of(h)->api, buf_take(&url), etag, fn);
	ask(h);
}

void api_ask_page(struct pm_host *h, const char *url, api_answer_fn *fn)
{
	set_question(github_of(h)->api, mem_text(url), NULL, fn);
	ask(h);
}

/* Scheme, host and port. */
static size_t origin(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : 0;
}

static bool same_origin(const char *a, const char *b)
{
	size_t n = origin(a);

	return n > 0 && n == origin(b) && strncasecmp(a, b, n) == 0;
}

/* The URL of rel="next" in a Link header; the caller's.  NULL: none, or on another host. */
static char *next_page(struct pm_host *h, const struct pm_message *m)
{
	const char *link = m->header(m, "Link"), *api = h->str(h, "api");

	while (link && (link = strchr(link, '<'))) {
		size_t n = strcspn(link + 1, ">");
		const char *rest = link + 1 + n;
		const char *rel = strstr(rest, "rel=\"next\"");

		if (rel && rel < rest + strcspn(rest, ",")) {
			char *url = mem_slice(link + 1, n);

			if (same_origin(url, api))
				return url;
			free(url);
			return NULL;
		}
		link = rest;
	}
	return NULL;
}

static void give(struct pm_host *h, const struct api_answer *answer)
{
	github_of(h)->api->fn(h, answer);
}

static void fail(struct pm_host *h, const char *what)
{
	struct err why;

	err_set(&why, "GET %s: %s", github_of(h)->api->url, what);
	give(h, &(struct api_answer){.result = API_FAILED, .why = why.text});
}

static void follow(struct pm_host *h, const struct pm_message *m)
{
	struct api *a = github_of(h)->api;
	const char *to = m->header(m, "Location");

	if (!to || !same_origin(to, a->url)) {
		fail(h, "it redirects to another host, which is not given the token");
	} else if (++a->redirects > REDIRECTS) {
		fail(h, "it redirects for ever");
	} else {
		h->log(h, PM_WARN, "%s has moved to %s: was the repository renamed?", a->url, to);
		free(a->url);
		a->url = mem_text(to);
		ask(h);
	}
}

static int64_t seconds(const struct pm_message *m, const char *header)
{
	const char *value = m->header(m, header);

	return value ? strtoll(value, NULL, 10) : -1;
}

/* When the limit is used up, GitHub says when it begins anew; for a secondary one it may say
 * how long to wait, or nothing: then a minute, and longer each time. */
static int64_t limited_until(struct pm_host *h, const struct pm_message *m)
{
	struct api *a = github_of(h)->api;
	int64_t now = h->now(h), after = seconds(m, "Retry-After"), until;

	if (after >= 0)
		until = now + after * 1000;
	else if (seconds(m, "X-RateLimit-Remaining") == 0 && seconds(m, "X-RateLimit-Reset") > 0)
		until = seconds(m, "X-RateLimit-Reset") * 1000;
	else if (m->status == 429 || strcasestr(m->body, "rate limit"))
		until = now + (SECONDARY_MS << (a->limited < 4 ? a->limited++ : 4));
	else
		return 0;
	if (until > now + API_PAUSE_MOST_MS)
		until = now + API_PAUSE_MOST_MS;
	return until > now ? until : now + 1000;
}

static void refused(struct pm_host *h, const struct pm_message *m)
{
	struct api *a = github_of(h)->api;
	int64_t until = limited_until(h, m);
	struct err why;

	if (!until) {
		fail(h, "403: the token may not read this repository");
		return;
	}
	a->free_at = until;
	err_set(&why, "GitHub's rate limit is used up; asked again in %lld s",
		(long long)(until - h->now(h)) / 1000);
	give(h, &(struct api_answer){.result = API_LIMITED, .why = why.text});
}

static void good(struct pm_host *h, const struct pm_message *m)
{
	struct api *a = github_of(h)->api;
	json_t *body = json_loadb(m->body, m->body_len, 0, NULL);
	char *next = next_page(h, m);

	a->limited = 0;
	if (seconds(m, "X-RateLimit-Remaining") == 0)
		a->free_at = limited_until(h, m);
	if (json_is_array(body))
		give(h, &(struct api_answer){.result = API_GOOD,
					     .body = body,
					     .next = next,
					     .etag = m->header(m, "ETag")});
	else
		fail(h, "200, but not a list of refs");
	free(next);
	json_decref(body);
}

static void empty_repository(struct pm_host *h)
{
	json_t *none = json_array();

	give(h, &(struct api_answer){.result = API_GOOD, .body = none});
	json_decref(none);
}

static void answered(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct err what;

	(void)arg;
	switch (m->status) {
	case 200: good(h, m); return;
	case 301:
	case 302:
	case 307:
	case 308: follow(h, m); return;
	case 304: give(h, &(struct api_answer){.result = API_UNCHANGED}); return;
	case 409: empty_repository(h); return;
	case 403:
	case 429: refused(h, m); return;
	case 0: err_set(&what, "no answer: %s", m->error); break;
	case 401: err_set(&what, "401: the token is wrong or has expired"); break;
	case 404:
		err_set(&what, "404: there is no such repository, or the token may not see it");
		break;
	default: err_set(&what, "%d", m->status);
	}
	fail(h, what.text);
}
