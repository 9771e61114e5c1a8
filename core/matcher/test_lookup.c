/* The tables a matcher looks things up in: keys, intervals, forms without case, networks. */
#include "base/mem.h"
#include "base/utf8.h"
#include "matcher/intervals.h"
#include "matcher/keytable.h"
#include "rules/ignorecase.h"
#include "rules/network.h"
#include "json/letter.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t dice = 7;

static unsigned roll(unsigned sides)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % sides;
}

static const struct key *find(const struct keytable *t, uint32_t place, const char *text)
{
	size_t len = strlen(text);

	return keytable_find(t, key_hash(place, text, len), place, text, len);
}

static void a_key_is_found_at_its_place_and_nowhere_else(void **state)
{
	struct keytable t = {0};
	char name[64];

	(void)state;
	assert_null(find(&t, 0, "k0"));
	for (uint32_t i = 0; i < 50000; i++) {
		snprintf(name, sizeof name, "k%.*s%u", (int)(i % 30),
			 "..............................", i);
		assert_int_equal(keytable_put(&t, i % 7, name, strlen(name), i)->value, i);
		assert_int_equal(keytable_put(&t, i % 7, name, strlen(name), 0)->value, i);
	}
	assert_int_equal(t.n, 50000);
	keytable_trim(&t);
	for (uint32_t i = 0; i < 50000; i++) {
		snprintf(name, sizeof name, "k%.*s%u", (int)(i % 30),
			 "..............................", i);
		assert_int_equal(find(&t, i % 7, name)->value, i);
		assert_null(find(&t, i % 7 + 7, name));
		name[0] = 'K';
		assert_null(find(&t, i % 7, name));
	}
	keytable_free(&t);
}

static void the_empty_text_is_a_key(void **state)
{
	struct keytable t = {0};

	(void)state;
	keytable_put(&t, 3, "", 0, 1);
	assert_int_equal(find(&t, 3, "")->value, 1);
	assert_null(find(&t, 3, "a"));
	keytable_free(&t);
}

/* The hash of a beginning is that of the words so far, and its own tail. */
static void hashes_of_all_beginnings_come_from_one_walk(void **state)
{
	static const char text[] = "one text of some forty bytes, more or less";
	uint64_t hash = key_seed(5);
	size_t hashed = 0;

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		for (; hashed + 8 <= n; hashed += 8)
			hash = key_word(hash, text + hashed);
		assert_true(key_end(hash, text + hashed, n) == key_hash(5, text, n));
	}
}

struct found {
	bool all[200], inside[200];
};

static void note(uint32_t value, bool inside, void *arg)
{
	struct found *f = arg;

	assert_false(f->all[value]);
	f->all[value] = true;
	f->inside[value] = inside;
}

static void a_number_is_found_in_each_interval_that_has_it(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t n = roll(200);
		struct interval list[200], plain[200];

		for (uint32_t i = 0; i < n; i++) {
			double low = roll(4) ? (double)roll(100) : -INFINITY;
			double high = roll(4) ? (isinf(low) ? 0 : low) + roll(30) : INFINITY;

			plain[i] = list[i] = (struct interval){low, high, 0, i};
		}
		intervals_sort(list, n);
		for (double x = -1; x < 132; x += 0.5) {
			struct found f = {{0}, {0}};

			intervals_find(list, n, x, note, &f);
			for (size_t i = 0; i < n; i++) {
				assert_int_equal(f.all[i], plain[i].low <= x && x <= plain[i].high);
				assert_int_equal(f.inside[i],
						 plain[i].low < x && x < plain[i].high);
			}
		}
	}
}

static void form(const char *text, size_t len, struct buf *out)
{
	buf_cut(out, 0);
	ignorecase_fold(text, len, out);
}

/* Whatever a character as pattern is equal to has the form of the pattern, if it has one; and
 * an ASCII pattern is equal to all that have its form. */
static void texts_of_a_pattern_have_its_form(void **state)
{
	struct buf of_pattern = {0}, of_text = {0};
	unsigned apart = 0;

	(void)state;
	for (uint32_t cp = 1; cp < 0x20000; cp++) {
		uint32_t texts[] = {cp, letter_lower(cp), letter_upper(cp)};
		char pattern[4], text[4];
		size_t n;

		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		n = utf8_write(cp, pattern);
		buf_cut(&of_pattern, 0);
		if (!ignorecase_fold_pattern(pattern, n, &of_pattern)) {
			apart++;
			continue;
		}
		for (size_t i = 0; i < 3; i++) {
			form(text, utf8_write(texts[i], text), &of_text);
			if (of_text.len != of_pattern.len ||
			    memcmp(of_text.data, of_pattern.data, of_text.len) != 0)
				fail_msg("U+%04X is equal to U+%04X", cp, texts[i]);
		}
		form(pattern, n, &of_text);
		if ((unsigned char)of_text.data[0] < 0x80 && cp >= 0x80)
			fail_msg("U+%04X has an ASCII form", cp);
	}
	assert_int_equal(apart, 6);
	buf_free(&of_pattern);
	buf_free(&of_text);
}

static void beginnings_and_ends_are_compared_without_case(void **state)
{
	static const struct {
		const char *text, *pattern;
		bool starts, ends;
	} rows[] = {
		{"Hello", "hELLO", true, true},
		{"Hello", "", true, true},
		{"", "a", false, false},
		{"Hello", "he", true, false},
		{"Hello", "LO", false, true},
		{"STRASSE", "stra\xc3\x9f", true, false},
		{"GROSS", "o\xc3\x9f", false, true},
		{"gro\xc3\x9f", "O\xc3\x9f", false, true},
		{"\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xcf\x8c\xcf\x83", false, false},
		{"\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xcf\x83", false, true},
		{"SS", "\xc3\x9f\xc3\x9f", false, false},
		{"S", "\xc3\x9f", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *t = rows[i].text, *p = rows[i].pattern;

		if (ignorecase_starts(t, strlen(t), p, strlen(p)) != rows[i].starts)
			fail_msg("%s starts with %s", t, p);
		if (ignorecase_ends(t, strlen(t), p, strlen(p)) != rows[i].ends)
			fail_msg("%s ends with %s", t, p);
	}
}

/* Two addresses have the same key of so many bits exactly if one's network has the other. */
static void keys_of_addresses_are_their_networks(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct network a, b, net;
		char one[64], two[64], cut[80], key[2][18];
		unsigned bits;
		size_t n;

		if (roll(2)) {
			snprintf(one, sizeof one, "10.%u.%u.%u", roll(2), roll(256), roll(256));
			snprintf(two, sizeof two, "10.%u.%u.%u", roll(2), roll(256), roll(256));
			bits = roll(33);
		} else {
			snprintf(one, sizeof one, "fe80::%x:%x", roll(3), roll(65536));
			snprintf(two, sizeof two, "fe80::%x:%x", roll(3), roll(65536));
			bits = 90 + roll(39);
		}
		snprintf(cut, sizeof cut, "%s/%u", one, bits);
		assert_true(network_address(one, strlen(one), &a));
		assert_true(network_address(two, strlen(two), &b));
		assert_true(network_parse(cut, strlen(cut), &net, NULL));
		n = network_key(&a, bits, key[0]);
		assert_int_equal(network_key(&b, bits, key[1]), n);
		assert_int_equal(memcmp(key[0], key[1], n) == 0,
				 network_has(&net, two, strlen(two)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_at_its_place_and_nowhere_else),
		cmocka_unit_test(the_empty_text_is_a_key),
		cmocka_unit_test(hashes_of_all_beginnings_come_from_one_walk),
		cmocka_unit_test(a_number_is_found_in_each_interval_that_has_it),
		cmocka_unit_test(texts_of_a_pattern_have_its_form),
		cmocka_unit_test(beginnings_and_ends_are_compared_without_case),
		cmocka_unit_test(keys_of_addresses_are_their_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
