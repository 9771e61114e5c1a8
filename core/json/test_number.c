#include "json/find.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *a, const char *b, int order)
{
	int found = json_number_compare(a, strlen(a), b, strlen(b));

	if ((found > 0) - (found < 0) != order)
		fail_msg("%s against %s gave %d, not %d", a, b, found, order);
	found = json_number_compare(b, strlen(b), a, strlen(a));
	if ((found > 0) - (found < 0) != -order)
		fail_msg("%s against %s gave %d, not %d", b, a, found, -order);
}

static void one_number_has_many_spellings(void **state)
{
	static const char *const ones[] = {"1",      "1.0",   "1e0",
					   "100e-2", "0.1e1", "1.000000000000000000000"};
	static const char *const zeros[] = {
		"0", "-0", "0.0", "-0.0", "0e9", "-0e-9", "0.000000000000000000"};

	(void)state;
	for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
		for (size_t j = 0; j < sizeof ones / sizeof *ones; j++)
			expect(ones[i], ones[j], 0);
	for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
		for (size_t j = 0; j < sizeof zeros / sizeof *zeros; j++)
			expect(zeros[i], zeros[j], 0);
	expect("100", "1e2", 0);
	expect("1e308", "1.0e308", 0);
	expect("123000", "123e3", 0);
}

static void integers_of_any_length_compare_exactly(void **state)
{
	(void)state;
	expect("9007199254740993", "9007199254740992", 1);
	expect("9007199254740993", "9007199254740992.0", 1);
	expect("9007199254740993", "9007199254740993.0", 0);
	expect("18446744073709551615", "18446744073709551616", -1);
	expect("-18446744073709551615", "-18446744073709551616", 1);
	expect("123456789012345678901234567890123456789012345678901234567890123456789",
	       "123456789012345678901234567890123456789012345678901234567890123456788", 1);
	expect("12345678901234567890e5", "1234567890123456789000000", 0);
	expect("1e400", "1e400", 0);
	expect("1e400", "1e401", -1);
	expect("-1e400", "1e401", -1);
	expect("1e400", "10e399", 0);
	expect("1e99999999999999999999", "1e400", 1);
	expect("0e99999999999999999999", "0", 0);
}

static void others_compare_as_doubles(void **state)
{
	(void)state;
	expect("1.5", "2", -1);
	expect("-1.5", "-2", 1);
	expect("0.1", "0.2", -1);
	expect("1.1", "1.1000000000000001", 0);
	expect("1.1", "1.1000000000000003", -1);
	expect("-1e-300", "0", -1);
	expect("1e-400", "0", 0);
	expect("0.30000000000000004", "0.3", 1);
	expect("301.8", "301.80", 0);
	expect("1.5e400", "1e308", 1);
	expect("2.5", "10000000000000000000000000000000", -1);
}

static void signs_come_first(void **state)
{
	(void)state;
	expect("-1", "1", -1);
	expect("-1", "0", -1);
	expect("-10", "-9", -1);
	expect("10", "9", 1);
	expect("-0", "1e-5", -1);
	expect("-1e400", "0", -1);
}

/* As the C library reads them, which is right to the last bit. */
static void a_double_is_the_nearest_there_is(void **state)
{
	uint64_t dice = 88172645463325252U;

	(void)state;
	for (int i = 0; i < 400000; i++) {
		char text[64];
		double read;

		dice ^= dice << 13;
		dice ^= dice >> 7;
		dice ^= dice << 17;
		if (i % 2)
			snprintf(text, sizeof text, "%s%" PRIu64 ".%0*" PRIu64, i % 4 ? "-" : "",
				 dice % 1000, 1 + i % 17, dice >> 10 & 0xffffffffff);
		else /* halfway between two doubles, and beside it */
			snprintf(text, sizeof text, "%" PRIu64,
				 ((uint64_t)1 << 54) + (dice >> 12) * 4 + 1 + dice % 3);
		read = json_number_double(text, strlen(text));
		if (read != strtod(text, NULL))
			fail_msg("%s is read as %.20g", text, read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_number_has_many_spellings),
		cmocka_unit_test(integers_of_any_length_compare_exactly),
		cmocka_unit_test(others_compare_as_doubles),
		cmocka_unit_test(signs_come_first),
		cmocka_unit_test(a_double_is_the_nearest_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
