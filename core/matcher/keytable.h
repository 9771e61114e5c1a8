/*
 * keytable - byte strings, each at a place, to a number.
 *
 * A place is a small number that keeps keys of different meaning apart.  Built once, then
 * only read: a lookup that finds nothing mostly touches one word of a filter, which is small
 * enough to stay near the processor while events pass by.
 * The hash of a text is made word by word, so that those of all its prefixes cost one walk.
 */
#ifndef POINTSMAN_MATCHER_KEYTABLE_H
#define POINTSMAN_MATCHER_KEYTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEYTABLE_IN_WORD 16 /* slots that share a word of the filter */

struct key {
	uint32_t at, len; /* in `text` */
	uint32_t place;
	uint32_t value; /* the user's */
};

struct keytable { /* zero-initialised is empty */
	char *text;
	size_t text_len, text_cap;
	struct key *keys;
	size_t n, cap;
	uint8_t *tags;    /* 0: free */
	uint32_t *slots;  /* index into keys */
	size_t mask;      /* slots - 1; 0: none yet */
	uint64_t *filter; /* a word for some slots: two bits of each key that belongs there */
};

/* Room for so many keys from the start. */
void keytable_reserve(struct keytable *t, size_t keys);
/* The key, added with `fresh` as its value if it was not there.  Good until the next. */
struct key *keytable_put(struct keytable *t, uint32_t place, const char *text, size_t len,
			 uint32_t fresh);
void keytable_trim(struct keytable *t); /* gives back what growing left over */
size_t keytable_bytes(const struct keytable *t);
void keytable_free(struct keytable *t);

static inline uint64_t key_mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t key_seed(uint32_t place)
{
	return place * 0x9e3779b97f4a7c15U ^ 0x2545f4914f6cdd1dU;
}

/* One more whole word of the text. */
static inline uint64_t key_word(uint64_t hash, const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return key_mix(hash ^ word, 0xa0761d6478bd642fU);
}

/* Up to seven bytes as a word. */
static inline uint64_t key_tail(const char *p, size_t n)
{
	uint64_t tail = 0;
	uint32_t first, last;

	if (n >= 4) {
		memcpy(&first, p, 4);
		memcpy(&last, p + n - 4, 4);
		return first | (uint64_t)last << (8 * (n - 4));
	}
	for (size_t i = 0; i < n; i++)
		tail |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return tail;
}

/* The hash of a text of `len` bytes, the words before its last len % 8 bytes being in. */
static inline uint64_t key_end(uint64_t hash, const char *tail, size_t len)
{
	return key_mix(hash ^ key_tail(tail, len % 8), 0xe7037ed1a0b428dbU ^ len);
}

static inline uint64_t key_hash(uint32_t place, const char *text, size_t len)
{
	uint64_t hash = key_seed(place);
	const char *p = text;

	for (size_t left = len; left >= 8; left -= 8, p += 8)
		hash = key_word(hash, p);
	return key_end(hash, p, len);
}

static inline uint64_t key_bits(uint64_t hash)
{
	return 1ULL << (hash >> 52 & 63) | 1ULL << (hash >> 46 & 63);
}

/* NULL if it is not there. */
static inline const struct key *keytable_find(const struct keytable *t, uint64_t hash,
					      uint32_t place, const char *text, size_t len)
{
	uint8_t tag = (uint8_t)(hash >> 56) | 1;

	if (!t->mask ||
	    (t->filter[(hash & t->mask) / KEYTABLE_IN_WORD] & key_bits(hash)) != key_bits(hash))
		return NULL;
	for (size_t i = hash & t->mask; t->tags[i]; i = (i + 1) & t->mask) {
		const struct key *k;

		if (t->tags[i] != tag)
			continue;
		k = &t->keys[t->slots[i]];
		if (k->place == place && k->len == len && memcmp(t->text + k->at, text, len) == 0)
			return k;
	}
	return NULL;
}

#endif
