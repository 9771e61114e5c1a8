#include "plugin/mac.h"

#include "base/hash.h"
#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct secret_bytes {
	unsigned char *bytes;
	size_t len;
};

/* Standard Webhooks writes keys as whsec_ and base64. */
static struct secret_bytes secret_bytes(const char *text)
{
	static const char prefix[] = "whsec_";
	struct secret_bytes s = {(unsigned char *)mem_text(text), strlen(text)};
	size_t skip = sizeof prefix - 1, pad = 0;
	int n;

	if (strncmp(text, prefix, skip) != 0 || (s.len - skip) % 4 != 0)
		return s;
	while (pad < 2 && text[s.len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock(s.bytes, (const unsigned char *)text + skip, (int)(s.len - skip));
	if (n < 0) {
		memcpy(s.bytes, text, s.len);
		return s;
	}
	s.len = (size_t)n - pad;
	return s;
}

static bool compute(const char *secret, const char *how, const void *data, size_t len,
		    char out[MAC_SIZE])
{
	struct secret_bytes key = secret_bytes(secret);
	unsigned char mac[32];
	bool known = true;

	if (strcmp(how, "sha256-hex") == 0) {
		hash_hmac_sha256(key.bytes, key.len, data, len, mac);
		hash_hex(mac, 32, out);
	} else if (strcmp(how, "sha256-base64") == 0) {
		hash_hmac_sha256(key.bytes, key.len, data, len, mac);
		EVP_EncodeBlock((unsigned char *)out, mac, 32);
	} else if (strcmp(how, "sha1-hex") == 0) {
		hash_hmac_sha1(key.bytes, key.len, data, len, mac);
		hash_hex(mac, 20, out);
	} else {
		known = false;
	}
	explicit_bzero(key.bytes, key.len);
	free(key.bytes);
	return known;
}

/* The n-th secret of a key, whether it is a list or not. */
static const char *nth_secret(const struct plugin *plugin, const struct values *values,
			      const char *key, uint32_t n)
{
	const struct pm_key *declared = plugin_key(plugin, key);
	const char *text;

	if (!declared)
		return NULL;
	if (declared->flags & PM_LIST)
		return values_nth(values, key, n, NULL);
	text = n == 0 ? values_str(values, key, NULL) : NULL;
	return text && *text ? text : NULL;
}

bool mac_make(const struct plugin *plugin, const struct values *values, const char *key,
	      const char *how, const void *data, size_t len, char out[MAC_SIZE])
{
	const char *dot = strrchr(key, '.');
	char *name = dot ? mem_slice(key, (size_t)(dot - key)) : mem_text(key);
	uint32_t n = dot ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0;
	const char *secret = nth_secret(plugin, values, name, n);

	free(name);
	return secret && compute(secret, how, data, len, out);
}

bool mac_ok(const struct plugin *plugin, const struct values *values, const char *key,
	    const char *how, const void *data, size_t len, const char *mac)
{
	char expected[MAC_SIZE];
	const char *secret;
	bool good = false;

	/* Every secret is tried, so that the time tells nothing. */
	for (uint32_t n = 0; (secret = nth_secret(plugin, values, key, n)); n++) {
		if (compute(secret, how, data, len, expected) && strlen(mac) == strlen(expected) &&
		    CRYPTO_memcmp(mac, expected, strlen(expected)) == 0)
			good = true;
	}
	return good;
}
