/*
 * eventbridge - a rule of EventBridge as a [rule] section.
 *
 * Reads what `aws events describe-rule` prints, what `put-rule --cli-input-json` takes, a
 * resource of CloudFormation or its properties, or an event pattern alone.
 */
#ifndef POINTSMAN_CLI_EVENTBRIDGE_H
#define POINTSMAN_CLI_EVENTBRIDGE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

/* Adds the section, with comments on what is left to do.  False with *err, and the offset of
 * the mistake in *at.  `text` must be fit for json_check_repeats(). */
bool eventbridge_section(const char *text, size_t len, struct buf *out, size_t *at,
			 struct err *err);

#endif
