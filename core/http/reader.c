#include "http/reader.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REQUEST_LINE, FIELDS, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILERS, OVER };

static enum http_reading refuse(struct http_reader *r, int status)
{
	r->refusal = status;
	r->state = OVER;
	return HTTP_REFUSED;
}

static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return len > 0;
}

static bool is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* "http://host/path", as a proxy is asked, means "/path". */
static const char *origin_form(const char *target)
{
	const char *scheme = strstr(target, "://");

	if (*target == '/')
		return target;
	if (!scheme || (strncasecmp(target, "http://", 7) && strncasecmp(target, "https://", 8)))
		return NULL;
	scheme += 3;
	return scheme[strcspn(scheme, "/")] ? scheme + strcspn(scheme, "/") : "/";
}

static enum http_reading read_request_line(struct http_reader *r, char *line)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
	const char *path;

	if (!version || !is_token(line, (size_t)(target - line)))
		return refuse(r, 400);
	*target++ = *version++ = '\0';
	path = origin_form(target);
	if (!path || strncmp(version, "HTTP/", 5) != 0)
		return refuse(r, 400);
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return refuse(r, 505);
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return refuse(r, 400);
	}
	r->method = mem_text(line);
	r->target = mem_text(path);
	r->path = mem_slice(path, strcspn(path, "?"));
	r->keep_alive = r->is_11 = version[7] == '1';
	r->state = FIELDS;
	return HTTP_MORE;
}

static bool read_length(struct http_reader *r, const char *value)
{
	if (r->has_length || r->is_chunked || !*value)
		return false;
	for (r->left = 0; *value; value++) {
		if (*value < '0' || *value > '9' || r->left > UINT64_MAX / 100)
			return false;
		r->left = r->left * 10 + (uint64_t)(*value - '0');
	}
	r->has_length = true;
	return true;
}

static enum http_reading note_field(struct http_reader *r, const char *name, const char *value)
{
	if (strcasecmp(name, "content-length") == 0)
		return read_length(r, value) ? HTTP_MORE : refuse(r, 400);
	if (strcasecmp(name, "host") == 0)
		return http_reader_field(r, "host") ? refuse(r, 400) : HTTP_MORE;
	if (strcasecmp(name, "transfer-encoding") == 0) {
		if (r->has_length || r->is_chunked)
			return refuse(r, 400);
		r->is_chunked = true;
		return strcasecmp(value, "chunked") == 0 ? HTTP_MORE : refuse(r, 501);
	}
	if (strcasecmp(name, "connection") == 0 && strcasestr(value, "close"))
		r->keep_alive = false;
	if (strcasecmp(name, "expect") == 0 && strcasecmp(value, "100-continue") == 0)
		r->wants_continue = true;
	return HTTP_MORE;
}

static enum http_reading read_field(struct http_reader *r, char *line, bool is_trailer)
{
	char *value = strchr(line, ':');
	size_t len;

	if (!value || !is_token(line, (size_t)(value - line)))
		return refuse(r, 400);
	*value++ = '\0';
	value += strspn(value, " \t");
	for (len = strlen(value); len > 0 && strchr(" \t", value[len - 1]); len--)
		value[len - 1] = '\0';
	if (is_trailer)
		return HTTP_MORE;
	if (note_field(r, line, value) == HTTP_REFUSED)
		return HTTP_REFUSED;
	buf_add(&r->fields, line, strlen(line) + 1);
	buf_add(&r->fields, value, len + 1);
	return HTTP_MORE;
}

static enum http_reading end_head(struct http_reader *r)
{
	if (r->is_11 ? !http_reader_field(r, "host") : r->is_chunked)
		return refuse(r, 400);
	if (r->has_length && r->left > r->max_body)
		return refuse(r, 413);
	if (!r->is_chunked && r->left == 0) {
		r->state = OVER;
		return HTTP_WHOLE;
	}
	r->state = r->is_chunked ? CHUNK_SIZE : BODY;
	r->wants_continue = r->wants_continue && r->is_11;
	return HTTP_BODY;
}

/* Extensions after `;` mean nothing to us. */
static enum http_reading read_chunk_size(struct http_reader *r, const char *line)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	/* strtoull() alone would take the x of "0x10", where others read a 0. */
	if (digits == 0 || digits > 15 || (line[digits] && !strchr("; \t", line[digits])))
		return refuse(r, 400);
	r->left = strtoull(line, NULL, 16);
	if (r->left > r->max_body - r->body.len)
		return refuse(r, 413);
	r->state = r->left ? CHUNK_DATA : TRAILERS;
	return HTTP_MORE;
}

static enum http_reading read_line(struct http_reader *r, char *line, size_t len)
{
	if (strlen(line) != len || !is_printable(line, len))
		return refuse(r, 400);
	switch (r->state) {
	case REQUEST_LINE:
		if (*line)
			return read_request_line(r, line);
		r->head_bytes = 0; /* some senders put an empty line after a body */
		return HTTP_MORE;
	case FIELDS: return *line ? read_field(r, line, false) : end_head(r);
	case CHUNK_SIZE: return read_chunk_size(r, line);
	case CHUNK_END: r->state = CHUNK_SIZE; return *line ? refuse(r, 400) : HTTP_MORE;
	default: /* TRAILERS */
		if (*line)
			return read_field(r, line, true);
		r->state = OVER;
		return HTTP_WHOLE;
	}
}

static enum http_reading feed_line(struct http_reader *r, const char *data, size_t len,
				   size_t *used)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t)(end - data) + 1 : len;
	enum http_reading reading;

	*used += n;
	r->head_bytes += n;
	if (r->head_bytes > r->max_head)
		return refuse(r, 431);
	buf_add(&r->line, data, n);
	if (!end)
		return HTTP_MORE;
	buf_cut(&r->line, r->line.len - 1);
	if (r->line.len && r->line.data[r->line.len - 1] == '\r')
		buf_cut(&r->line, r->line.len - 1);
	reading = read_line(r, r->line.data, r->line.len);
	buf_cut(&r->line, 0);
	return reading;
}

static enum http_reading feed_body(struct http_reader *r, const char *data, size_t len,
				   size_t *used)
{
	size_t n = len < r->left ? len : (size_t)r->left;

	if (r->state == BODY)
		buf_room(&r->body, (size_t)r->left);
	buf_add(&r->body, data, n);
	*used += n;
	r->left -= n;
	if (r->left > 0)
		return HTTP_MORE;
	if (r->state == CHUNK_DATA) {
		/* Sizes of chunks are bounded by the chunks they announce. */
		r->head_bytes = 0;
		r->state = CHUNK_END;
		return HTTP_MORE;
	}
	r->state = OVER;
	return HTTP_WHOLE;
}

enum http_reading http_reader_feed(struct http_reader *r, const char *data, size_t len,
				   size_t *used)
{
	enum http_reading reading = r->refusal ? HTTP_REFUSED : HTTP_MORE;

	*used = 0;
	while (reading == HTTP_MORE && *used < len) {
		if (r->state == BODY || r->state == CHUNK_DATA)
			reading = feed_body(r, data + *used, len - *used, used);
		else
			reading = feed_line(r, data + *used, len - *used, used);
	}
	return reading;
}

bool http_reader_began(const struct http_reader *r)
{
	return r->head_bytes > 0 || r->method;
}

const char *http_reader_field(const struct http_reader *r, const char *name)
{
	const char *p = r->fields.data, *end = p ? p + r->fields.len : p;

	while (p < end) {
		const char *value = p + strlen(p) + 1;

		if (strcasecmp(p, name) == 0)
			return value;
		p = value + strlen(value) + 1;
	}
	return NULL;
}

void http_reader_clear(struct http_reader *r)
{
	free(r->method);
	free(r->path);
	free(r->target);
	buf_free(&r->fields);
	buf_free(&r->body);
	buf_free(&r->line);
	*r = (struct http_reader){.max_head = r->max_head, .max_body = r->max_body};
}
