/* One matcher, several threads: each with its own memory finds what one thread found alone. */
#include "base/mem.h"
#include "matcher/matcher.h"
#include "matcher/testrules.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define RULES   400
#define EVENTS  200
#define THREADS 4

struct shared {
	const struct matcher *matcher;
	char *payloads[EVENTS];
	uint64_t expected[EVENTS]; /* a digest of the hits */
};

static uint64_t digest(const struct shared *s, size_t i, struct matching *m)
{
	struct event ev = {.id = "1",
			   .source = "s",
			   .type = "a.b",
			   .time = "2026-11-24T01:02:03Z",
			   .instance = "i",
			   .data = s->payloads[i],
			   .data_len = strlen(s->payloads[i])};
	uint64_t sum = 1;

	matcher_match(s->matcher, &ev, m);
	for (size_t k = 0; k < m->nhits; k++)
		sum = sum * 1099511628211U + m->hits[k];
	return sum;
}

static void *match_all(void *arg)
{
	struct shared *s = arg;
	struct matching m = {0};
	size_t wrong = 0;

	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < EVENTS; i++)
			wrong += digest(s, i, &m) != s->expected[i];
	}
	matching_free(&m);
	return (void *)(uintptr_t)wrong;
}

static struct matcher *random_rules(struct testrules *t)
{
	struct matcher_draft *draft = matcher_draft();
	struct arena trees = {0};
	struct buf text = {0};

	for (size_t n = 0; n < RULES;) {
		struct expr *tree;

		if (n % 2) {
			testrules_pattern(t, PATTERN_DATA, &text);
			tree = pattern_parse(&trees, PATTERN_DATA, buf_text(&text), text.len, NULL,
					     NULL);
		} else {
			testrules_expression(t, &text);
			tree = expr_parse(&trees, buf_text(&text), NULL, NULL);
		}
		if (tree) {
			matcher_add(draft, tree);
			n++;
		}
		arena_reset(&trees);
	}
	arena_free(&trees);
	buf_free(&text);
	return matcher_compile(draft);
}

static void threads_share_a_matcher(void **state)
{
	struct testrules rules = {0};
	struct shared shared = {0};
	struct matching m = {0};
	struct buf payload = {0};
	struct matcher *matcher;
	pthread_t threads[THREADS];
	void *wrong;

	(void)state;
	testrules_begin(&rules, 1);
	shared.matcher = matcher = random_rules(&rules);
	for (size_t i = 0; i < EVENTS; i++) {
		testrules_event(&rules, &payload);
		shared.payloads[i] = mem_slice(buf_text(&payload), payload.len);
		shared.expected[i] = digest(&shared, i, &m);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, match_all, &shared), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	for (size_t i = 0; i < EVENTS; i++)
		free(shared.payloads[i]);
	matching_free(&m);
	matcher_free(matcher);
	buf_free(&payload);
	testrules_end(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_a_matcher),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
