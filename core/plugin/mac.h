/*
 * mac - HMACs under an instance's secrets, as hmac() and hmac_ok() of plugin.h have them.
 *
 * A secret "whsec_.." stands for the bytes of its base64, as Standard Webhooks writes it.
 */
#ifndef POINTSMAN_PLUGIN_MAC_H
#define POINTSMAN_PLUGIN_MAC_H

#include "plugin/values.h"

#define MAC_SIZE 65 /* of the longest, in hex, and a NUL */

/* Under the secret of `key`, the first of a list, or the n-th as "key.n".  False if there is
 * none, or no `how` of that name. */
bool mac_make(const struct plugin *plugin, const struct values *values, const char *key,
	      const char *how, const void *data, size_t len, char out[MAC_SIZE]);
/* Does it come from any secret of `key`?  Takes the same time whichever it is. */
bool mac_ok(const struct plugin *plugin, const struct values *values, const char *key,
	    const char *how, const void *data, size_t len, const char *mac);

#endif
