/*
 * cost - what the rules of a configuration cost, for `check --cost`.
 *
 * Text for people, or JSON lines: one object for each rule, or each input of it,
 *   {"rule","input","way","field","ways","tests","left","states"}
 * and last one for all, {"rules","bytes"}.  `way` is how its events are found: "looked up",
 * "searched", "ordered", "matched", "present", "compared" or "asked"; docs/operations.md says
 * what each means.
 */
#ifndef POINTSMAN_CLI_COST_H
#define POINTSMAN_CLI_COST_H

#include "config/config.h"

#include <stdbool.h>

/* False after saying on standard error why the rules do not compile. */
bool cost_print(const struct config *config, bool json);

#endif
