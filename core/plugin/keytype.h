/*
 * keytype - what a key's type and limit make of a text.
 *
 * `text` is one value: for a list, one element.  References are resolved already.
 */
#ifndef POINTSMAN_PLUGIN_KEYTYPE_H
#define POINTSMAN_PLUGIN_KEYTYPE_H

#include "base/err.h"
#include "event/template.h"
#include "plugin/abi.h"

bool keytype_known(int32_t type);
const char *keytype_name(int32_t type); /* "duration", .. for people */
/* Is it filled in from events?  Then *kind says how. */
bool keytype_is_template(int32_t type, enum template_kind *kind);
/* May its value be any text, ` ;` included? */
bool keytype_is_text(int32_t type);

/* Number as num() gives it, 0 where there is none; false with *err if the text is not of
 * the type, or outside the limit.  Templates are not parsed here. */
bool keytype_number(const struct pm_key *key, const char *text, int64_t *number, struct err *err);

/* Is the limit itself one that the type understands? */
bool keytype_limit(const struct pm_key *key, struct err *err);

#endif
