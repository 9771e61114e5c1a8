/*
 * wording - what is said of an event when the configuration says nothing.
 */
#ifndef SLACK_WORDING_H
#define SLACK_WORDING_H

/* The template for events of this type; there is one for every type. */
const char *wording_for(const char *type);

#endif
