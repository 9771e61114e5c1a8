/*
 * message - what is sent to Slack, kept within what Slack takes.
 *
 * Limits: a text of 40,000 characters, 50 blocks, 3,000 characters in a section's text, 150 in
 * a header.  What is longer is cut, with an ellipsis: a message that is cut tells more than
 * one that is refused.
 */
#ifndef SLACK_MESSAGE_H
#define SLACK_MESSAGE_H

#include <jansson.h>
#include <pointsman/plugin.h>

#define SLACK_TEXT    40000
#define SLACK_SECTION 3000
#define SLACK_HEADER  150
#define SLACK_BLOCKS  50

/* A copy of at most `most` characters, the caller's; no character and no entity (&amp;) is
 * cut in two, blanks and colons at the end are dropped. */
char *message_cut(const char *text, size_t most);

/* {"text": .., "blocks": ..} for the delivery; the caller's.  NULL: the delivery has ended,
 * a value was absent or `blocks` is no list. */
json_t *message_new(struct pm_host *h, pm_delivery d, bool with_blocks);

#endif
