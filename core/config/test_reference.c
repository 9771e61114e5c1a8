#include "base/mem.h"
#include "config/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* All pieces of `value`, resolved and joined, or the reason why not. */
static char *resolved(const char *value)
{
	struct references refs;
	struct buf out = {0};
	struct err err;
	size_t at;
	bool ok = references_parse(value, &refs, &at, &err);

	for (size_t i = 0; ok && i < refs.n; i++)
		ok = reference_resolve(&refs.pieces[i], &out, &err);
	references_free(&refs);
	if (ok)
		return out.data ? buf_take(&out) : mem_text("");
	buf_free(&out);
	return mem_text(err.text);
}

static void resolves(const char *value, const char *expected)
{
	char *got = resolved(value);

	assert_string_equal(got, expected);
	free(got);
}

static void a_value_splits_into_pieces_with_their_offsets(void **state)
{
	struct references refs;
	size_t at;

	(void)state;
	assert_true(references_parse("a${env:B:-c}d${ssm:/e/f}", &refs, &at, NULL));
	assert_int_equal(refs.n, 4);
	assert_int_equal(refs.pieces[1].kind, REFERENCE_ENV);
	assert_string_equal(refs.pieces[1].text, "B");
	assert_string_equal(refs.pieces[1].fallback, "c");
	assert_int_equal(refs.pieces[1].at, 1);
	assert_int_equal(refs.pieces[3].kind, REFERENCE_REMOTE);
	assert_string_equal(refs.pieces[3].section, "ssm");
	assert_string_equal(refs.pieces[3].text, "/e/f");
	assert_int_equal(refs.pieces[3].at, 13);
	assert_true(references_any(&refs));
	assert_true(references_remote(&refs));
	references_free(&refs);
	assert_true(references_parse("a $b {c}", &refs, &at, NULL));
	assert_int_equal(refs.n, 1);
	assert_false(references_any(&refs));
	references_free(&refs);
}

static void the_environment_gives_a_value_or_the_default(void **state)
{
	(void)state;
	setenv("PM_TEST_SET", "value", 1);
	setenv("PM_TEST_EMPTY", "", 1);
	unsetenv("PM_TEST_UNSET");
	resolves("<${env:PM_TEST_SET}>", "<value>");
	resolves("${env:PM_TEST_SET:-other}", "value");
	resolves("<${env:PM_TEST_EMPTY}>", "<>");
	resolves("${env:PM_TEST_EMPTY:-other}", "other");
	resolves("${env:PM_TEST_UNSET:-}", "");
	resolves("${env:PM_TEST_UNSET:-a:-b}", "a:-b");
	resolves("${env:PM_TEST_UNSET}",
		 "environment variable PM_TEST_UNSET is not set; set it where pointsman is "
		 "started, or write another value");
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void files_and_credentials_lose_one_final_newline(void **state)
{
	char dir[] = "reference-test-XXXXXX", *path, *value;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_format("%s/secret", dir);
	value = mem_format("${file:%s}", path);
	write_file(path, "s3cret\n\n", 8);
	resolves(value, "s3cret\n");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	resolves("${credential:secret}", "s3cret\n");
	write_file(path, "a\0b", 3);
	free(value);
	value = resolved("${credential:secret}");
	assert_non_null(strstr(value, "secret has a NUL byte"));
	unlink(path);
	free(value);
	value = resolved("${credential:secret}");
	assert_non_null(strstr(value, "credential secret: cannot open"));
	unsetenv("CREDENTIALS_DIRECTORY");
	free(value);
	value = resolved("${credential:secret}");
	assert_non_null(strstr(value, "CREDENTIALS_DIRECTORY is not set"));
	free(value);
	free(path);
	rmdir(dir);
}

static void relative_files_belong_to_the_configuration_file(void **state)
{
	struct references refs;
	size_t at;

	(void)state;
	assert_true(references_parse("${file:a/b}${file:/c}", &refs, &at, NULL));
	references_relative_to(&refs, "/etc/x/y.ini");
	assert_string_equal(refs.pieces[0].text, "/etc/x/a/b");
	assert_string_equal(refs.pieces[1].text, "/c");
	references_free(&refs);
	assert_true(references_parse("${file:a}", &refs, &at, NULL));
	references_relative_to(&refs, "y.ini");
	assert_string_equal(refs.pieces[0].text, "a");
	references_free(&refs);
}

static void a_malformed_reference_is_told_with_its_place(void **state)
{
	static const struct {
		const char *value, *why;
		size_t at;
	} cases[] = {
		{"ab${env:X", "`${` without its `}`", 2},
		{"${name}", "`${name}` is neither a variable of [vars] nor a reference", 0},
		{"x${env:}", "`${env:}` names nothing after the colon", 1},
		{"${env:A B}", "`${env:A B}` names no environment variable", 0},
		{"${:x}", "`${:x}` is neither", 0},
		{"${credential:a/b}", "a credential's name has no `/`", 0},
		{"${credential:..}", "a credential's name has no `/`", 0},
	};
	struct references refs;
	struct err err;
	size_t at;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_false(references_parse(cases[i].value, &refs, &at, &err));
		if (!strstr(err.text, cases[i].why))
			fail_msg("%s: %s", cases[i].value, err.text);
		assert_int_equal(at, cases[i].at);
		assert_int_equal(refs.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_splits_into_pieces_with_their_offsets),
		cmocka_unit_test(the_environment_gives_a_value_or_the_default),
		cmocka_unit_test(files_and_credentials_lose_one_final_newline),
		cmocka_unit_test(relative_files_belong_to_the_configuration_file),
		cmocka_unit_test(a_malformed_reference_is_told_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
