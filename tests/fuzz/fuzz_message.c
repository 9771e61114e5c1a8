/* Any text as the body of a message of SQS about a bucket: changes that name bucket and key, or a
 * message why not; two lines as sequencers, whose order is one. */
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "message.h"

#include <string.h>

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void check_order(const char *a, const char *b)
{
	char *longer = mem_format("%s00", a);

	PROMISE(message_compare(a, a) == 0 && message_compare(a, longer) == 0);
	PROMISE(sign(message_compare(a, b)) == -sign(message_compare(b, a)));
	PROMISE(sign(message_compare(longer, b)) == sign(message_compare(a, b)));
	free(longer);
}

static void check_change(const struct change *c)
{
	const struct object *o = &c->object;

	PROMISE(o->bucket && o->key);
	PROMISE(o->size >= -1);
	PROMISE(!o->version || *o->version);
	PROMISE(!o->modified || utf8_valid(o->modified, strlen(o->modified)));
}

static void check_time(const char *text)
{
	char out[32];
	const char *time = object_http_time(text, out);

	PROMISE(!time || (time == out && strlen(out) == 24 && out[23] == 'Z'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *body = mem_slice((const char *)data, size), *line = strchr(body, '\n'), *key;
	struct message m;
	struct err err = {{0}};

	if (message_read(body, &m, &err)) {
		PROMISE(m.n + m.ignored > 0 || strstr(body, "Records"));
		for (size_t i = 0; i < m.n; i++)
			check_change(&m.changes[i]);
	} else {
		PROMISE(*err.text);
	}
	message_free(&m);
	check_time(body);
	key = object_decoded_key(body);
	PROMISE(strlen(key) <= strlen(body));
	free(key);
	if (line) {
		*line = '\0';
		check_order(body, line + 1);
	}
	free(body);
	return 0;
}
