#include "rules/iregexp.h"

#include "base/mem.h"

#include <stdlib.h>

struct iregexp {
	struct regnfa nfa;
};

struct iregexp *iregexp_compile(const char *text, size_t len, size_t *at, struct err *err)
{
	struct iregexp *re;
	struct regtree *tree;
	size_t ignored;
	bool ok;

	at = at ? at : &ignored;
	tree = regtree_parse(text, len, at, err);
	if (!tree)
		return NULL;
	re = mem_new(struct iregexp);
	ok = regnfa_add(&re->nfa, tree, IREGEXP_MAX_STATES);
	regtree_free(tree);
	if (ok) {
		regnfa_trim(&re->nfa);
		return re;
	}
	*at = 0;
	err_set(err,
		"in matches: the expression is too large: over %d states with its repetitions "
		"written out",
		IREGEXP_MAX_STATES);
	iregexp_free(re);
	return NULL;
}

void iregexp_free(struct iregexp *re)
{
	if (!re)
		return;
	regnfa_free(&re->nfa);
	free(re);
}

bool iregexp_match(const struct iregexp *re, struct iregexp_memory *m, const char *text, size_t len)
{
	regwalk_begin(&m->walk, &re->nfa, 0, 1);
	return regwalk_text(&m->walk, &re->nfa, text, len) && regwalk_end(&m->walk, &re->nfa) > 0;
}

void iregexp_memory_free(struct iregexp_memory *m)
{
	regwalk_free(&m->walk);
}

const struct regnfa *iregexp_states(const struct iregexp *re)
{
	return &re->nfa;
}
