#include "rules/ignorecase.h"
#include "rules/network.h"
#include "rules/wildcard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void a_star_is_any_run(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} rows[] = {
		{"hello", "hello", true},
		{"hello", "hellox", false},
		{"hello", "hell", false},
		{"", "", true},
		{"", "x", false},
		{"*", "", true},
		{"*", "a/b", true},
		{"*hello", "xxhello", true},
		{"*hello", "hellox", false},
		{"h*llo", "hllo", true},
		{"h*llo", "heeello", true},
		{"hel*o", "helo", true},
		{"h*l*o", "hlo", true},
		{"he*l*", "hel", true},
		{"he*l*", "heo", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"ab*ba", "aba", false},
		{"hel\\*o", "hello", false},
		{"hel\\*o", "hel*o", true},
		{"he\\**o", "he*llo", true},
		{"he\\\\*llo", "he\\hello", true},
		{"\\**", "*x", true},
		{"2*0*1*7", "2607117", true},
		{"2*0*1*7", "20177", true},
		{"2*0*1*7", "2107", false},
		{"*E*E*E*", "BELVEDERE", true},
		{"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"*a*a*a*a*a*b", "aaaaaaaaaaaaab", true},
		{"\xe6\x88\x91*", "\xe6\x88\x91\xe6\x98\xaf", true},
		{"*\xe8\x80\x85", "\xe6\x88\x91\xe8\x80\x85", true},
		{"refs/*/main", "refs/heads/x/main", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wildcard w;

		assert_true(wildcard_parse(rows[i].pattern, strlen(rows[i].pattern), &w, NULL));
		if (wildcard_match(&w, rows[i].text, strlen(rows[i].text)) != rows[i].fits)
			fail_msg("%s against %s", rows[i].pattern, rows[i].text);
		wildcard_free(&w);
	}
}

static void stars_in_a_row_and_other_escapes_are_mistakes(void **state)
{
	static const char *const rows[] = {"h**o", "**", "h\\ello", "hello\\", "\\x"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};
		struct wildcard w;

		assert_false(wildcard_parse(rows[i], strlen(rows[i]), &w, &err));
		assert_non_null(strstr(err.text, "star"));
		assert_null(w.text);
	}
}

static void case_is_ignored_character_by_character(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool same;
	} rows[] = {
		{"jAVa", "JAVA", true},
		{"jAVa", "java", true},
		{"jAVa", "javascript", false},
		{"jAVa", "jav", false},
		{"", "", true},
		{"", "a", false},
		{"\xc3\x9cn\xc3\xaf"
		 "code",
		 "\xc3\xbcN\xc3\x8f"
		 "CODE",
		 true},
		{"\xc4\xb0", "i", false},
		{"\xc7\x86", "\xc7\x84", true},
		{"\xc3\xbf", "\xc5\xb8", true},
		{"\xce\xba\xcf\x8c\xcf\x83", "\xce\x9a\xce\x8c\xce\xa3", true},
		{"\xcf\x83", "\xcf\x82", false},
		{"stra\xc3\x9f"
		 "e",
		 "STRASSE", true},
		{"stra\xc3\x9f"
		 "e",
		 "strasse", false},
		{"STRASSE",
		 "stra\xc3\x9f"
		 "e",
		 false},
		{"[", "{", false},
		{"\xff", "\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (ignorecase_equal(rows[i].text, strlen(rows[i].text), rows[i].pattern,
				     strlen(rows[i].pattern)) != rows[i].same)
			fail_msg("%s against %s", rows[i].pattern, rows[i].text);
	}
}

static void an_address_is_within_its_network(void **state)
{
	static const struct {
		const char *network, *text;
		bool within;
	} rows[] = {
		{"10.0.0.0/24", "10.0.0.255", true},
		{"10.0.0.0/24", "10.0.1.0", false},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.33/24", "10.0.0.1", true},
		{"192.168.0.1", "192.168.0.1", true},
		{"192.168.0.1", "192.168.0.2", false},
		{"192.168.0.1/32", "192.168.0.1", true},
		{"192.168.0.1/32", "192.168.0.0", false},
		{"10.128.0.0/9", "10.200.1.1", true},
		{"10.128.0.0/9", "10.100.1.1", false},
		{"0.0.0.0/0", "255.1.2.3", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "::1", true},
		{"::/0", "10.0.0.1", false},
		{"2001:db8::/32", "2001:db8::1", true},
		{"2001:db8::/32", "2001:db9::1", false},
		{"2001:DB8::/32", "2001:db8:FFFF::", true},
		{"2001:db8::1", "2001:0db8:0::1", true},
		{"2001:db8::1/128", "2001:db8::2", false},
		{"::ffff:10.0.0.0/104", "10.0.0.1", false},
		{"10.0.0.0/24", "::ffff:10.0.0.1", false},
		{"10.0.0.0/24", "10.0.0.033", false},
		{"10.0.0.0/24", "not-an-ip", false},
		{"10.0.0.0/24", "10.0.0", false},
		{"10.0.0.0/24", "10.0.0.256", false},
		{"10.0.0.0/24", "10.0.0.1/32", false},
		{"10.0.0.0/24", "", false},
		{"fe80::/10", "fe80::1%eth0", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct network n;

		assert_true(network_parse(rows[i].network, strlen(rows[i].network), &n, NULL));
		if (network_has(&n, rows[i].text, strlen(rows[i].text)) != rows[i].within)
			fail_msg("%s within %s", rows[i].text, rows[i].network);
	}
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const rows[] = {
		"",         "bogus/8", "10.0.0.0/33", "10.0.0.0/-1",  "10.0.0.0/", "10.0.0.0/08",
		"10.0.0/8", "::/129",  "::/1000",     "10.0.0.0/8/8", "/8"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};
		struct network n;

		if (network_parse(rows[i], strlen(rows[i]), &n, &err))
			fail_msg("%s was taken", rows[i]);
		assert_true(strlen(err.text) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_star_is_any_run),
		cmocka_unit_test(stars_in_a_row_and_other_escapes_are_mistakes),
		cmocka_unit_test(case_is_ignored_character_by_character),
		cmocka_unit_test(an_address_is_within_its_network),
		cmocka_unit_test(what_is_no_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
