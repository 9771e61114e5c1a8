/* From a draft to the compiled form. */
#include "base/mem.h"
#include "matcher/draft.h"

#include <stdatomic.h>
#include <stdlib.h>

static void count_bytes(struct matcher *m, const struct compiling *c)
{
	m->bytes += sizeof *m + m->arena.bytes + m->nlookups * sizeof *m->lookups +
		    keytable_bytes(&m->keys) + m->ntests * sizeof *m->tests +
		    m->nconditions * sizeof *m->conditions + m->nscopes * sizeof *m->always +
		    c->constants.n * sizeof *m->constants;
}

struct matcher *matcher_compile(struct matcher_draft *d)
{
	return matcher_compile_costs(d, NULL);
}

struct matcher *matcher_compile_costs(struct matcher_draft *d, struct matcher_cost *costs)
{
	static atomic_uint_fast64_t serials;
	struct compiling c = {.d = d, .m = mem_new(struct matcher)};

	c.m->serial = atomic_fetch_add(&serials, 1) + 1;
	c.m->nrules = d->nrules;
	c.lookup_of = mem_grow(NULL, d->nfields, sizeof *c.lookup_of);
	memset(c.lookup_of, 0xff, d->nfields * sizeof *c.lookup_of);
	compile_conditions(&c);
	c.m->bytes = c.code.n * sizeof *c.m->code;
	compile_index(&c);
	compile_watchers(&c);
	compile_fields(&c);
	keytable_trim(&c.m->keys);
	count_bytes(c.m, &c);
	if (costs)
		tell_costs(&c, costs);
	draft_free(d);
	free(c.watches);
	free(c.chains);
	free(c.intervals);
	free(c.lengths);
	free(c.buts);
	free(c.tests);
	free(c.lookup_of);
	buf_free(&c.scratch);
	buf_free(&c.reversed);
	return c.m;
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->ntests; i++) {
		for (size_t k = 0; k < m->tests[i].n; k++)
			operand_free(&m->tests[i].operands[k]);
	}
	for (size_t i = 0; i < m->nregexsets; i++)
		regexset_free(m->regexsets[i]);
	arena_free(&m->arena);
	keytable_free(&m->keys);
	free(m->regexsets);
	free(m->buts);
	free(m->fields);
	free(m->children);
	free(m->specials);
	free(m->slots);
	free(m->lookups);
	free(m->lengths);
	free(m->links);
	free(m->intervals);
	free(m->signals);
	free(m->watchers);
	free(m->tests);
	free(m->conditions);
	free(m->code);
	free(m->always);
	free(m->constants);
	free(m);
}

size_t matcher_rules(const struct matcher *m)
{
	return m->nrules;
}

size_t matcher_bytes(const struct matcher *m)
{
	return m->bytes;
}
