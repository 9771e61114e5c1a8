#include "plugin/answer.h"

#include "aws/aws.h"
#include "base/mem.h"
#include "json/check.h"
#include "json/find.h"

#include <stdlib.h>
#include <string.h>

static const char *header(const struct pm_message *m, const char *name)
{
	const struct answer_message *message = (const struct answer_message *)(const void *)m;
	char value[4096];

	if (!http_answer_header(message->answer, name, value, sizeof value))
		return NULL;
	return scratch_text(message->scratch, value, strlen(value));
}

void answer_message(struct answer_message *out, const struct http_answer *answer,
		    const struct asked *asked, struct scratch *scratch)
{
	*out = (struct answer_message){
		.public = {.size = sizeof out->public,
			   .status = answer->status,
			   .method = "",
			   .path = "",
			   .error = answer->error,
			   .body = answer->body,
			   .body_len = answer->body_len,
			   .header = header},
		.answer = answer,
		.asked = asked,
		.scratch = scratch,
	};
}

/* The first words of a body, for the person on call: one line, no control characters. */
static void body_words(const struct http_answer *answer, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < answer->body_len && n + 1 < size; i++) {
		unsigned char c = (unsigned char)answer->body[i];

		if (c > ' ')
			out[n++] = (char)c;
		else if (n > 0 && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	while (n > 0 && (out[n - 1] == ' ' || ((unsigned char)out[n - 1] & 0x80)))
		n--;
	out[n] = '\0';
}

static bool in_words(const char *word, const char *words)
{
	size_t len = strlen(word);

	for (const char *w = words; w && *w;) {
		size_t n = strcspn(w, " ");

		if (n == len && strncmp(w, word, n) == 0)
			return true;
		w += n;
		w += strspn(w, " ");
	}
	return false;
}

static void say_status(struct ending *e, const struct http_answer *answer,
		       const struct asked *asked)
{
	char words[161];

	body_words(answer, words, sizeof words);
	if (*words)
		err_set(&e->why, "%d from %s: %s", answer->status, asked->peer, words);
	else
		err_set(&e->why, "%d from %s", answer->status, asked->peer);
}

static void json_word(const struct http_answer *answer, const char *at, struct buf *out)
{
	struct path path;
	size_t used;

	if (!json_check(answer->body, answer->body_len, JSON_MAX_DEPTH, NULL) ||
	    !path_parse(at, strlen(at), &path, &used, NULL))
		return;
	struct json_value v = json_find(answer->body, answer->body_len, &path, 0);

	json_text(&v, out);
	path_free(&path);
}

/* A 2xx whose body must say `ok`: its `error` names why not. */
static void read_ok(struct ending *e, const struct http_answer *answer, const struct asked *asked)
{
	struct buf ok = {0}, error = {0};

	json_word(answer, asked->ok, &ok);
	if (strcmp(buf_text(&ok), "true") != 0) {
		json_word(answer, "error", &error);
		e->result = in_words(buf_text(&error), asked->again) ? LANE_DOWN : LANE_REJECT;
		if (!ok.len && !error.len) {
			e->result = LANE_AGAIN;
			err_set(&e->why, "%d from %s without `%s` in it", answer->status,
				asked->peer, asked->ok);
		} else {
			err_set(&e->why, "%s said %s: %s (%s)", asked->peer, asked->ok,
				buf_text(&ok), error.len ? buf_text(&error) : "no reason given");
		}
	}
	buf_free(&ok);
	buf_free(&error);
}

static void read_aws(struct ending *e, const struct http_answer *answer, const struct asked *asked)
{
	struct aws_error error;
	enum aws_verdict verdict = aws_read(answer, &error);

	if (verdict == AWS_OK)
		return;
	if (verdict == AWS_AGAIN || in_words(error.name, asked->again))
		e->result = error.down ? LANE_DOWN : LANE_AGAIN;
	else
		e->result = LANE_REJECT;
	if (*error.name)
		err_set(&e->why, "%s from %s: %s", error.name, asked->peer,
			*error.message ? error.message : "no message");
	else
		say_status(e, answer, asked);
}

static bool passing(int status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

static void read_plain(struct ending *e, const struct http_answer *answer,
		       const struct asked *asked)
{
	int status = answer->status;
	char word[128];

	if (status >= 200 && status < 300) {
		if (asked->ok)
			read_ok(e, answer, asked);
		return;
	}
	say_status(e, answer, asked);
	e->credentials = status == 401 || status == 403;
	body_words(answer, word, sizeof word);
	if (passing(status) || (e->credentials && asked->has_secrets))
		e->result = LANE_DOWN;
	else if (*word && in_words(word, asked->again))
		e->result = LANE_AGAIN;
	else
		e->result = LANE_REJECT;
}

/* A date to wait for is meant by the clock of the one who named it, and ours may be wrong. */
static int64_t wait_asked(const struct http_answer *answer, int64_t wall)
{
	char after[64], date[64];
	int64_t theirs;

	if (!http_answer_header(answer, "Retry-After", after, sizeof after))
		return -1;
	theirs = http_answer_header(answer, "Date", date, sizeof date) ? http_date(date) : -1;
	return http_retry_after(after, theirs >= 0 ? theirs : wall);
}

struct ending answer_read(const struct http_answer *answer, const struct asked *asked, int64_t wall)
{
	struct ending e = {.result = LANE_OK, .after_ms = -1};

	if (answer->status == 0) {
		e.result = strcmp(answer->error, "cancelled") == 0 ? LANE_AGAIN : LANE_DOWN;
		e.unknown = answer->sent;
		err_set(&e.why, "no answer from %s: %s", asked->peer, answer->error);
		return e;
	}
	if (asked->aws)
		read_aws(&e, answer, asked);
	else
		read_plain(&e, answer, asked);
	if (e.result != LANE_OK)
		e.after_ms = wait_asked(answer, wall);
	return e;
}
