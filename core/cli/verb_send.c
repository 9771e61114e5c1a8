#include "cli/client.h"
#include "cli/given.h"
#include "cli/verbs.h"

#include <stdint.h>
#include <stdio.h>
#include <sysexits.h>

/* A request is one line; between the tokens of JSON a line break is a blank, and inside a
 * string there is none. */
static void join_lines(struct buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] == '\n' || text->data[i] == '\r')
			text->data[i] = ' ';
	}
}

static void print_sent(json_t *object, void *arg)
{
	const struct options *o = arg;
	json_int_t seq = json_integer_value(json_object_get(object, "seq"));

	if (o->json)
		printf("{\"seq\":%lld,\"duplicate\":%s}\n", (long long)seq,
		       json_is_true(json_object_get(object, "duplicate")) ? "true" : "false");
	else if (json_is_true(json_object_get(object, "duplicate")))
		printf("known already as event %lld\n", (long long)seq);
	else
		printf("accepted as event %lld\n", (long long)seq);
}

static int send_event(const struct options *o, struct buf *event)
{
	struct client_connection *c;
	struct buf request = {0};
	int status;

	c = client_open(o, &status);
	if (!c)
		return status;
	join_lines(event);
	buf_printf(&request, "{\"verb\":\"send\",\"event\":%s}", buf_text(event));
	status = client_ask_text(c, buf_text(&request), print_sent, (void *)(uintptr_t)o, NULL);
	buf_free(&request);
	client_close(c);
	return status;
}

int verb_send(const struct options *o)
{
	struct buf event = {0};
	int status = given_event(o, o->nwords ? o->words[0] : "-", &event);

	if (status == EX_OK)
		status = send_event(o, &event);
	buf_free(&event);
	return status;
}
