/*
 * api - GitHub's REST API, asked politely.
 *
 * One question at a time.  Knows the limits (primary and secondary) and when asking is free
 * again; follows a repository that moved, but never takes the token to another host.
 */
#ifndef GITHUB_API_H
#define GITHUB_API_H

#include <jansson.h>
#include <pointsman/plugin.h>

struct api;

struct api *api_new(void);
void api_free(struct api *a); /* NULL is fine */

enum api_result {
	API_GOOD,      /* `body` is a list */
	API_UNCHANGED, /* since `etag` */
	API_LIMITED,   /* not before api_free_at() */
	API_FAILED,
};

struct api_answer { /* good until the function returns */
	enum api_result result;
	const char *why; /* of the last two: what was asked, and what went wrong */
	const json_t *body;
	const char *etag; /* or NULL */
	const char *next; /* the next page, or NULL */
};
typedef void api_answer_fn(struct pm_host *h, const struct api_answer *answer);

/* Ask for a list at `path` below the repository; `etag` or NULL. */
void api_ask(struct pm_host *h, const char *path, const char *etag, api_answer_fn *fn);
/* Ask for a further page. */
void api_ask_page(struct pm_host *h, const char *url, api_answer_fn *fn);

#define API_PAUSE_MOST_MS (3600 * INT64_C(1000))
int64_t api_free_at(struct pm_host *h); /* 0: at any time; API_PAUSE_MOST_MS away at most */

#endif
