#include "rules/regwalk.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

static void push(struct regwalk *w, size_t *depth, uint32_t state)
{
	uint64_t bit = (uint64_t)1 << (state % 64);
	size_t word = state / 64;

	if (w->seen[word] & bit)
		return;
	w->seen[word] |= bit;
	w->first = w->end == 0 || word < w->first ? word : w->first;
	w->end = word < w->end ? w->end : word + 1;
	w->stack[(*depth)++] = state;
}

/* Mark a state, and what can be reached from it without a character. */
static void enter(struct regwalk *w, const struct regnfa *nfa, uint32_t state)
{
	size_t depth = 0;

	push(w, &depth, state);
	while (depth > 0) {
		uint32_t at = w->stack[--depth];
		enum regop op = regnfa_op(nfa, at);

		if (op == REGOP_FORK)
			push(w, &depth, at + 1);
		if (op == REGOP_FORK || op == REGOP_GO)
			push(w, &depth, regnfa_number(nfa, at));
	}
}

/* The marks become the list, which thereby is in order. */
static void collect(struct regwalk *w, const struct regnfa *nfa)
{
	w->n = 0;
	for (size_t word = w->first; word < w->end; word++) {
		for (uint64_t bits = w->seen[word]; bits; bits &= bits - 1) {
			uint32_t state = (uint32_t)(word * 64 + (size_t)__builtin_ctzll(bits));
			enum regop op = regnfa_op(nfa, state);

			if (op != REGOP_FORK && op != REGOP_GO)
				w->states[w->n++] = state;
		}
		w->seen[word] = 0;
	}
	w->end = 0;
}

static void reserve(struct regwalk *w, size_t n)
{
	if (n <= w->cap)
		return;
	regwalk_free(w);
	w->cap = n;
	w->states = mem_grow(NULL, n, sizeof *w->states);
	w->stack = mem_grow(NULL, n, sizeof *w->stack);
	w->seen = mem_zero((n + 63) / 64 * sizeof *w->seen);
}

void regwalk_begin(struct regwalk *w, const struct regnfa *nfa, size_t first, size_t n)
{
	reserve(w, nfa->n);
	for (size_t i = 0; i < n; i++)
		enter(w, nfa, nfa->starts[first + i]);
	collect(w, nfa);
}

void regwalk_step(struct regwalk *w, const struct regnfa *nfa, uint32_t cp)
{
	for (size_t i = 0; i < w->n; i++) {
		uint32_t state = w->states[i], number = regnfa_number(nfa, state);
		enum regop op = regnfa_op(nfa, state);

		if (op == REGOP_CHARACTER
			    ? number == cp
			    : op == REGOP_CLASS && regnfa_class_has(&nfa->classes[number], cp))
			enter(w, nfa, state + 1);
	}
	collect(w, nfa);
}

bool regwalk_text(struct regwalk *w, const struct regnfa *nfa, const char *text, size_t len)
{
	while (len > 0 && w->n > 0) {
		uint32_t cp;
		size_t n = utf8_read(text, len, &cp);

		if (!n)
			return false;
		regwalk_step(w, nfa, cp);
		text += n;
		len -= n;
	}
	return true;
}

size_t regwalk_end(struct regwalk *w, const struct regnfa *nfa)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (regnfa_op(nfa, w->states[i]) == REGOP_MATCH)
			w->states[n++] = regnfa_number(nfa, w->states[i]);
	}
	w->n = 0;
	return n;
}

void regwalk_free(struct regwalk *w)
{
	free(w->states);
	free(w->stack);
	free(w->seen);
	*w = (struct regwalk){0};
}
