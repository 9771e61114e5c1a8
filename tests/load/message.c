#include "message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *message_header(const struct message *m, const char *name, size_t *len)
{
	const char *end = m->head + m->head_len, *line = m->head, *next;
	size_t n = strlen(name);

	while ((next = memchr(line, '\n', (size_t)(end - line)))) {
		line = next + 1;
		if ((size_t)(end - line) <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
			continue;
		line += n + 1;
		line += strspn(line, " \t");
		*len = strcspn(line, "\r\n");
		return line;
	}
	return NULL;
}

bool message_header_is(const struct message *m, const char *name, const char *value)
{
	size_t len;
	const char *text = message_header(m, name, &len);

	return text && len == strlen(value) && strncasecmp(text, value, len) == 0;
}

enum message_state message_read(const char *data, size_t len, struct message *m)
{
	const char *end = len ? memmem(data, len, "\r\n\r\n", 4) : NULL, *length;
	size_t digits;

	*m = (struct message){.head = data};
	if (!end)
		return MESSAGE_PART;
	m->head_len = (size_t)(end + 4 - data);
	m->body = data + m->head_len;
	if (message_header(m, "Transfer-Encoding", &digits))
		return MESSAGE_BAD;
	length = message_header(m, "Content-Length", &digits);
	m->body_len = length ? strtoul(length, NULL, 10) : 0;
	return len - m->head_len >= m->body_len ? MESSAGE_WHOLE : MESSAGE_PART;
}
