/* A byte for the status, then the body of an answer of AWS: a verdict, and texts that are one line
 * of whole characters, from the core's reader and from that of plugins, which agree about
 * the name. */
#include "aws/error.h"
#include "awserror.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"

#include <string.h>

static const char *no_header(const struct pm_message *m, const char *name)
{
	(void)m;
	(void)name;
	return NULL;
}

static bool sayable(const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	return utf8_valid(text, strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 301, 400, 403, 404, 409, 429, 500, 503};
	struct aws_reply reply = {0};
	struct pm_message m = {.size = sizeof m, .error = "", .header = no_header};
	struct aws_error error;
	struct awserror plain;
	struct err why = {{0}};
	enum aws_verdict verdict;
	char *body;

	if (!size)
		return 0;
	body = mem_slice((const char *)data + 1, size - 1);
	m.status = reply.status = statuses[data[0] % 9];
	m.body = reply.body = body;
	m.body_len = reply.body_len = size - 1;
	verdict = aws_error_read(&reply, &error);
	PROMISE(verdict != AWS_OK || reply.status == 200);
	PROMISE(sayable(error.name) && sayable(error.message) && sayable(error.region));
	awserror_read(&m, &plain);
	awserror_text(&plain, &why);
	PROMISE(*why.text && sayable(why.text) && sayable(plain.name));
	if (*plain.name && reply.status != 200)
		PROMISE(strcmp(plain.name, error.name) == 0);
	free(body);
	return 0;
}
