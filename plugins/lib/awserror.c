#include "awserror.h"

#include "aws/error.h"

#include <stdio.h>
#include <string.h>

/* What the body says comes first: the header is all there is of an answer to a HEAD. */
void awserror_read(const struct pm_message *m, struct awserror *e)
{
	struct aws_reply reply = {.status = m->status, .body = m->body, .body_len = m->body_len};
	struct aws_error error;

	*e = (struct awserror){.status = m->status};
	if (!m->status) {
		snprintf(e->message, sizeof e->message, "%s", m->error);
		return;
	}
	reply.query_error = m->header(m, "x-amzn-errortype");
	aws_error_read(&reply, &error);
	snprintf(e->name, sizeof e->name, "%s", error.name);
	snprintf(e->message, sizeof e->message, "%s", error.message);
}

bool awserror_is(const struct awserror *e, const char *name)
{
	return strcmp(e->name, name) == 0;
}

void awserror_text(const struct awserror *e, struct err *why)
{
	if (!e->status)
		err_set(why, "no answer: %s", e->message);
	else if (!e->name[0])
		err_set(why, "HTTP %d", (int)e->status);
	else if (!e->message[0])
		err_set(why, "%s (HTTP %d)", e->name, (int)e->status);
	else
		err_set(why, "%s: %s", e->name, e->message);
}

void awserror_why(const struct pm_message *m, const char *what, struct err *why)
{
	struct awserror e;

	awserror_read(m, &e);
	awserror_text(&e, why);
	err_prefix(why, "%s", what);
}
