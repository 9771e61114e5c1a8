#include "rules/regexset.h"

#include "base/hash.h"
#include "base/mem.h"
#include "rules/regwalk.h"
#include "json/utf8.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ASCII 128

struct regexset {
	struct regnfa nfa;
	uint32_t *ids; /* of each expression */
	size_t ids_cap;
	uint64_t serial;        /* no two sets have the same */
	uint8_t columns[ASCII]; /* characters that no expression tells apart share one */
	size_t ncolumns;
};

struct regexset_draft {
	struct regexset *set;
};

/* A state of the automaton is known by its place in `words`, where it has
 *
 *   LINK     the next state of the same bucket, 0 behind the last
 *   HASH     of the set of states of the machine it stands for
 *   LENGTH   in bytes, of that set as it is written at the end
 *   MATCHES  how many expressions match if the text ends here
 *   NEXT     for each column the next state
 *
 * then the ids of those expressions, then the set. */
enum { LINK, HASH, LENGTH, MATCHES, NEXT };

/* What is no state: in NEXT one not yet asked for; none that can match; one not kept. */
enum { UNKNOWN, DEAD, NO_ROOM, FIRST };

#define BUCKETS 1024
#define STEPS   256

/* Emptying the cache is worth while if each state was used so often since the last time. */
#define WORTH 8

struct regexset_cache {
	uint64_t serial; /* of the set it belongs to */
	uint32_t *words;
	size_t used, size, max;
	uint32_t start; /* or UNKNOWN */
	uint32_t buckets[BUCKETS];
	struct step { /* characters beyond ASCII have no column: the steps last taken with them */
		uint32_t from, cp, to;
	} steps[STEPS];
	struct regwalk walk;
	uint8_t *code;    /* a set as it is written */
	uint64_t walked;  /* bytes since the cache was last emptied */
	size_t made;      /* states since then */
	unsigned emptied; /* how often */
};

struct regexset_draft *regexset_draft(void)
{
	struct regexset_draft *d = mem_new(struct regexset_draft);

	d->set = mem_new(struct regexset);
	return d;
}

bool regexset_add(struct regexset_draft *d, const struct iregexp *re, uint32_t id)
{
	struct regexset *s = d->set;

	if (s->nfa.n + iregexp_states(re)->n > REGEXSET_MAX_STATES)
		return false;
	mem_room(s->ids, s->nfa.nstarts, s->ids_cap);
	s->ids[s->nfa.nstarts] = id;
	regnfa_append(&s->nfa, iregexp_states(re));
	return true;
}

/* Put characters that are in `set` and those that are not into different columns. */
static void split(struct regexset *s, const uint64_t set[2])
{
	uint8_t renamed[ASCII][2];
	size_t n = 0;

	memset(renamed, ASCII, sizeof renamed);
	for (unsigned c = 0; c < ASCII; c++) {
		uint8_t *name = &renamed[s->columns[c]][set[c / 64] >> (c % 64) & 1];

		if (*name == ASCII)
			*name = (uint8_t)n++;
		s->columns[c] = *name;
	}
	s->ncolumns = n;
}

static void make_columns(struct regexset *s)
{
	uint64_t single[2] = {0, 0};

	s->ncolumns = 1;
	for (uint32_t i = 0; i < s->nfa.n; i++) {
		uint32_t c = regnfa_number(&s->nfa, i);

		if (regnfa_op(&s->nfa, i) == REGOP_CHARACTER && c < ASCII)
			single[c / 64] |= (uint64_t)1 << (c % 64);
	}
	for (unsigned c = 0; c < ASCII; c++) {
		uint64_t one[2] = {0, 0};

		one[c / 64] = single[c / 64] & (uint64_t)1 << (c % 64);
		if (one[c / 64])
			split(s, one);
	}
	for (size_t i = 0; i < s->nfa.nclasses && s->ncolumns < ASCII; i++)
		split(s, s->nfa.classes[i].ascii);
}

struct regexset *regexset_build(struct regexset_draft *d)
{
	static atomic_uint_fast64_t serial;
	struct regexset *s = d->set;

	free(d);
	regnfa_trim(&s->nfa);
	s->ids_cap = s->nfa.nstarts;
	s->ids = mem_grow(s->ids, s->ids_cap, sizeof *s->ids);
	make_columns(s);
	s->serial = atomic_fetch_add(&serial, 1) + 1;
	return s;
}

void regexset_free(struct regexset *s)
{
	if (!s)
		return;
	regnfa_free(&s->nfa);
	free(s->ids);
	free(s);
}

size_t regexset_bytes(const struct regexset *s)
{
	return sizeof *s + regnfa_bytes(&s->nfa) + s->ids_cap * sizeof *s->ids;
}

static void cache_free(struct regexset_cache *c)
{
	if (!c)
		return;
	regwalk_free(&c->walk);
	free(c->words);
	free(c->code);
	free(c);
}

void regexset_memory_free(struct regexset_memory *m)
{
	cache_free(m->cache);
	m->cache = NULL;
}

static struct regexset_cache *cache_of(struct regexset_memory *m, const struct regexset *s)
{
	size_t max = m->max_bytes ? m->max_bytes : REGEXSET_CACHE_BYTES;
	struct regexset_cache *c = m->cache;

	if (c && c->serial == s->serial)
		return c;
	cache_free(c);
	m->cache = c = mem_new(struct regexset_cache);
	c->serial = s->serial;
	c->max = max > sizeof *c ? (max - sizeof *c) / sizeof *c->words : 0;
	c->max = c->max < UINT32_MAX ? c->max : UINT32_MAX;
	c->used = FIRST;
	/* A number takes no more bytes than it is large, and together they count up to the
	 * last state. */
	c->code = mem_zero(s->nfa.n);
	return c;
}

struct walker { /* through one text */
	const struct regexset *set;
	struct regexset_cache *cache;
	const char *at, *end;
	const char *counted; /* up to here in cache->walked */
};

static void count(struct walker *w)
{
	w->cache->walked += (uint64_t)(w->at - w->counted);
	w->counted = w->at;
}

/* The set of states the walk is in: how far each is from the one before, seven bits a byte. */
static size_t encode(struct regexset_cache *c)
{
	uint32_t last = UINT32_MAX; /* one before 0 */
	size_t len = 0;

	for (size_t i = 0; i < c->walk.n; i++) {
		uint32_t step = c->walk.states[i] - last;

		for (; step >= 0x80; step >>= 7)
			c->code[len++] = (uint8_t)(step | 0x80);
		c->code[len++] = (uint8_t)step;
		last = c->walk.states[i];
	}
	return len;
}

static const uint8_t *set_of(const struct regexset *s, const uint32_t *state)
{
	return (const uint8_t *)(state + NEXT + s->ncolumns + state[MATCHES]);
}

static void decode(const struct regexset *s, struct regexset_cache *c, uint32_t state)
{
	const uint8_t *p = set_of(s, c->words + state), *end = p + c->words[state + LENGTH];
	uint32_t last = UINT32_MAX;

	for (c->walk.n = 0; p < end; c->walk.states[c->walk.n++] = last) {
		unsigned shift = 0;

		for (; *p >= 0x80; shift += 7)
			last += (uint32_t)(*p++ & 0x7f) << shift;
		last += (uint32_t)*p++ << shift;
	}
}

static bool reserve(struct regexset_cache *c, size_t n)
{
	size_t size = c->size ? c->size : 1024;

	if (n > c->max - c->used)
		return false;
	while (size < c->used + n)
		size *= 2;
	size = size < c->max ? size : c->max;
	if (size > c->size) {
		c->words = mem_grow(c->words, size, sizeof *c->words);
		c->size = size;
	}
	return true;
}

/* False if it was hardly used since the last time: it does not help with this text. */
static bool empty(struct walker *w)
{
	struct regexset_cache *c = w->cache;
	bool worth;

	count(w);
	worth = c->walked / WORTH >= c->made;
	memset(c->buckets, 0, sizeof c->buckets);
	memset(c->steps, 0, sizeof c->steps);
	c->used = FIRST;
	c->start = UNKNOWN;
	c->walked = c->made = 0;
	c->emptied++;
	return worth;
}

static bool is_match(const struct walker *w, size_t i)
{
	return regnfa_op(&w->set->nfa, w->cache->walk.states[i]) == REGOP_MATCH;
}

static bool make_room(struct walker *w, size_t n)
{
	struct regexset_cache *c = w->cache;

	if (FIRST + n > c->max)
		return false;
	return reserve(c, n) || (empty(w) && reserve(c, n));
}

static uint32_t make(struct walker *w, uint32_t hash, size_t len)
{
	const struct regexset *s = w->set;
	struct regexset_cache *c = w->cache;
	size_t n = NEXT + s->ncolumns + (len + 3) / 4;
	uint32_t *state, *ids, at;

	for (size_t i = 0; i < c->walk.n; i++)
		n += is_match(w, i);
	if (!make_room(w, n))
		return NO_ROOM;
	at = (uint32_t)c->used;
	state = memset(c->words + at, 0, n * sizeof *state);
	ids = state + NEXT + s->ncolumns;
	for (size_t i = 0; i < c->walk.n; i++) {
		if (is_match(w, i))
			ids[state[MATCHES]++] = s->ids[regnfa_number(&s->nfa, c->walk.states[i])];
	}
	memcpy(ids + state[MATCHES], c->code, len);
	state[LENGTH] = (uint32_t)len;
	state[HASH] = hash;
	state[LINK] = c->buckets[hash % BUCKETS];
	c->buckets[hash % BUCKETS] = at;
	c->used += n;
	c->made++;
	return at;
}

/* The state of the automaton for the states the walk is in. */
static uint32_t state_of_walk(struct walker *w)
{
	struct regexset_cache *c = w->cache;
	size_t len;
	uint32_t hash, at;

	if (!c->walk.n)
		return DEAD;
	len = encode(c);
	hash = (uint32_t)hash64(c->code, len, 0);
	for (at = c->buckets[hash % BUCKETS]; at; at = c->words[at + LINK]) {
		const uint32_t *state = c->words + at;

		if (state[HASH] == hash && state[LENGTH] == len &&
		    memcmp(set_of(w->set, state), c->code, len) == 0)
			return at;
	}
	return make(w, hash, len);
}

static uint32_t start(struct walker *w)
{
	struct regexset_cache *c = w->cache;
	uint32_t at = c->start;

	if (at == UNKNOWN) {
		regwalk_begin(&c->walk, &w->set->nfa);
		at = state_of_walk(w);
		c->start = at == NO_ROOM ? UNKNOWN : at;
	}
	return at;
}

/* Where a character leads for the first time, or one beyond ASCII. */
static uint32_t step(struct walker *w, uint32_t from)
{
	struct regexset_cache *c = w->cache;
	unsigned emptied = c->emptied;
	uint32_t cp, to;
	size_t n = utf8_read(w->at, (size_t)(w->end - w->at), &cp);
	struct step *last = &c->steps[(from * 31 + cp) % STEPS];

	if (!n)
		return DEAD;
	w->at += n;
	if (last->from == from && last->cp == cp)
		return last->to;
	decode(w->set, c, from);
	regwalk_step(&c->walk, &w->set->nfa, cp);
	to = state_of_walk(w);
	if (to == NO_ROOM || c->emptied != emptied)
		return to;
	if (cp < ASCII)
		c->words[from + NEXT + w->set->columns[cp]] = to;
	else
		*last = (struct step){from, cp, to};
	return to;
}

static uint32_t walk(struct walker *w)
{
	uint32_t at = start(w);

	while (at >= FIRST && w->at < w->end) {
		unsigned char c = (unsigned char)*w->at;
		uint32_t to = UNKNOWN;

		if (c < ASCII)
			to = w->cache->words[at + NEXT + w->set->columns[c]];
		if (to == UNKNOWN) {
			at = step(w, at);
		} else {
			at = to;
			w->at++;
		}
	}
	count(w);
	return at;
}

static size_t walk_on_without_cache(struct walker *w, const uint32_t **ids)
{
	struct regwalk *walk = &w->cache->walk;
	size_t n;

	if (!regwalk_text(walk, &w->set->nfa, w->at, (size_t)(w->end - w->at)))
		return 0;
	n = regwalk_end(walk, &w->set->nfa);
	for (size_t i = 0; i < n; i++)
		walk->states[i] = w->set->ids[walk->states[i]];
	*ids = walk->states;
	return n;
}

size_t regexset_match(const struct regexset *s, struct regexset_memory *m, const char *text,
		      size_t len, const uint32_t **ids)
{
	struct regexset_cache *c = cache_of(m, s);
	struct walker w = {s, c, text, text + len, text};
	uint32_t at = walk(&w);

	if (at == NO_ROOM)
		return walk_on_without_cache(&w, ids);
	if (at == DEAD)
		return 0;
	*ids = c->words + at + NEXT + s->ncolumns;
	return c->words[at + MATCHES];
}
