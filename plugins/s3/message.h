/*
 * message - what a bucket's notification says, in whichever form it comes.
 *
 * S3's own (also its test event, which says nothing), EventBridge's, and either of them
 * wrapped by SNS.
 */
#ifndef POINTSMAN_S3_MESSAGE_H
#define POINTSMAN_S3_MESSAGE_H

#include "object.h"

#include "base/err.h"

#include <stddef.h>

struct change {
	bool removed;
	struct object object; /* texts belong to the change */
};

struct message {
	struct change *changes;
	size_t n, cap;
	size_t ignored; /* of other kinds: restored, tagged, .. */
};

/* False with *err if it has none of these forms.  Free `out` either way. */
bool message_read(const char *body, struct message *out, struct err *err);
void message_free(struct message *m);

/* Sequencers of one key: hexadecimal texts of any length.  <0 0 >0. */
int message_compare(const char *a, const char *b);

#endif
