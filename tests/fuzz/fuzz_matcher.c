/* Lines: a payload, then rules, a line that begins with { being a pattern.  The compiled set
 * and the judge agree about each rule. */
#include "base/mem.h"
#include "fuzz.h"
#include "matcher/matcher.h"
#include "rules/judge.h"
#include "rules/pattern.h"
#include "json/check.h"

#include <string.h>

#define MAX_RULES 16

struct set {
	struct arena trees;
	struct judge *judges[MAX_RULES];
	size_t n;
	struct matcher_draft *draft;
};

static void add(struct set *s, const char *line, size_t len)
{
	char *text = mem_slice(line, len);
	size_t at;
	struct expr *e = NULL;

	if (*text == '{')
		e = pattern_parse(&s->trees, PATTERN_DATA, text, len, &at, NULL);
	else if (strlen(text) == len)
		e = expr_parse(&s->trees, text, &at, NULL);
	if (e) {
		matcher_add(s->draft, e);
		s->judges[s->n++] = judge_new(e);
	}
	free(text);
}

static void compare(struct set *s, const struct event *ev)
{
	struct matcher *m = matcher_compile(s->draft);
	struct matching matching = {0};
	struct judge_memory memory = {0};
	uint64_t mismatches = 0;
	size_t hit = 0;

	matcher_match(m, ev, &matching);
	for (size_t i = 0; i < s->n; i++) {
		bool holds = judge_event(s->judges[i], ev, &memory, NULL, &mismatches);
		bool matched = hit < matching.nhits && matching.hits[hit] == i;

		PROMISE(matched == holds);
		hit += matched;
	}
	PROMISE(hit == matching.nhits);
	judge_memory_free(&memory);
	matching_free(&matching);
	matcher_free(m);
}

/* The line at *from, which moves behind it. */
static size_t line_at(const char **from, const char *end)
{
	const char *lf = *from < end ? memchr(*from, '\n', (size_t)(end - *from)) : NULL;
	size_t len = (size_t)((lf ? lf : end) - *from);

	*from += len + (lf != NULL);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *from = (const char *)data, *end = from + size;
	struct set s = {0};
	size_t len = line_at(&from, end);
	char *payload = mem_slice((const char *)data, len);
	struct event ev = fuzz_event(payload, len);

	if (json_check(payload, len, JSON_MAX_DEPTH, NULL) &&
	    json_root(payload, len).kind == KIND_OBJECT) {
		s.draft = matcher_draft();
		while (from < end && s.n < MAX_RULES) {
			const char *line = from;

			add(&s, line, line_at(&from, end));
		}
		compare(&s, &ev);
	}
	for (size_t i = 0; i < s.n; i++)
		judge_free(s.judges[i]);
	arena_free(&s.trees);
	free(payload);
	return 0;
}
