/* slack - tell a Slack channel: by an incoming webhook, or as an app that updates its messages. */
#include "base/buf.h"
#include "base/mem.h"
#include "message.h"
#include "posted.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"url", PM_URL, PM_SECRET, NULL, NULL, "An incoming webhook: https://hooks.slack.com/.."},
	{"token", PM_STRING, PM_SECRET, NULL, NULL,
	 "The token of an app (xoxb-..), instead of `url`: its messages can be updated."},
	{"channel", PM_TEMPLATE, 0, NULL, NULL, "With `token`: the channel, its name or id."},
	{"text", PM_XML_TEMPLATE, 0, NULL, NULL,
	 "What is said, in Slack's markup; the default depends on the event's type."},
	{"blocks", PM_JSON_TEMPLATE, 0, NULL, NULL,
	 "A list of Slack's blocks, shown instead of `text`, which then serves notifications."},
	{"update-by", PM_TEMPLATE, 0, "{{ data.build | or(\"\") }}", NULL,
	 "With `token`: events for which this is the same, and not empty, share one message."},
	{"api", PM_URL, 0, "https://slack.com/api", NULL, "Address of Slack's Web API."},
	{0},
};

/* Slack's words for what passes; all else is final. */
#define PASSING                                                                                    \
	"ratelimited rate_limited internal_error fatal_error service_unavailable "                 \
	"request_timeout team_added_to_org invalid_auth token_expired"

static bool check(struct pm_host *h)
{
	bool url = *h->str(h, "url"), token = *h->str(h, "token");
	const char *wrong = NULL;

	if (url == token)
		wrong = "set `url` (an incoming webhook), or `token` and `channel`";
	else if (token && !*h->str(h, "channel"))
		wrong = "`token` needs a `channel`";
	if (wrong)
		h->log(h, PM_ERROR, "%s", wrong);
	return !wrong;
}

/* Of plain text, as webhooks answer, or of the Web API's `error`. */
static bool says(struct pm_host *h, const struct pm_message *m, const char *word)
{
	const char *error = h->find(h, m->body, m->body_len, "error");

	return strcmp(error ? error : m->body, word) == 0;
}

static void send_json(struct pm_host *h, pm_delivery d, const char *url, json_t *message,
		      pm_done_fn *done)
{
	const char *token = h->str(h, "token");
	char *body = json_dumps(message, JSON_COMPACT);
	char *authorization = mem_format("Authorization: Bearer %s", token);
	const char *headers[] = {"Content-Type: application/json; charset=utf-8",
				 *token ? authorization : NULL, NULL};

	h->http(h,
		&PM_HTTP(.url = url, .headers = headers, .body = body, .delivery = d,
			 .ok = *token ? "ok" : NULL, .again = PASSING),
		done, d);
	free(authorization);
	free(body);
	json_decref(message);
}

static void call(struct pm_host *h, pm_delivery d, const char *method, json_t *message,
		 pm_done_fn *done)
{
	char *url = mem_format("%s/%s", h->str(h, "api"), method);

	send_json(h, d, url, message, done);
	free(url);
}

/* Slack has a hidden limit for all blocks together: then the text must do. */
static bool is_too_long(struct pm_host *h, const struct pm_message *m)
{
	return says(h, m, "msg_blocks_too_long");
}

static bool is_word(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");

	return n > 0 && n < 64 && text[n] == '\0';
}

/* 200 without "ok": a word of Slack's is final, anything else did not come from Slack. */
static void finish_strange(struct pm_host *h, pm_delivery d, const char *answer)
{
	char *why = mem_format("the webhook answered 200 and \"%.100s\" instead of ok", answer);

	for (char *p = why; *p; p++) {
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	}
	h->finish(h, d, is_word(answer) ? PM_REJECT : PM_RETRY, why);
	free(why);
}

static void hooked_plain(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	if (m->status == 200 && strcmp(m->body, "ok") != 0)
		finish_strange(h, d, m->body);
	else
		h->finish_as(h, d, m);
}

static void hook(struct pm_host *h, pm_delivery d, bool with_blocks, pm_done_fn *done)
{
	json_t *message = message_new(h, d, with_blocks);

	if (message)
		send_json(h, d, h->str(h, "url"), message, done);
}

static void hooked(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	if (is_too_long(h, m))
		hook(h, d, false, hooked_plain);
	else
		hooked_plain(h, m, d);
}

static bool copy(char *out, size_t size, const char *text)
{
	return text && (size_t)snprintf(out, size, "%s", text) < size;
}

static void posted_plain(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	const char *about = h->render(h, d, "update-by");
	struct posted p;

	if (about && *about &&
	    copy(p.channel, sizeof p.channel, h->find(h, m->body, m->body_len, "channel")) &&
	    copy(p.ts, sizeof p.ts, h->find(h, m->body, m->body_len, "ts")))
		posted_keep(h, about, &p);
	h->finish_as(h, d, m);
}

static void post(struct pm_host *h, pm_delivery d, bool with_blocks, pm_done_fn *done)
{
	const char *channel = h->render(h, d, "channel");
	json_t *message = channel ? message_new(h, d, with_blocks) : NULL;

	if (!message)
		return;
	json_object_set_new(message, "channel", json_string(channel));
	call(h, d, "chat.postMessage", message, done);
}

static void posted(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	if (is_too_long(h, m))
		post(h, d, false, posted_plain);
	else
		posted_plain(h, m, d);
}

static void update(struct pm_host *h, pm_delivery d, const struct posted *p, bool with_blocks,
		   pm_done_fn *done)
{
	json_t *message = message_new(h, d, with_blocks);

	if (!message)
		return;
	json_object_set_new(message, "channel", json_string(p->channel));
	json_object_set_new(message, "ts", json_string(p->ts));
	/* Without this the blocks of the message before would stay. */
	if (!json_object_get(message, "blocks"))
		json_object_set_new(message, "blocks", json_array());
	call(h, d, "chat.update", message, done);
}

/* Deleted, too old to edit, or not ours: say it in a new one. */
static bool cannot_be_updated(struct pm_host *h, const struct pm_message *m)
{
	static const char *const words[] = {"message_not_found", "cant_update_message",
					    "edit_window_closed"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (says(h, m, words[i]))
			return true;
	}
	return false;
}

static void updated_plain(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	const char *about = h->render(h, d, "update-by");

	if (!about || !cannot_be_updated(h, m)) {
		h->finish_as(h, d, m);
		return;
	}
	posted_forget(h, about);
	post(h, d, true, posted);
}

static void updated(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	const char *about = h->render(h, d, "update-by");
	struct posted p;

	if (about && is_too_long(h, m) && posted_find(h, about, &p))
		update(h, d, &p, false, updated_plain);
	else
		updated_plain(h, m, d);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	const char *about;
	struct posted p;

	if (*h->str(h, "url")) {
		hook(h, d, true, hooked);
		return;
	}
	about = h->render(h, d, "update-by");
	if (!about)
		return;
	if (*about && posted_find(h, about, &p))
		update(h, d, &p, true, updated);
	else
		post(h, d, true, posted);
}

PM_PLUGIN(.kind = PM_SINK, .name = "slack", .version = "1.0",
	  .summary = "Tell a Slack channel, and keep what was told up to date.", .keys = keys,
	  .check = check, .deliver = deliver);
