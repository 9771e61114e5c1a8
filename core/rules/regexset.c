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
 *   BASE     a state whose set it is written as the difference from, or 0
 *   LENGTH   in bytes, of the set as it is written at the end
 *   MATCHES  how many expressions match if the text ends here
 *   NEXT     for each column the next state
 *
 * then the ids of those expressions, then the set: how far each member is from the one before,
 * seven bits a byte.  Sets differ little from one character to the next where expressions
 * begin with `.*`, so most are written as what is in one of the two sets only. */
enum { LINK, HASH, BASE, LENGTH, MATCHES, NEXT };

/* What is no state: in NEXT one not yet asked for; none that can match; one not kept. */
enum { UNKNOWN, DEAD, NO_ROOM, FIRST };

#define BUCKETS 1024

/* Emptying the cache is worth while if each state was used so often since the last time. */
#define WORTH 8

struct regexset_cache {
	uint64_t serial; /* of the set it belongs to */
	uint32_t *words;
	size_t used, size, max;
	uint32_t start; /* or UNKNOWN */
	uint32_t buckets[BUCKETS];
	struct step { /* the last ones with characters beyond ASCII, which have no column */
		uint32_t from, cp, to;
	} * steps; /* NULL until there is one */
	size_t nsteps;
	struct regwalk walk;
	uint8_t *code;    /* a set about to be written */
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
	free(c->steps);
	free(c);
}

void regexset_memory_free(struct regexset_memory *m)
{
	cache_free(m->cache);
	m->cache = NULL;
}

/* A sixteenth is for steps beyond ASCII, their number a power of two. */
static void cache_limit(struct regexset_cache *c, size_t max)
{
	size_t fixed = sizeof *c + max / 16, words;

	for (c->nsteps = 1; c->nsteps * 2 * sizeof *c->steps <= max / 16;)
		c->nsteps *= 2;
	words = max > fixed ? (max - fixed) / sizeof *c->words : 0;
	c->max = words < UINT32_MAX ? words : UINT32_MAX;
}

static struct regexset_cache *cache_of(struct regexset_memory *m, const struct regexset *s)
{
	struct regexset_cache *c = m->cache;

	if (c && c->serial == s->serial)
		return c;
	cache_free(c);
	m->cache = c = mem_new(struct regexset_cache);
	c->serial = s->serial;
	cache_limit(c, m->max_bytes ? m->max_bytes : REGEXSET_CACHE_BYTES);
	c->used = FIRST;
	/* A distance takes no more bytes than it is large, and together they are at most as
	 * large as the last state. */
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

struct members { /* of a set as it is written: the one at hand, if there is one */
	const uint8_t *next, *end;
	uint32_t state;
	bool more;
};

static void members_next(struct members *m)
{
	m->more = m->next < m->end;
	if (!m->more)
		return;
	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = *m->next++;

		m->state += (uint32_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return;
	}
}

static struct members members_of(const struct walker *w, uint32_t at)
{
	struct members m = {.state = UINT32_MAX}; /* one before 0 */

	if (at != UNKNOWN) {
		const uint32_t *state = w->cache->words + at;

		m.next = (const uint8_t *)(state + NEXT + w->set->ncolumns + state[MATCHES]);
		m.end = m.next + state[LENGTH];
		members_next(&m);
	}
	return m;
}

struct reader { /* of the set of a state */
	struct members own, base;
};

static struct reader reader_of(const struct walker *w, uint32_t at)
{
	return (struct reader){members_of(w, at), members_of(w, w->cache->words[at + BASE])};
}

static bool read_state(struct reader *r, uint32_t *state)
{
	struct members *first;

	while (r->own.more && r->base.more && r->own.state == r->base.state) {
		members_next(&r->own);
		members_next(&r->base);
	}
	first = !r->base.more || (r->own.more && r->own.state < r->base.state) ? &r->own : &r->base;
	if (!first->more)
		return false;
	*state = first->state;
	members_next(first);
	return true;
}

static void resume(struct walker *w, uint32_t at)
{
	struct regwalk *walk = &w->cache->walk;
	struct reader r = reader_of(w, at);

	for (walk->n = 0; read_state(&r, &walk->states[walk->n]);)
		walk->n++;
}

static bool stands_for_walk(const struct walker *w, uint32_t at)
{
	const struct regwalk *walk = &w->cache->walk;
	struct reader r = reader_of(w, at);
	uint32_t state;
	size_t n = 0;

	while (read_state(&r, &state)) {
		if (n == walk->n || walk->states[n++] != state)
			return false;
	}
	return n == walk->n;
}

/* Write the set of the walk as its difference from that of `base`, which has no base itself. */
static size_t write_walk(struct walker *w, uint32_t base)
{
	const struct regwalk *walk = &w->cache->walk;
	struct members m = members_of(w, base);
	uint32_t last = UINT32_MAX;
	size_t len = 0;

	for (size_t i = 0; i < walk->n || m.more;) {
		bool of_walk = i < walk->n && (!m.more || walk->states[i] <= m.state);
		bool of_base = m.more && (i == walk->n || m.state <= walk->states[i]);
		uint32_t state = of_walk ? walk->states[i] : m.state;

		i += of_walk;
		if (of_base)
			members_next(&m);
		if (of_walk && of_base)
			continue;
		for (last = state - last; last >= 0x80; last >>= 7)
			w->cache->code[len++] = (uint8_t)(last | 0x80);
		w->cache->code[len++] = (uint8_t)last;
		last = state;
	}
	return len;
}

static bool reserve(struct regexset_cache *c, size_t n)
{
	size_t size = c->size ? c->size : 1024;

	if (c->used + n > c->max)
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
	free(c->steps);
	c->steps = NULL;
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

static void fill(struct walker *w, uint32_t *state, size_t len)
{
	const struct regexset *s = w->set;
	const struct regwalk *walk = &w->cache->walk;
	uint32_t *ids = state + NEXT + s->ncolumns;

	state[LENGTH] = (uint32_t)len;
	for (size_t i = 0; i < walk->n; i++) {
		if (is_match(w, i))
			ids[state[MATCHES]++] = s->ids[regnfa_number(&s->nfa, walk->states[i])];
	}
	memcpy(ids + state[MATCHES], w->cache->code, len);
}

/* A new state for where the walk is. */
static uint32_t make(struct walker *w, uint32_t base, uint32_t hash)
{
	struct regexset_cache *c = w->cache;
	size_t len = write_walk(w, base), n;
	uint32_t *state, at = (uint32_t)c->used;

	if (base != UNKNOWN && len > c->walk.n / 2)
		return make(w, UNKNOWN, hash);
	n = NEXT + w->set->ncolumns + (len + 3) / 4;
	for (size_t i = 0; i < c->walk.n; i++)
		n += is_match(w, i);
	if (!reserve(c, n))
		return at > FIRST && empty(w) ? make(w, UNKNOWN, hash) : NO_ROOM;
	state = memset(c->words + at, 0, n * sizeof *state);
	fill(w, state, len);
	state[BASE] = base;
	state[HASH] = hash;
	state[LINK] = c->buckets[hash % BUCKETS];
	c->buckets[hash % BUCKETS] = at;
	c->used += n;
	c->made++;
	return at;
}

/* The state of the automaton for where the walk is, which came from the state `from`. */
static uint32_t state_of_walk(struct walker *w, uint32_t from)
{
	struct regexset_cache *c = w->cache;
	uint32_t hash, at, base = from;

	if (!c->walk.n)
		return DEAD;
	hash = (uint32_t)hash64(c->walk.states, c->walk.n * sizeof *c->walk.states, 0);
	for (at = c->buckets[hash % BUCKETS]; at; at = c->words[at + LINK]) {
		if (c->words[at + HASH] == hash && stands_for_walk(w, at))
			return at;
	}
	if (from != UNKNOWN && c->words[from + BASE] != UNKNOWN)
		base = c->words[from + BASE];
	return make(w, base, hash);
}

static uint32_t start(struct walker *w)
{
	struct regexset_cache *c = w->cache;
	uint32_t at = c->start;

	if (at == UNKNOWN) {
		regwalk_begin(&c->walk, &w->set->nfa);
		at = state_of_walk(w, UNKNOWN);
		c->start = at == NO_ROOM ? UNKNOWN : at;
	}
	return at;
}

static struct step *step_slot(struct regexset_cache *c, uint32_t from, uint32_t cp)
{
	if (!c->steps)
		c->steps = mem_zero(c->nsteps * sizeof *c->steps);
	return &c->steps[(from * 0x9e3779b1U + cp * 0x85ebca6bU) >> 8 & (c->nsteps - 1)];
}

static void remember(struct walker *w, uint32_t from, uint32_t cp, uint32_t to)
{
	if (cp < ASCII)
		w->cache->words[from + NEXT + w->set->columns[cp]] = to;
	else
		*step_slot(w->cache, from, cp) = (struct step){from, cp, to};
}

/* Where a character leads that has no column, or has not yet come in this state. */
static uint32_t step(struct walker *w, uint32_t from)
{
	struct regexset_cache *c = w->cache;
	unsigned emptied = c->emptied;
	uint32_t cp, to;
	size_t n = utf8_read(w->at, (size_t)(w->end - w->at), &cp);

	if (!n)
		return DEAD;
	w->at += n;
	if (cp >= ASCII) {
		const struct step *last = step_slot(c, from, cp);

		if (last->from == from && last->cp == cp)
			return last->to;
	}
	resume(w, from);
	regwalk_step(&c->walk, &w->set->nfa, cp);
	to = state_of_walk(w, from);
	if (to != NO_ROOM && c->emptied == emptied)
		remember(w, from, cp, to);
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
