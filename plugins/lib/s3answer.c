#include "s3answer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *s3answer_bare(const char *text, char *out, size_t size)
{
	size_t len = strlen(text);
	int quoted = len > 1 && text[0] == '"' && text[len - 1] == '"';

	snprintf(out, size, "%.*s", (int)(quoted ? len - 2 : len), text + quoted);
	return out;
}

/* S3 makes them of ASCII; others would make no event. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

const char *s3answer_etag(const struct pm_message *m, char *out, size_t size)
{
	const char *etag = m->header(m, "ETag");

	return etag && *etag && is_plain(etag) ? s3answer_bare(etag, out, size) : NULL;
}

const char *s3answer_version(const struct pm_message *m)
{
	const char *version = m->header(m, "x-amz-version-id");

	return version && *version && is_plain(version) && strcmp(version, "null") != 0 ? version
											: NULL;
}
