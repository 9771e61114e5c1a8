/*
 * resolve - ask the secrets plugins for every reference of a configuration.
 *
 * `check --resolve`: the one kind of check that contacts somebody.  Runs the secrets
 * sections alone, on a journal of its own that is thrown away.
 */
#ifndef POINTSMAN_CLI_RESOLVE_H
#define POINTSMAN_CLI_RESOLVE_H

#include "config/config.h"
#include "plugin/loader.h"

/* Reports what could not be resolved.  Ends when every reference has a value or a reason why
 * not, and after 30 s at the latest. */
bool resolve_secrets(const struct config *config, struct loader *loader, struct report *report);

#endif
