/*
 * difference - between what was decided of an event and what another plan decides.
 *
 * An object, for --json and for people alike:
 *   seq (null: a firing that there was not), at, type, subject, source
 *   gained, lost: [{target, rule, place, why}]; `place` is FILE:LINE of the other configuration
 *   firing: "new", "lost" or "other events", in what a rule with inputs, a window or a count makes
 *   verdicts: [{rule, input, was, now}], if they were asked for
 */
#ifndef POINTSMAN_CLI_DIFFERENCE_H
#define POINTSMAN_CLI_DIFFERENCE_H

#include "cli/numbering.h"
#include "route/replay.h"

/* NULL: there is none. */
json_t *difference_of(const struct replay_result *r, const struct plan *plan,
		      const struct numbering *names, bool verdicts);
void difference_print(json_t *difference);

#endif
