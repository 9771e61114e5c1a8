/*
 * verbs - what `pointsman VERB` does.  Each returns an exit status of sysexits.h.
 */
#ifndef POINTSMAN_CLI_VERBS_H
#define POINTSMAN_CLI_VERBS_H

#include "cli/options.h"

int verb_run(const struct options *o);
int verb_check(const struct options *o);
int verb_explain(const struct options *o);
int verb_types(const struct options *o);
int verb_match(const struct options *o);
int verb_init(const struct options *o);
int verb_test(const struct options *o);
int verb_send(const struct options *o);
int verb_status(const struct options *o);
int verb_events(const struct options *o);  /* list, show, save */
int events_save(const struct options *o);  /* of it: verb_save.c */
int verb_replay(const struct options *o);  /* --against, --to */
int replay_to(const struct options *o);    /* of it: verb_replay_to.c */
int verb_dlq(const struct options *o);     /* list, show, retry, drop */
int verb_plugins(const struct options *o); /* list, describe */

#endif
