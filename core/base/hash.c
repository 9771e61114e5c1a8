#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xe9846af9b1a615dU;
	x ^= x >> 32;
	x *= 0xe9846af9b1a615dU;
	x ^= x >> 28;
	return x;
}

/* Eight bytes a step, read in little-endian order on every machine, because the result
 * is stored. */
uint64_t hash64(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = mix(seed + 0x9e3779b97f4a7c15U + len);

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word = 0;

		for (int i = 7; i >= 0; i--)
			word = word << 8 | p[i];
		h = mix(h ^ mix(word + 0x9e3779b97f4a7c15U)) + word;
	}
	for (; len > 0; p++, len--)
		h = mix(h ^ (*p + 0x100U));
	return mix(h);
}

void hash_sha256(const void *data, size_t len, unsigned char out[32])
{
	unsigned int n = 0;

	if (EVP_Digest(data, len, out, &n, EVP_sha256(), NULL) != 1)
		abort(); /* only a broken libcrypto gets here */
}

static void hmac(const EVP_MD *md, const void *key, size_t key_len, const void *data, size_t len,
		 unsigned char *out)
{
	unsigned int n = 0;

	if (!HMAC(md, key, (int)key_len, data, len, out, &n))
		abort();
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		      unsigned char out[32])
{
	hmac(EVP_sha256(), key, key_len, data, len, out);
}

void hash_hmac_sha1(const void *key, size_t key_len, const void *data, size_t len,
		    unsigned char out[20])
{
	hmac(EVP_sha1(), key, key_len, data, len, out);
}

void hash_hex(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}
