#include "http/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LAST_SECOND INT64_C(253402300799) /* of the year 9999 */

bool http_answer_header(const struct http_answer *answer, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);
	const char *line = answer->headers, *end;

	for (; line && *line; line = end[0] ? end + 2 : end) {
		end = strstr(line, "\r\n");
		end = end ? end : line + strlen(line);
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		snprintf(out, size, "%.*s", line < end ? (int)(end - line) : 0, line);
		return true;
	}
	return false;
}

void http_encode(struct buf *out, const char *text, size_t len, const char *keep)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain =
			(c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (plain || (c && (strchr("-._~", c) || strchr(keep, c))))
			buf_char(out, text[i]);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* curl_getdate() would take "-5" for a day, and knows years of ten digits. */
int64_t http_date(const char *value)
{
	int64_t at = isalpha((unsigned char)*value) ? (int64_t)curl_getdate(value, NULL) : -1;

	return at < 0 || at > LAST_SECOND ? -1 : at * 1000;
}

int64_t http_retry_after(const char *value, int64_t now_wall)
{
	int64_t seconds = 0, at;

	value += strspn(value, " \t");
	if (isdigit((unsigned char)*value)) {
		for (; isdigit((unsigned char)*value); value++)
			seconds = seconds < 1000000000 ? seconds * 10 + (*value - '0') : seconds;
		return *value ? -1 : seconds * 1000;
	}
	at = http_date(value);
	if (at < 0)
		return -1;
	return at > now_wall ? at - now_wall : 0;
}
