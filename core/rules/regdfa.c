#include "rules/regdfa.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* A state of the automaton is known by its place in `words`, where it has
 *
 *   LINK     the next state of the same bucket, 0 behind the last
 *   HASH     of the set of states of the machine it stands for
 *   BASE     a state whose set it is written as the difference from, or 0
 *   LENGTH   in bytes, of the set as it is written at the end
 *   MATCHES  how many expressions match if the text ends here
 *   NEXT     for each column the next state
 *
 * then the numbers of those expressions, then the set: how far each member is from the one
 * before, seven bits a byte.  Sets differ little from one character to the next where
 * expressions begin with `.*`, so most are written as what is in one of the two sets only. */
enum { LINK, HASH, BASE, LENGTH, MATCHES, NEXT };

/* What is no state: in NEXT one not yet asked for; none that can match; one not kept. */
enum { UNKNOWN, DEAD, NO_ROOM, FIRST };

#define BUCKETS 1024

struct regdfa {
	struct regdfa_of of;
	unsigned worth;
	uint32_t *words;
	size_t used, size, max;
	uint32_t start; /* or UNKNOWN */
	uint32_t buckets[BUCKETS];
	struct step { /* the last ones with characters beyond ASCII, which have no column */
		uint32_t from, cp, to;
	} * steps; /* NULL until there is one */
	size_t nsteps;
	uint8_t *code;      /* a set about to be written */
	uint64_t walked;    /* bytes since everything was last forgotten */
	size_t made;        /* states since then */
	unsigned forgotten; /* how often */
};

struct walker { /* through one text */
	struct regdfa *d;
	struct regwalk *walk;
	struct regdfa_text *text;
	const char *counted; /* up to here in d->walked */
};

/* Put characters that are in `set` and those that are not into different columns. */
static void split(struct regcolumns *columns, const uint64_t set[2])
{
	uint8_t renamed[REGDFA_ASCII][2];

	memset(renamed, REGDFA_ASCII, sizeof renamed);
	columns->n = 0;
	for (unsigned c = 0; c < REGDFA_ASCII; c++) {
		uint8_t *name = &renamed[columns->of[c]][set[c / 64] >> (c % 64) & 1];

		if (*name == REGDFA_ASCII)
			*name = (uint8_t)columns->n++;
		columns->of[c] = *name;
	}
}

void regcolumns_make(struct regcolumns *c, const struct regnfa *nfa)
{
	uint64_t single[2] = {0, 0};

	*c = (struct regcolumns){.n = 1};
	for (uint32_t i = 0; i < nfa->n; i++) {
		uint32_t cp = regnfa_number(nfa, i);

		if (regnfa_op(nfa, i) == REGOP_CHARACTER && cp < REGDFA_ASCII)
			single[cp / 64] |= (uint64_t)1 << (cp % 64);
	}
	for (unsigned cp = 0; cp < REGDFA_ASCII; cp++) {
		uint64_t one[2] = {0, 0};

		one[cp / 64] = single[cp / 64] & (uint64_t)1 << (cp % 64);
		if (one[cp / 64])
			split(c, one);
	}
	for (size_t i = 0; i < nfa->nclasses && c->n < REGDFA_ASCII; i++)
		split(c, nfa->classes[i].ascii);
}

/* A sixteenth is for steps beyond ASCII, their number a power of two. */
static void limit(struct regdfa *d, size_t max_bytes)
{
	size_t fixed = sizeof *d + max_bytes / 16, words;

	for (d->nsteps = 1; d->nsteps * 2 * sizeof *d->steps <= max_bytes / 16;)
		d->nsteps *= 2;
	words = max_bytes > fixed ? (max_bytes - fixed) / sizeof *d->words : 0;
	d->max = words < UINT32_MAX ? words : UINT32_MAX;
}

static size_t states_of(const struct regdfa_of *of)
{
	const struct regnfa *nfa = of->nfa;
	size_t end = of->first + of->n;

	if (!of->n)
		return 0;
	return (end < nfa->nstarts ? nfa->starts[end] : nfa->n) - nfa->starts[of->first];
}

struct regdfa *regdfa_new(const struct regdfa_of *of, size_t max_bytes, unsigned worth)
{
	struct regdfa *d = mem_new(struct regdfa);

	d->of = *of;
	d->worth = worth;
	d->used = FIRST;
	limit(d, max_bytes);
	/* A distance takes no more bytes than it is large, but for the first, and the others
	 * together are less than the number of states. */
	d->code = mem_zero(states_of(of) + sizeof(uint64_t));
	return d;
}

void regdfa_free(struct regdfa *d)
{
	if (!d)
		return;
	free(d->words);
	free(d->code);
	free(d->steps);
	free(d);
}

static void count(struct walker *w)
{
	w->d->walked += (uint64_t)(w->text->at - w->counted);
	w->counted = w->text->at;
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

static struct members members_of(const struct regdfa *d, uint32_t at)
{
	struct members m = {.state = UINT32_MAX}; /* one before 0 */

	if (at != UNKNOWN) {
		const uint32_t *state = d->words + at;

		m.next = (const uint8_t *)(state + NEXT + d->of.columns->n + state[MATCHES]);
		m.end = m.next + state[LENGTH];
		members_next(&m);
	}
	return m;
}

struct reader { /* of the set of a state */
	struct members own, base;
};

static struct reader reader_of(const struct regdfa *d, uint32_t at)
{
	return (struct reader){members_of(d, at), members_of(d, d->words[at + BASE])};
}

static bool read_state(struct reader *r, uint32_t *state)
{
	struct members *first = &r->base;

	while (r->own.more && r->base.more && r->own.state == r->base.state) {
		members_next(&r->own);
		members_next(&r->base);
	}
	if (r->own.more && (!r->base.more || r->own.state < r->base.state))
		first = &r->own;
	if (!first->more)
		return false;
	*state = first->state;
	members_next(first);
	return true;
}

static void resume(struct walker *w, uint32_t at)
{
	struct reader r = reader_of(w->d, at);

	for (w->walk->n = 0; read_state(&r, &w->walk->states[w->walk->n]);)
		w->walk->n++;
}

static bool stands_for_walk(const struct walker *w, uint32_t at)
{
	struct reader r = reader_of(w->d, at);
	uint32_t state;
	size_t n = 0;

	while (read_state(&r, &state)) {
		if (n == w->walk->n || w->walk->states[n++] != state)
			return false;
	}
	return n == w->walk->n;
}

/* Write the set of the walk as its difference from that of `base`, which has no base itself. */
static size_t write_walk(struct walker *w, uint32_t base)
{
	const struct regwalk *walk = w->walk;
	struct members m = members_of(w->d, base);
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
			w->d->code[len++] = (uint8_t)(last | 0x80);
		w->d->code[len++] = (uint8_t)last;
		last = state;
	}
	return len;
}

static bool reserve(struct regdfa *d, size_t n)
{
	size_t size = d->size ? d->size : 1024;

	if (d->used + n > d->max)
		return false;
	while (size < d->used + n)
		size *= 2;
	size = size < d->max ? size : d->max;
	if (size > d->size) {
		d->words = mem_grow(d->words, size, sizeof *d->words);
		d->size = size;
	}
	return true;
}

/* False if that is not worth while. */
static bool forget(struct walker *w)
{
	struct regdfa *d = w->d;
	bool worth;

	count(w);
	worth = d->walked / d->worth >= d->made;
	memset(d->buckets, 0, sizeof d->buckets);
	free(d->steps);
	d->steps = NULL;
	d->used = FIRST;
	d->start = UNKNOWN;
	d->walked = d->made = 0;
	d->forgotten++;
	return worth;
}

static bool is_match(const struct walker *w, size_t i)
{
	return regnfa_op(w->d->of.nfa, w->walk->states[i]) == REGOP_MATCH;
}

static void fill(struct walker *w, uint32_t *state, size_t len)
{
	uint32_t *numbers = state + NEXT + w->d->of.columns->n;

	state[LENGTH] = (uint32_t)len;
	for (size_t i = 0; i < w->walk->n; i++) {
		if (is_match(w, i))
			numbers[state[MATCHES]++] = regnfa_number(w->d->of.nfa, w->walk->states[i]);
	}
	memcpy(numbers + state[MATCHES], w->d->code, len);
}

/* A new state for where the walk is. */
static uint32_t make(struct walker *w, uint32_t base, uint32_t hash)
{
	struct regdfa *d = w->d;
	size_t len = write_walk(w, base), n;
	uint32_t *state, at = (uint32_t)d->used;

	if (base != UNKNOWN && len > w->walk->n / 2)
		return make(w, UNKNOWN, hash);
	n = NEXT + d->of.columns->n + (len + 3) / 4;
	for (size_t i = 0; i < w->walk->n; i++)
		n += is_match(w, i);
	if (!reserve(d, n))
		return at > FIRST && forget(w) ? make(w, UNKNOWN, hash) : NO_ROOM;
	state = memset(d->words + at, 0, n * sizeof *state);
	fill(w, state, len);
	state[BASE] = base;
	state[HASH] = hash;
	state[LINK] = d->buckets[hash % BUCKETS];
	d->buckets[hash % BUCKETS] = at;
	d->used += n;
	d->made++;
	return at;
}

/* The state of the automaton for where the walk is, which came from the state `from`. */
static uint32_t state_of_walk(struct walker *w, uint32_t from)
{
	struct regdfa *d = w->d;
	uint32_t hash, at, base = from;

	if (!w->walk->n)
		return DEAD;
	hash = (uint32_t)hash64(w->walk->states, w->walk->n * sizeof *w->walk->states, 0);
	for (at = d->buckets[hash % BUCKETS]; at; at = d->words[at + LINK]) {
		if (d->words[at + HASH] == hash && stands_for_walk(w, at))
			return at;
	}
	if (from != UNKNOWN && d->words[from + BASE] != UNKNOWN)
		base = d->words[from + BASE];
	return make(w, base, hash);
}

static uint32_t start(struct walker *w)
{
	struct regdfa *d = w->d;
	uint32_t at = d->start;

	if (at == UNKNOWN) {
		regwalk_begin(w->walk, d->of.nfa, d->of.first, d->of.n);
		at = state_of_walk(w, UNKNOWN);
		d->start = at == NO_ROOM ? UNKNOWN : at;
	}
	return at;
}

static struct step *step_slot(struct regdfa *d, uint32_t from, uint32_t cp)
{
	if (!d->steps)
		d->steps = mem_zero(d->nsteps * sizeof *d->steps);
	return &d->steps[(from * 0x9e3779b1U + cp * 0x85ebca6bU) >> 8 & (d->nsteps - 1)];
}

static void remember(struct regdfa *d, uint32_t from, uint32_t cp, uint32_t to)
{
	if (cp < REGDFA_ASCII)
		d->words[from + NEXT + d->of.columns->of[cp]] = to;
	else
		*step_slot(d, from, cp) = (struct step){from, cp, to};
}

/* Where a character leads that has no column, or has not yet come in this state. */
static uint32_t step(struct walker *w, uint32_t from)
{
	struct regdfa *d = w->d;
	unsigned forgotten = d->forgotten;
	uint32_t cp, to;
	size_t n = utf8_read(w->text->at, (size_t)(w->text->end - w->text->at), &cp);

	if (!n)
		return DEAD;
	w->text->at += n;
	if (cp >= REGDFA_ASCII) {
		const struct step *last = step_slot(d, from, cp);

		if (last->from == from && last->cp == cp)
			return last->to;
	}
	resume(w, from);
	regwalk_step(w->walk, d->of.nfa, cp);
	to = state_of_walk(w, from);
	if (to != NO_ROOM && d->forgotten == forgotten)
		remember(d, from, cp, to);
	return to;
}

bool regdfa_walk(struct regdfa *d, struct regwalk *walk, struct regdfa_text *t)
{
	struct walker w = {d, walk, t, t->at};
	uint32_t at = start(&w);

	while (at >= FIRST && t->at < t->end) {
		unsigned char c = (unsigned char)*t->at;
		uint32_t to = UNKNOWN;

		if (c < REGDFA_ASCII)
			to = d->words[at + NEXT + d->of.columns->of[c]];
		if (to == UNKNOWN) {
			at = step(&w, at);
		} else {
			at = to;
			t->at++;
		}
	}
	count(&w);
	t->n = at < FIRST ? 0 : d->words[at + MATCHES];
	t->matches = t->n ? d->words + at + NEXT + d->of.columns->n : NULL;
	return at != NO_ROOM;
}
