/*
 * awserror - what an answer of AWS says went wrong.
 *
 * As aws/error.h reads it, also with the header X-Amzn-ErrorType.  HEAD answers have no body:
 * then there is only the status.
 */
#ifndef POINTSMAN_LIB_AWSERROR_H
#define POINTSMAN_LIB_AWSERROR_H

#include "base/err.h"

#include <pointsman/plugin.h>
#include <stdbool.h>

struct awserror {
	int32_t status;    /* 0: no answer */
	char name[128];    /* "ExpiredIteratorException", "NoSuchKey", or "" */
	char message[300]; /* AWS's words in one line, or why there was no answer, or "" */
};

void awserror_read(const struct pm_message *m, struct awserror *e);
bool awserror_is(const struct awserror *e, const char *name);
/* "ThrottlingException: Rate exceeded", "HTTP 503", "no answer: connection refused". */
void awserror_text(const struct awserror *e, struct err *why);
/* The last two steps in one: "<what>: ThrottlingException: Rate exceeded". */
void awserror_why(const struct pm_message *m, const char *what, struct err *why);

#endif
