/* Any text as `where`: a message, or a tree that judges an event, the same way explained
 * and not. */
#include "base/mem.h"
#include "fuzz.h"
#include "matcher/ruleset.h"
#include "rules/expr.h"

#include <stdlib.h>
#include <string.h>

static const char payload[] =
	"{\"a\":[1,\"x\",null,{\"b\":\"bot\",\"c\":[\"docs/"
	"1\",2.5]},[true]],\"n\":9007199254740993,"
	"\"ip\":\"10.1.2.3\",\"s\":\"caf\\u00e9\",\"old\":{\"p\":1},\"new\":{\"p\":1.0}}";

static void judge(const char *where)
{
	struct selector s = {.where = where};
	struct ruleset *set = ruleset_compile(&s, 1, NULL, NULL, NULL);
	struct event ev = fuzz_event(payload, sizeof payload - 1);
	struct match m = {0};
	struct seen *seen;
	size_t hits;

	PROMISE(set);
	ruleset_match(set, &ev, false, &m);
	hits = m.nhits;
	ruleset_match(set, &ev, true, &m);
	PROMISE(m.nhits == hits);
	seen = mem_zero(ruleset_conditions(set, 0) * sizeof *seen);
	PROMISE(ruleset_explain(set, 0, &ev, seen) == (hits == 1));
	for (size_t c = 0; c < ruleset_conditions(set, 0); c++) {
		struct condition condition = ruleset_condition(set, 0, c);

		PROMISE(condition.len > 0 && condition.len <= strlen(condition.text));
		seen_clear(&seen[c]);
	}
	free(seen);
	match_free(&m);
	ruleset_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *where = mem_slice((const char *)data, size);
	struct err err = {{0}};
	struct expr_use use;
	size_t at = 0;
	struct arena arena = {0};
	struct expr *e = expr_parse(&arena, where, &at, &err);

	if (e) {
		size_t n = expr_uses(e, 0, &use);

		PROMISE(n > 0 && use.path->n > 0);
		judge(where);
	} else {
		PROMISE(*err.text && at <= size);
	}
	arena_free(&arena);
	free(where);
	return 0;
}
