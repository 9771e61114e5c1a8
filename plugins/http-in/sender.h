/*
 * sender - is the request from somebody who knows the secret?
 */
#ifndef HTTP_IN_SENDER_H
#define HTTP_IN_SENDER_H

#include <pointsman/plugin.h>

/* NULL, or why not, for the sender; the reason is counted, too. */
const char *sender_refused(struct pm_host *h, const struct pm_message *m);

#endif
