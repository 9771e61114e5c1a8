/*
 * hash - digests and short hashes.
 *
 * hash64() is stable over runs and machines (it is stored), not meant against attackers.
 * The rest is libcrypto's.
 */
#ifndef POINTSMAN_BASE_HASH_H
#define POINTSMAN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *data, size_t len, uint64_t seed);

void hash_sha256(const void *data, size_t len, unsigned char out[32]);
/* The same, for who needs many: what it takes to make one is kept.  One thread at a time. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_free(struct hasher *h);
void hasher_sha256(struct hasher *h, const void *data, size_t len, unsigned char out[32]);
void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		      unsigned char out[32]);
void hash_hmac_sha1(const void *key, size_t key_len, const void *data, size_t len,
		    unsigned char out[20]);
/* Lower-case hex of n bytes and a NUL: out has room for 2 * n + 1. */
void hash_hex(const unsigned char *bytes, size_t n, char *out);

#endif
