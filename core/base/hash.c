#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define KEY_1 0x9e3779b97f4a7c15U
#define KEY_2 0xe9846af9b1a615dU

/* Both halves of the product: every bit of it depends on every bit of a and b. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	wide product = (wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Up to eight bytes, little-endian on every machine, because the result is stored. */
static uint64_t word_at(const unsigned char *p, size_t len)
{
	uint64_t word = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(&word, p, len);
#else
	for (size_t i = len; i-- > 0;)
		word = word << 8 | p[i];
#endif
	return word;
}

uint64_t hash64(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = fold(seed ^ KEY_1, len + KEY_2);
	size_t half;

	for (; len > 16; p += 16, len -= 16)
		h = fold(word_at(p, 8) ^ KEY_1, word_at(p + 8, 8) ^ h);
	half = len < 8 ? len : 8;
	if (len)
		h = fold(word_at(p, half) ^ KEY_1, word_at(p + half, len - half) ^ h);
	return fold(h ^ KEY_2, KEY_1);
}

/* Looking the algorithm up costs more than a short digest does. */
static const EVP_MD *sha256(void)
{
	static _Atomic(EVP_MD *) fetched;
	EVP_MD *md = atomic_load(&fetched), *none = NULL;

	if (md)
		return md;
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!md)
		abort(); /* only a broken libcrypto gets here */
	if (!atomic_compare_exchange_strong(&fetched, &none, md)) {
		EVP_MD_free(md);
		md = none;
	}
	return md;
}

void hash_sha256(const void *data, size_t len, unsigned char out[32])
{
	unsigned int n = 0;

	if (EVP_Digest(data, len, out, &n, sha256(), NULL) != 1)
		abort();
}

/* It is all libcrypto's. */
static EVP_MD_CTX *context_of(struct hasher *h)
{
	return (EVP_MD_CTX *)(void *)h;
}

struct hasher *hasher_new(void)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || EVP_DigestInit_ex2(context, sha256(), NULL) != 1)
		abort();
	return (struct hasher *)(void *)context;
}

void hasher_free(struct hasher *h)
{
	EVP_MD_CTX_free(context_of(h));
}

void hasher_sha256(struct hasher *h, const void *data, size_t len, unsigned char out[32])
{
	EVP_MD_CTX *context = context_of(h);

	if (EVP_DigestInit_ex2(context, NULL, NULL) != 1 ||
	    EVP_DigestUpdate(context, data, len) != 1 ||
	    EVP_DigestFinal_ex(context, out, NULL) != 1)
		abort();
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
