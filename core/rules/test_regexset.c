#include "rules/regexset.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "rules/regtree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MOST     600 /* expressions of a set */

struct sample {
	struct iregexp *res[MOST];
	struct regtree *trees[MOST];
	char *texts[MOST];
	size_t n;
	struct regexset *set;
	struct iregexp_memory alone;
	struct regexset_memory memory;
};

static uint64_t random_state;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

static void add_atom(struct buf *b)
{
	static const char *const atoms[] = {
		"a",
		"b",
		"c",
		".",
		"[ab]",
		"[^a]",
		"[a-c0-9]",
		"\xc3\xa9",
		"\\p{L}",
		"\\P{L}",
		"[^\\p{L}]",
		"[b\xc3\xa0-\xc3\xb6]",
		"\xe2\x82\xac",
		"\\.",
		"[\\p{Nd}c]",
		"ab",
		"[^ab\xc3\xa9]",
		"\xf0\x9f\x98\x80",
	};

	buf_text_add(b, atoms[below(COUNT(atoms))]);
}

static void add_expression(struct buf *b, unsigned depth)
{
	static const char *const times[] = {"*",   "+", "?", "{2}", "{0,2}", "{2,}",
					    "{0}", "",  "",  "",    ""};
	unsigned n = below(4);

	for (unsigned i = 0; i < n; i++) {
		if (depth == 0 || below(3)) {
			add_atom(b);
		} else {
			buf_char(b, '(');
			add_expression(b, depth - 1);
			buf_char(b, ')');
		}
		buf_text_add(b, times[below(COUNT(times))]);
	}
	if (below(4) == 0) {
		buf_char(b, '|');
		add_expression(b, depth ? depth - 1 : 0);
	}
}

static void add_text(struct buf *b)
{
	static const char *const parts[] = {
		"a",
		"a",
		"b",
		"b",
		"c",
		"ab",
		"7",
		".",
		"\n",
		"\xc3\xa9",
		"\xe2\x82\xac",
		"\xf0\x9f\x98\x80",
		"\xc3\xb6",
	};
	unsigned n = below(10);

	buf_cut(b, 0);
	for (unsigned i = 0; i < n; i++)
		buf_text_add(b, parts[below(COUNT(parts))]);
	if (below(50) == 0)
		buf_text_add(b, "\xc3");
}

static void sample_add(struct sample *s, const char *text)
{
	size_t at, i = s->n++;
	struct err err = {{0}};

	assert_true(i < MOST);
	s->texts[i] = strdup(text);
	s->trees[i] = regtree_parse(text, strlen(text), &at, &err);
	s->res[i] = iregexp_compile(text, strlen(text), &at, &err);
	if (!s->trees[i] || !s->res[i])
		fail_msg("%s: %s", text, err.text);
}

static void sample_build(struct sample *s)
{
	struct regexset_draft *d = regexset_draft();

	for (size_t i = 0; i < s->n; i++)
		assert_true(regexset_add(d, s->res[i], (uint32_t)(1000 + i)));
	s->set = regexset_build(d);
}

static void sample_free(struct sample *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->texts[i]);
		regtree_free(s->trees[i]);
		iregexp_free(s->res[i]);
	}
	regexset_free(s->set);
	regexset_memory_free(&s->memory);
	iregexp_memory_free(&s->alone);
	*s = (struct sample){0};
}

/* The set says what each expression says alone. */
static void agree(struct sample *s, const char *text, size_t len)
{
	const uint32_t *ids = NULL;
	size_t n = regexset_match(s->set, &s->memory, text, len, &ids), k = 0;

	for (size_t i = 0; i < s->n; i++) {
		bool fits = iregexp_match(s->res[i], &s->alone, text, len);
		bool reported = k < n && ids[k] == 1000 + i;

		if (fits != reported)
			fail_msg("%s against %.*s: alone %d, in a set of %zu %d", s->texts[i],
				 (int)(len < 200 ? len : 200), text, fits, s->n, reported);
		k += reported;
	}
	assert_int_equal(k, n);
}

/* Where parts of a text of less than 64 characters can end that begin in one of `from`, a
 * bit each. */
static uint64_t ends(const struct regtree *t, const uint32_t *text, size_t n, uint64_t from)
{
	uint64_t to = 0, more;

	switch (t->kind) {
	case REG_SEQUENCE:
		for (size_t i = 0; i < t->n; i++)
			from = ends(t->parts[i], text, n, from);
		return from;
	case REG_EITHER:
		for (size_t i = 0; i < t->n; i++)
			to |= ends(t->parts[i], text, n, from);
		return to;
	case REG_REPEAT:
		for (uint32_t i = 0; i < t->least; i++)
			from = ends(t->parts[0], text, n, from);
		for (uint32_t i = t->least; i < t->most; i++, from = more) {
			more = from | ends(t->parts[0], text, n, from);
			if (more == from)
				break;
		}
		return from;
	default:
		for (size_t i = 0; i < n; i++) {
			bool fits = t->kind == REG_CLASS ? regclass_has(&t->set, text[i])
							 : t->character == text[i];

			to |= (uint64_t)(fits && (from >> i & 1)) << (i + 1);
		}
		return to;
	}
}

/* And each alone says what its tree means, read naively. */
static void means(struct sample *s, size_t i, const char *text, size_t len)
{
	uint32_t characters[64];
	size_t n = 0, used;
	bool fits = iregexp_match(s->res[i], &s->alone, text, len);

	for (size_t at = 0; at < len; at += used) {
		used = utf8_read(text + at, len - at, &characters[n++]);
		if (!used) {
			assert_false(fits);
			return;
		}
	}
	if (fits != (ends(s->trees[i], characters, n, 1) >> n & 1))
		fail_msg("%s against %s", s->texts[i], text);
}

static void random_sets_agree_with_their_expressions(size_t max_bytes, unsigned sets)
{
	struct buf b = {0};

	random_state = 88172645463325252 + max_bytes;
	for (unsigned i = 0; i < sets; i++) {
		struct sample s = {.memory.max_bytes = max_bytes};
		unsigned n = below(20);

		while (s.n < n) {
			buf_cut(&b, 0);
			add_expression(&b, 3);
			sample_add(&s, buf_text(&b));
		}
		sample_build(&s);
		for (unsigned k = 0; k < 100; k++) {
			add_text(&b);
			agree(&s, buf_text(&b), b.len);
			if (n)
				means(&s, below(n), buf_text(&b), b.len);
		}
		sample_free(&s);
	}
	buf_free(&b);
}

static void random_sets_agree(void **state)
{
	(void)state;
	random_sets_agree_with_their_expressions(0, 1000);
}

static void random_sets_agree_where_the_cache_holds_few_states(void **state)
{
	(void)state;
	random_sets_agree_with_their_expressions(8 * 1024, 600);
}

static void random_sets_agree_where_the_cache_holds_nothing(void **state)
{
	(void)state;
	random_sets_agree_with_their_expressions(1, 200);
}

static void an_empty_set_matches_nothing(void **state)
{
	struct sample s = {0};

	(void)state;
	sample_build(&s);
	agree(&s, "", 0);
	agree(&s, "a", 1);
	agree(&s, "\xc3\xa9", 2);
	sample_free(&s);
}

static void ids_are_the_callers_own(void **state)
{
	struct regexset_draft *d = regexset_draft();
	struct iregexp *re = iregexp_compile("a+", 2, NULL, NULL);
	struct regexset_memory memory = {0};
	struct regexset *set;
	const uint32_t *ids;

	(void)state;
	assert_true(regexset_add(d, re, UINT32_MAX));
	assert_true(regexset_add(d, re, 7));
	assert_true(regexset_add(d, re, 7));
	iregexp_free(re);
	set = regexset_build(d);
	assert_int_equal(regexset_match(set, &memory, "aa", 2, &ids), 3);
	assert_int_equal(ids[0], UINT32_MAX);
	assert_int_equal(ids[1], 7);
	assert_int_equal(ids[2], 7);
	regexset_free(set);
	regexset_memory_free(&memory);
}

static void five_hundred_expressions_are_asked_at_once(void **state)
{
	static const char *const shapes[] = {
		".*%c%c%u.*", "%c%c%u.*", ".*%c%c%u", "[%c%c]+%u", "(%c|%c)*\\p{Lu}?[0-9]{1,3}%u?",
	};
	struct sample s = {0};
	char text[64];

	(void)state;
	random_state = 4711;
	while (s.n < 500) {
		snprintf(text, sizeof text, shapes[s.n % COUNT(shapes)], 'a' + (int)below(26),
			 'a' + (int)below(26), below(100));
		sample_add(&s, text);
	}
	sample_build(&s);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "%c%c%u%s%c%c%u", 'a' + (int)below(26),
			 'a' + (int)below(26), below(100), below(3) ? "" : "\xc3\x89",
			 'a' + (int)below(26), 'a' + (int)below(26), below(100));
		agree(&s, text, strlen(text));
	}
	sample_free(&s);
}

/* The automaton for this one has 2^15 states: what is kept is bounded, and so is the work. */
static void a_text_that_needs_ever_new_states_is_walked_without_the_cache(void **state)
{
	enum { LEN = 50000 };
	struct sample s = {0};
	char *text = malloc(LEN);

	(void)state;
	random_state = 99;
	sample_add(&s, "(a|b)*a(a|b){14}");
	sample_add(&s, "(a|b)*b(a|b){14}");
	sample_add(&s, "(a|b)*");
	sample_build(&s);
	for (size_t i = 0; i < LEN; i++)
		text[i] = "ab"[below(2)];
	for (size_t max = 8 * 1024; max <= 512 * 1024; max *= 4) {
		regexset_memory_free(&s.memory);
		s.memory.max_bytes = max;
		agree(&s, text, LEN);
		agree(&s, text, LEN - 1);
		agree(&s, "aaaaaaaaaaaaaaa", 15);
		agree(&s, "aaaaaaaaaaaaaa", 14);
	}
	free(text);
	sample_free(&s);
}

/* Texts that come often make the cache worth its while, so that it is filled again and again. */
static void a_cache_that_was_full_is_used_again(void **state)
{
	struct buf b = {0};

	(void)state;
	random_state = 1234567;
	for (unsigned i = 0; i < 150; i++) {
		struct sample s = {.memory.max_bytes = 7 * 1024 + below(1024)};
		const uint32_t *ids;

		while (s.n < 8) {
			buf_cut(&b, 0);
			buf_text_add(&b, s.n % 2 ? ".*" : "");
			add_expression(&b, 3);
			sample_add(&s, buf_text(&b));
		}
		sample_build(&s);
		for (unsigned k = 0; k < 300; k++) {
			add_text(&b);
			for (unsigned again = 0; again < 20; again++)
				regexset_match(s.set, &s.memory, buf_text(&b), b.len, &ids);
			agree(&s, buf_text(&b), b.len);
		}
		sample_free(&s);
	}
	buf_free(&b);
}

/* Each first letter is a new state behind that of the start, until that is forgotten, too. */
static void what_was_forgotten_leads_nowhere(void **state)
{
	struct sample s = {.memory.max_bytes = 8 * 1024};

	(void)state;
	for (char c = 'a'; c <= 'z'; c++)
		sample_add(&s, (char[]){c, '-', '\0'});
	sample_build(&s);
	for (char c = 'a'; c <= 'z'; c++) {
		for (unsigned again = 0; again < 20; again++)
			agree(&s, &c, 1);
		agree(&s, (char[]){c, c, '-'}, 3);
	}
	sample_free(&s);
}

static void memory_of_another_set_starts_anew(void **state)
{
	struct sample one = {0}, other = {0};

	(void)state;
	sample_add(&one, "a*");
	sample_add(&other, "b*");
	sample_add(&other, "(a|b)*");
	sample_build(&one);
	sample_build(&other);
	for (int i = 0; i < 3; i++) {
		agree(&one, "aa", 2);
		other.memory = one.memory;
		agree(&other, "aa", 2);
		one.memory = other.memory;
	}
	other.memory = (struct regexset_memory){0};
	sample_free(&one);
	sample_free(&other);
}

static void a_set_of_too_many_states_is_refused(void **state)
{
	struct iregexp *large = iregexp_compile("a{1000}b{998}", 13, NULL, NULL);
	struct iregexp *small = iregexp_compile("b", 1, NULL, NULL);
	struct regexset_draft *d = regexset_draft();
	struct regexset_memory memory = {0};
	struct regexset *set;
	const uint32_t *ids;
	uint32_t n = 0;

	(void)state;
	while (n <= 3000 && regexset_add(d, large, n))
		n++;
	assert_int_equal(n, REGEXSET_MAX_STATES / 1999);
	assert_true(regexset_add(d, small, 9));
	set = regexset_build(d);
	assert_true(regexset_bytes(set) < 5 * REGEXSET_MAX_STATES);
	assert_int_equal(regexset_match(set, &memory, "b", 1, &ids), 1);
	assert_int_equal(ids[0], 9);
	regexset_free(set);
	regexset_memory_free(&memory);
	iregexp_free(large);
	iregexp_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_matches_nothing),
		cmocka_unit_test(ids_are_the_callers_own),
		cmocka_unit_test(random_sets_agree),
		cmocka_unit_test(random_sets_agree_where_the_cache_holds_few_states),
		cmocka_unit_test(random_sets_agree_where_the_cache_holds_nothing),
		cmocka_unit_test(five_hundred_expressions_are_asked_at_once),
		cmocka_unit_test(a_text_that_needs_ever_new_states_is_walked_without_the_cache),
		cmocka_unit_test(a_cache_that_was_full_is_used_again),
		cmocka_unit_test(what_was_forgotten_leads_nowhere),
		cmocka_unit_test(memory_of_another_set_starts_anew),
		cmocka_unit_test(a_set_of_too_many_states_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
