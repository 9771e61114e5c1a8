#include "testhost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

static struct testhost *host(void)
{
	static const char *const settings[] = {"region", "eu-west-1", NULL};
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "ssm", settings);

	assert_non_null(t);
	return t;
}

static void a_value_is_asked_for_decrypted(void **state)
{
	struct testhost *t = host();
	uint64_t ask = testhost_resolve(t, "/site/github-token");

	(void)state;
	assert_string_equal(testhost_request(t)->aws, "ssm:eu-west-1");
	assert_string_equal(testhost_request(t)->method, "POST");
	assert_string_equal(testhost_request_header(t, "X-Amz-Target"), "AmazonSSM.GetParameter");
	assert_string_equal(testhost_request_header(t, "Content-Type"),
			    "application/x-amz-json-1.1");
	assert_string_equal(testhost_request(t)->body,
			    "{\"Name\":\"/site/github-token\",\"WithDecryption\":true}");
	testhost_answer(t, 200, NULL,
			"{\"Parameter\":{\"Name\":\"/site/github-token\",\"Type\":\"SecureString\","
			"\"Value\":\"s3cret\",\"Version\":3}}");
	assert_string_equal(testhost_resolved(t, ask, NULL), "s3cret");
	testhost_free(t);
}

static void a_version_is_part_of_the_name(void **state)
{
	struct testhost *t = host();

	(void)state;
	testhost_resolve(t, "/site/token:7");
	assert_non_null(strstr(testhost_request(t)->body, "\"/site/token:7\""));
	testhost_free(t);
}

static void several_asks_do_not_mix(void **state)
{
	struct testhost *t = host();
	uint64_t a = testhost_resolve(t, "/a"), b = testhost_resolve(t, "/b");
	const char *why;

	(void)state;
	testhost_answer(t, 400, NULL, "{\"__type\":\"ParameterNotFound\"}");
	testhost_answer(t, 200, NULL, "{\"Parameter\":{\"Value\":\"of b\"}}");
	assert_null(testhost_resolved(t, a, &why));
	assert_string_equal(why, "parameter /a: ParameterNotFound (HTTP 400)");
	assert_string_equal(testhost_resolved(t, b, NULL), "of b");
	testhost_free(t);
}

static void what_is_no_value_is_told(void **state)
{
	static const struct {
		int status;
		const char *body, *why;
	} answers[] = {
		{400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"not authorized\"}",
		 "parameter /a: AccessDeniedException: not authorized"},
		{0, "connection refused", "parameter /a: no answer: connection refused"},
		{200, "{\"Parameter\":{}}", "parameter /a: HTTP 200, but no Value in the answer"},
		{200, "{\"Parameter\":{\"Value\":7}}",
		 "parameter /a: HTTP 200, but no Value in the answer"},
		{200, "{\"Parameter\":{\"Value\":\"a\\u0000b\"}}",
		 "parameter /a: its value holds a NUL byte"},
		{200, "[]", "no JSON object"},
		{200, "<html>", "no JSON object"},
		{200, "{\"Parameter\":", "no JSON object"},
		{503, "", "parameter /a: HTTP 503"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct testhost *t = host();
		uint64_t ask = testhost_resolve(t, "/a");
		const char *why;

		if (answers[i].status)
			testhost_answer(t, answers[i].status, NULL, answers[i].body);
		else
			testhost_no_answer(t, answers[i].body);
		assert_null(testhost_resolved(t, ask, &why));
		assert_non_null(strstr(why, answers[i].why));
		testhost_free(t);
	}
}

static void the_value_is_in_no_log(void **state)
{
	struct testhost *t = host();

	(void)state;
	testhost_resolve(t, "/a");
	testhost_answer(t, 200, NULL, "{\"Parameter\":{\"Value\":\"s3cret\\u0000\"}}");
	assert_null(strstr(testhost_last_log(t), "s3cret"));
	testhost_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_asked_for_decrypted),
		cmocka_unit_test(a_version_is_part_of_the_name),
		cmocka_unit_test(several_asks_do_not_mix),
		cmocka_unit_test(what_is_no_value_is_told),
		cmocka_unit_test(the_value_is_in_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
