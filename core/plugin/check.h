/*
 * check - everything that can be known to be wrong before anything runs.
 *
 * Goes over a loaded configuration with the plugins' tables: every section's keys, the
 * plugin's own check(), and the types of the whole: a rule nobody can trigger, a path that
 * no event of its types has, a target whose `needs` are not met, a template with a bad
 * path, `group-by` with nothing to keep apart, a cycle of rules through what actions emit,
 * unknown names with the nearest.  Contacts nobody.
 */
#ifndef POINTSMAN_PLUGIN_CHECK_H
#define POINTSMAN_PLUGIN_CHECK_H

#include "config/config.h"
#include "plugin/loader.h"

void check_config(const struct config *config, struct loader *loader, struct report *report);

#endif
