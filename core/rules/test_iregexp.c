#include "rules/iregexp.h"

#include "rules/category.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void an_expression_fits_the_whole_text(void **state)
{
	static const struct {
		const char *re, *text;
		bool fits;
	} rows[] = {
		{"", "", true},
		{"", "a", false},
		{"a", "a", true},
		{"a", "ab", false},
		{"a", "ba", false},
		{"abc", "abc", true},
		{"a|b", "b", true},
		{"a|b|", "", true},
		{"a|bc|d", "bc", true},
		{"a|bc|d", "ac", false},
		{"(a|b)c", "bc", true},
		{"(a|b)(c|d)", "bd", true},
		{"a*", "", true},
		{"a*", "aaaa", true},
		{"a*b", "aaab", true},
		{"a+", "", false},
		{"a+", "aaa", true},
		{"a?b", "b", true},
		{"a?b", "aab", false},
		{"a{3}", "aaa", true},
		{"a{3}", "aa", false},
		{"a{3}", "aaaa", false},
		{"a{0}", "", true},
		{"a{0}b", "b", true},
		{"a{2,}", "aaaaa", true},
		{"a{2,}", "a", false},
		{"a{1,3}", "aaa", true},
		{"a{1,3}", "aaaa", false},
		{"(ab){2}", "abab", true},
		{"(a*)*", "aaaa", true},
		{"(a*)*b", "aaaa", false},
		{"(a|a)*", "aaaaaaaa", true},
		{"(a?){20}a{20}", "aaaaaaaaaaaaaaaaaaaa", true},
		{"((a|b)*c)+", "abcbc", true},
		{".", "x", true},
		{".", "\xe2\x82\xac", true},
		{".", "\xf0\x9f\x98\x80", true},
		{".", "\n", false},
		{".", "\r", false},
		{".*", "a/b c", true},
		{"[abc]", "b", true},
		{"[abc]", "d", false},
		{"[^abc]", "d", true},
		{"[^abc]", "a", false},
		{"[^abc]", "\n", true},
		{"[a-c0-9]+", "b7a", true},
		{"[-a]", "-", true},
		{"[a-]", "-", true},
		{"[a^]", "^", true},
		{"[\\]\\[\\\\\\-]+", "][\\-", true},
		{"[\\n\\t]", "\t", true},
		{"[.*+?]", "*", true},
		{"[.*+?]", "a", false},
		{"[\xce\xb1-\xcf\x89]+", "\xce\xbb\xce\xbf\xce\xb3\xce\xbf\xcf\x82", true},
		{"\\.", ".", true},
		{"\\.", "x", false},
		{"\\(\\)\\*\\+\\-\\?\\[\\]\\^\\{\\|\\}\\\\", "()*+-?[]^{|}\\", true},
		{"^$", "^$", true},
		{"a,b-c/", "a,b-c/", true},
		{"\\p{Lu}\\p{Ll}+", "Hello", true},
		{"\\p{Lu}\\p{Ll}+", "hello", false},
		{"\\p{L}+", "Gr\xc3\xbc\xc3\x9f", true},
		{"\\P{L}+", "12 34", true},
		{"\\P{L}+", "12a", false},
		{"[\\p{Nd}.]+", "1.2", true},
		{"[^\\p{Nd}]+", "ab", true},
		{"[^\\p{Nd}]+", "a1", false},
		{"[\\P{Nd}5]+", "a5", true},
		{"[\\P{L}\\P{N}]+", "a1", true},
		{"\\p{Sc}", "\xe2\x82\xac", true},
		{"\\p{Zs}", "\xc2\xa0", true},
		{"v[0-9]+(\\.[0-9]+){0,2}", "v1.12", true},
		{"v[0-9]+(\\.[0-9]+){0,2}", "v1.2.3.4", false},
		{"refs/heads/(main|release-.*)", "refs/heads/release-7", true},
		{"[0-9a-f]{40}", "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00", true},
		{"[0-9a-f]{40}", "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee0", false},
		{"a", "\xff", false},
		{".*", "\xff", false},
	};
	struct iregexp_memory memory = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};
		size_t at;
		struct iregexp *re = iregexp_compile(rows[i].re, strlen(rows[i].re), &at, &err);

		if (!re)
			fail_msg("%s: at %zu: %s", rows[i].re, at, err.text);
		if (iregexp_match(re, &memory, rows[i].text, strlen(rows[i].text)) != rows[i].fits)
			fail_msg("%s against %s", rows[i].re, rows[i].text);
		iregexp_free(re);
	}
	iregexp_memory_free(&memory);
}

static void what_rfc_9485_does_not_have_is_refused(void **state)
{
	static const struct {
		const char *re;
		size_t at;
		const char *why;
	} rows[] = {
		{"(", 1, "( is not closed"},
		{")", 0, ") without ("},
		{"a)", 1, ") without ("},
		{"[", 1, "[ is not closed"},
		{"[a", 2, "[ is not closed"},
		{"[]", 1, "without a character"},
		{"[^]", 2, "without a character"},
		{"[a[b]]", 2, "bracket is written"},
		{"[a--]", 3, "no character"},
		{"[a-b-c]", 4, "first or last"},
		{"[b-a]", 4, "ends before"},
		{"[a-\\p{L}]", 4, "no such escape"},
		{"*", 0, "nothing to repeat"},
		{"a**", 2, "nothing to repeat"},
		{"a|*", 2, "nothing to repeat"},
		{"a*?", 2, "nothing to repeat"},
		{"(?:a)", 1, "no (?"},
		{"(?=a)", 1, "no (?"},
		{"a{", 2, "a repetition"},
		{"a{x}", 2, "a repetition"},
		{"a{1", 3, "a repetition"},
		{"a{2,1}", 5, "ends before"},
		{"a{1001}", 6, "up to 1000"},
		{"a{99999999999999999999}", 22, "up to 1000"},
		{"{1}", 0, "nothing to repeat"},
		{"]", 0, "closing bracket"},
		{"a}", 1, "closing bracket"},
		{"\\d", 1, "[0-9]"},
		{"\\w", 1, "[A-Za-z0-9_]"},
		{"\\s", 1, "no \\s"},
		{"\\1", 1, "no such escape"},
		{"\\u0041", 1, "no such escape"},
		{"\\$", 1, "no such escape"},
		{"\\", 1, "no such escape"},
		{"\\p", 2, "\\p{Lu}"},
		{"\\p{", 3, "no category"},
		{"\\p{Xx}", 3, "no category"},
		{"\\p{Cs}", 3, "no category"},
		{"\\p{IsGreek}", 3, "no category"},
		{"\xff", 0, "UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};
		size_t at = 0;
		struct iregexp *re = iregexp_compile(rows[i].re, strlen(rows[i].re), &at, &err);

		if (re || at != rows[i].at || !strstr(err.text, rows[i].why))
			fail_msg("%s: at %zu: %s", rows[i].re, at, err.text);
	}
}

static void what_would_grow_without_bound_is_refused(void **state)
{
	static const char *const rows[] = {
		"((a{100}){100}){100}",
		"((((){1000}){1000}){1000}){1000}",
		"(a|b|c|d){1000}",
		"((a?){1000}){1000}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};

		assert_null(iregexp_compile(rows[i], strlen(rows[i]), NULL, &err));
		assert_non_null(strstr(err.text, "too large"));
	}
}

static void groups_nest_at_most_64_deep(void **state)
{
	char text[200];
	struct iregexp *re;

	(void)state;
	memset(text, '(', 65);
	memset(text + 65, ')', 65);
	assert_null(iregexp_compile(text, 130, NULL, NULL));
	re = iregexp_compile(text + 1, 128, NULL, NULL);
	assert_non_null(re);
	iregexp_free(re);
}

/* Backtracking would take 2^n steps here; states are counted once each. */
static void ambiguity_costs_no_more_than_states(void **state)
{
	static const char re[] = "(a*)*(a|aa)*(a*a*)*b";
	char *text = malloc(20000);
	struct iregexp *compiled = iregexp_compile(re, sizeof re - 1, NULL, NULL);
	struct iregexp_memory memory = {0};

	(void)state;
	memset(text, 'a', 20000);
	assert_false(iregexp_match(compiled, &memory, text, 20000));
	text[19999] = 'b';
	assert_true(iregexp_match(compiled, &memory, text, 20000));
	iregexp_free(compiled);
	iregexp_memory_free(&memory);
	free(text);
}

static void memory_serves_expressions_of_any_size(void **state)
{
	struct iregexp *small = iregexp_compile("ab*", 3, NULL, NULL);
	struct iregexp *large = iregexp_compile("(x[0-9]{5}){100}", 16, NULL, NULL);
	struct iregexp_memory memory = {0};
	char text[601] = "";

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(text, "x01234");
	for (int i = 0; i < 3; i++) {
		assert_true(iregexp_match(small, &memory, "abb", 3));
		assert_true(iregexp_match(large, &memory, text, 600));
		assert_false(iregexp_match(large, &memory, text, 599));
	}
	iregexp_free(small);
	iregexp_free(large);
	iregexp_memory_free(&memory);
}

static void categories_are_those_of_unicode(void **state)
{
	(void)state;
	assert_int_equal(category_of('A'), category_named("Lu", 2));
	assert_int_equal(category_of('a'), category_named("Ll", 2));
	assert_int_equal(category_of('0'), category_named("Nd", 2));
	assert_int_equal(category_of(0), category_named("Cc", 2));
	assert_int_equal(category_of(0x10ffff), category_named("Cn", 2));
	assert_int_equal(category_of(0x4e00), category_named("Lo", 2));
	assert_true(category_named("L", 1) & category_of(0x2b0));
	assert_int_equal(category_named("", 0), 0);
	assert_int_equal(category_named("l", 1), 0);
	assert_int_equal(category_named("Lux", 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expression_fits_the_whole_text),
		cmocka_unit_test(what_rfc_9485_does_not_have_is_refused),
		cmocka_unit_test(what_would_grow_without_bound_is_refused),
		cmocka_unit_test(groups_nest_at_most_64_deep),
		cmocka_unit_test(ambiguity_costs_no_more_than_states),
		cmocka_unit_test(memory_serves_expressions_of_any_size),
		cmocka_unit_test(categories_are_those_of_unicode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
